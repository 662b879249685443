//! What agents may hold of the disk by deleted files: no more than they were told, and nothing is given up below that.

use viewtail::pipeline::action::{FileError, FileId, Millis, Weight};

use crate::agent::Agent;
use crate::vfs::Life;
use crate::world::World;

/// A sweep sees that it is too much, and the answers may be late.
const OVER_MS_MAX: u64 = 150_000;

/// What one process holds and has let go of.
#[derive(Debug, Default)]
pub struct Held {
    /// Since when it is more than allowed.
    over_since: Option<Millis>,
    /// Deleted files that were closed in the course of one step, with what was held before.
    let_go: Vec<(Life, u64)>,
}

impl World {
    /// The answer to a question.
    pub fn weigh(&self, agent: &Agent, file: FileId) -> Result<Weight, FileError> {
        let life = agent.life_of(file).ok_or(FileError::Unknown)?;
        let stat = self.vfs.stat(life);
        Ok(Weight { links: stat.links, size: stat.size, disk_bytes: stat.size })
    }

    /// Whether a process holds more than it may, for longer than it takes to notice.
    pub fn check_held(&mut self, agent: &mut Agent) {
        let Some(limit) = self.plan.deleted_bytes_max else { return };
        let held = self.held_bytes(agent);
        let since = agent.held.over_since.filter(|_| held > limit);
        agent.held.over_since = (held > limit).then(|| since.unwrap_or(self.now));
        if since.is_some_and(|since| self.now.since(since) > OVER_MS_MAX) {
            self.oracle.violated(|| format!("{held} bytes of deleted files are held, {limit} are allowed"));
        }
    }

    /// A file is closed; if it was deleted, that may be the end of its bytes.
    pub fn note_closed(&mut self, agent: &mut Agent, file: FileId) {
        if let Some(life) = agent.life_of(file).filter(|life| self.vfs.stat(*life).links == 0) {
            let held = self.held_bytes(agent);
            agent.held.let_go.push((life, held));
        }
    }

    /// The process says that it gave something up: nobody expects its lines any more.
    pub fn gives_up(&mut self, agent: &mut Agent) {
        let limit = self.plan.deleted_bytes_max.unwrap_or(u64::MAX);
        if agent.held.let_go.is_empty() {
            self.oracle.violated(|| "nothing was given up".to_owned());
        }
        let (life, held) = agent.held.let_go.remove(0);
        if held <= limit {
            self.oracle.violated(|| format!("given up with {held} bytes held, {limit} are allowed"));
        }
        self.reconsider(life);
    }

    fn held_bytes(&self, agent: &Agent) -> u64 {
        let stats = agent.lives().map(|life| self.vfs.stat(life));
        stats.filter(|stat| stat.links == 0).map(|stat| stat.size).sum()
    }
}

impl Held {
    /// The next step begins: what it closes is its own.
    pub fn next_step(&mut self) {
        self.let_go.clear();
    }
}
