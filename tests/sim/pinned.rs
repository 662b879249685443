//! Lives that once failed, kept for ever, in a form that outlives the generator of plans.
//!
//! A seed is a life only as long as plans are drawn as they were that day. So what was drawn is kept: the plan itself and the
//! state of chance behind it. A fault that is added to the simulator later is not in such a plan, and a fault that a plan does
//! not have draws nothing ([`Rng::fault`]), so the life stays what it was until the machine itself behaves otherwise.

use serde::{Deserialize, Serialize};
use viewtail::pipeline::options::{Mode, PartitionBy};

use crate::plan::Plan;
use crate::rng::Rng;

/// Each with what it showed, one a line, the newest last.
const LIVES: &str = include_str!("pinned.txt");

/// One life, before its first breath.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// What it showed.
    pub found: String,
    chance: u64,
    plan: Plan,
}

impl Pinned {
    /// All that are kept.
    pub fn all() -> Vec<Self> {
        let read = |(number, line)| match serde_json::from_str(line) {
            Ok(pinned) => pinned,
            Err(error) => panic!("tests/sim/pinned.txt:{}: {error}", number + 1),
        };
        LIVES.lines().enumerate().map(read).collect()
    }

    /// The life of a seed, as plans are drawn today.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::swarm(&mut rng);
        Self { found: format!("seed {seed}"), chance: rng.state(), plan }
    }

    /// What the world is made of.
    pub fn parts(self) -> (Rng, Plan) {
        (Rng::new(self.chance), self.plan)
    }

    /// The line that keeps it, without the faults that it does not have.
    pub fn line(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a plan is numbers and words");
        for part in value["plan"].as_object_mut().into_iter().flat_map(|plan| plan.values_mut()) {
            if let Some(rates) = part.as_object_mut() {
                rates.retain(|_, rate| rate.as_u64() != Some(0) && !rate.is_null());
            }
        }
        value.to_string()
    }
}

/// [`Mode`] as a pinned plan spells it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Mode")]
pub enum ModeWord {
    ExactlyOnce,
    AtLeastOnce,
    BestEffort,
}

/// [`PartitionBy`] as a pinned plan spells it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "PartitionBy")]
pub enum PartitionByWord {
    File,
    Site,
    Visitor,
    Page,
    Client,
    Sticky,
}
