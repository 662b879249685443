//! Paths with variables: nginx writes to one file for each value, so agent.yaml gets a glob.

use super::super::LogPath;
use super::super::output::escape_glob;

/// The path as agent.yaml takes it, with `*` for each variable.
#[must_use]
pub fn glob_of(path: &str) -> LogPath {
    let mut glob = String::new();
    let mut rest = path;
    let mut has_variable = false;
    while let Some(dollar) = rest.find('$') {
        let (literal, behind) = (&rest[..dollar], &rest[dollar..]);
        let length = variable_length(behind);
        glob += &escape_glob(literal);
        if length == 0 {
            glob.push('$');
            rest = &behind[1..];
            continue;
        }
        // Two variables side by side are any text, as one is.
        if !(glob.ends_with('*') && literal.is_empty()) {
            glob.push('*');
        }
        has_variable = true;
        rest = &behind[length..];
    }
    glob += &escape_glob(rest);
    LogPath { glob, literal: (!has_variable).then(|| path.to_owned()), rotated: None }
}

/// The length of `$name` or `${name}`; 0 if it is neither.
fn variable_length(text: &str) -> usize {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let name_length = |text: &str| text.find(|character| !is_name(character)).unwrap_or(text.len());
    let behind = &text[1..];
    match behind.strip_prefix('{') {
        Some(braced) => match name_length(braced) {
            length if length > 0 && braced[length..].starts_with('}') => length + 3,
            _ => 0,
        },
        None => match name_length(behind) {
            0 => 0,
            length => length + 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::glob_of;

    #[test]
    fn variables_are_stars_and_all_else_stands_for_itself() {
        for (path, glob, is_literal) in [
            ("/l/access.log", "/l/access.log", true),
            ("/l/$host.log", "/l/*.log", false),
            ("/l/${host}_$server_port.log", "/l/*_*.log", false),
            ("/l/$year$month/a.log", "/l/*/a.log", false),
            ("/l/[a]{b}*.log", "/l/\\[a\\]\\{b\\}\\*.log", true),
            ("/l/$/a${b.log", "/l/$/a$\\{b.log", true),
            ("/l/*$host", "/l/\\**", false),
        ] {
            let found = glob_of(path);
            assert_eq!((found.glob.as_str(), found.literal.is_some()), (glob, is_literal), "{path}");
        }
    }
}
