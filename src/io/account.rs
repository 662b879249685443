//! Users and groups of this host, and being one of them.
//!
//! Read from /etc/passwd and /etc/group, where packages and systemd-sysusers put those of services. Users of a directory
//! service are not found here.

use std::io;
use std::path::Path;

use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

/// A user with all its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub user: u32,
    /// The number of its own group.
    pub group: u32,
    /// The numbers of all groups that it is in, its own among them.
    pub groups: Vec<u32>,
}

/// What a service may do beyond its user, of that which concerns reading logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// CAP_DAC_READ_SEARCH: to read everything.
    ReadAll,
    /// CAP_LEASE: to ask who writes to files of others.
    Lease,
}

impl Account {
    /// The user of this name.
    ///
    /// # Errors
    /// The tables of the host cannot be read.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        Self::in_tables(name, &table("/etc/passwd")?, &table("/etc/group")?)
    }

    fn in_tables(name: &str, users: &str, groups: &str) -> io::Result<Option<Self>> {
        let Some(entry) = users.lines().map(Entry).find(|entry| entry.name() == name) else {
            return Ok(None);
        };
        let number = |at| entry.number(at).ok_or_else(|| io::Error::other("a line of /etc/passwd is broken"));
        let (user, group) = (number(2)?, number(3)?);
        let is_member = |entry: &Entry<'_>| entry.field(3).split(',').any(|member| member == name);
        let further = groups.lines().map(Entry).filter(is_member).filter_map(|entry| entry.number(2));
        let mut all = vec![group];
        all.extend(further.filter(|number| *number != group));
        Ok(Some(Self { name: name.to_owned(), user, group, groups: all }))
    }

    /// Adds a group of a service's own, if the host has it.
    pub fn join(&mut self, group: &str) {
        if let Some(number) = group_number(group)
            && !self.groups.contains(&number)
        {
            self.groups.push(number);
        }
    }

    /// Whether its bits of a mode are these, for a file of this owner and group; `bits` are those of others (4 reads,
    /// 1 searches).
    #[must_use]
    pub fn has(&self, bits: u32, (mode, owner, group): (u32, u32, u32)) -> bool {
        let shift = if owner == self.user {
            6
        } else if self.groups.contains(&group) {
            3
        } else {
            0
        };
        (mode >> shift) & bits == bits
    }

    /// Makes the calling thread, and all that it starts from now on, this user with these capabilities and no other right.
    /// There is no way back.
    ///
    /// # Errors
    /// The caller is not root.
    pub fn assume(&self, capabilities: &[Capability]) -> io::Result<()> {
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_keep_capabilities(true)?;
        set_thread_groups(&groups)?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
        let kept = capabilities.iter().fold(CapabilitySet::empty(), |all, one| all | one.set());
        set_capabilities(
            None,
            CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
        )?;
        Ok(())
    }
}

impl Capability {
    fn set(self) -> CapabilitySet {
        match self {
            Self::ReadAll => CapabilitySet::DAC_READ_SEARCH,
            Self::Lease => CapabilitySet::LEASE,
        }
    }
}

/// The name of a user, or its number where it has none.
#[must_use]
pub fn user_name(number: u32) -> String {
    name_in("/etc/passwd", number).unwrap_or_else(|| number.to_string())
}

/// The name of a group.
#[must_use]
pub fn group_name(number: u32) -> Option<String> {
    name_in("/etc/group", number)
}

/// The number of a group.
#[must_use]
pub fn group_number(name: &str) -> Option<u32> {
    let groups = table("/etc/group").ok()?;
    groups.lines().map(Entry).find(|entry| entry.name() == name)?.number(2)
}

fn name_in(path: &str, number: u32) -> Option<String> {
    let table = table(path).ok()?;
    let found = table.lines().map(Entry).find(|entry| entry.number(2) == Some(number))?;
    Some(found.name().to_owned())
}

/// A line of passwd(5) or group(5): fields between colons, of which both have name and number in the same places.
struct Entry<'a>(&'a str);

impl<'a> Entry<'a> {
    fn field(&self, at: usize) -> &'a str {
        self.0.split(':').nth(at).unwrap_or_default()
    }

    fn name(&self) -> &'a str {
        self.field(0)
    }

    fn number(&self, at: usize) -> Option<u32> {
        self.field(at).parse().ok()
    }
}

fn table(path: &str) -> io::Result<String> {
    // Comments of people may be in any encoding.
    std::fs::read(Path::new(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/sh\nviewtail:x:990:991::/var/lib/viewtail:/usr/sbin/nologin\n";
    const GROUPS: &str = "adm:x:4:syslog,viewtail\nviewtail:x:991:viewtail\nwww-data:x:33:viewtails\n";

    #[test]
    fn a_user_has_its_own_group_and_those_that_name_it() {
        let found = Account::in_tables("viewtail", USERS, GROUPS).unwrap().unwrap();
        assert_eq!((found.user, found.group, found.groups), (990, 991, vec![991, 4]));
        assert_eq!(Account::in_tables("nobody", USERS, GROUPS).unwrap(), None);
        assert!(Account::in_tables("broken", "broken:x:no:1", GROUPS).is_err());
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let account = Account::in_tables("viewtail", USERS, GROUPS).unwrap().unwrap();
        assert!(account.has(4, (0o640, 33, 4)), "by the group adm");
        assert!(!account.has(4, (0o640, 33, 0)));
        assert!(account.has(4, (0o644, 33, 0)), "as everybody");
        assert!(!account.has(4, (0o046, 990, 4)), "the owner's bits count alone");
        assert!(account.has(1, (0o711, 0, 0)) && !account.has(5, (0o711, 0, 0)));
    }

    #[test]
    fn the_tables_of_this_host_are_read() {
        assert_eq!(Account::named("root").unwrap().unwrap().user, 0);
        assert_eq!((user_name(0).as_str(), group_name(0).as_deref()), ("root", Some("root")));
        assert_eq!(group_number("root"), Some(0));
    }
}
