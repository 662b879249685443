//! Steps over the Lua in `..._by_lua_block { ... }`: braces are counted where they are code, and not in strings and
//! comments, as lua-nginx-module's own scanner does it.

/// How many bytes of `code`, which begins behind the opening brace, lead behind the closing one; `None` if it is missing.
#[must_use]
pub fn block_length(code: &[u8]) -> Option<usize> {
    let mut depth = 1_usize;
    let mut at = 0;
    while let Some(&byte) = code.get(at) {
        let rest = &code[at..];
        at += match byte {
            b'{' => {
                depth += 1;
                1
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
                1
            }
            b'"' | b'\'' => string_length(rest)?,
            b'[' => match long_bracket_level(rest) {
                Some(level) => long_length(rest, level)?,
                None => 1,
            },
            b'-' if rest.starts_with(b"--") => match long_bracket_level(&rest[2..]) {
                Some(level) => 2 + long_length(&rest[2..], level)?,
                None => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            },
            _ => 1,
        };
    }
    None
}

/// The length of a string in quotes.
fn string_length(text: &[u8]) -> Option<usize> {
    let quote = text[0];
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// How many `=` a `[==[` has, if that is what the text begins with.
fn long_bracket_level(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"[")?;
    let level = rest.iter().take_while(|byte| **byte == b'=').count();
    (rest.get(level) == Some(&b'[')).then_some(level)
}

/// The length of `[==[ ... ]==]`.
fn long_length(text: &[u8], level: usize) -> Option<usize> {
    let closing = [&b"]"[..], &vec![b'='; level], b"]"].concat();
    let open = level + 2;
    memchr::memmem::find(&text[open..], &closing).map(|at| open + at + closing.len())
}

#[cfg(test)]
mod tests {
    use super::block_length;

    fn check(code: &str, rest: Option<&str>) {
        assert_eq!(block_length(code.as_bytes()).map(|length| &code[length..]), rest, "{code}");
    }

    #[test]
    fn braces_count_in_code_alone() {
        check(" ngx.say(1) } x;", Some(" x;"));
        check(" t = { a = {} } } x;", Some(" x;"));
        check(r#" s = "}\"}" .. '}\'' } x;"#, Some(" x;"));
        check(" -- }\n } x;", Some(" x;"));
        check(" --[[ } ]] } x;", Some(" x;"));
        check(" --[==[ } ]] ]==] } x;", Some(" x;"));
        check(" s = [=[ } ]=] t[1] = a[b[2]] } x;", Some(" x;"));
        check(" a - -1 } x;", Some(" x;"));
    }

    #[test]
    fn what_is_not_closed_has_no_length() {
        for code in ["", "{}", "\"}", "[[ } ", "--[[ } ", "-- }", "'\\"] {
            check(code, None);
        }
    }
}
