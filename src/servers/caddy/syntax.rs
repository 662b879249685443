//! A Caddyfile's text as lines of words, each with its block.

use super::super::{ConfError, Lines, Place};

/// Real Caddyfiles have five levels.
const BLOCKS_MAX: usize = 64;

/// A line that is not empty.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its words; none for a block that stands alone.
    pub words: Vec<String>,
    /// Where it begins.
    pub place: Place,
    /// What is in its braces, if it has them.
    pub block: Option<Vec<Line>>,
}

impl Line {
    /// The line as a snippet's, with what stands behind `import`.
    #[must_use]
    pub fn with_arguments(&self, arguments: &[String]) -> Self {
        let words = self.words.iter().map(|word| given(word, arguments));
        let block = self.block.as_deref();
        let block = block.map(|block| block.iter().map(|line| line.with_arguments(arguments)).collect());
        Self { words: words.collect(), place: self.place.clone(), block }
    }
}

/// `{args[0]}`, and `{args.0}` of older versions.
fn given(word: &str, arguments: &[String]) -> String {
    /// Longer than any path. Snippets that hand a word on twice could make it as long as they like.
    const BYTES_MAX: usize = 64 << 10;
    let mut word = word.to_owned();
    for (number, argument) in arguments.iter().enumerate() {
        for placeholder in [format!("{{args[{number}]}}"), format!("{{args.{number}}}")] {
            if word.matches(&placeholder).count() * argument.len() < BYTES_MAX {
                word = word.replace(&placeholder, argument);
            }
        }
    }
    word
}

/// A word with its place.
struct Token {
    text: String,
    at: usize,
    /// Whether it is the first of a line.
    is_first: bool,
    is_quoted: bool,
}

/// Takes a text apart.
pub(super) fn parse(text: &str, lines: &Lines) -> Result<Vec<Line>, ConfError> {
    let tokens = tokens(text, lines)?;
    // Blocks that are open, each with what opened it.
    let mut open: Vec<(Line, Vec<Line>)> = Vec::new();
    let mut current: Vec<Line> = Vec::new();
    let mut line: Option<Line> = None;
    for token in tokens {
        let place = lines.place(token.at);
        if token.is_first {
            current.extend(line.take());
        }
        match (token.is_quoted, token.text.as_str()) {
            (false, "{") => {
                if open.len() == BLOCKS_MAX {
                    let fact = format!("blocks are more than {BLOCKS_MAX} deep here");
                    return Err(ConfError::wrong(place, fact, "close the blocks around it"));
                }
                let opening = line.take().unwrap_or(Line { words: Vec::new(), place, block: None });
                open.push((opening, std::mem::take(&mut current)));
            }
            (false, "}") => {
                current.extend(line.take());
                let Some((opening, outside)) = open.pop() else {
                    return Err(ConfError::wrong(place, "this `}` closes no block", "remove it"));
                };
                let block = std::mem::replace(&mut current, outside);
                current.push(Line { block: Some(block), ..opening });
            }
            (_, word) => {
                let line = line.get_or_insert_with(|| Line { words: Vec::new(), place, block: None });
                line.words.push(word.to_owned());
            }
        }
    }
    current.extend(line);
    match open.pop() {
        Some((opening, _)) => {
            let fact = "this block is not closed before the end of the file";
            Err(ConfError::wrong(opening.place, fact, "end it with `}` on a line of its own"))
        }
        None => Ok(current),
    }
}

fn tokens(text: &str, lines: &Lines) -> Result<Vec<Token>, ConfError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut is_first = true;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        match character {
            '\n' => {
                is_first = true;
                at += 1;
            }
            '\\' if rest[1..].starts_with('\n') => at += 2,
            character if character.is_whitespace() => at += character.len_utf8(),
            '#' => at += rest.find('\n').unwrap_or(rest.len()),
            _ => {
                let Some((word, length)) = word(rest) else {
                    let fact = "this quote is never closed";
                    return Err(ConfError::wrong(lines.place(at), fact, "close it"));
                };
                let is_quoted = matches!(character, '"' | '`');
                tokens.push(Token { text: word, at, is_first, is_quoted });
                is_first = false;
                at += length;
            }
        }
    }
    Ok(tokens)
}

/// A word and how many bytes it is written in; `None` if a quote is not closed.
fn word(text: &str) -> Option<(String, usize)> {
    if let Some(raw) = text.strip_prefix('`') {
        let end = raw.find('`')?;
        return Some((raw[..end].to_owned(), end + 2));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let mut word = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => return Some((word, at + 2)),
                '\\' if quoted[at + 1..].starts_with('"') => {
                    characters.next();
                    word.push('"');
                }
                character => word.push(character),
            }
        }
        return None;
    }
    if let Some(heredoc) = heredoc(text) {
        return Some(heredoc);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Some((environment_default(&text[..end]), end))
}

/// `<<END`, lines, and `END` on a line.
fn heredoc(text: &str) -> Option<(String, usize)> {
    let (marker, _) = text.strip_prefix("<<")?.split_once('\n')?;
    let marker = marker.trim_end();
    if marker.is_empty() || !marker.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-') {
        return None;
    }
    let mut length = text.find('\n')? + 1;
    let start = length;
    for line in text[start..].split_inclusive('\n') {
        if line.trim() == marker {
            let end = line.len() - line.trim_end().len();
            return Some((text[start..length].to_owned(), length + line.len() - end));
        }
        length += line.len();
    }
    None
}

/// `{$NAME:default}` is its default; what the environment of the service says is not known here.
fn environment_default(word: &str) -> String {
    let mut replaced = String::new();
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once("{$") {
        let Some((inside, after)) = behind.split_once('}') else { break };
        replaced += before;
        match inside.split_once(':') {
            Some((_, default)) => replaced += default,
            None => replaced += &format!("{{${inside}}}"),
        }
        rest = after;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shown(lines: &[Line]) -> String {
        let line = |line: &Line| match &line.block {
            Some(block) => format!("{}{{{}}}", line.words.join("|"), shown(block)),
            None => format!("{};", line.words.join("|")),
        };
        lines.iter().map(line).collect()
    }

    fn check(text: &str, expect: &str) {
        let lines = Lines::of(Path::new("/Caddyfile"), text.as_bytes());
        let found = parse(text, &lines).map_or_else(|error| error.to_string(), |lines| shown(&lines));
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn lines_words_and_blocks() {
        check("a b # c\n\n d\n", "a|b;d;");
        check(
            "a.example, b.example {\n log {\n  output file \"/x y\"\n }\n}\n",
            "a.example,|b.example{log{output|file|/x y;}}",
        );
        check("{\n email x\n}\n:80 {\n}\n", "{email|x;}:80{}");
        check("a \\\n b\nc `x{ \"` \"\\\"}\"\n", "a|b;c|x{ \"|\"};");
        check("a {$X:/y}/z {$Y}\n", "a|/y/z|{$Y};");
        check("a <<END\n x\n y\n END\nb\n", "a| x\n y\n;b;");
        check("a {\n b {args[0]}\n}\n", "a{b|{args[0]};}");
    }

    #[test]
    fn mistakes_have_their_place() {
        check("a\n}\n", "/Caddyfile:2:1: this `}` closes no block: remove it");
        let open =
            "this block is not closed before the end of the file: end it with `}` on a line of its own";
        check("a {\n b {\n }\n", &format!("/Caddyfile:1:1: {open}"));
        check("a \"b\n", "/Caddyfile:1:3: this quote is never closed: close it");
    }
}
