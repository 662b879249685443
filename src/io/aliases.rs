//! Where followed symbolic links lead: what is written there is hinted at by the target's path, while the agent knows the
//! file by the link's.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::pipeline::action::SharedPath;

/// Links by their targets.
#[derive(Debug, Default)]
pub struct Aliases {
    links: HashMap<PathBuf, SharedPath>,
    /// Directories that are watched only because a link leads into them.
    directories: HashSet<PathBuf>,
}

/// What a hint is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// This path, as the agent knows it.
    Path(SharedPath),
    /// A file beside a link's target: nothing.
    Nothing,
}

impl Aliases {
    /// Takes in where a link leads now; the directory to be watched, if it is not the link's own.
    pub fn learn(&mut self, link: &SharedPath) -> Option<PathBuf> {
        let target = std::fs::canonicalize(link).ok()?;
        self.links.retain(|_, known| known != link);
        let directory = target.parent().filter(|directory| Some(*directory) != link.parent())?.to_owned();
        self.links.insert(target, link.clone());
        self.directories.insert(directory.clone());
        Some(directory)
    }

    /// What a hint at this path means; `is_listed` says whether its directory is one that logs can match in.
    #[must_use]
    pub fn meaning(&self, path: PathBuf, is_listed: impl Fn(&Path) -> bool) -> Meaning {
        if let Some(link) = self.links.get(&path) {
            return Meaning::Path(link.clone());
        }
        let is_in = |directory: &Path| self.directories.contains(directory) && !is_listed(directory);
        if is_in(&path) || path.parent().is_some_and(is_in) {
            return Meaning::Nothing;
        }
        Meaning::Path(SharedPath::from(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn row_21_a_hint_at_the_target_is_one_at_the_link_until_it_leads_elsewhere() {
        let scratch = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(scratch.path()).unwrap();
        for directory in ["logs", "pods"] {
            fs::create_dir(base.join(directory)).unwrap();
        }
        let (one, two, link) = (base.join("pods/1"), base.join("pods/2"), base.join("logs/web.log"));
        fs::write(&one, "").unwrap();
        fs::write(&two, "").unwrap();
        symlink(&one, &link).unwrap();
        let shared = SharedPath::from(link.clone());
        let mut aliases = Aliases::default();
        assert_eq!(aliases.learn(&shared), Some(base.join("pods")));
        let meaning =
            |aliases: &Aliases, path: &Path| aliases.meaning(path.to_owned(), |path| path.ends_with("logs"));
        assert_eq!(meaning(&aliases, &one), Meaning::Path(shared.clone()));
        assert_eq!(meaning(&aliases, &two), Meaning::Nothing);
        assert_eq!(meaning(&aliases, &link), Meaning::Path(shared.clone()));
        fs::remove_file(&link).unwrap();
        symlink(&two, &link).unwrap();
        aliases.learn(&shared);
        assert_eq!(meaning(&aliases, &two), Meaning::Path(shared));
        assert_eq!(meaning(&aliases, &one), Meaning::Nothing);
    }
}
