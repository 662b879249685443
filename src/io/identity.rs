//! Which machine this is, and what it is called.

use xxhash_rust::xxh3::xxh3_64;

/// Where systemd and D-Bus keep the machine's id.
const MACHINE_ID_FILES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// A fingerprint of this machine; none in a container without an id of its own. It is a hash, because the id itself is
/// not to be published.
#[must_use]
pub fn machine_fingerprint() -> Option<String> {
    let read = |path: &&str| std::fs::read_to_string(path).ok();
    let id = MACHINE_ID_FILES.iter().find_map(read)?;
    let id = id.trim();
    let is_set = !id.is_empty() && id != "uninitialized";
    is_set.then(|| format!("{:016x}", xxh3_64(format!("viewtail {id}").as_bytes())))
}

/// The agent's id where none is configured: it survives a lost state directory, and two state directories on one machine
/// are two agents.
#[must_use]
pub fn derived_agent_id(machine: &str, state_dir: &std::path::Path) -> String {
    let mut text = machine.as_bytes().to_vec();
    text.extend_from_slice(state_dir.as_os_str().as_encoded_bytes());
    format!("{:016x}", xxh3_64(&text))
}

/// The host's name.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A number nobody can foresee.
///
/// # Errors
/// The system has no randomness to give.
pub fn random() -> std::io::Result<u64> {
    getrandom::u64().map_err(|error| std::io::Error::other(error.to_string()))
}
