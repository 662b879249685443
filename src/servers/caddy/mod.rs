//! Which access logs a Caddy writes, from its Caddyfile: the `log` blocks of sites with `output file`, in JSON.
//!
//! `syntax` makes lines with blocks of the text; here are snippets, imports and what `log` says.

mod syntax;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::output::{escape_glob, joined};
use super::source::Sources;
use super::{ConfError, FormatText, Lines, Loader, LogPath, Output, Place, Scope, Scopes, Target};
use syntax::Line;

/// Imports within imports: deeper ones import themselves.
const DEPTH_MAX: usize = 32;
/// Imports altogether: a site or two each on the largest hosts. Snippets that import others twice could make more.
const IMPORTS_MAX: usize = 20_000;
/// Times of Caddy's JSON that are read.
const TIMES: [&str; 5] = ["unix_seconds_float", "unix_milli_float", "iso8601", "rfc3339", "rfc3339_nano"];

/// Reads the Caddyfile `main`.
///
/// # Errors
/// The configuration is wrong or cannot be read: the first mistake, with its place.
pub fn read(main: &Path, loader: Loader<'_>) -> Result<Scopes, ConfError> {
    let directory = main.parent().unwrap_or(Path::new("/")).to_owned();
    let mut reader =
        Reader { sources: Sources::new(loader), directory, snippets: HashMap::new(), depth: 0, imports: 0 };
    let lines = reader.file(main, &Place::of_file(main))?;
    reader.sites(lines)
}

struct Reader<'a> {
    sources: Sources<'a>,
    directory: PathBuf,
    snippets: HashMap<String, Vec<Line>>,
    /// How deep, and how many in all.
    depth: usize,
    imports: usize,
}

impl Reader<'_> {
    /// A file's lines, with those of the files that it imports.
    fn file(&mut self, path: &Path, place: &Place) -> Result<Vec<Line>, ConfError> {
        let text = self.sources.open(path, place)?;
        let lines = syntax::parse(&String::from_utf8_lossy(&text), &Lines::of(path, &text))?;
        let lines = self.imported(lines)?;
        self.sources.close();
        Ok(lines)
    }

    /// The same lines with what they import in place of `import`.
    fn imported(&mut self, lines: Vec<Line>) -> Result<Vec<Line>, ConfError> {
        let mut all = Vec::new();
        for mut line in lines {
            if line.words.first().is_some_and(|word| word == "import") {
                all.extend(self.import(&line)?);
                continue;
            }
            let snippet = line.words.first().and_then(|word| word.strip_prefix('(')?.strip_suffix(')'));
            if let (Some(name), Some(block)) = (snippet, &line.block) {
                self.snippets.insert(name.to_owned(), block.clone());
                continue;
            }
            line.block = line.block.map(|block| self.imported(block)).transpose()?;
            all.push(line);
        }
        Ok(all)
    }

    fn import(&mut self, line: &Line) -> Result<Vec<Line>, ConfError> {
        let Some(name) = line.words.get(1) else {
            return Err(ConfError::wrong(
                line.place.clone(),
                "`import` names nothing",
                "name a snippet or a file",
            ));
        };
        if self.depth == DEPTH_MAX || self.imports == IMPORTS_MAX {
            let fact = format!("imports are more than {DEPTH_MAX} deep, or {IMPORTS_MAX} in all");
            return Err(ConfError::wrong(line.place.clone(), fact, "remove the import that leads back here"));
        }
        self.depth += 1;
        self.imports += 1;
        let lines = if let Some(snippet) = self.snippets.get(name) {
            let given = snippet.iter().map(|inner| inner.with_arguments(&line.words[2..])).collect();
            self.imported(given)?
        } else {
            self.import_files(name, &line.place)?
        };
        self.depth -= 1;
        Ok(lines)
    }

    fn import_files(&mut self, name: &str, place: &Place) -> Result<Vec<Line>, ConfError> {
        let path = self.directory.join(name);
        let glob = path.to_string_lossy();
        if !glob.contains(['*', '?', '[']) {
            return self.file(&path, place);
        }
        let mut lines = Vec::new();
        for file in self.sources.expand(&glob, place)? {
            lines.extend(self.file(&file, place)?);
        }
        Ok(lines)
    }

    fn sites(self, lines: Vec<Line>) -> Result<Scopes, ConfError> {
        let mut scopes = Scopes::default();
        let has_blocks =
            lines.iter().any(|line| line.block.is_some() && line.words.first().is_none_or(|it| it != "log"));
        if !has_blocks {
            // One site without braces: its address, then what belongs to it.
            let mut lines = lines.into_iter();
            let Some(address) = lines.next() else { return Ok(scopes) };
            scopes.scopes.extend(scope(&address.words, &lines.collect::<Vec<_>>()));
            return Ok(scopes);
        }
        let mut addresses: Vec<String> = Vec::new();
        for line in lines {
            let is_global = line.words.is_empty() && addresses.is_empty();
            addresses.extend(line.words);
            let Some(block) = line.block else { continue };
            if is_global {
                scopes.unused.extend(block.iter().filter(|line| line.words[..1] == ["log"]).map(own_log));
            } else {
                scopes.scopes.extend(scope(&addresses, &block));
            }
            addresses.clear();
        }
        Ok(scopes)
    }
}

/// What requests to a site are logged to, if they are.
fn scope(addresses: &[String], lines: &[Line]) -> Option<Scope> {
    let logs = lines.iter().filter(|line| line.words.first().is_some_and(|word| word == "log"));
    let outputs: Vec<Output> = logs.map(output).collect();
    let site = addresses.iter().find_map(|address| site_of(address));
    (!outputs.is_empty()).then_some(Scope { site, outputs })
}

/// Caddy's own log, in its global options.
fn own_log(line: &Line) -> Output {
    let shown = format!("log of {}", line.place);
    let reason = "it is Caddy's own log, of more than requests: give each site a `log` with `output file`";
    Output {
        place: line.place.clone(),
        target: Target::Elsewhere { shown, reason: reason.to_owned() },
        format: FormatText::Caddy,
        is_conditional: false,
        remarks: Vec::new(),
    }
}

fn output(log: &Line) -> Output {
    let settings = log.block.as_deref().unwrap_or_default();
    let setting =
        |name: &str| settings.iter().find(|line| line.words.first().is_some_and(|word| word == name));
    let output = setting("output");
    let words = output.map_or(&[][..], |line| &line.words[1..]);
    let target = match words {
        [kind, path, ..] if kind == "file" => target(path),
        [] => elsewhere(log, "its lines go to Caddy's own log: add `output file PATH`"),
        [kind, ..] if kind == "discard" => elsewhere(log, "nothing is kept"),
        [kind, ..] => elsewhere(log, &format!("it goes to {kind} and to no file: write `output file PATH`")),
    };
    let rolls = output.and_then(|line| line.block.as_deref()).unwrap_or_default();
    let says = |name: &str| rolls.iter().any(|line| line.words.first().is_some_and(|word| word == name));
    let mut remarks = Vec::new();
    let target = match target {
        Target::File(path) if !says("roll_disabled") => {
            let is_compressed = !says("roll_uncompressed");
            if is_compressed {
                remarks.push(
                    "Caddy compresses a file right behind its rotation, and one that was begun and rotated while the agent \
                     does not run is not read then: add `roll_uncompressed`"
                        .to_owned(),
                );
            }
            // Before it is compressed, and then.
            let behind = if is_compressed { "*" } else { "" };
            let rotated = path.literal.as_deref().map(|literal| rotated(literal, behind));
            Target::File(LogPath { rotated, ..path })
        }
        target @ (Target::File(_) | Target::Elsewhere { .. }) => target,
    };
    Output {
        place: log.place.clone(),
        target,
        format: setting("format").map_or(FormatText::Caddy, format_of),
        is_conditional: false,
        remarks,
    }
}

/// What Caddy calls its rotated files: a time stands before the ending, as in `access-2026-11-28T10-00-00.000.log`.
fn rotated(path: &str, behind: &str) -> String {
    let path = Path::new(path);
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let ending = path.extension().map_or(String::new(), |ending| format!(".{}", ending.to_string_lossy()));
    let stem = path.with_file_name(format!("{}-", text(path.file_stem())));
    // Every time of this century, and no name that somebody gives a log.
    format!("{}20*{}{behind}", escape_glob(&stem.to_string_lossy()), escape_glob(&ending))
}

fn elsewhere(log: &Line, reason: &str) -> Target {
    Target::Elsewhere { shown: format!("log of {}", log.place), reason: reason.to_owned() }
}

fn target(path: &str) -> Target {
    let reason = if path.contains("{$") || path.contains("{env.") {
        "its path has a variable of Caddy's environment: add it to `paths` by hand"
    } else if !path.starts_with('/') {
        "its path is relative to wherever Caddy is started: write it in full"
    } else if path.starts_with("/dev/") {
        "it is no file that can be followed: write a path"
    } else {
        return Target::File(LogPath::literal(&joined(Path::new("/"), path)));
    };
    Target::Elsewhere { shown: path.to_owned(), reason: reason.to_owned() }
}

/// A file gets JSON unless something else is said.
fn format_of(format: &Line) -> FormatText {
    let encoder = format.words.get(1).map_or("json", String::as_str);
    let settings = format.block.as_deref().unwrap_or_default();
    let setting =
        |name: &str| settings.iter().find(|line| line.words.first().is_some_and(|word| word == name));
    match encoder {
        "json" => {
            let time = setting("time_format").and_then(|line| line.words.get(1));
            match time {
                Some(time) if !TIMES.contains(&time.as_str()) => FormatText::Unknown(format!(
                    "its time_format {time} is not read: use {}",
                    TIMES.join(", ")
                )),
                _ if setting("time_key").is_some() => FormatText::Unknown(
                    "its time_key is not the usual one: write `format: {json: ...}` by hand".to_owned(),
                ),
                _ => FormatText::Caddy,
            }
        }
        "filter" | "append" => setting("wrap").map_or(FormatText::Caddy, format_of),
        other => FormatText::Unknown(format!("`format {other}` is not read: write `format json`")),
    }
}

/// The host of an address, if it is one.
fn site_of(address: &str) -> Option<String> {
    let address = address.trim_end_matches(',');
    let address = address.split_once("://").map_or(address, |(_, address)| address);
    let host = address.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let is_host = host.contains(char::is_alphanumeric) && !host.contains(['*', '{', '[']);
    is_host.then_some(host)
}
