//! The shell around the machine, as the agent is one: it takes inputs one at a time and carries actions out in their
//! order. It can die before any effect, be paused, be stopped, and be started twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use viewtail::pipeline::action::{
    Action, Ask, Boundary, Chunk, Command, Exit, FileError, FileId, Form, Input, Listing, Millis, NoProof,
    Opened, Reply, Rest, SharedPath, Stat, Weight, Writers,
};
use viewtail::pipeline::identity::{HEAD_BYTES_MAX, MARKER_BYTES_MAX};
use viewtail::pipeline::machine::Machine;
use viewtail::pipeline::notice::Notice;
use viewtail::pipeline::reload::{Producer, Reload};

use crate::deleted::Held;
use crate::edge::{Edge, Later, Network, name};
use crate::options;
use crate::plan::{Blow, ReadRates};
use crate::vfs::{self, Inode, Life, Packing};
use crate::world::{ARCHIVE_DIRECTORY, DIRECTORY, Event, TRANSACTION_TIMEOUT_MS, World};

/// Actions and inputs in one go, before others get their turn.
const BURST: usize = 64;

/// More descriptors than any plan has files for.
const FILES_MAX: usize = 400;

/// Snapshots kept per state directory, so that an older one can come back.
const STATES_KEPT: usize = 4;

/// One process.
pub struct Agent {
    process: u64,
    machine: Machine,
    actions: VecDeque<Action>,
    /// In three queues, as files, hints and Kafka answer independently of each other.
    answers: VecDeque<Answer>,
    hints: VecDeque<Hint>,
    replies: VecDeque<Reply>,
    files: BTreeMap<FileId, Life>,
    /// Those of them that it opened under a name of no log, when nothing was known by which it could tell what they are.
    looks: BTreeSet<FileId>,
    /// It was told that there is no descriptor left, and has listed no directory since.
    is_short_of_files: bool,
    /// Descriptors that the file server no longer knows.
    stale: BTreeSet<FileId>,
    /// What it was shown since it last wrote its books.
    shown: Vec<(u32, u64)>,
    /// What it holds by deleted files.
    pub held: Held,
    edge: Edge,
    commands: VecDeque<Command>,
    /// What the configuration that waits brings.
    next: Option<Producer>,
    /// The command that is being carried out.
    busy: Option<Option<Reply>>,
    /// The main thread is in a system call.
    busy_until: Millis,
    /// The whole process is stopped.
    paused_until: Millis,
    /// The first input has to be a tick.
    ticked: Option<Millis>,
    wake_at: Option<Millis>,
}

enum Answer {
    Listed(Vec<Listing>),
    Opened(FileId, Result<Opened, FileError>),
    Read(FileId, Result<OwnedChunk, FileError>),
    Writers(FileId, Writers),
    Weighed(FileId, Result<Weight, FileError>),
}

struct OwnedChunk {
    data: Vec<u8>,
    before: Vec<u8>,
    stat: Stat,
    /// Of which run of bytes it is, and how far that reached; unknown where it changed meanwhile.
    shown: Option<(u32, u64)>,
    form: Form,
    is_cut_short: bool,
}

enum Hint {
    Path(SharedPath),
    Lost,
    Reload(Box<Reload>),
    Stop,
}

/// What is left of the agent after an effect.
#[derive(PartialEq, Eq)]
enum Fate {
    Lives,
    /// Killed.
    Dies,
    /// It ended by itself.
    Leaves,
}

impl World {
    pub fn start_agent(&mut self, slot: usize) {
        if self.agents[slot].is_some() || self.stopping {
            return;
        }
        self.processes += 1;
        let process = self.processes;
        let local = self.remembered(slot);
        self.say(|| format!("agent {process} starts, local state: {}", local.is_some()));
        let files = local.iter().flat_map(|local| &local.files).filter(|file| file.entry.mark.position > 0);
        let known: BTreeSet<u64> = files.map(|file| file.entry.stream.0).collect();
        self.oracle.process_begins(|stream| known.contains(&stream));
        let machine = Machine::new(options::of(&self.plan, local, &mut self.rng));
        self.agents[slot] = Some(Box::new(Agent {
            process,
            machine,
            actions: VecDeque::new(),
            answers: VecDeque::new(),
            hints: VecDeque::new(),
            replies: VecDeque::new(),
            files: BTreeMap::new(),
            looks: BTreeSet::new(),
            is_short_of_files: false,
            stale: BTreeSet::new(),
            shown: Vec::new(),
            held: Held::default(),
            edge: Edge::new(self.plan.mode),
            commands: VecDeque::new(),
            next: None,
            busy: None,
            busy_until: Millis(0),
            paused_until: Millis(0),
            ticked: None,
            wake_at: None,
        }));
        self.at(0, Event::Turn(slot, process));
    }

    /// What the state directory holds at a start.
    fn remembered(&mut self, slot: usize) -> Option<viewtail::pipeline::checkpoint::Snapshot> {
        if self.states[slot].is_empty() {
            return None;
        }
        if self.rng.chance(self.plan.agent.state_lost) {
            self.tally.state_lost += 1;
            self.states[slot].clear();
        } else if self.rng.chance(self.plan.agent.state_stale) {
            self.tally.state_stale += 1;
            let kept = self.rng.range(1, self.states[slot].len() as u64);
            self.states[slot].truncate(usize::try_from(kept).expect("few"));
        }
        self.states[slot].last().cloned()
    }

    pub fn hint_arrives(&mut self, path: Option<&SharedPath>) {
        for slot in 0..self.agents.len() {
            let Some(agent) = &mut self.agents[slot] else { continue };
            agent.hints.push_back(path.map_or(Hint::Lost, |path| Hint::Path(SharedPath::clone(path))));
            let process = agent.process;
            self.at(0, Event::Turn(slot, process));
        }
    }

    pub fn stop_all(&mut self) {
        for slot in 0..self.agents.len() {
            let Some(agent) = &mut self.agents[slot] else { continue };
            agent.hints.push_back(Hint::Stop);
            let process = agent.process;
            self.at(0, Event::Turn(slot, process));
        }
    }

    /// The agent goes on until it waits for something.
    pub fn turn(&mut self, slot: usize, process: u64) {
        if self.agents[slot].as_ref().is_none_or(|agent| agent.process != process) {
            return;
        }
        let Some(mut agent) = self.agents[slot].take() else { return };
        match self.burst(&mut agent, slot) {
            Fate::Lives => self.agents[slot] = Some(agent),
            Fate::Dies => self.bury(agent, slot),
            Fate::Leaves => self.close_all(&mut agent),
        }
    }

    fn burst(&mut self, agent: &mut Agent, slot: usize) -> Fate {
        for _ in 0..BURST {
            let free_at = agent.busy_until.max(agent.paused_until);
            if self.now < free_at {
                self.at(free_at.since(self.now), Event::Turn(slot, agent.process));
                return Fate::Lives;
            }
            if let Some(action) = agent.actions.pop_front() {
                if self.strikes(agent, slot) == Fate::Dies {
                    return Fate::Dies;
                }
                if self.carry_out(agent, slot, action) == Fate::Leaves {
                    return Fate::Leaves;
                }
            } else if !self.step(agent, slot) {
                return Fate::Lives;
            }
        }
        agent.busy_until = self.now.plus(1);
        self.at(1, Event::Turn(slot, agent.process));
        Fate::Lives
    }

    /// Feeds the machine one input, if there is any; else sees to it that it is woken.
    fn step(&mut self, agent: &mut Agent, slot: usize) -> bool {
        let mut actions = Vec::new();
        let now = self.now;
        let choices = [!agent.answers.is_empty(), !agent.hints.is_empty(), !agent.replies.is_empty()];
        let first = self.rng.index(3);
        let chosen = (0..3).map(|turn| (first + turn) % 3).find(|queue| choices[*queue]);
        if agent.ticked.is_none() {
            agent.ticked = Some(now);
            agent.machine.step(now, Input::Tick, &mut actions);
        } else if let Some(queue) = chosen {
            agent.feed(now, queue, &mut actions);
        } else {
            let wake_at = agent.machine.wake_at().max(agent.ticked.map_or(now, |ticked| ticked.plus(1)));
            if wake_at > now {
                if agent.wake_at != Some(wake_at) && wake_at < Millis(u64::MAX) {
                    agent.wake_at = Some(wake_at);
                    self.at(wake_at.since(now), Event::Wake(slot, agent.process));
                }
                return false;
            }
            agent.ticked = Some(now);
            agent.machine.step(now, Input::Tick, &mut actions);
        }
        self.steps += 1;
        let balance = agent.machine.balance();
        assert!(balance.holds(), "a line is nowhere, or twice: {balance:?}");
        agent.actions.extend(actions);
        true
    }

    /// An effect is about to happen: the place where a process can die or be paused.
    fn strikes(&mut self, agent: &mut Agent, slot: usize) -> Fate {
        self.tally.effects += 1;
        let blow = self.plan.agent.blow.filter(|(effect, _)| *effect == self.tally.effects);
        match blow.map(|(_, blow)| blow) {
            Some(Blow::Crash) => return Fate::Dies,
            Some(Blow::Pause) if !self.stopping => self.pause(agent, TRANSACTION_TIMEOUT_MS * 2),
            Some(blow @ (Blow::File | Blow::Kafka(_))) => self.armed = Some(blow),
            Some(Blow::Pause) | None => {}
        }
        if self.quiet || self.stopping {
            return Fate::Lives;
        }
        if self.may_crash() && self.rng.chance(self.plan.agent.crash) {
            return Fate::Dies;
        }
        if self.rng.chance(self.plan.agent.pause) {
            let pause = self.rng.pick(&[10, 1000, 12_000, TRANSACTION_TIMEOUT_MS * 2]);
            self.pause(agent, pause);
            self.second_start(slot, pause / 2);
        } else if self.rng.chance(self.plan.agent.stop) && self.tally.stops < 4 {
            self.tally.stops += 1;
            agent.hints.push_back(Hint::Stop);
        } else if self.rng.chance(self.plan.agent.second) {
            self.second_start(slot, 0);
        } else if self.rng.fault(self.plan.agent.reload) {
            self.tally.reloads += 1;
            let reload = options::reload(&self.plan, &mut self.rng);
            agent.hints.push_back(Hint::Reload(Box::new(reload)));
        }
        Fate::Lives
    }

    fn pause(&mut self, agent: &mut Agent, pause: u64) {
        self.tally.pauses += 1;
        self.tally.long_pauses += u64::from(pause > TRANSACTION_TIMEOUT_MS);
        self.say(|| format!("agent {} is paused for {pause} ms", agent.process));
        agent.paused_until = self.now.plus(pause);
    }

    /// Whether a look at a file or directory fails.
    fn fails(&mut self, rate: u32) -> bool {
        let is_hit = self.armed == Some(Blow::File);
        if is_hit {
            self.armed = None;
        }
        let fails = self.rng.chance(rate) || is_hit;
        self.tally.read_errors += u64::from(fails);
        fails
    }

    /// Another host runs an agent of the same id, perhaps from a copy of the same disk.
    fn second_start(&mut self, slot: usize, delay: u64) {
        if self.plan.agent.second == 0 || self.tally.seconds >= 3 {
            return;
        }
        let other = 1 - slot;
        if self.agents[other].is_none() {
            self.tally.seconds += 1;
            if self.rng.chance(500) {
                self.states[other] = self.states[slot].clone();
            }
            self.at(delay, Event::Start(other));
        }
    }

    /// The server of the network file system starts anew: no open descriptor is good any more, and if it was mounted anew the
    /// device has another number.
    pub fn file_server_restarts(&mut self) {
        self.vfs.device += u64::from(self.rng.chance(500));
        for agent in self.agents.iter_mut().flatten() {
            agent.stale.extend(agent.files.keys());
        }
        // What has no name is gone with its descriptors.
        for life in 0..self.vfs.inodes.len() {
            if !self.vfs.inodes[life].lost && self.vfs.name_of(life).is_none() {
                self.forsake(life);
            }
        }
    }

    /// The process is gone: what it held is closed, what it had sent may still arrive.
    fn bury(&mut self, mut agent: Box<Agent>, slot: usize) {
        self.say(|| format!("agent {} dies", agent.process));
        self.tally.crashes += 1;
        if agent.busy.is_none()
            && let Some(request) = agent.commands.front().and_then(|command| agent.edge.last_words(command))
            && self.rng.chance(300)
        {
            let delay = self.rng.pick(&[0, 3, 50]);
            let during = self.broker.serial();
            self.at(delay, Event::Later(Later::Arrives { request, during }));
        }
        self.close_all(&mut agent);
        let delay = self.rng.pick(&[1, 100, 2000, 30_000]);
        self.at(delay, Event::Start(slot));
    }

    fn close_all(&mut self, agent: &mut Agent) {
        while let Some(file) = agent.files.keys().next().copied() {
            self.let_go(agent, file);
        }
        for life in 0..self.vfs.inodes.len() {
            self.reconsider(life);
        }
    }

    /// A descriptor is closed; what it led to, if there was one.
    fn let_go(&mut self, agent: &mut Agent, file: FileId) -> Option<Life> {
        let life = agent.files.remove(&file)?;
        self.vfs.inodes[life].lookers -= u32::from(agent.looks.remove(&file));
        self.vfs.close(life);
        Some(life)
    }

    fn carry_out(&mut self, agent: &mut Agent, slot: usize, action: Action) -> Fate {
        let rates = if self.quiet { ReadRates::default() } else { self.plan.reads.clone() };
        if self.rng.chance(rates.slow) {
            let delay = self.rng.pick(&[1, 20, 500]);
            agent.busy_until = self.now.plus(delay);
        }
        match action {
            Action::Sweep => {
                self.check_held(agent);
                agent.is_short_of_files = false;
                let mut directories = vec![DIRECTORY];
                // Without archives there is nothing in it, and all lives stay as they are.
                directories.extend(self.has_archives.then_some(ARCHIVE_DIRECTORY));
                let listings = directories.into_iter().map(|directory| self.list(directory.as_ref(), &rates));
                agent.answers.push_back(Answer::Listed(listings.collect()));
            }
            Action::List(directory) => {
                self.check_held(agent);
                agent.is_short_of_files = false;
                let listing = self.list(&directory, &rates);
                agent.answers.push_back(Answer::Listed(vec![listing]));
            }
            Action::Open(file, path, ask) => self.open(agent, file, &path, &ask, &rates),
            Action::Look(file, ask) => self.look_again(agent, file, &ask, &rates),
            Action::Read { file, position, length, before } => {
                self.read(agent, (file, position), (length, before), &rates);
            }
            Action::ProveWriterGone(file) => self.prove(agent, file, &rates),
            Action::Weigh(file) => {
                let weight = self.weigh(agent, file);
                agent.answers.push_back(Answer::Weighed(file, weight));
            }
            Action::Close(file) => {
                self.note_closed(agent, file);
                self.say(|| format!("agent: close {}", file.0));
                match self.let_go(agent, file) {
                    Some(life) => {
                        // Something had to go, and that this was deleted since the last listing, nobody could know.
                        if agent.is_short_of_files {
                            self.reconsider(life);
                        }
                    }
                    None => self.oracle.violated(|| format!("{file:?} is closed without being open")),
                }
            }
            Action::Persist(snapshot) => {
                self.say(|| format!("agent: persist {}", snapshot.sequence));
                self.oracle.persisted(snapshot.sequence);
                self.check_books(std::mem::take(&mut agent.shown), &snapshot);
                self.states[slot].push(snapshot);
                if self.states[slot].len() > STATES_KEPT {
                    self.states[slot].remove(0);
                }
            }
            Action::Kafka(command) => {
                agent.commands.push_back(command);
                self.start_command(agent, slot);
            }
            Action::Switch => self.switch(agent),
            Action::Say(notice) => {
                if matches!(notice, Notice::GivenUp { .. }) {
                    self.gives_up(agent);
                }
                if matches!(notice, Notice::Resumed { .. }) {
                    self.oracle.agent_begins();
                }
                self.say(|| format!("agent {} says {notice:?}", agent.process));
            }
            Action::Exit(exit) => return self.exits(agent, slot, &exit),
        }
        Fate::Lives
    }

    /// A new configuration counts. Another producer takes over without a word from the old one, which must have none to say.
    fn switch(&mut self, agent: &mut Agent) {
        let producer = agent.next.take();
        self.say(|| {
            format!("agent {} goes on with a new configuration, producer {producer:?}", agent.process)
        });
        if producer == Some(Producer::Replaced) {
            if agent.busy.is_some() || !agent.commands.is_empty() {
                self.oracle.violated(|| "the producer is replaced while a command is under way".to_owned());
            }
            agent.edge = Edge::new(self.plan.mode);
        }
    }

    fn list(&mut self, directory: &Path, rates: &ReadRates) -> Listing {
        self.say(|| format!("agent: list {}", directory.display()));
        let files = if self.fails(rates.listing_error) {
            Err(self.rng.pick(&[FileError::Permission, FileError::TooManyFiles, FileError::Unknown]))
        } else {
            Ok(self.vfs.list(directory))
        };
        Listing { directory: SharedPath::from(directory), files, exists: true }
    }

    fn exits(&mut self, agent: &mut Agent, slot: usize, exit: &Exit) -> Fate {
        self.say(|| format!("agent {} exits: {exit:?}", agent.process));
        // What is still being unpacked is given up with the process.
        if agent.actions.iter().any(|action| !matches!(action, Action::Look(..))) {
            self.oracle.violated(|| "there are actions after the exit".to_owned());
        }
        match exit {
            Exit::Stopped => {
                let delay = self.rng.pick(&[1, 1000, 20_000]);
                self.at(delay, Event::Start(slot));
            }
            Exit::Refused(why) => {
                self.tally.refused += 1;
                if self.tally.seconds == 0 {
                    self.oracle.violated(|| format!("refused without a reason: {why}"));
                }
                // Nobody restarts the one that refused while the other works; a person does once it does not.
                if self.agents[1 - slot].is_none() {
                    self.at(5000, Event::Start(slot));
                }
            }
        }
        Fate::Leaves
    }

    fn open(&mut self, agent: &mut Agent, file: FileId, path: &Path, ask: &Ask, rates: &ReadRates) {
        let failed = if self.fails(rates.error) {
            Some(self.rng.pick(&[FileError::Permission, FileError::TooManyFiles, FileError::Unknown]))
        } else {
            None
        };
        agent.is_short_of_files |= failed == Some(FileError::TooManyFiles);
        let found = if failed.is_none() { self.vfs.open(path) } else { None };
        let opened = match found {
            None => Err(failed.unwrap_or(FileError::NotFound)),
            Some(life) => {
                self.note_look(agent, (file, life), path);
                if agent.files.insert(file, life).is_some() {
                    self.oracle.violated(|| format!("{file:?} is used again"));
                }
                if agent.files.len() > FILES_MAX {
                    self.oracle.violated(|| "descriptors are not bounded".to_owned());
                }
                Ok(self.glance_at(life, ask))
            }
        };
        self.say(|| {
            format!(
                "agent: open {} {} -> {:?}",
                file.0,
                path.display(),
                opened.as_ref().map(|opened| opened.stat)
            )
        });
        agent.answers.push_back(Answer::Opened(file, opened));
    }

    /// A descriptor that nothing but a look needs keeps no line in reach, however long another process had it open for more.
    fn note_look(&mut self, agent: &mut Agent, (file, life): (FileId, Life), path: &Path) {
        let is_followed = agent.files.iter().any(|(other, of)| *of == life && !agent.looks.contains(other));
        let inode = &mut self.vfs.inodes[life];
        if !is_followed && !self.plan.takes(path) && !self.oracle.is_provable(inode.epoch) {
            inode.lookers += 1;
            agent.looks.insert(file);
        }
    }

    fn look_again(&mut self, agent: &mut Agent, file: FileId, ask: &Ask, rates: &ReadRates) {
        let Some(life) = agent.files.get(&file).copied() else {
            return self.oracle.violated(|| format!("{file:?} is looked at without being open"));
        };
        let is_stale = agent.stale.contains(&file);
        if self.vfs.inodes[life].packing.is_some() && self.rng.chance(300) {
            // It is being unpacked, and what else there is to do goes first.
            agent.actions.push_back(Action::Look(file, ask.clone()));
            return;
        }
        let opened = if is_stale || self.fails(rates.error) {
            self.let_go(agent, file);
            agent.forget_last_shown(self.vfs.inodes[life].epoch);
            self.reconsider(life);
            Err(if is_stale { FileError::Stale } else { FileError::Unknown })
        } else {
            Ok(self.look_at(life, ask))
        };
        self.say(|| format!("agent: look {} -> {:?}", file.0, opened.as_ref().map(|opened| opened.stat)));
        agent.answers.push_back(Answer::Opened(file, opened));
    }

    /// What opening a file shows: of what is compressed only the beginning.
    fn glance_at(&mut self, life: Life, ask: &Ask) -> Opened {
        let opened = self.look_at(life, ask);
        if self.vfs.inodes[life].packing.is_none() {
            return opened;
        }
        let head = vfs::slice(&self.vfs.inodes[life].data, 0, HEAD_BYTES_MAX).to_vec();
        Opened { form: Form::Packed, head, markers: Vec::new(), boundary: None, ..opened }
    }

    fn look_at(&mut self, life: Life, ask: &Ask) -> Opened {
        let inode = &self.vfs.inodes[life];
        let data = inode.plain();
        let marker = |position: &u64| {
            let before = vfs::before(data, *position, MARKER_BYTES_MAX)?;
            let read = inode.read(position - before.len() as u64, before.len());
            Some(read.filter(|read| read.len() == before.len()).unwrap_or_default().to_vec())
        };
        let boundary = ask.boundary.then(|| {
            let end = memchr::memrchr(b'\n', data).map_or(0, |newline| newline + 1);
            Boundary {
                position: end as u64,
                before: data[end.saturating_sub(MARKER_BYTES_MAX)..end].to_vec(),
            }
        });
        Opened {
            stat: self.vfs.stat(life),
            form: form_of(&self.vfs.inodes[life]),
            is_sole_name: self.vfs.stat(life).links <= 1,
            head: vfs::slice(data, 0, HEAD_BYTES_MAX).to_vec(),
            markers: ask.markers.iter().map(marker).collect(),
            boundary,
        }
    }

    fn read(&mut self, agent: &mut Agent, from: (FileId, u64), sizes: (usize, usize), rates: &ReadRates) {
        let (file, position) = from;
        let Some(life) = agent.files.get(&file).copied() else {
            return self.oracle.violated(|| format!("{file:?} is read without being open"));
        };
        let answer = if agent.stale.contains(&file) {
            Err(FileError::Stale)
        } else if self.fails(rates.error) {
            Err(FileError::Unreadable)
        } else if self.vfs.inodes[life].packing.is_some() && self.rng.chance(200) {
            Err(FileError::Unpacking)
        } else if let Some(data) = self.vfs.inodes[life].read(position, sizes.0) {
            let (mut data, there) =
                (data.to_vec(), vfs::slice(self.vfs.inodes[life].plain(), position, sizes.0));
            let is_cut_short = data.len() < there.len();
            if data.len() > 1 && self.rng.chance(rates.short) {
                let length = 1 + self.rng.index(data.len() - 1);
                data.truncate(length);
            }
            let torn = self.rng.chance(rates.torn);
            if torn {
                self.tally.torn_reads += 1;
                self.disturb();
            }
            let now_there = self.vfs.inodes[life].plain();
            let end = position.min(now_there.len() as u64);
            let from = position.saturating_sub(sizes.1 as u64).min(end);
            let length = usize::try_from(end - from).expect("at most what was asked for");
            let inode = &self.vfs.inodes[life];
            let before = inode.read(from, length).filter(|before| before.len() == length);
            let (stat, form) = (self.vfs.stat(life), form_of(inode));
            let shown = (!torn).then(|| (inode.epoch, form.size(&stat)));
            let chunk = |before: &[u8]| {
                let before = before.to_vec();
                OwnedChunk { data, before, stat, form, shown, is_cut_short }
            };
            before.map(chunk).ok_or(FileError::Unreadable)
        } else {
            Err(FileError::Unreadable)
        };
        self.say(|| {
            format!(
                "agent: read {} at {position} -> {:?}",
                file.0,
                answer.as_ref().map(|chunk| chunk.data.len())
            )
        });
        agent.answers.push_back(Answer::Read(file, answer));
    }

    /// The kernel says who has the file open for writing, where it does so at all. A file that is still being opened by
    /// its name must not be asked about: whoever opens it would be held up.
    fn prove(&mut self, agent: &mut Agent, file: FileId, rates: &ReadRates) {
        let Some(life) = agent.files.get(&file).copied() else {
            return self.oracle.violated(|| format!("{file:?} is asked about without being open"));
        };
        if self.vfs.name_of(life).is_some_and(|path| path.to_string_lossy().ends_with(".log")) {
            self.oracle.broke_rule(format!("{file:?} is asked about under its active name"));
        }
        let writers = if !self.plan.leases {
            Writers::Unknowable(NoProof::Owner)
        } else if self.vfs.has_writers(life) || self.fails(rates.error) {
            Writers::Possible
        } else {
            self.tally.proofs += 1;
            Writers::Gone
        };
        self.say(|| format!("agent: writers of {} -> {writers:?}", file.0));
        agent.answers.push_back(Answer::Writers(file, writers));
    }

    fn start_command(&mut self, agent: &mut Agent, slot: usize) {
        if agent.busy.is_none() && !agent.commands.is_empty() {
            agent.busy = Some(None);
            let delay = self.latency();
            self.at(delay, Event::Execute(slot, agent.process));
        }
    }

    fn latency(&mut self) -> u64 {
        if !self.quiet && self.rng.chance(self.plan.kafka.slow) {
            self.rng.pick(&[50, 700, 6000])
        } else {
            self.rng.below(3)
        }
    }

    /// A command reaches the broker.
    pub fn edge_executes(&mut self, slot: usize, process: u64) {
        let Some(mut agent) = self.agents[slot].take_if(|agent| agent.process == process) else { return };
        if self.now < agent.paused_until {
            self.at(agent.paused_until.since(self.now), Event::Execute(slot, process));
            self.agents[slot] = Some(agent);
            return;
        }
        agent.busy = None;
        if self.strikes(&mut agent, slot) == Fate::Dies {
            return self.bury(agent, slot);
        }
        let Some(command) = agent.commands.pop_front() else { return };
        self.cluster_faults(&command);
        let reply = self.execute(&mut agent, command);
        agent.busy = Some(Some(reply));
        self.deliver_visible();
        if self.strikes(&mut agent, slot) == Fate::Dies {
            return self.bury(agent, slot);
        }
        let delay = self.latency();
        self.at(delay, Event::Reply(slot, process));
        self.agents[slot] = Some(agent);
    }

    fn execute(&mut self, agent: &mut Agent, command: Command) -> Reply {
        let what = name(&command);
        let mut later = Vec::new();
        let forced = match self.armed {
            Some(Blow::Kafka(fate)) => Some(fate),
            Some(Blow::Crash | Blow::Pause | Blow::File) | None => None,
        };
        let mut network = Network {
            now: self.now,
            rng: &mut self.rng,
            rates: &self.plan.kafka,
            transaction_timeout_ms: TRANSACTION_TIMEOUT_MS,
            broker: &mut self.broker,
            later: &mut later,
            seen: &mut self.tally.kafka,
            forced,
            broken: None,
        };
        let reply = agent.edge.execute(command, &mut network);
        if forced.is_some() && network.forced.is_none() {
            self.armed = None;
        }
        if let Some(broken) = network.broken.take() {
            self.oracle.broke_rule(broken);
        }
        for (at, later) in later {
            self.at(at.since(self.now), Event::Later(later));
        }
        self.say(|| {
            let is_long = matches!(reply, Reply::Produced(_));
            let shown = if is_long { "Produced".to_owned() } else { format!("{reply:?}") };
            format!("kafka {}: {what} -> {shown}", agent.process)
        });
        reply
    }

    /// What happens to the cluster as a whole.
    fn cluster_faults(&mut self, command: &Command) {
        if self.quiet {
            return;
        }
        let rates = self.plan.kafka.clone();
        if self.rng.chance(rates.unreachable) {
            let length = self.rng.pick(&[500, 5000, 60_000]);
            self.say(|| format!("kafka is unreachable for {length} ms"));
            self.broker.unreachable_until = self.now.plus(length);
        }
        if self.rng.chance(rates.topic_missing) {
            self.broker.missing_until = self.now.plus(10_000);
        }
        if matches!(command, Command::Connect { .. }) && self.rng.chance(rates.offsets_lost * 10) {
            self.say(|| "kafka forgets the groups".to_owned());
            self.tally.offsets_lost += 1;
            self.broker.complete();
            self.broker.forget_offsets();
            self.oracle.offsets_lost();
        }
    }

    /// The answer of a command reaches the main thread.
    pub fn edge_replies(&mut self, slot: usize, process: u64) {
        let Some(mut agent) = self.agents[slot].take_if(|agent| agent.process == process) else { return };
        if self.now < agent.paused_until {
            self.at(agent.paused_until.since(self.now), Event::Reply(slot, process));
        } else {
            agent.replies.extend(agent.busy.take().flatten());
            self.start_command(&mut agent, slot);
            self.at(0, Event::Turn(slot, process));
        }
        self.agents[slot] = Some(agent);
    }
}

fn form_of(inode: &Inode) -> Form {
    let rest = match inode.packing {
        None => return Form::Plain,
        Some(Packing::Half) => Rest::Unfinished,
        Some(Packing::Whole) => Rest::None,
    };
    Form::Unpacked { size: inode.plain().len() as u64, rest }
}

impl Agent {
    /// The inode behind a descriptor.
    pub fn life_of(&self, file: FileId) -> Option<Life> {
        self.files.get(&file).copied()
    }

    /// What the last read showed could not be looked at again: whose bytes they are it never learnt.
    fn forget_last_shown(&mut self, epoch: u32) {
        if let Some(last) = self.shown.iter().rposition(|(shown, _)| *shown == epoch) {
            self.shown.remove(last);
        }
    }

    /// The inodes behind all descriptors.
    pub fn lives(&self) -> impl Iterator<Item = Life> {
        self.files.values().copied()
    }

    fn feed(&mut self, now: Millis, queue: usize, actions: &mut Vec<Action>) {
        self.held.next_step();
        let machine = &mut self.machine;
        if queue == 0 {
            match self.answers.pop_front() {
                Some(Answer::Listed(listings)) => machine.step(now, Input::Listed(listings), actions),
                Some(Answer::Opened(file, opened)) => machine.step(now, Input::Opened(file, opened), actions),
                Some(Answer::Read(
                    file,
                    Ok(OwnedChunk { data, before, stat, form, shown, is_cut_short }),
                )) => {
                    self.shown.extend(shown);
                    let chunk = Chunk { data: &data, before: &before, stat, form, is_cut_short };
                    machine.step(now, Input::Read(file, Ok(chunk)), actions);
                }
                Some(Answer::Read(file, Err(error))) => {
                    machine.step(now, Input::Read(file, Err(error)), actions);
                }
                Some(Answer::Weighed(file, weight)) => {
                    machine.step(now, Input::Weighed(file, weight), actions);
                }
                Some(Answer::Writers(file, writers)) => {
                    machine.step(now, Input::Writers(file, writers), actions);
                }
                None => {}
            }
        } else if queue == 1 {
            match self.hints.pop_front() {
                Some(Hint::Path(path)) => machine.step(now, Input::Hint(path), actions),
                Some(Hint::Lost) => machine.step(now, Input::HintsLost, actions),
                Some(Hint::Reload(reload)) => {
                    self.next = Some(reload.producer);
                    machine.step(now, Input::Reload(reload), actions);
                }
                Some(Hint::Stop) => machine.step(now, Input::Stop, actions),
                None => {}
            }
        } else if let Some(reply) = self.replies.pop_front() {
            machine.step(now, Input::Kafka(reply), actions);
        }
    }
}
