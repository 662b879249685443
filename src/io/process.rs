//! What this process takes of the machine, as the kernel counts it.

use std::fs;

use super::clock;

/// The numbers under Prometheus's customary names `process_*`; what cannot be read is absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFacts {
    /// CPU time of all threads, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: Option<u64>,
    /// Address space, in bytes.
    pub virtual_bytes: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// How many descriptors may be open.
    pub descriptors_max: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl ProcessFacts {
    /// Looks now. Works in a sandbox that shows nothing of `/proc` but processes.
    #[must_use]
    pub fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Self {
            cpu_s: clock::process_cpu().as_secs_f64(),
            resident_bytes: number("VmRSS:").map(|kib| kib * 1024),
            virtual_bytes: number("VmSize:").map(|kib| kib * 1024),
            descriptors: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
            descriptors_max: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
            threads: number("Threads:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_there_and_believable() {
        let facts = ProcessFacts::look();
        assert!(facts.cpu_s > 0.0 && facts.cpu_s < 1e6, "{facts:?}");
        let (resident, address_space) = (facts.resident_bytes.unwrap(), facts.virtual_bytes.unwrap());
        assert!(resident > 100_000 && resident <= address_space, "{facts:?}");
        assert!(facts.descriptors.unwrap() >= 3 && facts.threads.unwrap() >= 1, "{facts:?}");
    }
}
