//! With whose eyes files are looked at: those of the service's user, whoever calls `check`.

use std::path::{Path, PathBuf};

use super::answer::Answer;
use crate::cli::{Exit, Failure};
use crate::io::account::{self, Account, Capability};
use crate::io::unit::{self, Unit};

/// The user that the packages make.
const SERVICE_USER: &str = "viewtail";

/// Who looks.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The account to become; `None`: whoever called stays.
    pub account: Option<Account>,
    /// The unit, where it is installed.
    pub unit: Option<Unit>,
}

impl Viewer {
    /// Chooses: root looks as the user that was named, else as the unit's, else as `viewtail` where there is one; everybody
    /// else as himself.
    ///
    /// # Errors
    /// A user was named that is not there, or by somebody who cannot become it: a [`Failure`] with exit 2.
    pub fn choose(named: Option<&str>) -> anyhow::Result<Self> {
        let unit = unit::read(Path::new("/"));
        if !rustix::process::geteuid().is_root() {
            return match named {
                Some(name) => {
                    let text = format!("--user {name}: only root can look with another user's eyes");
                    Err(Failure::new(Exit::Usage, text).into())
                }
                None => Ok(Self { account: None, unit }),
            };
        }
        let configured = unit.as_ref().map(|unit| unit.user.as_deref().unwrap_or("root"));
        let name = named.or(configured).unwrap_or(SERVICE_USER);
        let mut account = Account::named(name)?;
        if account.is_none() && (named.is_some() || configured.is_some()) {
            let text = format!("user {name} is not in /etc/passwd: make it, or name another with --user");
            return Err(Failure::new(Exit::Usage, text).into());
        }
        // Groups are given to the service, not to its user: they count for nobody else.
        if let (Some(account), Some(unit)) = (&mut account, &unit)
            && configured == Some(account.name.as_str())
        {
            unit.groups.iter().for_each(|group| account.join(group));
        }
        Ok(Self { account: account.filter(|account| account.user != 0), unit })
    }

    /// Becomes the chosen user, with everything that this thread starts.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn assume(&self) -> anyhow::Result<()> {
        match &self.account {
            Some(account) => Ok(account.assume(&self.capabilities())?),
            None => Ok(()),
        }
    }

    /// Says who looks.
    pub fn answer(&self) -> Answer {
        const CHECK: &str = "user";
        let name = self.name();
        if let Some(account) = &self.account {
            let groups: Vec<String> = account
                .groups
                .iter()
                .map(|group| account::group_name(*group).unwrap_or_else(|| group.to_string()))
                .collect();
            let fact = format!("files are looked at as the service's user, groups {}", groups.join(", "));
            return Answer::ok(CHECK, &name, fact);
        }
        let service = self.unit.as_ref().and_then(|unit| unit.user.as_deref());
        match service {
            Some(service) if service != name => {
                let fact = format!("files are looked at as {name}, while the service runs as {service}");
                Answer::warning(
                    CHECK,
                    &name,
                    (fact, "run `viewtail check` as root, which looks as the service does"),
                )
            }
            Some(_) | None => Answer::ok(CHECK, &name, format!("files are looked at as {name}")),
        }
    }

    /// The user's name.
    pub fn name(&self) -> String {
        let own = || account::user_name(rustix::process::geteuid().as_raw());
        self.account.as_ref().map_or_else(own, |account| account.name.clone())
    }

    /// The directory that systemd makes for the service before it starts.
    pub fn makes(&self, directory: &Path) -> bool {
        let names = self.unit.iter().flat_map(|unit| &unit.state_directories);
        let mut made = names.map(|name| PathBuf::from("/var/lib").join(name));
        self.account.is_some() && made.any(|made| made == directory)
    }

    fn capabilities(&self) -> Vec<Capability> {
        let names = self.unit.iter().flat_map(|unit| &unit.capabilities);
        names
            .filter_map(|name| match name.as_str() {
                "CAP_DAC_READ_SEARCH" => Some(Capability::ReadAll),
                "CAP_LEASE" => Some(Capability::Lease),
                _ => None,
            })
            .collect()
    }
}
