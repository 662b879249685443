//! What the directives say about access logs: formats, who inherits which logs, and where they end up.

use std::path::{Path, PathBuf};

use super::super::output::joined;
use super::super::{FormatText, LogPath, Output, Place, Scope, Scopes, Target};
use super::tree::Directive;
use super::variable;
use crate::format::{Escape, Format};

/// The path that Debian's, RHEL's and nginx's own packages compile in.
const PATH_DEFAULT: &str = "/var/log/nginx/access.log";
/// The prefix that Debian and RHEL compile in.
const PREFIX_PACKAGED: &str = "/usr/share/nginx";

/// What relative paths of logs are below.
pub struct Prefix {
    path: PathBuf,
    is_guessed: bool,
}

impl Prefix {
    /// As it was given, or as nginx's layouts have it: `PREFIX/conf/nginx.conf` where it was built from source.
    pub fn of(main: &Path, given: Option<&Path>) -> Self {
        if let Some(given) = given {
            return Self { path: given.to_owned(), is_guessed: false };
        }
        let directory = main.parent().unwrap_or(Path::new("/"));
        let is_built = directory.file_name().is_some_and(|name| name == "conf");
        let built = directory.parent().filter(|_| is_built);
        Self { path: built.unwrap_or(Path::new(PREFIX_PACKAGED)).to_owned(), is_guessed: true }
    }
}

/// A block that requests can end in, with what it says itself.
#[derive(Default)]
struct Block {
    outputs: Vec<Output>,
    /// Whether it has an `access_log off`, which silences all others beside it.
    is_off: bool,
    site: Option<String>,
    is_server: bool,
    blocks: Vec<Block>,
}

/// Finds the logs of all `http` blocks.
pub fn find(directives: &[Directive], prefix: &Prefix) -> Scopes {
    let mut finder = Finder { prefix, formats: Vec::new(), scopes: Scopes::default() };
    finder.note_other(directives);
    for directive in directives {
        match directive.name() {
            b"http" => {
                let http = finder.block(directive);
                finder.settle(http, &directive.place);
            }
            b"stream" => finder.leave_stream(&directive.block),
            _ => {}
        }
    }
    finder.scopes
}

struct Finder<'a> {
    prefix: &'a Prefix,
    /// In the order of the configuration: a log finds those before it alone.
    formats: Vec<(Vec<u8>, FormatText)>,
    scopes: Scopes,
}

impl Finder<'_> {
    fn block(&mut self, directive: &Directive) -> Block {
        let mut block = Block { is_server: directive.name() == b"server", ..Block::default() };
        let mut names: Vec<&[u8]> = Vec::new();
        for inner in &directive.block {
            match inner.name() {
                b"log_format" => self.formats.extend(format_of(inner)),
                b"access_log" if inner.parameter(1) == Some(b"off") => block.is_off = true,
                b"access_log" => {
                    let output = self.output(inner);
                    self.scopes.others.extend(output.iter().flat_map(|it| seeming_logs(it, inner)));
                    block.outputs.extend(output);
                }
                b"server_name" => names.extend(inner.words[1..].iter().map(Vec::as_slice)),
                b"server" | b"location" | b"if" | b"limit_except" => block.blocks.push(self.block(inner)),
                _ => {}
            }
        }
        block.site = names.into_iter().find_map(site_of);
        block
    }

    fn output(&self, directive: &Directive) -> Option<Output> {
        let (target, mut remarks) = self.target(directive.parameter(1)?);
        let mut parameters = directive.words[2..].iter().map(Vec::as_slice).peekable();
        let is_name = |word: &&[u8]| !OPTIONS.iter().any(|option| word.starts_with(option));
        let format = self.format(parameters.next_if(is_name).unwrap_or(b"combined"));
        let options: Vec<&[u8]> = parameters.collect();
        let has = |option: &[u8]| options.iter().any(|word| word.starts_with(option));
        if has(b"buffer=") || has(b"flush=") || has(GZIP) {
            let flush = options.iter().find_map(|word| word.strip_prefix(b"flush="));
            remarks.push(match flush {
                Some(time) => format!(
                    "nginx keeps lines in memory for up to {} before it writes them",
                    String::from_utf8_lossy(time)
                ),
                None => "nginx keeps lines in memory until its buffer is full: add flush=5s".to_owned(),
            });
        }
        let is_conditional = has(b"if=");
        Some(Output { place: directive.place.clone(), target, format, is_conditional, remarks })
    }

    fn target(&self, path: &[u8]) -> (Target, Vec<String>) {
        let shown = String::from_utf8_lossy(path).into_owned();
        let elsewhere = |reason: &str| {
            (Target::Elsewhere { shown: shown.clone(), reason: reason.to_owned() }, Vec::new())
        };
        if path.starts_with(b"syslog:") {
            return elsewhere("it goes to syslog and to no file: add an access_log with a path");
        }
        let Ok(path) = std::str::from_utf8(path) else {
            return elsewhere("its path is not UTF-8, which agent.yaml cannot say: rename it");
        };
        if path == "/dev/null" {
            return elsewhere("nothing is kept");
        }
        if path.starts_with("/dev/") || path.starts_with("/proc/") {
            return elsewhere("it is no file that can be followed: add an access_log with a path");
        }
        if path.starts_with('$') {
            return elsewhere(
                "its directory is a variable, known to requests alone: add it to `paths` by hand",
            );
        }
        let mut remarks = Vec::new();
        let absolute = joined(&self.prefix.path, path);
        if !path.starts_with('/') && self.prefix.is_guessed {
            let prefix = self.prefix.path.display();
            remarks.push(format!(
                "its path is relative to nginx's prefix, taken to be {prefix}: `nginx -V` shows it, --prefix sets it"
            ));
        }
        let found = variable::glob_of(&absolute);
        if found.literal.is_none() {
            remarks.push(format!("its path has variables ({path}): every file that matches is read"));
        }
        (Target::File(found), remarks)
    }

    /// nginx compares without case here, and finds the first.
    fn format(&self, name: &[u8]) -> FormatText {
        let built_in = || Some(combined()).filter(|_| name.eq_ignore_ascii_case(b"combined"));
        let own = || self.formats.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        built_in().or_else(|| own().map(|(_, format)| format.clone())).unwrap_or_else(|| {
            let name = String::from_utf8_lossy(name);
            FormatText::Unknown(format!(
                "no log_format {name} stands before it: nginx would not start either"
            ))
        })
    }

    /// Who inherits what: any access_log of a block replaces all from outside.
    fn settle(&mut self, mut http: Block, place: &Place) {
        if http.outputs.is_empty() && !http.is_off {
            http.outputs.push(built_in_output(place));
        }
        let is_built_in = http.outputs.first().is_some_and(|output| output.place == *place);
        let is_used = !http.is_off && http.blocks.iter().any(Block::inherits);
        for server in std::mem::take(&mut http.blocks) {
            self.settle_within(server, &http, None);
        }
        if !is_used && !is_built_in {
            self.scopes.unused.append(&mut http.outputs);
        }
    }

    fn settle_within(&mut self, mut block: Block, outer: &Block, site: Option<&str>) {
        let inherits = block.inherits();
        if inherits {
            block.outputs.clone_from(&outer.outputs);
            block.is_off = outer.is_off;
        }
        let site = block.site.clone().or_else(|| site.map(str::to_owned));
        if block.is_off {
            // Beside an `off`, nothing else is written.
            let silenced = std::mem::take(&mut block.outputs);
            self.scopes.unused.extend(silenced.into_iter().filter(|_| !inherits));
        } else if !inherits || block.is_server {
            self.scopes.scopes.push(Scope { site: site.clone(), outputs: block.outputs.clone() });
        }
        for inner in std::mem::take(&mut block.blocks) {
            self.settle_within(inner, &block, site.as_deref());
        }
    }

    fn leave_stream(&mut self, directives: &[Directive]) {
        for directive in directives {
            if let (b"access_log", Some(path)) = (directive.name(), directive.parameter(1)) {
                if path == b"off" {
                    continue;
                }
                let reason = "it is a log of connections (stream), not of requests".to_owned();
                let shown = String::from_utf8_lossy(path).into_owned();
                self.scopes.others.push(shown.clone());
                self.scopes.unused.push(Output {
                    place: directive.place.clone(),
                    target: Target::Elsewhere { shown, reason },
                    format: combined(),
                    is_conditional: false,
                    remarks: Vec::new(),
                });
            }
            self.leave_stream(&directive.block);
        }
    }

    /// Error logs lie beside access logs, where a glob could take them in.
    fn note_other(&mut self, directives: &[Directive]) {
        for directive in directives {
            if let (b"error_log", Some(Ok(path))) =
                (directive.name(), directive.parameter(1).map(std::str::from_utf8))
            {
                self.scopes.others.push(joined(&self.prefix.path, path));
            }
            self.note_other(&directive.block);
        }
    }
}

impl Block {
    fn inherits(&self) -> bool {
        self.outputs.is_empty() && !self.is_off
    }
}

/// Options of `access_log`, by which nginx tells them from a format's name.
const OPTIONS: [&[u8]; 4] = [b"buffer=", b"flush=", b"gzip=", b"if="];

/// Makes nginx compress what it writes, and keep it until there is enough of it.
const GZIP: &[u8] = b"gzip";

/// Of a log that nginx compresses, the names without their endings: where a glob matches one of these, the log would be taken for
/// its archive.
fn seeming_logs(output: &Output, directive: &Directive) -> Vec<String> {
    let is_compressed = directive.words[2..].iter().any(|word| word.starts_with(GZIP));
    let Target::File(LogPath { literal: Some(path), .. }) = &output.target else { return Vec::new() };
    let shorter = |path: &PathBuf| path.extension().map(|_| path.with_extension(""));
    let names = std::iter::successors(shorter(&PathBuf::from(path)), shorter);
    names.filter(|_| is_compressed).map(|name| name.display().to_string()).collect()
}

fn combined() -> FormatText {
    let text = Format::text_of("combined").unwrap_or_default().to_owned();
    FormatText::Nginx { text, escape: Escape::Default }
}

/// What nginx does where no `access_log` is written.
fn built_in_output(place: &Place) -> Output {
    Output {
        place: place.clone(),
        target: Target::File(LogPath::literal(PATH_DEFAULT)),
        format: combined(),
        is_conditional: false,
        remarks: vec![
            "no access_log is written here: it is taken to be the one that packages of nginx compile in \
             (`nginx -V` shows --http-log-path)"
                .to_owned(),
        ],
    }
}

/// A `log_format` with its name.
fn format_of(directive: &Directive) -> Option<(Vec<u8>, FormatText)> {
    let name = directive.parameter(1)?.to_vec();
    let mut strings = &directive.words[2..];
    let mut escape = Escape::Default;
    if let Some(word) = strings.first().and_then(|word| word.strip_prefix(b"escape=")) {
        escape = match word {
            b"json" => Escape::Json,
            b"none" => Escape::None,
            _ => Escape::Default,
        };
        strings = &strings[1..];
    }
    let format = match String::from_utf8(strings.concat()) {
        Ok(text) => FormatText::Nginx { text: as_written(&text), escape },
        Err(_) => FormatText::Unknown("its log_format is not UTF-8, which agent.yaml cannot say".to_owned()),
    };
    Some((name, format))
}

/// As it could stand between quotes in nginx.conf, which is how agent.yaml takes it.
fn as_written(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => written += "\\\\",
            '\t' => written += "\\t",
            '\r' => written += "\\r",
            '\n' => written += "\\n",
            character => written.push(character),
        }
    }
    written
}

/// The site that a server's name stands for, if it is one name: no pattern, and not the catch-all `_`.
fn site_of(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    // `.example.com` is example.com and everything below it.
    let plain = name.strip_prefix('.').unwrap_or(&name).trim_end_matches('.');
    let is_host = |character: char| character.is_alphanumeric() || matches!(character, '-' | '.' | '_');
    let is_one = plain.contains(char::is_alphanumeric) && plain.chars().all(is_host);
    is_one.then(|| plain.to_owned())
}
