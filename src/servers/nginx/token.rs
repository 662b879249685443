//! Bytes to statements, byte by byte as `ngx_conf_read_token` of nginx's `src/core/ngx_conf_file.c` does it.
//!
//! One difference: nginx refuses words and comments of more than 4096 bytes, which are read here.

/// The words of a statement, and what ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The words, unescaped; none before `}` and at the end.
    pub words: Vec<Vec<u8>>,
    /// Where its first word begins, or what ends it.
    pub start: usize,
    /// What ends it.
    pub end: End,
}

/// What ends a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `;`
    Semicolon,
    /// `{`
    Open,
    /// `}`, alone.
    Close,
    /// The end of the text, alone.
    Text,
}

/// What is wrong, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The byte.
    pub at: usize,
    /// What is wrong with it.
    pub kind: MistakeKind,
}

/// What is wrong with a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MistakeKind {
    /// It cannot stand here.
    Unexpected(u8),
    /// It follows a closing quote.
    BehindQuote,
    /// It is a quote that is never closed.
    OpenQuote,
    /// It begins a statement that is never ended.
    OpenStatement,
}

/// What the tokenizer is within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// Between words.
    Space,
    /// A comment.
    Comment,
    /// A word without quotes.
    Word,
    /// A word in these quotes.
    Quotes(u8),
    /// The end of a word in quotes.
    Behind,
}

/// Statement by statement through a text.
#[derive(Clone, Debug)]
pub struct Tokenizer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Tokenizer<'a> {
    /// Starts at the text's first byte.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// What is not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Steps over bytes of the rest.
    pub fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    /// The next statement.
    ///
    /// # Errors
    /// The text is none of nginx's.
    pub fn next(&mut self) -> Result<Statement, Mistake> {
        let mut reading = Reading::new(self.text);
        while let Some(&byte) = self.text.get(self.at) {
            let at = self.at;
            self.skip(if reading.takes_two(byte) { 2 } else { 1 });
            if let Some(end) = reading.take(at, byte)? {
                return Ok(Statement { start: reading.first.unwrap_or(at), words: reading.words, end });
            }
        }
        reading.finish()
    }
}

/// A statement on its way.
struct Reading<'a> {
    text: &'a [u8],
    words: Vec<Vec<u8>>,
    within: Within,
    /// Where its first word begins.
    first: Option<usize>,
    /// Where the present word begins, behind its quote.
    start: usize,
    /// Whether a `{` belongs to a variable.
    after_dollar: bool,
}

impl<'a> Reading<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, words: Vec::new(), within: Within::Space, first: None, start: 0, after_dollar: false }
    }

    /// Whether whatever follows belongs to this byte.
    fn takes_two(&self, byte: u8) -> bool {
        byte == b'\\' && matches!(self.within, Within::Space | Within::Word | Within::Quotes(_))
    }

    /// Takes a byte; says how the statement ends, if it does.
    fn take(&mut self, at: usize, byte: u8) -> Result<Option<End>, Mistake> {
        match self.within {
            Within::Space => self.take_between(at, byte),
            Within::Behind => self.take_behind(at, byte),
            Within::Quotes(quote) => {
                if self.ends_word(at, byte, byte == quote) {
                    self.within = Within::Behind;
                }
                Ok(None)
            }
            Within::Word => {
                if !self.ends_word(at, byte, is_space(byte) || matches!(byte, b';' | b'{')) {
                    return Ok(None);
                }
                self.within = Within::Space;
                Ok(end_of(byte))
            }
            Within::Comment => {
                if byte == b'\n' {
                    self.within = Within::Space;
                }
                Ok(None)
            }
        }
    }

    fn take_between(&mut self, at: usize, byte: u8) -> Result<Option<End>, Mistake> {
        match byte {
            byte if is_space(byte) => {}
            b'}' if self.words.is_empty() => return Ok(Some(End::Close)),
            b';' | b'{' if !self.words.is_empty() => return Ok(end_of(byte)),
            b';' | b'{' | b'}' => return Err(Mistake { at, kind: MistakeKind::Unexpected(byte) }),
            b'#' => self.within = Within::Comment,
            b'"' | b'\'' => self.begin(Within::Quotes(byte), at + 1, byte),
            _ => self.begin(Within::Word, at, byte),
        }
        Ok(None)
    }

    fn take_behind(&mut self, at: usize, byte: u8) -> Result<Option<End>, Mistake> {
        match byte {
            byte if is_space(byte) => self.within = Within::Space,
            b';' | b'{' => return Ok(end_of(byte)),
            // As in `if ($a = "b")`: a word of its own.
            b')' => self.begin(Within::Word, at, byte),
            _ => return Err(Mistake { at, kind: MistakeKind::BehindQuote }),
        }
        Ok(None)
    }

    fn begin(&mut self, within: Within, start: usize, byte: u8) {
        // A statement in quotes begins with the quote.
        self.first = self.first.or(Some(start - usize::from(within != Within::Word)));
        (self.within, self.start, self.after_dollar) = (within, start, byte == b'$');
    }

    /// Within a word: keeps it if this byte ends it.
    fn ends_word(&mut self, at: usize, byte: u8, closes: bool) -> bool {
        if byte == b'{' && self.after_dollar {
            return false;
        }
        self.after_dollar = byte == b'$';
        if closes {
            self.words.push(unescape(&self.text[self.start..at]));
        }
        closes
    }

    /// At the end of the text.
    fn finish(self) -> Result<Statement, Mistake> {
        match (self.within, self.first) {
            (Within::Quotes(_), _) => Err(Mistake { at: self.start - 1, kind: MistakeKind::OpenQuote }),
            (_, Some(at)) => Err(Mistake { at, kind: MistakeKind::OpenStatement }),
            (_, None) => Ok(Statement { words: self.words, start: self.text.len(), end: End::Text }),
        }
    }
}

fn end_of(byte: u8) -> Option<End> {
    match byte {
        b';' => Some(End::Semicolon),
        b'{' => Some(End::Open),
        _ => None,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A backslash before a quote or a backslash goes; `\t`, `\r` and `\n` are what they are elsewhere; any other stays.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut word = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        let meant = match (byte, bytes.as_slice().first()) {
            (b'\\', Some(&quoted @ (b'"' | b'\'' | b'\\'))) => quoted,
            (b'\\', Some(b't')) => b'\t',
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b'n')) => b'\n',
            _ => {
                word.push(byte);
                continue;
            }
        };
        word.push(meant);
        bytes.next();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statements as `word|word;`, a mistake as its byte and kind.
    fn check(text: &str, expect: &str) {
        let mut tokens = Tokenizer::new(text.as_bytes());
        let mut shown = String::new();
        loop {
            match tokens.next() {
                Ok(Statement { end: End::Text, .. }) => break,
                Ok(Statement { words, end, .. }) => {
                    let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
                    shown += &words.join("|");
                    shown += match end {
                        End::Semicolon => "; ",
                        End::Open => "{ ",
                        End::Close => "} ",
                        End::Text => "",
                    };
                }
                Err(mistake) => {
                    shown += &format!("{}: {:?}", mistake.at, mistake.kind);
                    break;
                }
            }
        }
        assert_eq!(shown.trim_end(), expect, "{text}");
    }

    #[test]
    fn words_are_split_as_nginx_splits_them() {
        check("a b;c{d;}", "a|b; c{ d; }");
        check("a\tb\r\n c ;", "a|b|c;");
        check("user  www; # done; {\nx;", "user|www; x;");
        check("a#b c;", "a#b|c;");
        check("a b}c;", "a|b}c;");
        check("a ${b}c{", "a|${b}c{");
        check("a $b{", "a|$b{");
        check("location ~ ^/a{2}$ {", "location|~|^/a{ 2}${");
        check("if ($a = \"b\") {", "if|($a|=|b|){");
        check("a '' b;", "a||b;");
    }

    #[test]
    fn quotes_and_escapes_mean_what_they_mean_to_nginx() {
        check(r#"a 'x;y{z} "q" #' "it's";"#, r#"a|x;y{z} "q" #|it's;"#);
        check(r#"a "\"\\\'" '\"\'\\';"#, r#"a|"\'|"'\;"#);
        check(r"a x\ y\;z;", r"a|x\ y\;z;");
        check(r"a '\t' \t \d;", "a|\t|\t|\\d;");
        check(r"\{a b;", r"\{a|b;");
        check("a 'one\ntwo';", "a|one\ntwo;");
    }

    #[test]
    fn mistakes_have_their_place() {
        check("a 'b", "2: OpenQuote");
        check("a \"b\\\"", "2: OpenQuote");
        check(" a b", "1: OpenStatement");
        check("a b\\", "0: OpenStatement");
        check("a 'b'c;", "5: BehindQuote");
        check("a; ;", "a; 3: Unexpected(59)");
        check("{", "0: Unexpected(123)");
        check("a }", "2: Unexpected(125)");
    }
}
