//! Which access logs an Apache writes, from httpd.conf or apache2.conf and all that it includes.
//!
//! Read are the layouts of Debian and RHEL: `LogFormat`, `CustomLog`, `TransferLog`, `GlobalLog`, `ErrorLog`, virtual hosts
//! with their `ServerName`, `Define`, `<IfDefine>`, Debian's `envvars`. Every module that `<IfModule>` asks for is taken
//! to be there: which are, only the running server knows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::output::joined;
use super::source::Sources;
use super::{ConfError, FormatText, Lines, Loader, LogPath, Output, Place, Scope, Scopes, Target};
use crate::format::Format;

/// Reads the configuration that begins in `main`.
///
/// # Errors
/// The configuration is wrong or cannot be read: the first mistake, with its place.
pub fn read(main: &Path, loader: Loader<'_>) -> Result<Scopes, ConfError> {
    let directory = main.parent().unwrap_or(Path::new("/"));
    let sources = Sources::new(loader);
    let environment = sources.read_optional(&directory.join("envvars"))?;
    let mut reader = Reader {
        variables: environment.map(|text| environment_of(&text)).unwrap_or_default(),
        sources,
        root: directory.to_owned(),
        sections: Vec::new(),
        formats: HashMap::new(),
        transfer_format: None,
        hosts: vec![Host::default()],
        global: Vec::new(),
        others: Vec::new(),
    };
    reader.file(main, &Place::of_file(main))?;
    Ok(reader.finish())
}

/// The main server, or a virtual host.
#[derive(Default)]
struct Host {
    name: Option<String>,
    logs: Vec<Custom>,
}

/// A `CustomLog`. Its format's name may be defined further down.
struct Custom {
    place: Place,
    path: String,
    format: Wanted,
    is_conditional: bool,
}

/// How a log is to be written.
#[derive(Clone)]
enum Wanted {
    /// By a name or by itself.
    Text(String),
    /// A `TransferLog` before any format: the common one.
    Common,
}

struct Reader<'a> {
    sources: Sources<'a>,
    variables: HashMap<String, String>,
    root: PathBuf,
    /// What is open: the names of sections, and whether what is in them counts.
    sections: Vec<(String, bool, Place)>,
    formats: HashMap<String, String>,
    transfer_format: Option<String>,
    /// The main server first; while a virtual host is open, it is the last one.
    hosts: Vec<Host>,
    global: Vec<Custom>,
    others: Vec<String>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, place: &Place) -> Result<(), ConfError> {
        let text = self.sources.open(path, place)?;
        let lines = Lines::of(path, &text);
        let outside = self.sections.len();
        let mut at = 0;
        while at < text.len() {
            let (line, length) = joined_line(&text[at..]);
            let blanks = line.len() - line.trim_start().len();
            self.line(line.trim(), &lines.place(at + blanks))?;
            at += length;
        }
        if let Some((name, _, place)) = self.sections.get(outside) {
            let fact = format!("<{name}> is not closed before the end of the file");
            return Err(ConfError::wrong(place.clone(), fact, format!("end it with </{name}>")));
        }
        self.sources.close();
        Ok(())
    }

    fn line(&mut self, line: &str, place: &Place) -> Result<(), ConfError> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(name) = line.strip_prefix("</") {
            return self.close(name.trim_end_matches('>').trim(), place);
        }
        if let Some(section) = line.strip_prefix('<') {
            self.open(&words(section.trim_end_matches('>')), place);
            return Ok(());
        }
        if self.sections.iter().all(|(_, counts, _)| *counts) {
            self.directive(&words(line), place)?;
        }
        Ok(())
    }

    fn open(&mut self, words: &[String], place: &Place) {
        let name = words.first().map_or("", String::as_str).to_ascii_lowercase();
        let argument = words.get(1).map_or("", String::as_str);
        let (is_negated, argument) = match argument.strip_prefix('!') {
            Some(argument) => (true, argument),
            None => (false, argument),
        };
        let counts = match name.as_str() {
            "ifmodule" => !is_negated,
            "ifdefine" => self.variables.contains_key(argument) != is_negated,
            // Its values are known where it is used.
            "macro" => false,
            _ => true,
        };
        if name == "virtualhost" && counts {
            self.hosts.push(Host::default());
        }
        self.sections.push((name, counts, place.clone()));
    }

    fn close(&mut self, name: &str, place: &Place) -> Result<(), ConfError> {
        match self.sections.pop() {
            Some((open, _, _)) if open.eq_ignore_ascii_case(name) => Ok(()),
            Some((open, _, at)) => {
                let fact = format!("</{name}> closes <{open}> of {at}");
                Err(ConfError::wrong(place.clone(), fact, format!("close <{open}> first")))
            }
            None => {
                let fact = format!("</{name}> closes no section");
                Err(ConfError::wrong(place.clone(), fact, "remove it, or open the section"))
            }
        }
    }

    fn directive(&mut self, words: &[String], place: &Place) -> Result<(), ConfError> {
        let name = words[0].to_ascii_lowercase();
        let argument = |number: usize| words.get(number).map(|word| self.expanded(word));
        let Some(first) = argument(1) else { return Ok(()) };
        match name.as_str() {
            "define" => {
                self.variables.insert(first, argument(2).unwrap_or_default());
            }
            "serverroot" => self.root = PathBuf::from(first),
            "include" | "includeoptional" => self.include(&first, name == "include", place)?,
            "servername" => {
                let name = site_of(&first);
                self.host().name = name;
            }
            "logformat" => match argument(2) {
                Some(nickname) => {
                    self.formats.insert(nickname, first);
                }
                None => self.transfer_format = Some(first),
            },
            "transferlog" => {
                let format = self.transfer_format.clone().map_or(Wanted::Common, Wanted::Text);
                let log = Custom { place: place.clone(), path: first, format, is_conditional: false };
                self.host().logs.push(log);
            }
            "customlog" | "globallog" => {
                let format = argument(2).map_or(Wanted::Common, Wanted::Text);
                let log =
                    Custom { place: place.clone(), path: first, format, is_conditional: words.len() > 3 };
                let logs = if name == "globallog" { &mut self.global } else { &mut self.host().logs };
                logs.push(log);
            }
            "errorlog" => self.others.push(joined(&self.root, &first)),
            _ => {}
        }
        Ok(())
    }

    /// Whose directives these are.
    fn host(&mut self) -> &mut Host {
        let is_virtual = self.sections.iter().any(|(name, counts, _)| name == "virtualhost" && *counts);
        let number = if is_virtual { self.hosts.len() - 1 } else { 0 };
        &mut self.hosts[number]
    }

    fn include(&mut self, name: &str, must_exist: bool, place: &Place) -> Result<(), ConfError> {
        let path = self.root.join(name);
        let Some(glob) = path.to_str() else { return Ok(()) };
        if !glob.contains(['*', '?', '[']) {
            let found = self.file(&path, place);
            return match found {
                Err(ConfError { kind: super::ErrorKind::Missing, .. }) if !must_exist => Ok(()),
                found => found,
            };
        }
        for file in self.sources.expand(glob, place)? {
            self.file(&file, place)?;
        }
        Ok(())
    }

    /// `${NAME}` where it is known.
    fn expanded(&self, word: &str) -> String {
        let mut expanded = String::new();
        let mut rest = word;
        while let Some((before, behind)) = rest.split_once("${") {
            expanded += before;
            let value =
                behind.split_once('}').and_then(|(name, after)| Some((self.variables.get(name)?, after)));
            match value {
                Some((value, after)) => {
                    expanded += value;
                    rest = after;
                }
                None => {
                    expanded += "${";
                    rest = behind;
                }
            }
        }
        expanded + rest
    }

    /// A virtual host without logs of its own writes to those of the main server.
    fn finish(self) -> Scopes {
        let Self { hosts, global, formats, root, others, .. } = self;
        let outputs = |logs: &[Custom]| -> Vec<Output> {
            logs.iter().chain(&global).map(|log| log.output(&formats, &root)).collect()
        };
        let main = hosts.first().map_or(&[][..], |host| &host.logs);
        let scopes = hosts.iter().filter_map(|host| {
            let logs = if host.logs.is_empty() { main } else { &host.logs };
            let outputs = outputs(logs);
            (!outputs.is_empty()).then(|| Scope { site: host.name.clone(), outputs })
        });
        Scopes { scopes: scopes.collect(), unused: Vec::new(), others }
    }
}

impl Custom {
    fn output(&self, formats: &HashMap<String, String>, root: &Path) -> Output {
        let format = match &self.format {
            Wanted::Common => FormatText::Apache(Format::text_of("common").unwrap_or_default().to_owned()),
            Wanted::Text(text) => match formats.get(text) {
                Some(format) => FormatText::Apache(format.clone()),
                None if text.contains('%') => FormatText::Apache(text.clone()),
                None => FormatText::Unknown(format!("no LogFormat is called {text}")),
            },
        };
        Output {
            place: self.place.clone(),
            target: self.target(root),
            format,
            is_conditional: self.is_conditional,
            remarks: Vec::new(),
        }
    }

    fn target(&self, root: &Path) -> Target {
        let path = self.path.as_str();
        let reason = if path.starts_with('|') {
            "it goes to a program: let Apache write to a file, and logrotate rotate it"
        } else if path.starts_with("syslog") {
            "it goes to syslog and to no file: add a CustomLog with a path"
        } else if path.contains("${") {
            "its path has a variable that is set neither by Define nor in envvars: write the path"
        } else if path == "/dev/null" {
            "nothing is kept"
        } else if path.starts_with("/dev/") || path.starts_with("/proc/") {
            "it is no file that can be followed: add a CustomLog with a path"
        } else {
            return Target::File(LogPath::literal(&joined(root, path)));
        };
        Target::Elsewhere { shown: path.to_owned(), reason: reason.to_owned() }
    }
}

/// A line with those that its backslash joins to it, and how many bytes they have together.
fn joined_line(text: &[u8]) -> (String, usize) {
    let mut line = Vec::new();
    let mut length = 0;
    for part in text.split_inclusive(|byte| *byte == b'\n') {
        length += part.len();
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        match part.strip_suffix(b"\\") {
            Some(part) => line.extend_from_slice(part),
            None => {
                line.extend_from_slice(part);
                break;
            }
        }
    }
    (String::from_utf8_lossy(&line).into_owned(), length)
}

/// The words of a line. In quotes, a backslash before the quote or another backslash goes; elsewhere it stays.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if !matches!(first, '"' | '\'') {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
            continue;
        }
        let mut word = String::new();
        let mut characters = rest[1..].chars();
        while let Some(character) = characters.next() {
            let next = characters.as_str().chars().next();
            match character {
                '\\' if next == Some('\\') || next == Some(first) => word.extend(characters.next()),
                character if character == first => break,
                character => word.push(character),
            }
        }
        words.push(word);
        rest = characters.as_str().trim_start();
    }
    words
}

/// What Debian's envvars exports, with what is set in it before. Of a condition the last branch counts, in which
/// `$SUFFIX`, meant for further instances of a host, is empty.
fn environment_of(text: &[u8]) -> HashMap<String, String> {
    let mut variables: HashMap<String, String> = HashMap::new();
    for line in String::from_utf8_lossy(text).lines() {
        let line = line.trim();
        // `: ${NAME:=value}` sets what is not set.
        let (line, is_default) = match line.strip_prefix(": ${") {
            Some(rest) => (rest.trim_end_matches('}'), true),
            None => (line.strip_prefix("export ").unwrap_or(line), false),
        };
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim_end_matches(':');
        if name.is_empty() || !name.chars().all(is_name) || (is_default && variables.contains_key(name)) {
            continue;
        }
        let value = shell_expanded(value.trim_matches(['"', '\'']), &variables);
        variables.insert(name.to_owned(), value);
    }
    variables
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// `$NAME` and `${NAME}`; what a shell could do to a value besides is left out.
fn shell_expanded(value: &str, variables: &HashMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once('$') {
        expanded += before;
        let (inside, after) = match behind.strip_prefix('{') {
            Some(braced) => braced.split_once('}').unwrap_or((braced, "")),
            None => behind.split_at(behind.find(|it| !is_name(it)).unwrap_or(behind.len())),
        };
        let name = &inside[..inside.find(|it| !is_name(it)).unwrap_or(inside.len())];
        expanded += variables.get(name).map_or("", String::as_str);
        rest = after;
    }
    expanded + rest
}

/// The name of a site without scheme and port.
fn site_of(name: &str) -> Option<String> {
    let name = name.split_once("://").map_or(name, |(_, name)| name);
    let name = name.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_host = name.contains(char::is_alphanumeric)
        && !name.contains(|it: char| it.is_whitespace() || "*$/".contains(it));
    is_host.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lines_are_apaches() {
        assert_eq!(words(r#"LogFormat "%h \"%r\" \\ \x" n"#), ["LogFormat", r#"%h "%r" \ \x"#, "n"]);
        assert_eq!(words("a 'b \"c' d\\ e"), ["a", "b \"c", "d\\", "e"]);
        assert_eq!(words("a \"open"), ["a", "open"]);
        assert_eq!(joined_line(b"one \\\r\n two\nnext"), ("one  two".to_owned(), 12));
        assert_eq!(joined_line(b"end\\"), ("end".to_owned(), 4));
    }

    #[test]
    fn debians_environment() {
        let text = b"# x\nunset HOME\nif x; then\n\tSUFFIX=\"-${A##/etc}\"\nelse\n\tSUFFIX=\nfi\nexport APACHE_LOG_DIR=/var/log/apache2$SUFFIX\n\
                     : ${APACHE_RUN:=/run}\nexport X=\"${APACHE_RUN}/y\"\n";
        let variables = environment_of(text);
        assert_eq!(variables["APACHE_LOG_DIR"], "/var/log/apache2");
        assert_eq!((variables["APACHE_RUN"].as_str(), variables["X"].as_str()), ("/run", "/run/y"));
    }

    #[test]
    fn names_of_sites() {
        let site = |name| site_of(name);
        assert_eq!(site("https://Blog.Example:443").as_deref(), Some("blog.example"));
        assert_eq!(site("*"), None);
    }
}
