//! How the host rotates the logs: what logrotate is told to do with them, and what that means for an agent that may be
//! down for a while.

use std::path::{Path, PathBuf};

use super::access::acl;
use super::answer::Answer;
use super::user::Viewer;
use crate::io::account::{self, Account};
use crate::pipeline::options::PathMatcher;

const CHECK: &str = "logrotate";

/// Where logrotate begins.
const MAIN: &str = "etc/logrotate.conf";
const DIRECTORY: &str = "etc/logrotate.d";

/// Endings of files that logrotate leaves alone, among them what package managers leave behind (its tabooext).
const IGNORED: [&str; 12] = [
    ".rpmsave",
    ".rpmorig",
    ".rpmnew",
    ".dpkg-old",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-bak",
    ".disabled",
    ".bak",
    ".swp",
    ",v",
    "~",
];

/// All rules of the host. What cannot be read is not judged.
#[derive(Debug)]
pub struct Rotation {
    rules: Vec<Rule>,
}

/// What logrotate does with some logs.
#[derive(Debug)]
struct Rule {
    /// FILE:LINE of the rule.
    place: String,
    /// Which logs; none where a glob is none that we know.
    logs: Option<PathMatcher>,
    /// Directives with their words, the general ones first.
    directives: Vec<Vec<String>>,
    /// Whether a script runs after the rotation.
    tells_server: bool,
}

impl Rotation {
    /// Reads the rules; `root` is where the host's files lie.
    pub fn read(root: &Path) -> Self {
        let mut general = Vec::new();
        let mut rules = parse(&root.join(MAIN), &mut general);
        let mut files: Vec<PathBuf> = std::fs::read_dir(root.join(DIRECTORY))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.to_string_lossy();
                !IGNORED.iter().any(|ending| name.ends_with(ending))
            })
            .collect();
        files.sort();
        for file in files {
            // What an included file sets in general holds there alone.
            rules.extend(parse(&file, &mut general.clone()));
        }
        Self { rules }
    }

    /// What is to be known of the rotation of a log, whose rotated files are looked for beside it and at these paths.
    pub fn check(&self, log: &Path, archives: &PathMatcher, viewer: &Viewer) -> Vec<Answer> {
        let Some(rule) = self.rules.iter().find(|rule| rule.concerns(log)) else { return Vec::new() };
        let target = log.display().to_string();
        let mut answers: Vec<Answer> = rule
            .doubts(log, archives)
            .into_iter()
            .map(|(fact, remedy)| {
                Answer::warning(CHECK, &target, (format!("{}: {fact}", rule.place), &remedy))
            })
            .collect();
        if let Some(account) = &viewer.account {
            answers.extend(rule.unreadable(log, account));
        }
        if answers.is_empty() {
            answers.push(Answer::ok(CHECK, &target, format!("{} fits", rule.place)));
        }
        answers
    }
}

impl Rule {
    fn concerns(&self, log: &Path) -> bool {
        self.logs.as_ref().is_some_and(|logs| logs.matches(log))
    }

    /// Whether the last of two opposite directives is the first of them.
    fn is_on(&self, on: &str, off: &str) -> bool {
        let last = self.directives.iter().rev().find(|words| words[0] == on || words[0] == off);
        last.is_some_and(|words| words[0] == on)
    }

    /// The first word behind the last directive of this name.
    fn value(&self, name: &str) -> Option<&str> {
        let last = self.directives.iter().rev().find(|words| words[0] == name)?;
        last.get(1).map(String::as_str)
    }

    /// What is doubtful: the fact with its effect, and the remedy.
    fn doubts(&self, log: &Path, archives: &PathMatcher) -> Vec<(String, String)> {
        let mut doubts = Vec::new();
        let mut doubt = |fact: &str, remedy: &str| doubts.push((fact.to_owned(), remedy.to_owned()));
        let copies = self.is_on("copytruncate", "nocopytruncate");
        if copies {
            doubt(
                "copytruncate copies the log and empties it: lines that are written in between are lost for everybody, \
                 and counted by nobody",
                "take `copytruncate` out, write `create`, and let the web server reopen its logs: postrotate / \
                 kill -USR1 $(cat /run/nginx.pid) / endscript",
            );
        } else if !self.tells_server {
            doubt(
                "the log is renamed, but nobody tells the web server, which writes on in the old file",
                "add: postrotate / kill -USR1 $(cat /run/nginx.pid) / endscript",
            );
        }
        if self.is_on("compress", "nocompress") && !self.is_on("delaycompress", "nodelaycompress") {
            doubt(
                "compress without delaycompress: what the web server still writes to the rotated log while it is \
                 compressed is in no archive, and lost unless the agent runs and has that log open",
                "add `delaycompress`, so that the last rotated log stays as it is until the next rotation",
            );
        }
        if self.value("rotate") == Some("0") {
            doubt(
                "rotate 0 deletes a log when it is rotated: what is not read by then is lost, unless the agent runs and \
                 has it open",
                "write `rotate 1` or more",
            );
        }
        if let Some(ending) = self.value("extension") {
            let name = log.file_name().unwrap_or_default().to_string_lossy();
            if let Some(stem) = name.strip_suffix(ending).filter(|stem| !stem.is_empty()) {
                let glob = log.with_file_name(format!("{stem}?*{ending}"));
                doubt(
                    &format!(
                        "extension {ending} puts what tells rotated logs apart before the ending: one that was begun and \
                         rotated while the agent was down is not known as one of this log"
                    ),
                    &format!("take `extension` out, or add {} to `paths` of this log", glob.display()),
                );
            }
        }
        if self.is_on("shred", "noshred") {
            doubt(
                "shred overwrites a log before it is deleted: an agent that still reads it reads noise",
                "take `shred` out",
            );
        }
        if let Some(directory) = self.value("olddir").filter(|_| self.is_on("olddir", "noolddir")) {
            // What is no absolute path is one from the log's directory.
            let directory = log.parent().unwrap_or(Path::new("/")).join(directory);
            if !archives.matches(&directory.join(log.file_name().unwrap_or_default())) {
                let directory = directory.display();
                doubt(
                    &format!(
                        "olddir {directory}: logs that are rotated while the agent is down are not found there"
                    ),
                    &format!("add to this log: archive_dirs: [{directory}]"),
                );
            }
        }
        doubts
    }

    /// Whether the file that logrotate makes next will be closed to the service's user.
    fn unreadable(&self, log: &Path, account: &Account) -> Option<Answer> {
        let create = self.directives.iter().rev().find(|words| words[0] == "create")?;
        let [_, mode, owner, group] = &create[..] else { return None };
        let mode = u32::from_str_radix(mode, 8).ok()?;
        let ids = (Account::named(owner).ok()??.user, account::group_number(group)?);
        let directory = log.parent()?;
        if account.has(4, (mode, ids.0, ids.1)) || has_default_acl(directory) {
            return None;
        }
        let fact = format!(
            "{}: after the next rotation the log belongs to {owner}:{group} with mode {mode:04o}, and {} cannot read it",
            self.place, account.name
        );
        let name = log.file_name().unwrap_or_default().to_string_lossy();
        let remedy = acl(directory, &format!("{name}*"), &account.name);
        Some(Answer::warning(CHECK, &log.display().to_string(), (fact, &remedy)))
    }
}

/// Whether new files of a directory get access rules beyond their mode.
fn has_default_acl(directory: &Path) -> bool {
    rustix::fs::getxattr(directory, "system.posix_acl_default", &mut [0u8; 0][..]).is_ok_and(|size| size > 0)
}

/// The rules of one file; directives outside of them are added to `general`.
fn parse(path: &Path, general: &mut Vec<Vec<String>>) -> Vec<Rule> {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut parser = Parser { path, general, globs: Vec::new(), rule: None, script: None, rules: Vec::new() };
    for (number, line) in text.unwrap_or_default().lines().enumerate() {
        parser.take(number + 1, line.trim());
    }
    parser.rules
}

struct Parser<'a> {
    path: &'a Path,
    general: &'a mut Vec<Vec<String>>,
    /// Names of logs that stand before a brace.
    globs: Vec<String>,
    rule: Option<Rule>,
    /// The script that is being passed over.
    script: Option<String>,
    rules: Vec<Rule>,
}

impl Parser<'_> {
    fn take(&mut self, number: usize, line: &str) {
        const SCRIPTS: [&str; 6] =
            ["prerotate", "postrotate", "firstaction", "lastaction", "preremove", "endscript"];
        let mut words = words(line);
        let first = words.first().cloned().unwrap_or_default();
        if self.script.is_some() {
            if first == "endscript" {
                self.script = None;
            }
        } else if first.is_empty() || first.starts_with('#') {
            // Nothing is said.
        } else if let Some(rule) = &mut self.rule {
            if first == "}" {
                self.rules.extend(self.rule.take());
            } else if SCRIPTS.contains(&first.as_str()) {
                rule.tells_server |= matches!(first.as_str(), "postrotate" | "lastaction");
                self.script = Some(first);
            } else {
                rule.directives.push(words);
            }
        } else if first.starts_with(['/', '{']) || !self.globs.is_empty() {
            let opens = words.iter().any(|word| word == "{");
            words.retain(|word| word != "{");
            self.globs.append(&mut words);
            if opens {
                self.rule = Some(Rule {
                    place: format!("{}:{number}", self.path.display()),
                    logs: PathMatcher::new(&std::mem::take(&mut self.globs), &[]).ok(),
                    directives: self.general.clone(),
                    tells_server: false,
                });
            }
        } else {
            self.general.push(words);
        }
    }
}

/// Words as logrotate reads them: between blanks, or between quotes; `=` may stand between name and value, and a brace
/// needs no blank before it.
fn words(line: &str) -> Vec<String> {
    let spaced = line.replace('{', " { ").replace('=', " ");
    let mut words = Vec::new();
    let mut quote: Option<char> = None;
    let mut word = String::new();
    for character in spaced.chars() {
        match quote {
            Some(end) if character == end => quote = None,
            Some(_) => word.push(character),
            None if character == '"' || character == '\'' => quote = Some(character),
            None if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            None => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::answer::Status;

    const LOG: &str = "/var/log/nginx/access.log";

    fn viewer(groups: &[u32]) -> Viewer {
        let account =
            Account { name: "viewtail".into(), user: 64_990, group: 64_990, groups: groups.to_vec() };
        Viewer { account: Some(account), unit: None }
    }

    /// Where rotated files are looked for.
    fn archives() -> PathMatcher {
        PathMatcher::new(&["/var/log/archive/*".to_owned()], &[]).unwrap()
    }

    fn judge(main: &str, rule: &str, viewer: &Viewer) -> Vec<Answer> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(DIRECTORY)).unwrap();
        std::fs::write(root.path().join(MAIN), main).unwrap();
        std::fs::write(root.path().join(DIRECTORY).join("nginx"), rule).unwrap();
        std::fs::write(
            root.path().join(DIRECTORY).join("nginx.dpkg-old"),
            "/var/log/nginx/*.log {\nshred\n}\n",
        )
        .unwrap();
        Rotation::read(root.path()).check(Path::new(LOG), &archives(), viewer)
    }

    /// As Debian's package of nginx has it.
    const DEBIAN: &str = "/var/log/nginx/*.log {\n\tdaily\n\tmissingok\n\trotate 14\n\tcompress\n\tdelaycompress\n\
                          \tnotifempty\n\tcreate 0640 www-data adm\n\tsharedscripts\n\tprerotate\n\t\tif true; then \\\n\
                          \t\t\tcopytruncate; \\\n\t\tfi\n\tendscript\n\tpostrotate\n\t\tinvoke-rc.d nginx rotate\n\
                          \tendscript\n}\n";

    #[test]
    fn debians_rule_fits_a_user_of_the_group_adm_and_is_told_to_others() {
        let adm = account::group_number("adm").unwrap();
        let answers = judge("weekly\ncompress\n", DEBIAN, &viewer(&[64_990, adm]));
        assert_eq!(
            answers.iter().map(|answer| answer.status).collect::<Vec<_>>(),
            [Status::Ok],
            "{answers:?}"
        );
        let answers = judge("", DEBIAN, &viewer(&[64_990]));
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert!(answer.message.contains("www-data:adm with mode 0640"), "{answer:?}");
        assert!(
            answer.remedy.starts_with("setfacl -m u:viewtail:rx,d:u:viewtail:r /var/log/nginx"),
            "{answer:?}"
        );
    }

    #[test]
    fn each_habit_that_costs_lines_is_explained_with_its_remedy() {
        for (main, rule, fact, remedy) in [
            ("", "copytruncate", "copytruncate copies", "kill -USR1"),
            ("", "rotate 7", "nobody tells the web server", "postrotate"),
            ("compress\n", "postrotate\ntrue\nendscript", "without delaycompress", "delaycompress"),
            (
                "",
                "compress\nnodelaycompress\npostrotate\nendscript",
                "without delaycompress",
                "delaycompress",
            ),
            ("", "rotate 0\npostrotate\nendscript", "rotate 0 deletes", "rotate 1"),
            ("", "shred\npostrotate\nendscript", "overwrites", "take `shred` out"),
            (
                "",
                "olddir /var/log/old\npostrotate\nendscript",
                "are not found there",
                "archive_dirs: [/var/log/old]",
            ),
            (
                "",
                "extension .log\npostrotate\nendscript",
                "before the ending",
                "add /var/log/nginx/access?*.log to",
            ),
            (
                "",
                "olddir old\npostrotate\nendscript",
                "are not found there",
                "archive_dirs: [/var/log/nginx/old]",
            ),
        ] {
            let answers = judge(main, &format!("{LOG} {{\n{rule}\n}}\n"), &viewer(&[]));
            let [answer] = &answers[..] else { panic!("{rule}: {answers:?}") };
            assert_eq!(answer.status, Status::Warning);
            assert!(answer.message.contains(fact) && answer.message.contains("nginx:1"), "{answer:?}");
            assert!(answer.remedy.contains(remedy), "{answer:?}");
        }
    }

    #[test]
    fn what_is_switched_off_again_and_other_logs_are_no_worry() {
        let rule = "copytruncate\nnocopytruncate\nolddir /var/log/archive\ncompress\ndelaycompress\nlastaction\ntrue\nendscript";
        let answers = judge(
            "",
            &format!("\"/var/log/other.log\"\n/var/log/nginx/access.log{{\n{rule}\n}}\n"),
            &viewer(&[]),
        );
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].status, Status::Ok, "{answers:?}");
        assert_eq!(judge("", "/var/log/apache2/*.log {\ncopytruncate\n}\n", &viewer(&[])), []);
    }
}
