//! The page for Prometheus, in OpenMetrics' text format. docs/metrics.md says what each number is for; a test holds that
//! the two name the same.
//!
//! Invariants: labels come from the configuration and from paths that it matches, never from what lines say; at most
//! [`PATHS_MAX`] paths have numbers of their own, and a path that left the disk has none.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Observation;
use crate::io::process::ProcessFacts;
use crate::io::terminal;
use crate::pipeline::account::Account;
use crate::pipeline::facts::{FileFacts, Presence, Standing, TransactionResult};
use crate::pipeline::histogram::Histogram;
use crate::pipeline::tally::Outcome;

/// What the page is.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Paths with numbers of their own: twice what a host of many sites has, and a page of 1 MiB. The rest are added up.
const PATHS_MAX: usize = 1000;

/// The path that stands for those beyond [`PATHS_MAX`].
const OTHER_PATHS: &str = "other";

/// The page.
#[must_use]
pub fn metrics(observation: Observation, process: ProcessFacts) -> String {
    let paths = by_path(&observation);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page { observation, process, paths }));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a String cannot fail");
    text
}

#[derive(Debug)]
struct Page {
    observation: Observation,
    process: ProcessFacts,
    paths: BTreeMap<String, PathNumbers>,
}

/// The generations of one path, together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct PathNumbers {
    /// Of the generation that is there now.
    size: u64,
    position: u64,
    /// Of all that are being read.
    lag_bytes: u64,
    lag_s: f64,
}

impl PathNumbers {
    fn merge(&mut self, other: &Self) {
        self.size += other.size;
        self.position += other.position;
        self.lag_bytes += other.lag_bytes;
        self.lag_s = self.lag_s.max(other.lag_s);
    }
}

/// Bytes that are not in Kafka.
pub(super) fn lag_bytes(file: &FileFacts) -> u64 {
    file.size.saturating_sub(file.committed)
}

/// How old what waits in a file is, in seconds: the age of the last line that was read of it; of a file of which this
/// process has read none, as long as the process lives.
pub(super) fn lag_s(observation: &Observation, file: &FileFacts) -> f64 {
    if lag_bytes(file) == 0 {
        return 0.0;
    }
    let line_ms = file.line_time_ms.and_then(|time_ms| u64::try_from(time_ms).ok());
    let since_ms = line_ms.unwrap_or(observation.agent.started_at_ms);
    seconds(observation.at_ms.saturating_sub(since_ms))
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}

/// The path that a generation is known by: the one that its log names.
pub(super) fn label(file: &FileFacts) -> Option<String> {
    file.home.as_ref().or(file.path.as_ref()).map(|path| shown(path))
}

fn shown(path: &Path) -> String {
    terminal::escape(&path.to_string_lossy()).into_owned()
}

fn by_path(observation: &Observation) -> BTreeMap<String, PathNumbers> {
    let mut paths: BTreeMap<String, PathNumbers> = BTreeMap::new();
    for file in &observation.facts.files {
        let is_there = matches!(file.presence, Presence::Active | Presence::Rotated);
        let (true, Some(path)) = (is_there, label(file)) else { continue };
        let is_current = file.presence == Presence::Active;
        let numbers = PathNumbers {
            size: if is_current { file.size } else { 0 },
            position: if is_current { file.position } else { 0 },
            lag_bytes: lag_bytes(file),
            lag_s: lag_s(observation, file),
        };
        paths.entry(path).or_default().merge(&numbers);
    }
    if paths.len() > PATHS_MAX {
        add_up_rest(&mut paths);
    }
    paths
}

/// Those with the largest backlog keep numbers of their own.
fn add_up_rest(paths: &mut BTreeMap<String, PathNumbers>) {
    let mut by_lag: Vec<(String, PathNumbers)> = std::mem::take(paths).into_iter().collect();
    by_lag
        .sort_by(|(one, left), (two, right)| right.lag_bytes.cmp(&left.lag_bytes).then_with(|| one.cmp(two)));
    let rest = by_lag.split_off(PATHS_MAX - 1);
    paths.extend(by_lag);
    let mut sum = PathNumbers::default();
    rest.iter().for_each(|(_, numbers)| sum.merge(numbers));
    paths.insert(OTHER_PATHS.to_owned(), sum);
}

/// Writes families one after another.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: &impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(value)
    }

    /// The name ends in `_total` on the page.
    fn counter(&mut self, name: &str, help: &str, value: &impl EncodeCounterValue) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(value, None)
    }

    fn gauges<V: EncodeGaugeValue>(
        &mut self,
        (name, label): (&str, &str),
        help: &str,
        values: impl Iterator<Item = (String, V)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (text, value) in values {
            family.encode_family(&[(label, text.as_str())])?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn counters<V: EncodeCounterValue>(
        &mut self,
        (name, label): (&str, &str),
        help: &str,
        values: impl Iterator<Item = (String, V)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (text, value) in values {
            let labels = [(label, text.as_str())];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn histogram<const N: usize>(&mut self, name: &str, help: &str, times: &Histogram<N>) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(times.sum_s(), times.count(), &times.buckets(), None)
    }
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.agent(&mut writer)?;
        self.files(&mut writer)?;
        self.lines(&mut writer)?;
        self.delivery(&mut writer)?;
        self.kafka(&mut writer)?;
        self.process(&mut writer)
    }
}

impl Page {
    fn agent(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        let mut info =
            writer.0.encode_descriptor("viewtail_build", "The running version", None, MetricType::Info)?;
        info.encode_info(&build)?;
        writer.counter(
            "viewtail_log_messages_suppressed",
            "Messages of the agent that were held back because there were too many of their kind",
            &self.observation.messages_suppressed,
        )?;
        let reload = &self.observation.reload;
        writer.gauge(
            "viewtail_config_last_reload_successful",
            "1 if the configuration that was read last counts, 0 if it was refused and the one before goes on",
            &u64::from(reload.refused.is_none()),
        )?;
        writer.gauge(
            "viewtail_config_last_reload_success_timestamp_seconds",
            "Since when the configuration that counts does so, since the epoch",
            &seconds(reload.loaded_at_ms),
        )
    }

    fn files(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let facts = &self.observation.facts;
        let is_watched = |file: &&FileFacts| matches!(file.presence, Presence::Active | Presence::Rotated);
        writer.gauge(
            "viewtail_files_watched",
            "Files that are followed: those that the logs name, and rotated ones that may still be written to",
            &facts.files.iter().filter(is_watched).count(),
        )?;
        writer.gauge("viewtail_files_open", "Log files that are open", &facts.files_open)?;
        let paths = || self.paths.iter().map(|(path, numbers)| (path.clone(), *numbers));
        writer.gauges(
            ("viewtail_file_size_bytes", "path"),
            "Size of the file under this path",
            paths().map(|(path, numbers)| (path, numbers.size)),
        )?;
        writer.gauges(
            ("viewtail_file_read_position_bytes", "path"),
            "How far the file under this path is read",
            paths().map(|(path, numbers)| (path, numbers.position)),
        )?;
        writer.gauges(
            ("viewtail_file_lag_bytes", "path"),
            "Bytes that are not in Kafka, of the file under this path and of those that were rotated away from it",
            paths().map(|(path, numbers)| (path, numbers.lag_bytes)),
        )?;
        writer.gauges(
            ("viewtail_file_lag_seconds", "path"),
            "Age of the last line that was read, while bytes are not in Kafka; 0 when all are",
            paths().map(|(path, numbers)| (path, numbers.lag_s)),
        )?;
        writer.counters(
            ("viewtail_file_lost_bytes", "path"),
            "Bytes of files under this path that were found to be gone unread",
            self.lost().into_iter(),
        )?;
        writer.gauges(
            ("viewtail_account_bytes", "account"),
            "What became of the bytes of all paths, as viewtail status tells it for each; a restart keeps it",
            self.account().into_iter(),
        )?;
        let rotations = [("renamed", facts.reads.renamed), ("truncated", facts.reads.truncated)];
        writer.counters(
            ("viewtail_file_rotations", "kind"),
            "Rotations of files that were followed",
            rotations.into_iter().map(|(kind, files)| (kind.to_owned(), files)),
        )
    }

    /// Lost bytes of every path that is followed, 0 included: a counter that appears with its first loss hides it. And of
    /// as many that are gone, because their loss is not.
    fn lost(&self) -> BTreeMap<String, u64> {
        let mut lost: BTreeMap<String, u64> = self.paths.keys().map(|path| (path.clone(), 0)).collect();
        for (path, bytes) in self.observation.lost.iter().filter(|(_, bytes)| *bytes > 0) {
            let label = shown(path);
            let is_named = !label.is_empty() && (lost.contains_key(&label) || lost.len() < 2 * PATHS_MAX);
            *lost.entry(if is_named { label } else { OTHER_PATHS.to_owned() }).or_default() += bytes;
        }
        lost
    }

    /// The accounts of all paths as one.
    fn account(&self) -> Vec<(String, u64)> {
        let mut all = Account::default();
        self.observation.facts.accounts.values().for_each(|account| all.merge(account));
        let Account { read, committed, reread, unread, finished, without_event, lost } = all;
        let lost = lost.iter().map(|(why, bytes)| (format!("lost_{}", why.name()), bytes));
        let named = [
            ("read", read),
            ("committed", committed),
            ("reread", reread),
            ("unread", unread),
            ("finished", finished),
            ("without_event", without_event),
        ];
        named.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).chain(lost).collect()
    }

    fn lines(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let facts = &self.observation.facts;
        let outcomes = facts.delivered.outcomes;
        writer.counter("viewtail_lines_read", "Lines that were read, each time", &facts.reads.lines)?;
        writer.counter("viewtail_bytes_read", "Bytes of these lines", &facts.reads.bytes)?;
        writer.counters(
            ("viewtail_events", "outcome"),
            "Lines whose fate is known: lines read are these and those on their way",
            outcomes.iter().map(|(outcome, lines): (Outcome, u64)| (outcome.name().to_owned(), lines)),
        )?;
        writer.counter("viewtail_events_committed", "Events that are in Kafka", &outcomes.events())?;
        let page_views = &facts.delivered.page_views;
        writer.counters(
            ("viewtail_page_views", "site"),
            "Page views that are in Kafka; other: of logs whose lines name their site",
            facts
                .sites
                .iter()
                .enumerate()
                .map(|(site, name)| (name.clone(), page_views.get(site).copied().unwrap_or_default())),
        )?;
        writer.gauge("viewtail_queue_events", "Lines on their way to Kafka", &facts.lines_on_their_way)?;
        writer.gauge("viewtail_queue_bytes", "Bytes of their events", &facts.bytes_on_their_way)
    }

    fn delivery(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let Observation { facts, agent, latencies, at_ms, .. } = &self.observation;
        let results = TransactionResult::ALL.into_iter();
        writer.counters(
            ("viewtail_transactions", "result"),
            "Transactions, or batches where there are no transactions",
            results.map(|result| (result.name().to_owned(), facts.delivered.transactions[result as usize])),
        )?;
        writer.histogram(
            "viewtail_transaction_duration_seconds",
            "From the beginning of a transaction to its commit",
            &facts.delivered.durations,
        )?;
        writer.histogram(
            "viewtail_end_to_end_latency_seconds",
            "From the time that a line tells to the commit of its event",
            latencies,
        )?;
        writer.counter(
            "viewtail_backpressure_seconds",
            "Time during which there was something to read and Kafka did not take it",
            &seconds(facts.backpressure_ms),
        )?;
        writer.counter(
            "viewtail_fenced",
            "How often another producer had the transactional id, or the broker had given a transaction up",
            &facts.delivered.fenced,
        )?;
        let committed_at_ms = agent.committed_at_ms.unwrap_or(agent.started_at_ms);
        writer.gauge(
            "viewtail_checkpoint_age_seconds",
            "Time since positions were committed, or since the start where none ever were",
            &seconds(at_ms.saturating_sub(committed_at_ms)),
        )
    }

    fn kafka(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let Observation { facts, kafka, .. } = &self.observation;
        let is_up = facts.standing == Standing::Up;
        writer.gauge("viewtail_kafka_up", "1 while Kafka takes events, else 0", &u64::from(is_up))?;
        writer.counters(
            ("viewtail_produce_errors", "code"),
            "Records that were not delivered at the first attempt, by librdkafka's name of the reason",
            kafka.errors.iter().cloned(),
        )?;
        writer.gauges(
            ("viewtail_kafka_broker_rtt_seconds", "broker"),
            "Mean round trip of requests to a broker lately",
            kafka.round_trips.iter().map(|(broker, time)| (broker.clone(), time.as_secs_f64())),
        )
    }

    fn process(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let process = &self.process;
        writer.counter("process_cpu_seconds", "CPU time of the agent", &process.cpu_s)?;
        let started_s = seconds(self.observation.agent.started_at_ms);
        writer.gauge("process_start_time_seconds", "When the agent started, since the epoch", &started_s)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory", process.resident_bytes),
            ("process_virtual_memory_bytes", "Address space", process.virtual_bytes),
            ("process_open_fds", "Open descriptors", process.descriptors),
            ("process_max_fds", "How many descriptors may be open", process.descriptors_max),
            ("process_threads", "Threads", process.threads),
        ] {
            if let Some(value) = value {
                writer.gauge(name, help, &value)?;
            }
        }
        Ok(())
    }
}
