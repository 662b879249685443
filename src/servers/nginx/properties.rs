//! What holds for any bytes.

use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::{Loader, choose};
use super::token::{End, Tokenizer};
use super::{Dump, read};

/// Bytes that mean something, and others.
const PIECES: [&[u8]; 28] = [
    b"http {",
    b"server { ",
    b"location / {",
    b"access_log ",
    b"log_format x ",
    b"escape=json ",
    b"include ",
    b"content_by_lua_block {",
    b"/a.log",
    b"/*.log",
    b"/c",
    b"${host}",
    b"$status",
    b"off",
    b"combined",
    b"gzip=1 if=$x",
    b";",
    b"}",
    b"{",
    b"'",
    b"\"",
    b"\\",
    b"#",
    b"\n",
    b" ",
    b"[[",
    b"--",
    b"\xff",
];

fn conf() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(PIECES.to_vec());
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in conf()) {
        let load = |path: &Path| {
            if path == Path::new("/c") { Ok(text.clone()) } else { Err(io::ErrorKind::NotFound.into()) }
        };
        let expand = |_: &str| Ok(vec![PathBuf::from("/c")]);
        let loader = Loader { read: &load, expand: &expand };
        match read(Path::new("/c"), None, loader) {
            Ok(scopes) => {
                let found = choose(&scopes);
                prop_assert!(found.logs.iter().all(|log| log.format.compile().is_ok()));
            }
            Err(error) => {
                let lines = text.split(|byte| *byte == b'\n').count();
                prop_assert!((1..=lines).contains(&error.place.line), "{}", error);
            }
        }
        let _ = Dump::of(&text);
        let _ = super::super::apache::read(Path::new("/c"), loader);
        let _ = super::super::caddy::read(Path::new("/c"), loader);
    }

    #[test]
    fn words_in_quotes_come_back(words in proptest::collection::vec("[^\0]{0,12}", 1..5)) {
        let quoted = |word: &String| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
        let text = words.iter().map(quoted).collect::<Vec<_>>().join(" ") + ";";
        let statement = Tokenizer::new(text.as_bytes()).next();
        let expected = words.iter().map(|word| word.clone().into_bytes()).collect::<Vec<_>>();
        prop_assert_eq!(statement.map(|it| (it.words, it.end)), Ok((expected, End::Semicolon)));
    }

    #[test]
    fn a_text_is_read_to_its_end_or_first_mistake(text in conf()) {
        let mut tokens = Tokenizer::new(&text);
        for _ in 0..=text.len() {
            match tokens.next() {
                Ok(statement) if statement.end == End::Text => return Ok(()),
                Ok(statement) => prop_assert!(statement.start < text.len()),
                Err(mistake) => {
                    prop_assert!(mistake.at < text.len());
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "more statements than bytes");
    }
}
