//! The agent: the only event loop. It gathers inputs, steps the machine and carries out its actions; it decides nothing.
//!
//! The loop owns the files and the local state; the Kafka edge, the hints and the signals live on threads of their own
//! and wake it through one channel. The data plane is plain blocking code: a read of the page cache is no I/O to wait for.

mod endpoints;

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::Discriminant;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;

use self::endpoints::Endpoints;
use crate::failpoint;
use crate::format::Format;
use crate::io::aliases::{Aliases, Meaning};
use crate::io::clock::{self, Clock};
use crate::io::files::{self, Directories, Files};
use crate::io::interrupt;
use crate::io::kafka::heard::Heard;
use crate::io::kafka::{Edge, EdgeHandle, KafkaOptions};
use crate::io::limits::Spare;
use crate::io::service::Service;
use crate::io::state::{Saved, StateDir};
use crate::io::sys;
use crate::io::terminal;
use crate::io::trust::Trust;
use crate::io::watch::{Unwatched, Watch};
use crate::pipeline::account;
use crate::pipeline::action::{Action, Command, Exit, FileError, Input, Millis, Reply, SharedPath};
use crate::pipeline::checkpoint::Snapshot;
use crate::pipeline::machine::Machine;
use crate::pipeline::notice::{Level, Notice};
use crate::pipeline::options::{DeliveryOptions, LogOptions, Options};
use crate::pipeline::reload::{Producer, Reload};
use crate::telemetry::{self, AgentFacts, KafkaFacts, Latencies, LostBytes, Observation, ReloadFacts};

/// Directories of which hints cannot be had are looked at so often instead.
const LOOK_WITHOUT_HINTS_MS: u64 = 2000;

/// That files were written to is taken so often, not at each of their writes: a wake-up costs as much as a hundred lines.
/// After a quiet while it is taken at once.
const TAKE_HINTS_MS: u64 = 50;

/// By then a start is over. What ran for it alone (reading the configuration, compiling formats, opening TLS) is half of the
/// code that is in memory, several megabytes, and never runs again.
const STARTED_MS: u64 = 10_000;

/// Of one kind of notice so many are told within [`NOTICE_WINDOW_MS`]; the rest are counted.
const NOTICES_MAX: u32 = 20;
const NOTICE_WINDOW_MS: u64 = 10_000;

/// All that a reload may change.
#[derive(Debug)]
pub struct Reconfiguration {
    /// The logs, each with the format that it had before, if that was another one.
    pub logs: Vec<(LogOptions, Option<Format>)>,
    /// For the machine.
    pub delivery: DeliveryOptions,
    /// For the machine: how much of the disk deleted files may hold.
    pub deleted_bytes_max: Option<u64>,
    /// For the Kafka edge.
    pub kafka: KafkaOptions,
    /// The globs of all logs, absolute.
    pub globs: Vec<String>,
    /// Where the agent is looked at, if anywhere.
    pub http: Option<SocketAddr>,
}

/// Reads the configuration anew; if it cannot be used, the sentence that says why. What is wrong in detail was told.
pub type Reconfigure = Box<dyn FnMut(&StateDir) -> Result<Reconfiguration, String>>;

/// Everything the agent is made of.
pub struct AgentOptions {
    /// For the machine.
    pub machine: Options,
    /// For the Kafka edge.
    pub kafka: KafkaOptions,
    /// The globs of all logs, absolute.
    pub globs: Vec<String>,
    /// The locked state directory.
    pub state: StateDir,
    /// This agent's identity.
    pub agent_id: String,
    /// This machine's fingerprint.
    pub machine_id: String,
    /// For SIGHUP.
    pub reconfigure: Reconfigure,
    /// Where it is looked at, if anywhere.
    pub http: Option<SocketAddr>,
    /// When an earlier process committed last, in milliseconds since the epoch.
    pub committed_at_ms: Option<u64>,
}

/// What wakes the loop.
enum Wake {
    Kafka(Reply),
    Hints,
    Reload,
    /// Somebody looks at the agent; he may be gone by the time of the answer.
    Look(oneshot::Sender<Observation>),
    Stop,
}

/// Runs until SIGTERM, SIGINT or a refusal.
///
/// # Errors
/// A thread or a signal handler cannot be had.
pub fn run(options: AgentOptions) -> anyhow::Result<Exit> {
    let (wake, woken) = mpsc::channel();
    let agent = Agent::start(options, &wake)?;
    Ok(agent.follow(&woken))
}

struct Agent {
    machine: Machine,
    clock: Clock,
    files: Files,
    trust: Trust,
    aliases: Aliases,
    /// Directories that were listed.
    listed: HashSet<SharedPath>,
    directories: Directories,
    spare: Spare,
    watch: Watch,
    /// When hints were taken last.
    hinted_at: Millis,
    /// When those that wait are taken.
    take_hints_at: Millis,
    /// When directories without hints are looked at next.
    look_at: Millis,
    /// When the code of the start is let go of; nothing once it was.
    started_at: Option<Millis>,
    edge: EdgeHandle,
    /// What librdkafka said, whatever edge it was.
    heard: Arc<Heard>,
    endpoints: Endpoints,
    /// What the edge and its producer were made of.
    kafka: ProducerOptions,
    wake: Sender<Wake>,
    reconfigure: Reconfigure,
    /// SIGHUP arrived.
    must_reload: bool,
    /// What waits for the end of a transaction.
    next: Option<Next>,
    service: Service,
    state: StateDir,
    machine_id: String,
    stop_deadline: Duration,
    told: HashMap<Discriminant<Notice>, Told>,
    messages_suppressed: u64,
    shown: Shown,
    latencies: Latencies,
    pending: VecDeque<Action>,
}

/// What cannot be changed in a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProducerOptions {
    edge: KafkaOptions,
    batch_bytes_max: usize,
}

/// The shell's part of a configuration that does not count yet.
struct Next {
    trust: Trust,
    directories: Directories,
    kafka: ProducerOptions,
    /// The edge to other brokers; the one at work goes on where there is none.
    edge: Option<EdgeHandle>,
    http: Option<SocketAddr>,
}

/// What is shown of the agent and does not follow from anything else.
struct Shown {
    agent: AgentFacts,
    reload: ReloadFacts,
    lost: LostBytes,
}

impl Shown {
    fn at_start(id: String, state: &StateDir, committed_at_ms: Option<u64>, lost: LostBytes) -> Self {
        let started_at_ms = clock::unix_milliseconds();
        Self {
            agent: AgentFacts {
                id,
                state_dir: state.directory().to_string_lossy().into_owned(),
                pid: std::process::id(),
                started_at_ms,
                committed_at_ms,
                is_discovered: false,
                is_stopping: false,
                state_in_trouble: false,
            },
            reload: ReloadFacts { loaded_at_ms: started_at_ms, refused: None },
            lost,
        }
    }
}

/// How often one kind of notice was told lately.
struct Told {
    since: Millis,
    count: u32,
}

impl Agent {
    fn start(options: AgentOptions, wake: &Sender<Wake>) -> anyhow::Result<Self> {
        let AgentOptions {
            machine,
            kafka,
            globs,
            state,
            agent_id,
            machine_id,
            reconfigure,
            http,
            committed_at_ms,
        } = options;
        let accounts = machine.local.as_ref().map(account::accounts).unwrap_or_default();
        let shown = Shown::at_start(agent_id, &state, committed_at_ms, LostBytes::beyond(&accounts));
        let trust = Trust::new(&machine.logs);
        let directories = Directories::new(&globs).context("read the paths of the logs")?;
        let to_loop = wake.clone();
        let send = move |message| {
            // The loop ends before its senders only when the process does.
            let _ = to_loop.send(message);
        };
        let stop = send.clone();
        interrupt::on_signal(move || stop(Wake::Stop)).context("listen to signals")?;
        let reload = send.clone();
        interrupt::on_hangup(move || reload(Wake::Reload)).context("listen to SIGHUP")?;
        let watch = Watch::new(move || send(Wake::Hints));
        let heard = Arc::default();
        let edge = connect(&kafka, &heard, wake).context("start the Kafka thread")?;
        let mut endpoints = Endpoints::default();
        endpoints.move_to(http, wake);
        let batch_bytes_max = machine.delivery.batch_bytes_max;
        Ok(Self {
            stop_deadline: Duration::from_millis(machine.delivery.stop_deadline_ms),
            machine: Machine::new(machine),
            clock: Clock::start(),
            files: Files::new(trust.clone()),
            trust,
            aliases: Aliases::default(),
            listed: HashSet::new(),
            directories,
            spare: Spare::keep(),
            watch,
            hinted_at: Millis(0),
            take_hints_at: Millis(u64::MAX),
            look_at: Millis(LOOK_WITHOUT_HINTS_MS),
            started_at: Some(Millis(STARTED_MS)),
            edge,
            heard,
            endpoints,
            kafka: ProducerOptions { edge: kafka, batch_bytes_max },
            wake: wake.clone(),
            reconfigure,
            must_reload: false,
            next: None,
            service: Service::find(),
            state,
            machine_id,
            told: HashMap::new(),
            messages_suppressed: 0,
            shown,
            latencies: telemetry::latencies(),
            pending: VecDeque::new(),
        })
    }

    fn follow(mut self, woken: &Receiver<Wake>) -> Exit {
        self.step(Input::Tick);
        loop {
            while let Some(action) = self.pending.pop_front() {
                self.service.beat();
                if let Some(exit) = self.carry_out(action) {
                    return exit;
                }
                // Reads follow each other as long as there is something to read; nobody waits behind them.
                while let Ok(wake) = woken.try_recv() {
                    self.wake(wake);
                }
                self.take_hints();
            }
            // All that the machine wanted is done, so what the shell has is what the machine knows.
            if std::mem::take(&mut self.must_reload) {
                self.reload();
                continue;
            }
            self.service.beat();
            match woken.recv_timeout(self.patience()) {
                Ok(wake) => self.wake(wake),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => self.step(Input::Tick),
            }
            self.take_hints();
            self.look_without_hints();
            self.let_go_of_start();
        }
    }

    fn step(&mut self, input: Input<'_>) {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        self.pending.extend(actions);
    }

    fn patience(&self) -> Duration {
        let now = self.clock.now();
        let wake_at = self.machine.wake_at().min(self.take_hints_at);
        let wake_at = if self.watch.is_complete() { wake_at } else { wake_at.min(self.look_at) };
        let wake_at = self.started_at.map_or(wake_at, |started_at| wake_at.min(started_at));
        Duration::from_millis(wake_at.since(now))
    }

    /// Where inotify has no watch to give, somebody has to look; nothing else is looked at for that.
    fn look_without_hints(&mut self) {
        let now = self.clock.now();
        if self.watch.is_complete() || now < self.look_at {
            return;
        }
        self.look_at = now.plus(LOOK_WITHOUT_HINTS_MS);
        match self.watch.unwatched() {
            Unwatched::Everything => self.step(Input::HintsLost),
            Unwatched::Directories(directories) => {
                for directory in directories {
                    self.step(Input::Hint(directory));
                }
            }
        }
    }

    /// Code is mapped page by page as it runs, with much around it: what is let go of once comes back only as far as it runs on.
    fn let_go_of_start(&mut self) {
        if self.started_at.is_some_and(|started_at| self.clock.now() >= started_at) {
            self.started_at = None;
            if let Err(error) = sys::let_go_of_code() {
                tracing::debug!("the code of the start stays in memory: {error}");
            }
        }
    }

    fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Kafka(reply) => {
                failpoint::pass(point_after(&reply));
                self.step(Input::Kafka(reply));
                self.note_commit();
            }
            Wake::Look(answer) => {
                // Whoever asked may have given up.
                let _ = answer.send(self.observe());
            }
            Wake::Hints => self.take_hints_at = self.hints_due(),
            Wake::Reload => self.must_reload = true,
            Wake::Stop => {
                tracing::info!("stopping: committing what was read");
                self.service.stopping();
                self.shown.agent.is_stopping = true;
                self.edge.stop_by(clock::now() + self.stop_deadline);
                self.step(Input::Stop);
            }
        }
    }

    /// When what was hinted at is looked at.
    fn hints_due(&self) -> Millis {
        if self.watch.is_urgent() {
            return self.clock.now();
        }
        self.hinted_at.plus(TAKE_HINTS_MS).min(self.machine.wake_at())
    }

    fn take_hints(&mut self) {
        let now = self.clock.now();
        if now < self.take_hints_at {
            return;
        }
        (self.hinted_at, self.take_hints_at) = (now, Millis(u64::MAX));
        let pending = self.watch.take();
        if pending.lost {
            self.step(Input::HintsLost);
        }
        for path in pending.paths {
            let is_listed = |directory: &Path| self.listed.contains(directory);
            match self.aliases.meaning(path, is_listed) {
                Meaning::Path(path) => self.step(Input::Hint(path)),
                Meaning::Nothing => {}
            }
        }
    }

    fn carry_out(&mut self, action: Action) -> Option<Exit> {
        match action {
            Action::Sweep => {
                let directories = &self.directories;
                let found = self.spare.lend(|| directories.find());
                let listings = found.iter().map(|directory| self.list(directory)).collect();
                self.step(Input::Listed(listings));
                // Kafka need not answer for that: a host has to come up without it.
                self.service.ready();
                self.shown.agent.is_discovered = true;
            }
            Action::List(directory) => {
                let listing = self.list(&directory);
                self.step(Input::Listed(vec![listing]));
            }
            Action::Open(file, path, ask) => {
                if self.trust.follows(&path)
                    && let Some(directory) = self.aliases.learn(&path)
                {
                    self.watch.ensure(&SharedPath::from(directory));
                }
                let opened = self.files.open(file, &path, &ask);
                self.step(Input::Opened(file, opened));
            }
            Action::Look(file, ask) => match self.files.look(file, &ask) {
                Some(opened) => self.step(Input::Opened(file, opened)),
                // Unpacking takes long; what else there is to do goes first.
                None => {
                    self.pending.push_back(Action::Look(file, ask));
                    self.step(Input::Tick);
                    self.look_without_hints();
                }
            },
            Action::Read { file, position, length, before } => {
                let mut actions = Vec::new();
                let read = self.files.read(file, position, length, before);
                self.machine.step(self.clock.now(), Input::Read(file, read), &mut actions);
                self.pending.extend(actions);
            }
            Action::ProveWriterGone(file) => {
                let writers = self.files.writers(file);
                self.step(Input::Writers(file, writers));
            }
            Action::Weigh(file) => {
                let weight = self.files.weigh(file);
                self.step(Input::Weighed(file, weight));
            }
            Action::Close(file) => self.files.close(file),
            Action::Persist(snapshot) => self.persist(snapshot),
            Action::Kafka(command) => {
                if matches!(command, Command::Commit) {
                    failpoint::pass("before_commit");
                }
                self.edge.send(command);
            }
            Action::Switch => self.switch(),
            Action::Say(notice) => self.tell(&notice),
            Action::Exit(exit) => return Some(exit),
        }
        None
    }

    /// Reads the configuration again; what is wrong leaves everything as it is.
    fn reload(&mut self) {
        self.service.reloading();
        let read = (self.reconfigure)(&self.state).and_then(|next| self.prepare(next));
        match read {
            Ok(reload) => self.step(Input::Reload(Box::new(reload))),
            Err(why) => {
                let line = format!("the configuration was refused, going on with the one from before: {why}");
                let line = terminal::escape(&line);
                self.service.status(&line);
                tracing::error!("{line}");
                self.service.reloaded();
                self.shown.reload.refused = Some(why);
            }
        }
    }

    /// Takes a configuration apart: what the machine is told now, and what waits for its word.
    fn prepare(&mut self, next: Reconfiguration) -> Result<Reload, String> {
        let Reconfiguration { logs, delivery, deleted_bytes_max, kafka, globs, http } = next;
        let options: Vec<LogOptions> = logs.iter().map(|(log, _)| log.clone()).collect();
        let trust = Trust::new(&options);
        let directories =
            Directories::new(&globs).map_err(|error| format!("the paths of the logs: {error}"))?;
        let kafka = ProducerOptions { edge: kafka, batch_bytes_max: delivery.batch_bytes_max };
        let producer = if self.kafka == kafka { Producer::Kept } else { Producer::Replaced };
        // Before anything of it counts: what cannot be had refuses the whole, and all goes on as it was.
        let edge = if self.kafka.edge == kafka.edge {
            None
        } else {
            let edge = connect(&kafka.edge, &self.heard, &self.wake);
            Some(edge.map_err(|error| format!("no thread for the new options of kafka: {error}"))?)
        };
        self.next = Some(Next { trust, directories, kafka, edge, http });
        Ok(Reload { logs, delivery, deleted_bytes_max, producer })
    }

    /// The configuration that waited counts from here on.
    fn switch(&mut self) {
        let Some(Next { trust, directories, kafka, edge, http }) = self.next.take() else { return };
        self.files.trust(trust.clone());
        self.trust = trust;
        self.directories = directories;
        if let Some(edge) = edge {
            // The edge from before ends with its handle; its producer has no transaction open.
            self.edge = edge;
        }
        self.kafka = kafka;
        self.endpoints.move_to(http, &self.wake);
        self.shown.reload = ReloadFacts { loaded_at_ms: clock::unix_milliseconds(), refused: None };
        let line = "the configuration was read again and counts";
        tracing::info!("{line}");
        self.service.status(line);
        self.service.reloaded();
    }

    /// How long lines took that are in Kafka now.
    fn note_commit(&mut self) {
        let Some(times) = self.machine.take_committed_times() else { return };
        let now_ms = clock::unix_milliseconds();
        self.shown.agent.committed_at_ms = Some(now_ms);
        for (time_ms, lines) in times.iter() {
            let time_ms = u64::try_from(time_ms).unwrap_or_default();
            let latency = Duration::from_millis(now_ms.saturating_sub(time_ms));
            self.latencies.add(latency.as_secs_f64(), lines);
        }
    }

    fn observe(&mut self) -> Observation {
        let facts = self.machine.facts(self.clock.now());
        self.shown.lost.note(&facts.accounts);
        let Shown { agent, reload, lost } = &self.shown;
        let kafka = &self.kafka.edge;
        Observation {
            at_ms: clock::unix_milliseconds(),
            facts,
            reload: reload.clone(),
            lost: lost.clone(),
            agent: agent.clone(),
            latencies: self.latencies,
            kafka: KafkaFacts {
                brokers: kafka.brokers.join(","),
                topics: kafka.topics().cloned().collect(),
                errors: self.heard.failures(),
                round_trips: self.heard.round_trips(),
            },
            messages_suppressed: self.messages_suppressed + self.heard.messages_suppressed(),
        }
    }

    fn list(&mut self, directory: &SharedPath) -> crate::pipeline::action::Listing {
        self.listed.insert(directory.clone());
        // Watched before it is listed: what appears in between is hinted at.
        self.watch.ensure(directory);
        let listing = files::list(directory, &self.trust);
        if matches!(listing.files, Err(FileError::TooManyFiles)) {
            let trust = &self.trust;
            return self.spare.lend(|| files::list(directory, trust));
        }
        listing
    }

    fn persist(&mut self, snapshot: Snapshot) {
        failpoint::pass("before_persist");
        let agent = &mut self.shown.agent;
        let (agent_id, machine) = (agent.id.clone(), self.machine_id.clone());
        let saved = Saved { agent_id, machine, written_at_ms: clock::unix_milliseconds(), snapshot };
        match self.state.save(&saved) {
            Ok(()) if agent.state_in_trouble => {
                agent.state_in_trouble = false;
                tracing::info!("the local state can be written again");
            }
            Ok(()) => {}
            Err(error) if !agent.state_in_trouble => {
                agent.state_in_trouble = true;
                let directory = terminal::escape(&agent.state_dir);
                tracing::error!(
                    "cannot write the local state in {directory}: {error}; free its disk (in exactly_once Kafka holds the positions too)"
                );
            }
            Err(_) => {}
        }
        failpoint::pass("after_persist");
    }

    /// Tells the operator; of a flood of one kind only the beginning, and how many there were.
    fn tell(&mut self, notice: &Notice) {
        if matches!(notice, Notice::Rotated { .. }) {
            failpoint::pass("after_rename_seen");
        }
        let now = self.clock.now();
        let told = self.told.entry(std::mem::discriminant(notice)).or_insert(Told { since: now, count: 0 });
        if now.since(told.since) >= NOTICE_WINDOW_MS {
            if told.count > NOTICES_MAX {
                tracing::warn!("{} more messages like the next one were held back", told.count - NOTICES_MAX);
            }
            *told = Told { since: now, count: 0 };
        }
        told.count += 1;
        if told.count > NOTICES_MAX {
            self.messages_suppressed += 1;
            return;
        }
        let text = notice.to_string();
        let line = terminal::escape(&text);
        if notice.says_how_things_stand() {
            self.service.status(&line);
        }
        match notice.level() {
            Level::Info => tracing::info!("{line}"),
            Level::Warning => tracing::warn!("{line}"),
            Level::Error => tracing::error!("{line}"),
        }
    }
}

/// An edge to Kafka whose replies wake the loop.
fn connect(kafka: &KafkaOptions, heard: &Arc<Heard>, wake: &Sender<Wake>) -> std::io::Result<EdgeHandle> {
    failpoint::ask_for_thread("spawn_edge")?;
    let wake = wake.clone();
    Edge::spawn(kafka.clone(), heard, move |reply| {
        // The loop ends before its senders only when the process does.
        let _ = wake.send(Wake::Kafka(reply));
    })
}

/// The failpoint that lies behind a reply.
fn point_after(reply: &Reply) -> &'static str {
    match reply {
        Reply::Connected { .. } => "after_init",
        Reply::Fetched(_) => "after_fetch",
        Reply::Began => "after_begin",
        Reply::Produced(_) => "after_produce",
        Reply::Flushed { .. } => "after_flush",
        Reply::OffsetsSent => "after_send_offsets",
        Reply::Committed { .. } => "after_commit",
        Reply::Aborted => "after_abort",
        Reply::Disconnected => "after_disconnect",
        Reply::Failed(_) => "after_failure",
    }
}
