//! The agent's configuration, as far as the machine is told of it.

use std::sync::{Arc, OnceLock};

use viewtail::event::rules::{Emit, Rules};
use viewtail::event::{EncoderOptions, Site};
use viewtail::format::Format;
use viewtail::pipeline::checkpoint::Snapshot;
use viewtail::pipeline::options::{
    DeliveryOptions, Links, LogOptions, OnReadError, OnRewrite, OpenFiles, Options, PathMatcher, Rejects,
    Start, Timestamp,
};
use viewtail::pipeline::reload::{Producer, Reload};
use viewtail::pipeline::shard::METADATA_BYTES_MAX;

use crate::plan::Plan;
use crate::rng::Rng;
use crate::workload::LINE_BYTES_MAX;
use crate::world::{ARCHIVE_DIRECTORY, DIRECTORY};

pub const TOPIC: &str = "views";

/// A stop is given up by the machine well before the world loses its patience.
const STOP_DEADLINE_MS: u64 = 25_000;
/// The default of `kafka.flush.bytes`.
const BATCH_BYTES_MAX: usize = 3_000_000;

pub fn of(plan: &Plan, local: Option<Snapshot>, rng: &mut Rng) -> Options {
    let delivery = delivery(plan);
    // Lives with many files have few descriptors.
    let open_files = match plan.wide {
        Some(files) if files % 2 == 0 => OpenFiles { idle: 2, all: 8 },
        Some(_) | None => OpenFiles { idle: 48, all: 300 },
    };
    let deleted_bytes_max = plan.deleted_bytes_max;
    Options {
        logs: logs(plan),
        delivery,
        open_files,
        deleted_bytes_max,
        local,
        nonce: rng.next(),
        stream_seed: rng.next(),
    }
}

/// Another configuration of the same logs: in another order, with other limits of a batch, perhaps for other brokers.
pub fn reload(plan: &Plan, rng: &mut Rng) -> Reload {
    let mut logs = logs(plan);
    if rng.chance(500) {
        logs.reverse();
    }
    let delivery = DeliveryOptions {
        commit_interval_ms: rng.pick(&[50, 200, 1000]),
        batch_events_max: rng.pick(&[3, 10, 1000]),
        ..delivery(plan)
    };
    let producer = if rng.chance(500) { Producer::Replaced } else { Producer::Kept };
    let logs = logs.into_iter().map(|log| (log, None)).collect();
    Reload { logs, delivery, deleted_bytes_max: plan.deleted_bytes_max, producer }
}

fn delivery(plan: &Plan) -> DeliveryOptions {
    DeliveryOptions {
        mode: plan.mode,
        anchor: TOPIC.to_owned(),
        commit_interval_ms: plan.commit_interval_ms,
        batch_events_max: plan.batch_events_max,
        batch_bytes_max: BATCH_BYTES_MAX,
        metadata_bytes_max: metadata_bytes_max(plan),
        partition_by: plan.partition_by,
        rejects: Rejects::Topic,
        timestamp: Timestamp::Now,
        stop_deadline_ms: STOP_DEADLINE_MS,
        quiet_grace_ms: plan.quiet_grace_ms,
    }
}

/// What the brokers take: where batches are small, so little that three generations fill a shard.
pub fn metadata_bytes_max(plan: &Plan) -> usize {
    if plan.batch_events_max < 10 { 300 } else { METADATA_BYTES_MAX }
}

/// Formats and globs are compiled once for all lives.
fn logs(plan: &Plan) -> Vec<LogOptions> {
    static LOGS: OnceLock<[[Vec<LogOptions>; 3]; 2]> = OnceLock::new();
    let logs = LOGS.get_or_init(|| {
        [Emit::All, Emit::PageViews].map(|emit| {
            [
                vec![log("access", "access.log", emit), log("other", "other.log", emit)],
                vec![log("access", "access.log*", emit), log("other", "other.log*", emit)],
                vec![log("wide", "wide-*.log", emit)],
            ]
        })
    });
    let chosen = if plan.wide.is_some() { 2 } else { usize::from(plan.glob_takes_rotated) };
    let mut logs = logs[usize::from(plan.page_views)][chosen].clone();
    let on_read_error = if plan.skips_unreadable { OnReadError::Skip } else { OnReadError::Retry };
    let on_rewrite = if plan.alerts_rewrites { OnRewrite::Alert } else { OnRewrite::default() };
    for log in &mut logs {
        (log.on_read_error, log.on_rewrite) = (on_read_error, on_rewrite);
    }
    logs
}

fn log(name: &str, glob: &str, emit: Emit) -> LogOptions {
    let encoder = EncoderOptions {
        format: Format::combined(),
        site: Site::Fixed("example.net".to_owned()),
        host: "host".to_owned(),
        log: name.to_owned(),
        rules: Arc::new(Rules { emit, ..Rules::default() }),
    };
    LogOptions {
        paths: PathMatcher::new(&[format!("{DIRECTORY}/{glob}")], &[]).expect("the glob is valid"),
        archives: PathMatcher::new(&[format!("{ARCHIVE_DIRECTORY}/*")], &[]).expect("the glob is valid"),
        encoder,
        topic: 0,
        start: Start::Beginning,
        links: Links::default(),
        line_bytes_max: LINE_BYTES_MAX,
        catch_up_bytes_per_s: None,
        on_rewrite: OnRewrite::default(),
        on_read_error: OnReadError::default(),
        key: glob.bytes().map(u64::from).sum(),
    }
}
