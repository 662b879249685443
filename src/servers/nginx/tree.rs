//! Statements to a tree of directives, with what is included in its place.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::super::{ConfError, Lines, Loader, Place, Sources};
use super::lua;
use super::token::{End, Mistake, MistakeKind, Statement, Tokenizer};

/// Real configurations have five or six levels of blocks.
const BLOCKS_MAX: usize = 64;

/// A directive.
#[derive(Debug)]
pub struct Directive {
    /// Its name and its parameters; at least the name.
    pub words: Vec<Vec<u8>>,
    /// Where it begins.
    pub place: Place,
    /// What is in its braces.
    pub block: Vec<Directive>,
}

impl Directive {
    /// Its first word.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.words[0]
    }

    /// A parameter, from 1.
    #[must_use]
    pub fn parameter(&self, number: usize) -> Option<&[u8]> {
        self.words.get(number).map(Vec::as_slice)
    }
}

/// Reads a configuration with all that it includes.
///
/// # Errors
/// The first mistake, or the first file that cannot be read.
pub fn read(main: &Path, loader: Loader<'_>) -> Result<Vec<Directive>, ConfError> {
    let mut reader = Reader { sources: Sources::new(loader), directory: directory_of(main), blocks: 0 };
    reader.file(main, &Place::of_file(main))
}

/// What names are relative to: the main configuration's directory, whichever file includes.
fn directory_of(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("/")).to_owned()
}

struct Reader<'a> {
    sources: Sources<'a>,
    directory: PathBuf,
    blocks: usize,
}

/// A file that is being read.
struct Text<'a> {
    tokens: Tokenizer<'a>,
    lines: Lines,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, place: &Place) -> Result<Vec<Directive>, ConfError> {
        let bytes = self.sources.open(path, place)?;
        let mut text = Text { tokens: Tokenizer::new(&bytes), lines: Lines::of(path, &bytes) };
        let directives = self.block(&mut text, None)?;
        self.sources.close();
        Ok(directives)
    }

    /// Reads up to the end of a block that was opened at `opened`, or of the file.
    fn block(&mut self, text: &mut Text<'_>, opened: Option<&Place>) -> Result<Vec<Directive>, ConfError> {
        let mut directives = Vec::new();
        loop {
            let statement = text.tokens.next().map_err(|mistake| explain(&text.lines, mistake))?;
            let place = text.lines.place(statement.start);
            match (statement.end, opened) {
                (End::Semicolon, _) if statement.words[0] == b"include" => {
                    self.include(&statement, &place, &mut directives)?;
                }
                (End::Semicolon, _) => {
                    directives.push(Directive { words: statement.words, place, block: Vec::new() });
                }
                (End::Open, _) => {
                    let block = self.open(text, &statement, &place)?;
                    directives.push(Directive { words: statement.words, place, block });
                }
                (End::Close, Some(_)) | (End::Text, None) => return Ok(directives),
                (End::Close, None) => {
                    let fact = "this `}` closes no block";
                    return Err(ConfError::wrong(
                        place,
                        fact,
                        "remove it; a block ends in the file it began in",
                    ));
                }
                (End::Text, Some(opened)) => {
                    let fact = "this block is not closed before the end of the file";
                    return Err(ConfError::wrong(opened.clone(), fact, "end it with `}`"));
                }
            }
        }
    }

    fn open(
        &mut self,
        text: &mut Text<'_>,
        statement: &Statement,
        place: &Place,
    ) -> Result<Vec<Directive>, ConfError> {
        if statement.words[0].ends_with(b"_by_lua_block") {
            let Some(length) = lua::block_length(text.tokens.rest()) else {
                let fact = "the Lua code of this block has no end";
                return Err(ConfError::wrong(
                    place.clone(),
                    fact,
                    "end it with `}`, outside strings and comments",
                ));
            };
            text.tokens.skip(length);
            return Ok(Vec::new());
        }
        if self.blocks == BLOCKS_MAX {
            let fact = format!("blocks are more than {BLOCKS_MAX} deep here");
            return Err(ConfError::wrong(place.clone(), fact, "close the blocks around it"));
        }
        self.blocks += 1;
        let block = self.block(text, Some(place))?;
        self.blocks -= 1;
        Ok(block)
    }

    fn include(
        &mut self,
        statement: &Statement,
        place: &Place,
        into: &mut Vec<Directive>,
    ) -> Result<(), ConfError> {
        let [_, name] = &statement.words[..] else {
            let fact = format!("`include` takes one file, not {}", statement.words.len() - 1);
            return Err(ConfError::wrong(place.clone(), fact, "write `include FILE;`"));
        };
        let path = self.directory.join(std::ffi::OsStr::from_bytes(name));
        if !name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
            into.extend(self.file(&path, place)?);
            return Ok(());
        }
        let Some(glob) = path.to_str() else {
            let fact = "the name of these files is not UTF-8";
            return Err(ConfError::wrong(place.clone(), fact, "include them by another name"));
        };
        for file in self.sources.expand(glob, place)? {
            into.extend(self.file(&file, place)?);
        }
        Ok(())
    }
}

fn explain(lines: &Lines, mistake: Mistake) -> ConfError {
    let place = lines.place(mistake.at);
    let (fact, remedy) = match mistake.kind {
        MistakeKind::Unexpected(b'}') => {
            ("`}` is not expected here".to_owned(), "end the directive before it with `;`")
        }
        MistakeKind::Unexpected(byte) => {
            (format!("`{}` is not expected here", char::from(byte)), "write the directive's name before it")
        }
        MistakeKind::BehindQuote => {
            ("something follows a closing quote".to_owned(), "put a space or `;` behind the quote")
        }
        MistakeKind::OpenQuote => {
            ("this quote is never closed".to_owned(), "close it; write \\ before a quote that is meant")
        }
        MistakeKind::OpenStatement => {
            ("this directive has no end".to_owned(), "end it with `;`, or with a block in `{ }`")
        }
    };
    ConfError::wrong(place, fact, remedy)
}
