//! `include:`: further files, each with `logs:` alone. What they hold joins the logs of the file that names them, before
//! anything is judged, so that every rule sees all logs, and every message names the file that it is about.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::node::{Entry, Kind, Node, quoted};
use super::pattern;
use super::place::Place;
use super::shape::Shape;
use super::source::ConfigSource;
use super::value::{Fault, Value};

/// The key of this option.
pub(super) const KEY: &str = "include";
const LOGS: &str = "logs";

/// A path, or a glob over names of one directory; relative to the directory of the file that has it.
pub(super) struct Include(String);

impl Value for Include {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        let path = Path::new(&text);
        if path.components().any(|component| component == std::path::Component::ParentDir) {
            let fault = format!("must not contain `..`, found {}", quoted(&text));
            return Err(Fault::new(fault, "write the path that is meant"));
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        if pattern::has_wildcards(&directory.to_string_lossy()) {
            let fault = format!("can have wildcards in the name of the file alone, found {}", quoted(&text));
            return Err(Fault::new(fault, "name each directory, as in [conf.d/*.yaml, other.d/*.yaml]"));
        }
        pattern::compile(&text).map(|_| Self(text))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::text("a path, or a glob over the names of one directory")
    }
}

/// What was read of included files.
#[derive(Default)]
pub(super) struct Included {
    /// Their logs.
    pub logs: Vec<Node>,
    pub findings: Vec<Finding>,
    /// Whether a file could not be read for lack of permission.
    pub is_forbidden: bool,
}

/// Reads what a tree includes; relative paths are those of `directory`.
pub(super) fn gather(tree: &Node, source: &mut ConfigSource, directory: &Path) -> Included {
    let mut included = Included::default();
    let mut seen = BTreeSet::new();
    for (pattern, place) in patterns(tree) {
        match files(directory, &pattern) {
            Ok(files) => {
                for file in files.into_iter().filter(|file| seen.insert(file.clone())) {
                    included.file(&file, place, source);
                }
            }
            Err(error) => included.refuse(place, &directory.join(&pattern), &error),
        }
    }
    included
}

impl Included {
    fn file(&mut self, path: &Path, named_at: Place, source: &mut ConfigSource) {
        let text = match read(path, source.bytes()) {
            Ok(text) => text,
            Err(error) => return self.refuse(named_at, path, &error),
        };
        let mut file = ConfigSource::new(&path.display().to_string(), &text);
        let tree = super::plant(&mut file);
        let shift = source.append(file);
        match tree {
            Ok(None) => {}
            Ok(Some(mut tree)) => {
                tree.shift(shift);
                self.tree(tree, source.name());
            }
            Err(finding) => self.findings.push(finding.shifted(shift)),
        }
    }

    fn tree(&mut self, tree: Node, including: &str) {
        let Kind::Map(entries) = tree.kind else {
            let fact = format!("an included file must hold `logs:`, found {}", tree.describe());
            return self.fault(tree.place, &fact, "write `logs:` and the entries below it, as in agent.yaml");
        };
        for Entry { key, value } in entries {
            match (&key.kind, value.kind) {
                (Kind::Text(name), Kind::List(mut nodes)) if name == LOGS => self.logs.append(&mut nodes),
                (Kind::Text(name), Kind::Null) if name == LOGS => {}
                (Kind::Text(name), kind) if name == LOGS => {
                    let value = Node { kind, ..value };
                    let fact = format!("`logs` must be a list, found {}", value.describe());
                    self.fault(value.place, &fact, "write it as a list: `- paths: [...]`");
                }
                _ => {
                    let fact = format!("an included file holds `logs:` alone, found {}", key.describe());
                    self.fault(key.place, &fact, &format!("move it to {including}"));
                }
            }
        }
    }

    fn fault(&mut self, place: Place, fact: &str, help: &str) {
        self.findings.push(Finding::error(place, fact, help));
    }

    fn refuse(&mut self, place: Place, path: &Path, error: &io::Error) {
        self.is_forbidden |= error.kind() == ErrorKind::PermissionDenied;
        let fact = format!("cannot include {}: {error}", path.display());
        self.fault(
            place,
            &fact,
            "make it a file that the user that runs viewtail may read, or remove it here",
        );
    }
}

/// The patterns that can be used; the others are reported when the option is read.
fn patterns(tree: &Node) -> Vec<(String, Place)> {
    let Some(Kind::List(nodes)) = entry(tree, KEY).map(|entry| &entry.value.kind) else { return Vec::new() };
    nodes.iter().filter_map(|node| Some((Include::read(node).ok()?.0, node.place))).collect()
}

fn entry<'a>(tree: &'a Node, wanted: &str) -> Option<&'a Entry> {
    let Kind::Map(entries) = &tree.kind else { return None };
    entries.iter().find(|entry| matches!(&entry.key.kind, Kind::Text(key) if key == wanted))
}

/// The files that a pattern matches, sorted by name; a hidden one only if it is asked for. A directory that is not
/// there has none, but a path without wildcards must be.
fn files(directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let path = directory.join(pattern);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !pattern::has_wildcards(&name) {
        return Ok(vec![path]);
    }
    let Ok(matcher) = pattern::compile(&name) else { return Ok(Vec::new()) };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = match std::fs::read_dir(parent) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let found = entry?.file_name();
        let is_hidden = found.to_string_lossy().starts_with('.') && !name.starts_with('.');
        if !is_hidden && matcher.is_match(&found) {
            files.push(path.with_file_name(found));
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file, as long as all files together are no larger than one may be.
fn read(path: &Path, bytes_so_far: usize) -> io::Result<String> {
    // A FIFO would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    let (bytes, _) = super::read_file(path)?;
    if (bytes.len() + bytes_so_far) as u64 > super::FILE_BYTES_MAX {
        return Err(io::Error::other("the configuration is larger than 1MiB with it"));
    }
    let line = |error: &std::string::FromUtf8Error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        valid.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    String::from_utf8(bytes).map_err(|error| io::Error::other(format!("line {} is not UTF-8", line(&error))))
}

/// Adds logs to those of a tree, which may have none of its own.
pub(super) fn join(tree: &mut Node, logs: Node) {
    let Kind::List(logs) = logs.kind else { return };
    let place_of_tree = tree.place;
    let Kind::Map(entries) = &mut tree.kind else { return };
    if logs.is_empty() {
        return;
    }
    let position = |wanted: &str| {
        entries.iter().position(|entry| matches!(&entry.key.kind, Kind::Text(key) if key == wanted))
    };
    let place = position(KEY).map_or(place_of_tree, |include| entries[include].key.place);
    let own = position(LOGS);
    match own.map(|own| &mut entries[own].value.kind) {
        Some(Kind::List(nodes)) => nodes.extend(logs),
        Some(kind @ Kind::Null) => *kind = Kind::List(logs),
        // It is wrong, and is reported as what it is.
        Some(Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_)) => {}
        None => entries.push(Entry {
            key: Node { place, kind: Kind::Text(LOGS.to_owned()) },
            value: Node { place, kind: Kind::List(logs) },
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Style, load, show};

    const MAIN: &str = "include: [conf.d/*.yaml]\nkafka: {brokers: [a], topic: t}\n";

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("conf.d")).unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn read(directory: &Path) -> Result<Config, String> {
        let read = load(&directory.join("agent.yaml")).map(|(config, _)| config);
        read.map_err(|errors| errors.render(Style::Plain).replace(&directory.display().to_string(), "DIR"))
    }

    fn names(config: &Config) -> Vec<&str> {
        config.logs.iter().map(|log| log.name.as_str()).collect()
    }

    #[test]
    fn included_logs_follow_the_files_own_sorted_by_name() {
        let main = format!("{MAIN}logs: [{{paths: [/main.log]}}]\n");
        let directory = directory(&[
            ("agent.yaml", main.as_str()),
            ("conf.d/b.yaml", "logs:\n- paths: [/b.log]\n- paths: [/c.log]\n"),
            ("conf.d/a.yaml", "\u{feff}# only one\nlogs: [{paths: [/a.log], site: \"x\"}]\n"),
            ("conf.d/empty.yaml", "# nothing yet\n"),
            ("conf.d/.hidden.yaml", "logs: [{paths: [/hidden.log]}]\n"),
            ("conf.d/a.yaml.bak", "nonsense: ["),
        ]);
        let config = read(directory.path()).unwrap();
        assert_eq!(names(&config), ["/main.log", "/a.log", "/b.log", "/c.log"]);
        let shown = show(&config);
        assert!(shown.contains("conf.d/a.yaml:2"), "{shown}");
    }

    #[test]
    fn an_included_file_may_be_the_only_one_with_logs_and_a_directory_may_be_absent() {
        let directory = directory(&[
            ("agent.yaml", "include: [conf.d/a.yaml, none.d/*.yaml]\nkafka: {brokers: [a], topic: t}\n"),
            ("conf.d/a.yaml", "logs: [{paths: [/a.log]}]\n"),
        ]);
        assert_eq!(names(&read(directory.path()).unwrap()), ["/a.log"]);
    }

    #[test]
    fn a_mistake_in_an_included_file_is_shown_there_with_all_others() {
        let directory = directory(&[
            ("agent.yaml", &MAIN.replace("topic: t", "topik: t")),
            ("conf.d/a.yaml", "logs:\n- paths: [/a.log]\n  fromat: main\n"),
            ("conf.d/b.yaml", "logs: [\n"),
            ("conf.d/c.yaml", "logs: [{paths: [/c.log], site: 'a${NO_SUCH_VARIABLE}'}]\nkafka: {topic: x}\n"),
            ("conf.d/d.yaml", "- paths: [/d.log]\n"),
        ]);
        let errors = read(directory.path()).unwrap_err();
        for part in [
            "DIR/agent.yaml:2:23",
            "did you mean `topic`?",
            "DIR/conf.d/a.yaml:3:3",
            "3 |   fromat: main",
            "did you mean `format`?",
            "DIR/conf.d/b.yaml:2:1",
            "DIR/conf.d/c.yaml:1:34",
            "DIR/conf.d/c.yaml:2:1",
            "an included file holds `logs:` alone",
            "DIR/conf.d/d.yaml:1:1",
        ] {
            assert!(errors.contains(part), "{part}:\n{errors}");
        }
    }

    #[test]
    fn two_files_that_share_a_path_are_told() {
        let directory = directory(&[
            ("agent.yaml", MAIN),
            ("conf.d/a.yaml", "logs: [{paths: [/a.log]}]\n"),
            ("conf.d/b.yaml", "logs: [{paths: [/a.log]}]\n"),
        ]);
        let (_, warnings) = load(&directory.path().join("agent.yaml")).unwrap();
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        assert!(warning.render(Style::Plain).contains("conf.d/b.yaml:1"), "{}", warning.render(Style::Plain));
    }

    #[test]
    fn what_cannot_be_included_is_refused_where_it_is_named() {
        let directory = directory(&[("agent.yaml", "")]);
        let fifo = directory.path().join("conf.d/fifo.yaml");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        let large = directory.path().join("conf.d/large.yaml");
        std::fs::write(large, "#".repeat(1 << 20)).unwrap();
        std::fs::write(directory.path().join("conf.d/bytes.yaml"), b"logs:\n\xff").unwrap();
        for (include, part) in [
            ("conf.d/none.yaml", "cannot include DIR/conf.d/none.yaml: No such file"),
            ("conf.d/fifo.yaml", "no ordinary file"),
            ("conf.d/large.yaml", "larger than 1MiB"),
            ("conf.d/bytes.yaml", "line 2 is not UTF-8"),
            ("'*/a.yaml'", "wildcards in the name of the file alone"),
            ("../a.yaml", "must not contain `..`"),
            ("'a[.yaml'", "must be a glob"),
        ] {
            let text = MAIN.replace("conf.d/*.yaml", include) + "logs: [{paths: [/a.log]}]\n";
            std::fs::write(directory.path().join("agent.yaml"), text).unwrap();
            let errors = read(directory.path()).unwrap_err();
            assert!(errors.contains(part) && errors.contains("DIR/agent.yaml:1:11"), "{include}: {errors}");
        }
    }
}
