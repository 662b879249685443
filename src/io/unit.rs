//! The service as systemd would start it: what its unit and drop-ins say of user, groups, rights and limits.
//!
//! Read as text, in systemd's order, because `check` has to work where systemd is not the first process.

use std::path::{Path, PathBuf};

const NAME: &str = "viewtail.service";

/// Where units lie, the strongest first (systemd.unit(5)).
const PLACES: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];

/// The unit's settings that concern what the agent may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// `User=`; root if there is none.
    pub user: Option<String>,
    /// `Group=` and `SupplementaryGroups=`.
    pub groups: Vec<String>,
    /// `AmbientCapabilities=`, as written.
    pub capabilities: Vec<String>,
    /// `StateDirectory=`, below /var/lib: systemd makes them before the start.
    pub state_directories: Vec<String>,
    /// The hard limit of `LimitNOFILE=`; `None`: systemd's default.
    pub open_files: Option<u64>,
}

/// Reads the unit of the host whose files lie below `root`; `None` if it is not installed.
#[must_use]
pub fn read(root: &Path) -> Option<Unit> {
    let main = PLACES.iter().map(|place| root.join(place).join(NAME)).find(|path| path.is_file())?;
    let mut unit = Unit::default();
    for path in std::iter::once(main).chain(drop_ins(root)) {
        // One that cannot be read is systemd's worry; what is known is still better than nothing.
        for (key, value) in settings(&std::fs::read_to_string(path).unwrap_or_default()) {
            unit.set(&key, &value);
        }
    }
    Some(unit)
}

/// Drop-ins in the order of their names, whatever directory they are in; of one name the strongest place counts.
fn drop_ins(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for place in PLACES {
        let directory = root.join(place).join(format!("{NAME}.d"));
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_new = found.iter().all(|known| known.file_name() != path.file_name());
            if is_new && path.extension().is_some_and(|extension| extension == "conf") {
                found.push(path);
            }
        }
    }
    found.sort_by(|one, two| one.file_name().cmp(&two.file_name()));
    found
}

/// The assignments of the section [Service]; a line that ends with a backslash goes on in the next one.
fn settings(text: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.replace("\\\n", " ").lines().map(str::trim) {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        } else if section == "[Service]"
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            found.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

impl Unit {
    fn set(&mut self, key: &str, value: &str) {
        match key {
            "User" => self.user = (!value.is_empty()).then(|| value.to_owned()),
            "Group" | "SupplementaryGroups" => add(&mut self.groups, value),
            "AmbientCapabilities" => add(&mut self.capabilities, value),
            "StateDirectory" => add(&mut self.state_directories, value),
            "LimitNOFILE" => {
                let hard = value.rsplit(':').next().unwrap_or(value);
                self.open_files = if hard == "infinity" { Some(u64::MAX) } else { hard.parse().ok() };
            }
            _ => {}
        }
    }
}

/// A list grows with each assignment; an empty one begins it anew.
fn add(list: &mut Vec<String>, value: &str) {
    if value.is_empty() {
        list.clear();
    }
    list.extend(value.split_whitespace().map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_shipped_unit_is_understood() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read(root.path()), None);
        write(
            root.path(),
            "usr/lib/systemd/system/viewtail.service",
            include_str!("../../systemd/viewtail.service"),
        );
        let unit = read(root.path()).unwrap();
        assert_eq!((unit.user.as_deref(), unit.open_files), (Some("viewtail"), Some(65_536)));
        assert_eq!(
            (unit.groups, unit.state_directories),
            (vec!["viewtail".into(), "adm".into()], vec!["viewtail".into()])
        );
        assert!(unit.capabilities.is_empty());
    }

    #[test]
    fn drop_ins_add_replace_and_begin_anew() {
        let root = tempfile::tempdir().unwrap();
        let place = "etc/systemd/system/viewtail.service";
        write(
            root.path(),
            place,
            "[Service]\nUser=a\nSupplementaryGroups=adm\\\n nginx\n# User=c\n[Unit]\nUser=d\n",
        );
        write(
            root.path(),
            &format!("{place}.d/20.conf"),
            "[Service]\nUser=b\nSupplementaryGroups=\nSupplementaryGroups=www\n",
        );
        write(
            root.path(),
            &format!("usr/lib/systemd/system/{NAME}.d/10.conf"),
            "[Service]\nLimitNOFILE=10:20\nAmbientCapabilities=CAP_LEASE\n",
        );
        write(root.path(), &format!("{place}.d/no.txt"), "[Service]\nUser=z\n");
        let unit = read(root.path()).unwrap();
        assert_eq!(
            (unit.user.as_deref(), unit.groups, unit.open_files),
            (Some("b"), vec!["www".into()], Some(20))
        );
        assert_eq!(unit.capabilities, ["CAP_LEASE"]);
    }
}
