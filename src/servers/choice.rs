//! Which of a server's logs belong into agent.yaml: each request once, each file once, and a reason for the rest.

use super::format::FormatText;
use super::glob::Glob;
use super::{LogPath, Output, Place, Scope, Scopes, Target};
use crate::format::Format;

/// An entry of `logs:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLog {
    /// Where it is.
    pub path: LogPath,
    /// Other logs that its glob would take in.
    pub exclude: Vec<String>,
    /// How it is written.
    pub format: FormatText,
    /// Whose it is, if it belongs to one site.
    pub site: Option<String>,
    /// The directive.
    pub place: Place,
    /// What an operator should know.
    pub remarks: Vec<String>,
}

/// A log that does not belong into agent.yaml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// As the configuration names it.
    pub shown: String,
    /// The directive.
    pub place: Place,
    /// Why not, and what to do if it should.
    pub reason: String,
}

/// What becomes of a server's logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The entries, globs behind paths: a file that two match belongs to the first.
    pub logs: Vec<FoundLog>,
    /// The rest.
    pub left_out: Vec<LeftOut>,
}

/// Chooses so that every request is read from one log, as far as that is possible.
#[must_use]
pub fn choose(found: &Scopes) -> Found {
    let mut chosen = Found { logs: Vec::new(), left_out: elsewhere(&found.scopes) };
    let mut logs = Vec::new();
    for log in Log::all(&found.scopes) {
        match log.readable() {
            Ok(format) => logs.push((log, format)),
            Err(reason) => chosen.left_out.push(log.left_out(reason)),
        }
    }
    // A log of all requests before one of some.
    logs.sort_by_key(|(log, _)| log.is_conditional());
    let mut taken: Vec<(Log<'_>, Format, Vec<String>)> = Vec::new();
    for (log, format) in logs {
        match log.beside(&taken) {
            Ok(remarks) => taken.push((log, format, remarks)),
            Err(reason) => chosen.left_out.push(log.left_out(reason)),
        }
    }
    taken.sort_by_key(|(log, _, _)| (log.path.literal.is_none(), log.number));
    let others = other_files(found);
    chosen.logs.extend(taken.into_iter().map(|(log, format, remarks)| log.found(&format, remarks, &others)));
    for output in &found.unused {
        let reason = match &output.target {
            Target::Elsewhere { reason, .. } => reason.clone(),
            Target::File(_) => {
                "nothing is written to it: `off`, or other logs, stand in its place".to_owned()
            }
        };
        let shown = output.target.name().to_owned();
        if !chosen.logs.iter().any(|log| log.path.glob == shown) {
            chosen.left_out.push(LeftOut { shown, place: output.place.clone(), reason });
        }
    }
    chosen.left_out.sort_by(|one, other| one.place.cmp(&other.place));
    chosen
}

/// All files that a glob could take in by mistake.
fn other_files(found: &Scopes) -> Vec<String> {
    let outputs = found.scopes.iter().flat_map(|scope| &scope.outputs).chain(&found.unused);
    let names = outputs.filter_map(|output| match &output.target {
        Target::File(path) => path.literal.clone(),
        Target::Elsewhere { shown, .. } => Some(shown.clone()),
    });
    names.chain(found.others.iter().cloned()).collect()
}

/// What goes to no file, each destination once.
fn elsewhere(scopes: &[Scope]) -> Vec<LeftOut> {
    let mut left_out: Vec<LeftOut> = Vec::new();
    for output in scopes.iter().flat_map(|scope| &scope.outputs) {
        if let Target::Elsewhere { shown, reason } = &output.target
            && !left_out.iter().any(|known| known.shown == *shown)
        {
            left_out.push(LeftOut {
                shown: shown.clone(),
                place: output.place.clone(),
                reason: reason.clone(),
            });
        }
    }
    left_out
}

/// A file, or several of one glob, and all that write there.
struct Log<'a> {
    /// In the order of the configuration.
    number: usize,
    path: &'a LogPath,
    outputs: Vec<&'a Output>,
    /// The scopes that write to it, by their numbers.
    scopes: Vec<usize>,
    sites: Vec<Option<&'a str>>,
}

impl<'a> Log<'a> {
    /// All files, each once.
    fn all(scopes: &'a [Scope]) -> Vec<Self> {
        let mut logs: Vec<Self> = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        for (scope_number, scope) in scopes.iter().enumerate() {
            for output in &scope.outputs {
                let Target::File(path) = &output.target else { continue };
                let number = *numbers.entry(path.glob.as_str()).or_insert_with(|| {
                    let number = logs.len();
                    let (outputs, scopes, sites) = (Vec::new(), Vec::new(), Vec::new());
                    logs.push(Self { number, path, outputs, scopes, sites });
                    number
                });
                let log = &mut logs[number];
                if !log.outputs.iter().any(|known| known.place == output.place) {
                    log.outputs.push(output);
                }
                if log.scopes.last() != Some(&scope_number) {
                    log.scopes.push(scope_number);
                }
                if !log.sites.contains(&scope.site.as_deref()) {
                    log.sites.push(scope.site.as_deref());
                }
            }
        }
        logs
    }

    fn first(&self) -> &'a Output {
        self.outputs[0]
    }

    fn is_conditional(&self) -> bool {
        self.outputs.iter().all(|output| output.is_conditional)
    }

    /// Its format, or why it cannot be followed.
    fn readable(&self) -> Result<Format, String> {
        if self.path.glob.contains(char::is_control) {
            return Err(
                "its path has control characters, which agent.yaml does not take: rename it".to_owned()
            );
        }
        let format = self.first().format.compile();
        format.map_err(|error| format!("its format cannot be read: {error}"))
    }

    fn left_out(&self, reason: String) -> LeftOut {
        LeftOut { shown: self.path.glob.clone(), place: self.first().place.clone(), reason }
    }

    /// What to know of it beside those that are taken already, or why it has to stay out.
    fn beside(&self, taken: &[(Self, Format, Vec<String>)]) -> Result<Vec<String>, String> {
        let shared: Vec<(&Self, usize)> = taken
            .iter()
            .map(|(other, _, _)| {
                (other, self.scopes.iter().filter(|scope| other.scopes.contains(scope)).count())
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        let is_covered = |scope| taken.iter().any(|(other, _, _)| other.scopes.contains(scope));
        let Some((other, _)) = shared.iter().max_by_key(|(_, count)| *count) else { return Ok(Vec::new()) };
        let name = &other.path.glob;
        if other.is_conditional() {
            return Ok(vec![format!(
                "what is logged here and in {name} (both have conditions) counts twice: remove one of the two if \
                 their conditions do not exclude each other"
            )]);
        }
        if self.scopes.iter().all(is_covered) {
            return Err(format!(
                "each of its requests is in {name} too, and would count twice; to read this one, remove the other"
            ));
        }
        Ok(vec![format!(
            "some of its requests are in {name} too and count twice: give these a log of their own"
        )])
    }

    fn found(&self, format: &Format, mut remarks: Vec<String>, others: &[String]) -> FoundLog {
        let first = self.first();
        remarks.extend(first.remarks.iter().cloned());
        if self.is_conditional() {
            remarks
                .push("only requests that meet its condition are logged, so others cannot be counted".into());
        }
        if let Some(other) = self.outputs.iter().find(|output| output.format != first.format) {
            remarks.push(format!(
                "{} writes it in another format, and its lines will be malformed: give them a file of their own",
                other.place
            ));
        }
        let is_host_logged = FormatText::names_host(format);
        let site = match self.sites[..] {
            // Where a path has variables, the server has several hosts, and lines that say theirs are believed.
            [Some(site)] if self.path.literal.is_some() || !is_host_logged => Some(site.to_owned()),
            _ => {
                remarks.extend((!is_host_logged).then(|| no_site(&self.sites, &first.format)));
                None
            }
        };
        remarks.extend(format.warnings().iter().map(|warning| warning.message.clone()));
        let exclude =
            if self.path.literal.is_none() { taken_in(&self.path.glob, others) } else { Vec::new() };
        let (path, format, place) = (self.path.clone(), first.format.clone(), first.place.clone());
        FoundLog { path, exclude, format, site, place, remarks }
    }
}

/// What happens where a log belongs to no one site, and its lines do not say theirs.
fn no_site(sites: &[Option<&str>], format: &FormatText) -> String {
    /// More names do not help.
    const NAMES_MAX: usize = 4;
    let mut names: Vec<&str> = sites.iter().copied().flatten().take(NAMES_MAX).collect();
    if names.is_empty() {
        return "its lines do not say which site they are of, so this host's name counts as the site: write `site`".into();
    }
    if sites.len() > names.len() {
        names.push("others");
    }
    let names = names.join(", ");
    let host = format.host_variable();
    format!(
        "it is shared by several sites ({names}), and its lines do not say which: add {host} to its format, or give each a log \
         of its own"
    )
}

/// Which of these the glob would take in.
fn taken_in(glob: &str, others: &[String]) -> Vec<String> {
    let glob = Glob::new(glob);
    let mut taken: Vec<String> = others
        .iter()
        .filter(|other| glob.matches(std::path::Path::new(other)))
        .map(|other| super::output::escape_glob(other))
        .collect();
    taken.sort();
    taken.dedup();
    taken
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::format::Escape;

    /// Scopes as `site: log log?`, where `?` is a condition; then what is followed, and what is left out.
    fn check(scopes: &[&str], followed: &str, left_out: &str) {
        let mut line = 0;
        let mut output = |name: &str| {
            line += 1;
            let place = Place { line, ..Place::of_file(Path::new("/c")) };
            let path = format!("/l/{}", name.trim_end_matches('?'));
            let text = Format::text_of("combined").unwrap_or_default().to_owned();
            let format = FormatText::Nginx { text, escape: Escape::Default };
            let target = Target::File(LogPath::literal(&path));
            Output { place, target, format, is_conditional: name.ends_with('?'), remarks: Vec::new() }
        };
        let mut scope = |text: &&str| {
            let (site, logs) = text.split_once(':').expect("a site has a colon");
            let outputs = logs.split_whitespace().map(&mut output).collect();
            Scope { site: Some(site.to_owned()), outputs }
        };
        let scopes = scopes.iter().map(&mut scope).collect();
        let found = choose(&Scopes { scopes, ..Scopes::default() });
        let log = |log: &FoundLog| {
            let twice = if log.remarks.iter().any(|it| it.contains("twice")) { " twice" } else { "" };
            format!("{}={}{twice}", &log.path.glob[3..], log.site.as_deref().unwrap_or("-"))
        };
        assert_eq!(found.logs.iter().map(log).collect::<Vec<_>>().join(", "), followed, "{found:?}");
        let out = |log: &LeftOut| log.shown[3..].to_owned();
        assert_eq!(found.left_out.iter().map(out).collect::<Vec<_>>().join(", "), left_out, "{found:?}");
    }

    #[test]
    fn a_request_is_read_from_one_log() {
        check(&["a: x", "b: y"], "x=a, y=b", "");
        check(&["a: x y"], "x=a", "y");
        check(&["a: x? y"], "y=a", "x");
        check(&["a: x", "a: x"], "x=a", "");
        check(&["a: x", "b: x"], "x=-", "");
        // The second site is in the shared log alone, so nothing can be left out.
        check(&["a: x all", "b: all"], "x=a, all=- twice", "");
        check(&["a: all x", "b: all"], "all=-", "x");
        // Conditions may exclude each other.
        check(&["a: x? y?"], "x=a, y=a twice", "");
    }

    #[test]
    fn a_glob_comes_last_and_leaves_out_what_is_none_of_its_own() {
        let glob = LogPath { glob: "/l/*.log".to_owned(), literal: None, rotated: None };
        let place = Place::of_file(Path::new("/c"));
        let output = |path: LogPath| Output {
            place: place.clone(),
            target: Target::File(path),
            format: FormatText::Caddy,
            is_conditional: false,
            remarks: Vec::new(),
        };
        let scope = |path| Scope { site: None, outputs: vec![output(path)] };
        let scopes = vec![scope(glob), scope(LogPath::literal("/l/a.log"))];
        let others = vec!["/l/error.log".to_owned(), "/m/error.log".to_owned()];
        let found = choose(&Scopes { scopes, unused: Vec::new(), others });
        let paths: Vec<&str> = found.logs.iter().map(|log| log.path.glob.as_str()).collect();
        assert_eq!(paths, ["/l/a.log", "/l/*.log"]);
        assert_eq!(found.logs[1].exclude, ["/l/a.log", "/l/error.log"]);
    }
}
