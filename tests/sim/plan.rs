//! What one seed does: which faults, how often, on what kind of logs. Each seed picks its own subset (swarm), as faults
//! that always come together hide each other.

use std::path::Path;

use serde::{Deserialize, Serialize};
use viewtail::pipeline::options::{Mode, PartitionBy};

use crate::edge::Fate;
use crate::pinned::{ModeWord, PartitionByWord};
use crate::rng::Rng;

/// Any number will do, as long as it stays the same.
const LATER: u64 = 0x5eed_0f1a_7e57_0001;

/// Rates are per mille of the occasions; 0 is never.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(with = "ModeWord")]
    pub mode: Mode,
    #[serde(with = "PartitionByWord")]
    pub partition_by: PartitionBy,
    pub partitions: u32,
    pub commit_interval_ms: u64,
    pub batch_events_max: u64,
    pub quiet_grace_ms: u64,
    pub logs: usize,
    /// Many files of one or two lines instead of a few long ones: several shards.
    pub wide: Option<u64>,
    pub lines: u64,
    pub gap_ms: u64,
    /// `access.log*` instead of `access.log`.
    pub glob_takes_rotated: bool,
    pub births: bool,
    /// A hard link to somebody's secret lies among the logs.
    pub hostile: bool,
    /// Whether the file system says who writes to a file.
    pub leases: bool,
    /// What deleted files may hold by the agent's descriptors.
    pub deleted_bytes_max: Option<u64>,
    /// A first line that is the same in every file.
    pub equal_heads: bool,
    /// The broker checks that a partition is in the transaction before it takes records (Kafka 3.6 and later).
    pub verification: bool,
    /// `emit: page_views`: other lines move positions and become no events.
    #[serde(default)]
    pub page_views: bool,
    /// The server writes the first log a second time, under another name and never rotated.
    #[serde(default)]
    pub twin: bool,
    /// `on_read_error: skip`: what cannot be read for long is passed over.
    #[serde(default)]
    pub skips_unreadable: bool,
    /// An archive has no byte before all of it is written, as with gzip and small files; else it begins with half of it.
    #[serde(default)]
    pub archives_begin_empty: bool,
    /// `on_rewrite: alert`, where no file is ever written anew and no two files have the same birth: nothing is left alone.
    #[serde(default)]
    pub alerts_rewrites: bool,
    pub files: FileRates,
    pub reads: ReadRates,
    pub kafka: KafkaRates,
    pub agent: AgentRates,
}

/// Weights of what happens to a log, beside plain appends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileRates {
    pub partial: u32,
    pub rename: u32,
    /// Of those that were renamed so many are compressed.
    pub compress: u32,
    pub late_writes: u32,
    pub copytruncate: u32,
    pub truncate: u32,
    pub regrow: u32,
    pub tail_cut: u32,
    pub delete: u32,
    pub recreate: u32,
    pub garbage: u32,
    pub long_line: u32,
    pub empty_line: u32,
}

/// What goes wrong between the file system and the agent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadRates {
    pub error: u32,
    pub short: u32,
    pub torn: u32,
    pub listing_error: u32,
    pub slow: u32,
    pub hint_lost: u32,
    pub hint_doubled: u32,
    pub hint_late: u32,
    pub hints_overflow: u32,
}

/// What goes wrong between the agent and the broker, per command.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaRates {
    pub retriable: u32,
    pub abortable: u32,
    pub fatal: u32,
    pub lost_reply: u32,
    pub delayed: u32,
    pub slow: u32,
    pub unreachable: u32,
    pub topic_missing: u32,
    pub offsets_lost: u32,
    /// An InitProducerId that was repeated arrives again later.
    pub late_init: u32,
}

/// What happens to the agent's process, per effect.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentRates {
    pub crash: u32,
    pub pause: u32,
    pub stop: u32,
    pub second: u32,
    pub state_lost: u32,
    pub state_stale: u32,
    pub reload: u32,
    /// Exactly this at exactly this effect, counted over the whole run: the exhaustive mode.
    #[serde(skip)]
    pub blow: Option<(u64, Blow)>,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The process dies.
    Crash,
    /// The process stands still for longer than a transaction may be open.
    Pause,
    /// The next look at a file or directory fails.
    File,
    /// The next request to Kafka meets this.
    Kafka(Fate),
}

impl Plan {
    /// No fault at all, few lines.
    pub fn calm(rng: &mut Rng) -> Self {
        Self {
            mode: Mode::ExactlyOnce,
            partition_by: PartitionBy::File,
            partitions: u32::try_from(rng.range(1, 4)).expect("small"),
            commit_interval_ms: rng.pick(&[50, 200, 1000]),
            batch_events_max: rng.pick(&[3, 10, 1000]),
            quiet_grace_ms: 20_000,
            logs: 1,
            wide: None,
            lines: rng.range(15, 60),
            gap_ms: rng.pick(&[1, 20, 200, 1500]),
            glob_takes_rotated: rng.chance(500),
            births: rng.chance(800),
            leases: rng.chance(600),
            // Without a draw of its own, so that all other lives stay as they are.
            hostile: rng.clone().chance(100),
            deleted_bytes_max: Some(2000).filter(|_| rng.clone().below(10) == 3),
            equal_heads: false,
            verification: rng.chance(500),
            page_views: false,
            twin: false,
            skips_unreadable: false,
            archives_begin_empty: false,
            alerts_rewrites: false,
            files: FileRates::default(),
            reads: ReadRates::default(),
            kafka: KafkaRates::default(),
            agent: AgentRates::default(),
        }
    }

    /// What the seed says.
    pub fn swarm(rng: &mut Rng) -> Self {
        let mut plan = Self::calm(rng);
        plan.mode = if rng.chance(120) { Mode::AtLeastOnce } else { Mode::ExactlyOnce };
        plan.partition_by =
            rng.pick(&[PartitionBy::File, PartitionBy::File, PartitionBy::Site, PartitionBy::Sticky]);
        plan.logs = if rng.chance(250) { 2 } else { 1 };
        plan.equal_heads = rng.chance(150);
        plan.files = FileRates::swarm(rng);
        plan.reads = ReadRates::swarm(rng);
        plan.kafka = KafkaRates::swarm(rng);
        plan.agent = AgentRates::swarm(rng);
        if rng.chance(25) {
            plan.wide = Some(rng.range(60, 150));
            plan.lines = rng.range(120, 250);
            plan.batch_events_max = rng.pick(&[20, 1000]);
            plan.gap_ms = rng.pick(&[1, 5, 20]);
        }
        plan.add_what_came_later(&mut Rng::new(rng.state() ^ LATER));
        plan.keep_truth_somewhere();
        plan
    }

    /// Faults that older seeds know nothing of have a chance of their own, so that all else about those seeds stays.
    fn add_what_came_later(&mut self, rng: &mut Rng) {
        self.page_views = rng.chance(150);
        self.kafka.late_init = sometimes(rng, &[50, 300]);
        self.agent.reload = sometimes(rng, &[5, 30]);
        self.twin = rng.chance(100);
        self.skips_unreadable = rng.chance(300);
        self.archives_begin_empty = rng.chance(500);
        let FileRates { copytruncate, truncate, regrow, tail_cut, .. } = self.files;
        let is_never_rewritten = copytruncate + truncate + regrow + tail_cut == 0;
        self.alerts_rewrites = rng.chance(500) && self.births && is_never_rewritten;
    }

    /// Whether a log takes the files of this name.
    pub fn takes(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        let is_named = self.glob_takes_rotated || self.wide.is_some() || !path.contains(".log.");
        is_named && !path.ends_with(".gz")
    }

    /// Every rate by its name, so that a failure can be narrowed down to the faults that it needs.
    pub fn rates(&mut self) -> Vec<(&'static str, &mut u32)> {
        let Self { files, reads, kafka, agent, .. } = self;
        vec![
            ("files.partial", &mut files.partial),
            ("files.rename", &mut files.rename),
            ("files.compress", &mut files.compress),
            ("files.late_writes", &mut files.late_writes),
            ("files.copytruncate", &mut files.copytruncate),
            ("files.truncate", &mut files.truncate),
            ("files.regrow", &mut files.regrow),
            ("files.tail_cut", &mut files.tail_cut),
            ("files.delete", &mut files.delete),
            ("files.recreate", &mut files.recreate),
            ("files.garbage", &mut files.garbage),
            ("files.long_line", &mut files.long_line),
            ("files.empty_line", &mut files.empty_line),
            ("reads.error", &mut reads.error),
            ("reads.short", &mut reads.short),
            ("reads.torn", &mut reads.torn),
            ("reads.listing_error", &mut reads.listing_error),
            ("reads.slow", &mut reads.slow),
            ("reads.hint_lost", &mut reads.hint_lost),
            ("reads.hint_doubled", &mut reads.hint_doubled),
            ("reads.hint_late", &mut reads.hint_late),
            ("reads.hints_overflow", &mut reads.hints_overflow),
            ("kafka.retriable", &mut kafka.retriable),
            ("kafka.abortable", &mut kafka.abortable),
            ("kafka.fatal", &mut kafka.fatal),
            ("kafka.lost_reply", &mut kafka.lost_reply),
            ("kafka.delayed", &mut kafka.delayed),
            ("kafka.slow", &mut kafka.slow),
            ("kafka.unreachable", &mut kafka.unreachable),
            ("kafka.topic_missing", &mut kafka.topic_missing),
            ("kafka.offsets_lost", &mut kafka.offsets_lost),
            ("kafka.late_init", &mut kafka.late_init),
            ("agent.crash", &mut agent.crash),
            ("agent.pause", &mut agent.pause),
            ("agent.stop", &mut agent.stop),
            ("agent.second", &mut agent.second),
            ("agent.state_lost", &mut agent.state_lost),
            ("agent.state_stale", &mut agent.state_stale),
            ("agent.reload", &mut agent.reload),
        ]
    }

    /// Positions can be lost on one side, not on all: then nobody could know what was sent.
    fn keep_truth_somewhere(&mut self) {
        if self.mode != Mode::ExactlyOnce {
            // What was sent without being acknowledged is known to readers, but not to an agent that starts anew: lines that
            // take its place in a cut file get its ids.
            self.files.tail_cut = 0;
            self.kafka.offsets_lost = 0;
            self.agent.second = 0;
            self.agent.state_lost = 0;
            self.agent.state_stale = 0;
        }
        if self.kafka.offsets_lost > 0 {
            // As without transactions: readers know of lines that nobody else does.
            self.files.tail_cut = 0;
            self.agent.second = 0;
            self.agent.state_lost = 0;
            self.agent.state_stale = 0;
        }
    }
}

/// Usually nothing, else one of the rates.
fn sometimes(rng: &mut Rng, rates: &[u32]) -> u32 {
    if rng.chance(650) { 0 } else { rng.pick(rates) }
}

impl FileRates {
    fn swarm(rng: &mut Rng) -> Self {
        if rng.chance(150) {
            return Self::default();
        }
        Self {
            partial: sometimes(rng, &[50, 300]),
            rename: sometimes(rng, &[30, 100, 300]),
            // Without a draw of its own, so that all other lives stay as they are.
            compress: sometimes(&mut rng.clone(), &[200, 1000]),
            late_writes: sometimes(rng, &[300, 900]),
            copytruncate: sometimes(rng, &[30, 150]),
            truncate: sometimes(rng, &[30, 100]),
            regrow: sometimes(rng, &[50, 150]),
            tail_cut: sometimes(rng, &[30, 100]),
            delete: sometimes(rng, &[30, 100]),
            recreate: sometimes(rng, &[50, 150]),
            garbage: sometimes(rng, &[50, 500]),
            long_line: sometimes(rng, &[30, 200]),
            empty_line: sometimes(rng, &[30, 100]),
        }
    }
}

impl ReadRates {
    fn swarm(rng: &mut Rng) -> Self {
        if rng.chance(300) {
            return Self::default();
        }
        Self {
            error: sometimes(rng, &[20, 200]),
            short: sometimes(rng, &[50, 500]),
            torn: sometimes(rng, &[50, 300]),
            listing_error: sometimes(rng, &[20, 200]),
            slow: sometimes(rng, &[20, 300]),
            hint_lost: sometimes(rng, &[50, 500, 1000]),
            hint_doubled: sometimes(rng, &[100, 500]),
            hint_late: sometimes(rng, &[100, 500]),
            hints_overflow: sometimes(rng, &[10, 50]),
        }
    }
}

impl KafkaRates {
    fn swarm(rng: &mut Rng) -> Self {
        if rng.chance(150) {
            return Self::default();
        }
        Self {
            retriable: sometimes(rng, &[20, 150]),
            abortable: sometimes(rng, &[20, 150]),
            fatal: sometimes(rng, &[20, 100]),
            lost_reply: sometimes(rng, &[30, 200]),
            delayed: sometimes(rng, &[50, 300]),
            slow: sometimes(rng, &[50, 200]),
            unreachable: sometimes(rng, &[5, 20]),
            topic_missing: sometimes(rng, &[5]),
            offsets_lost: sometimes(rng, &[10, 30]),
            late_init: 0,
        }
    }
}

impl AgentRates {
    fn swarm(rng: &mut Rng) -> Self {
        if rng.chance(150) {
            return Self::default();
        }
        Self {
            crash: sometimes(rng, &[3, 10, 30]),
            pause: sometimes(rng, &[3, 10]),
            stop: sometimes(rng, &[3, 10]),
            second: sometimes(rng, &[2, 5]),
            state_lost: sometimes(rng, &[300, 1000]),
            state_stale: sometimes(rng, &[300, 1000]),
            reload: 0,
            blow: None,
        }
    }
}
