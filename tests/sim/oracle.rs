//! What was written, what of it a reader of committed records sees, and whether both agree exactly.
//!
//! A line is *due* once its terminator is written. It stops being due only if the world (never the agent) destroys its
//! last reachable bytes before it is committed. Every due line has to be committed exactly once, with its true
//! position and size; any other line at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use viewtail::pipeline::identity::MARKER_BYTES_MAX;
use viewtail::pipeline::options::{Mode, PartitionBy};
use viewtail::pipeline::shard;

use crate::options;
use crate::plan::Plan;

pub type LineId = u32;

/// What a line is to the oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page view with a text of its own.
    View,
    /// A page view that other files begin with as well.
    Head,
    /// No page view, with a text of its own.
    Noise,
    /// No page view, and nothing in it.
    Empty,
}

impl Kind {
    /// Whether its text is its own: heads and empty lines look alike.
    fn is_unique(self) -> bool {
        matches!(self, Self::View | Self::Noise)
    }
}

#[derive(Clone, Debug)]
pub struct Line {
    pub epoch: u32,
    pub position: u64,
    pub size: u64,
    pub complete: bool,
    /// Its bytes were destroyed before they were committed.
    excused: bool,
    /// In how many reachable inodes its bytes are.
    homes: u32,
    pub committed: u32,
    /// How often it may be committed again, because the truth about it was taken away.
    repeats: u32,
    kind: Kind,
    /// It stands where other bytes were cut away, which may have been delivered: it may count as one of those.
    in_cut: bool,
    /// No event may be made of it: only page views are let out, and it is none.
    silent: bool,
}

impl Line {
    pub fn end(&self) -> u64 {
        self.position + self.size
    }

    pub fn is_excused(&self) -> bool {
        self.excused
    }

    /// Whether there is an event of it alone, once it is committed.
    pub fn is_unique(&self) -> bool {
        self.kind.is_unique() && !self.silent
    }

    fn is_owed(&self) -> bool {
        self.complete && !self.silent && self.kind.is_unique() && !self.excused && self.committed == 0
    }
}

/// One run of bytes.
#[derive(Clone, Debug, Default)]
struct Epoch {
    lines: Vec<LineId>,
    stream: Option<u64>,
    /// It may appear under a second name.
    loose: bool,
    /// A copy of it is shorter than what may have been read of it.
    copied_short: bool,
    /// There is an archive of it.
    archived: bool,
    /// A process began when no byte of it was known and there was an archive of it: what was seen of it may be in other books.
    unnamed: bool,
    /// Bytes up to here were there once before they were cut away.
    cut_below: u64,
    /// Lines that cannot be read, and what has to be passed over with them.
    unreadable: Vec<Range<u64>>,
}

/// What is read of a committed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    stream: u64,
    position: u64,
    size: u64,
    skipped: u64,
    partial: bool,
    token: Option<LineId>,
}

#[derive(Debug, Default)]
struct Stream {
    epoch: Option<u32>,
    /// Position to size.
    events: BTreeMap<u64, u64>,
    /// Position to the bytes before it that its event says were skipped.
    skipped: BTreeMap<u64, u64>,
    partitions: BTreeSet<usize>,
    /// Highest position per partition: order.
    last: BTreeMap<usize, u64>,
}

impl Stream {
    /// The first event that does not say exactly what lies between it and the one before, and where that one ends.
    fn unsaid_gap(&self) -> Option<(u64, u64)> {
        let mut end = 0;
        for (position, size) in &self.events {
            if end + self.skipped.get(position).copied().unwrap_or(0) != *position {
                return Some((*position, end));
            }
            end = position + size;
        }
        None
    }
}

#[derive(Debug)]
pub struct Oracle {
    mode: Mode,
    partition_by: PartitionBy,
    offsets_may_be_lost: bool,
    metadata_bytes_max: usize,
    /// Whether page views alone are let out.
    page_views: bool,
    /// The committed position of each stream.
    reached: BTreeMap<u64, u64>,
    pub lines: Vec<Line>,
    epochs: Vec<Epoch>,
    streams: BTreeMap<u64, Stream>,
    owed: u64,
    pub events: u64,
    /// Committed lines that no local state covers, with the number of their transaction.
    since_persist: Vec<(u64, LineId)>,
    pub violation: Option<String>,
    /// Whether a breach of the protocol is a violation by itself, without any line lost or doubled by it.
    pub holds_to_protocol: bool,
}

impl Oracle {
    pub fn new(plan: &Plan) -> Self {
        Self {
            mode: plan.mode,
            partition_by: plan.partition_by,
            offsets_may_be_lost: plan.kafka.offsets_lost > 0,
            metadata_bytes_max: options::metadata_bytes_max(plan),
            page_views: plan.page_views,
            reached: BTreeMap::new(),
            lines: Vec::new(),
            epochs: Vec::new(),
            streams: BTreeMap::new(),
            owed: 0,
            events: 0,
            since_persist: Vec::new(),
            violation: None,
            holds_to_protocol: true,
        }
    }

    /// The run of bytes that a stream is known to be, unless another may have gone by its name or it by another's.
    pub fn epoch_of(&self, stream: u64) -> Option<u32> {
        let number = self.streams.get(&stream)?.epoch?;
        let epoch = &self.epochs[number as usize];
        let is_known = !epoch.loose && !epoch.unnamed && epoch.cut_below == 0;
        (is_known && !self.is_forgetful()).then_some(number)
    }

    pub fn lines_of(&self, epoch: u32) -> impl Iterator<Item = &Line> {
        self.epochs[epoch as usize].lines.iter().map(|id| &self.lines[*id as usize])
    }

    /// Lines that are due and not committed.
    pub fn owed(&self) -> u64 {
        self.owed
    }

    pub fn owed_lines(&self) -> Vec<String> {
        let owed = self.lines.iter().enumerate().filter(|(_, line)| line.is_owed());
        owed.take(8)
            .map(|(id, line)| {
                format!("line {id} at {}..{} of epoch {}", line.position, line.end(), line.epoch)
            })
            .collect()
    }

    pub fn violated(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    pub fn broke_rule(&mut self, rule: String) {
        if self.holds_to_protocol {
            self.violated(|| rule);
        }
    }

    pub fn new_epoch(&mut self) -> u32 {
        self.epochs.push(Epoch::default());
        u32::try_from(self.epochs.len() - 1).expect("few epochs")
    }

    /// The number that the next line gets.
    pub fn next_line(&self) -> LineId {
        LineId::try_from(self.lines.len()).expect("few lines")
    }

    /// A line begins in one inode.
    pub fn line_begins(&mut self, epoch: u32, position: u64, kind: Kind) -> LineId {
        let id = self.next_line();
        self.lines.push(Line {
            epoch,
            position,
            size: 0,
            complete: false,
            excused: false,
            homes: 1,
            committed: 0,
            repeats: 0,
            kind,
            in_cut: position < self.epochs[epoch as usize].cut_below,
            silent: self.page_views && matches!(kind, Kind::Noise | Kind::Empty),
        });
        self.epochs[epoch as usize].lines.push(id);
        id
    }

    /// More bytes of it are written, the last of them perhaps its terminator.
    pub fn line_grows(&mut self, id: LineId, bytes: &[u8]) {
        let line = &mut self.lines[id as usize];
        line.size += bytes.len() as u64;
        if bytes.last() == Some(&b'\n') {
            line.complete = true;
            line.excused = line.homes == 0 || line.in_cut;
            self.owed += u64::from(line.is_owed());
        }
    }

    /// Its bytes are reachable in one more inode.
    pub fn appears(&mut self, id: LineId) {
        self.lines[id as usize].homes += 1;
    }

    /// Its bytes are reachable in one inode less.
    pub fn vanishes(&mut self, id: LineId) {
        let line = &mut self.lines[id as usize];
        line.homes -= 1;
        if line.homes == 0 && line.committed == 0 {
            self.owed -= u64::from(line.is_owed());
            line.excused = true;
        }
    }

    /// The tail of an epoch is cut away. Its first lines may come once more under another name, if so much is written
    /// before anybody looks that the file looks rewritten.
    pub fn is_cut(&mut self, epoch: u32, size_before: u64) {
        let epoch = &mut self.epochs[epoch as usize];
        epoch.loose = true;
        epoch.cut_below = epoch.cut_below.max(size_before);
        for id in &epoch.lines {
            self.lines[*id as usize].repeats += 1;
        }
    }

    /// No byte of these blocks can be read any more. A line that has its marker behind them is the first behind them that can be
    /// told from others; the lines that nobody will read.
    pub fn is_unreadable(&mut self, epoch: u32, blocks: &Range<u64>) -> Vec<LineId> {
        let place = |id: &LineId| (self.lines[*id as usize].position, self.lines[*id as usize].end());
        let lines = &self.epochs[epoch as usize].lines;
        let behind = blocks.end + MARKER_BYTES_MAX as u64;
        let hit = lines.iter().filter(|id| place(id).1 > blocks.start && place(id).0 < behind);
        let hit: Vec<LineId> = hit.copied().collect();
        let (Some(first), Some(last)) = (hit.first(), hit.last()) else { return hit };
        let passed_over = place(first).0..place(last).1;
        self.epochs[epoch as usize].unreadable.push(passed_over);
        hit
    }

    /// Bytes of an epoch that nobody could read, if the agent could not.
    pub fn unread_bytes(&self, epoch: u32) -> u64 {
        let epoch_of = &self.epochs[epoch as usize];
        let is_in = |line: &&Line| epoch_of.unreadable.iter().any(|bytes| bytes.contains(&line.position));
        self.lines_of(epoch).filter(is_in).filter(|line| line.committed == 0).map(|line| line.size).sum()
    }

    /// A copy of the epoch cannot be told from a file of its own: nobody knew the epoch when it was copied, or what took the
    /// place of its tail, or lines that are not in the copy were written and perhaps read before the original was truncated.
    pub fn is_copied_unproven(&mut self, epoch: u32) {
        let epoch = &mut self.epochs[epoch as usize];
        epoch.loose = true;
        for id in &epoch.lines {
            self.lines[*id as usize].repeats += 1;
        }
    }

    /// More of the original was written, and perhaps read, than its copy holds. A running agent knows the head of what it
    /// read and takes such a copy for a part of it; one that starts has the hash of a longer head than the copy has.
    pub fn is_copied_short(&mut self, epoch: u32) {
        self.epochs[epoch as usize].copied_short = true;
    }

    /// An archive of the epoch is complete.
    pub fn is_archived(&mut self, epoch: u32) {
        self.epochs[epoch as usize].archived = true;
    }

    /// A process begins with what its state says of streams. Where that is the only truth, an archive of bytes that a process
    /// read which died before it kept that may be any of the files that nobody knows a byte of.
    pub fn process_begins(&mut self, knows: impl Fn(u64) -> bool) {
        let is_only_truth = self.mode != Mode::ExactlyOnce;
        for epoch in self.epochs.iter_mut().filter(|epoch| epoch.archived) {
            epoch.unnamed |= epoch.stream.is_none();
            epoch.loose |= is_only_truth && epoch.stream.is_some_and(|stream| !knows(stream));
        }
    }

    /// An agent begins with what Kafka and its state say, not with what another one has read.
    pub fn agent_begins(&mut self) {
        for epoch in 0..self.epochs.len() {
            if std::mem::take(&mut self.epochs[epoch].copied_short) {
                self.is_copied_unproven(u32::try_from(epoch).expect("few epochs"));
            }
        }
    }

    /// Whether a position in the epoch is committed: only then can a restarted agent know it, and a running one its copy.
    /// Nothing counts as known where the truth is with the agent alone: without transactions, or if Kafka may forget it.
    pub fn is_known(&self, epoch: u32) -> bool {
        let lines = &self.epochs[epoch as usize].lines;
        let is_in_kafka = self.mode == Mode::ExactlyOnce && !self.offsets_may_be_lost;
        is_in_kafka && lines.iter().any(|id| self.lines[*id as usize].committed > 0)
    }

    /// Whether bytes of the epoch that turn up under a name of no log can be known for what they are: the bytes before the
    /// committed position prove them, unless these were cut away and others took their place.
    pub fn is_provable(&self, epoch: u32) -> bool {
        self.is_known(epoch) && !self.was_cut(epoch)
    }

    pub fn was_cut(&self, epoch: u32) -> bool {
        self.epochs[epoch as usize].cut_below > 0
    }

    /// The local state now says what was committed up to this transaction.
    pub fn persisted(&mut self, sequence: u64) {
        self.since_persist.retain(|(number, _)| *number > sequence);
    }

    /// Kafka forgot the positions: what the local state does not know may come again.
    pub fn offsets_lost(&mut self) {
        for (_, id) in &self.since_persist {
            let line = &mut self.lines[*id as usize];
            line.repeats = line.repeats.max(line.committed);
            self.epochs[line.epoch as usize].loose = true;
        }
    }

    /// A record becomes visible to readers of committed records.
    pub fn committed(&mut self, partition: usize, value: &[u8]) {
        self.events += 1;
        let Some(event) = scan(value) else {
            return self.violated(|| format!("unreadable event {:?}", String::from_utf8_lossy(value)));
        };
        if self.events.is_multiple_of(64) && serde_json::from_slice::<serde_json::Value>(value).is_err() {
            self.violated(|| format!("not JSON: {:?}", String::from_utf8_lossy(value)));
        }
        if let Some(id) = event.token {
            self.committed_line(id, event);
        }
        self.enter_stream(partition, event);
    }

    fn committed_line(&mut self, id: LineId, event: Event) {
        let at_least_once = self.mode != Mode::ExactlyOnce;
        let Some(line) = self.lines.get_mut(id as usize) else {
            return self.violated(|| format!("an event of a line that was never written: {event:?}"));
        };
        if line.position != event.position || line.size != event.size || line.complete == event.partial {
            let line = line.clone();
            return self.violated(|| format!("line {id} is {line:?}, its event says {event:?}"));
        }
        if line.silent && line.complete {
            return self.violated(|| format!("an event of a line that is no page view: {event:?}"));
        }
        self.owed -= u64::from(line.is_owed());
        line.committed += 1;
        let doubled = line.committed > 1 + line.repeats && !at_least_once;
        let epoch = line.epoch;
        self.since_persist.push((u64::MAX, id));
        if doubled {
            self.violated(|| format!("DOUBLED: line {id} {event:?}"));
        }
        self.name_epoch(epoch, event);
    }

    /// A generation has one stream and a stream one generation.
    fn name_epoch(&mut self, number: u32, event: Event) {
        let is_forgetful = self.is_forgetful();
        let epoch = &mut self.epochs[number as usize];
        let other_name = epoch.stream.replace(event.stream).filter(|stream| *stream != event.stream);
        let loose = epoch.loose;
        let stream = self.streams.entry(event.stream).or_default();
        let other_epoch = stream.epoch.replace(number).filter(|epoch| *epoch != number);
        if other_epoch.is_some() && is_forgetful {
            // Nothing of the epoch before was known to be committed when its file was truncated, so that its name went on.
            *stream = Stream { epoch: Some(number), ..Stream::default() };
            return;
        }
        if let Some(other) = other_name.filter(|_| !loose) {
            self.violated(|| format!("epoch {number} was stream {other:016x}, now {event:?}"));
        }
        if let Some(other) = other_epoch {
            self.violated(|| {
                format!("stream {:016x} was epoch {other}, now {number}: {event:?}", event.stream)
            });
        }
    }

    /// Whether readers can know of lines that the agent cannot.
    fn is_forgetful(&self) -> bool {
        self.mode != Mode::ExactlyOnce || self.offsets_may_be_lost
    }

    fn enter_stream(&mut self, partition: usize, event: Event) {
        let Event { position, size, skipped, .. } = event;
        let is_forgetful = self.is_forgetful();
        let stream = self.streams.entry(event.stream).or_default();
        let is_late = stream.last.get(&partition).is_some_and(|last| *last >= position);
        if is_forgetful && is_late && event.token.is_none() && position == 0 {
            // Perhaps the head of what took the place of lines that nobody knew to be committed.
            *stream = Stream::default();
        }
        let before = stream.events.range(..position).next_back().map(|(start, size)| start + size);
        let again = stream.events.insert(position, size);
        if skipped > 0 {
            stream.skipped.insert(position, skipped);
        }
        stream.partitions.insert(partition);
        let last = stream.last.get(&partition).copied();
        if again.is_none() {
            stream.last.insert(partition, position);
        }
        let scattered = stream.partitions.len() > 1;
        if again.is_some() && self.mode == Mode::ExactlyOnce && !self.offsets_may_be_lost {
            self.violated(|| format!("DOUBLED id: {event:?}"));
        }
        if again.is_none() && last.is_some_and(|last| last >= position) {
            self.violated(|| {
                format!("order: {event:?} comes after position {last:?} in partition {partition}")
            });
        }
        if before.is_some_and(|end| end > position) {
            self.violated(|| format!("{event:?} begins inside the event that ends at {before:?}"));
        }
        if skipped > 0 && again.is_none() && self.mode == Mode::ExactlyOnce && !self.page_views {
            let end = before.unwrap_or(0);
            if end + skipped != position {
                self.violated(|| {
                    format!("{event:?} says what it skipped, but the event before ends at {end}")
                });
            }
        }
        if scattered && self.partition_by == PartitionBy::File {
            self.violated(|| format!("{event:?}: the stream is in several partitions"));
        }
    }

    /// Positions become the truth: they have to be exactly where the committed events of each stream end.
    pub fn positions(&mut self, first: bool, sequence: u64, metadata: &str) {
        // They become visible after the records of their transaction.
        let numbers = self.since_persist.iter_mut().map(|(number, _)| number);
        numbers.filter(|number| **number == u64::MAX).for_each(|number| *number = sequence);
        if metadata.len() > self.metadata_bytes_max {
            self.violated(|| format!("a broker takes no {} bytes of positions", metadata.len()));
        }
        let entries = if first {
            shard::decode_first(metadata).map(|(_, entries)| entries)
        } else {
            shard::decode_other(metadata)
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.violated(|| format!("positions cannot be read back: {error}")),
        };
        if self.offsets_may_be_lost {
            return;
        }
        for entry in entries {
            let stream = self.streams.get(&entry.stream.0);
            let end =
                stream.and_then(|stream| stream.events.last_key_value()).map(|(start, size)| start + size);
            self.reached.insert(entry.stream.0, entry.mark.position);
            if end.is_some_and(|end| {
                let between = end..entry.mark.position;
                end != entry.mark.position
                    && !self.is_silent(entry.stream.0, between.clone())
                    && !self.is_passed_over(entry.stream.0, &between)
            }) {
                let at = entry.mark.position;
                self.violated(|| {
                    format!("stream {} is committed at {at}, its events end at {end:?}", entry.stream)
                });
            }
            if end.is_none() && entry.begun {
                self.violated(|| format!("stream {} counts as begun without an event", entry.stream));
            }
        }
    }

    /// Whether these bytes of a stream are whole lines of which no event may be made.
    fn is_silent(&self, stream: u64, bytes: Range<u64>) -> bool {
        if !self.page_views {
            return false;
        }
        // Where nothing of its own was let out yet, or lines were cut away, nobody can say whose bytes these are.
        let epoch = self.streams.get(&stream).and_then(|stream| stream.epoch);
        let epoch = epoch.map(|epoch| &self.epochs[epoch as usize]).filter(|epoch| !epoch.loose);
        let Some(epoch) = epoch else { return true };
        let lines = epoch.lines.iter().map(|id| &self.lines[*id as usize]);
        let within = lines.filter(|line| bytes.contains(&line.position));
        // A line that ends with its file is noise, however it began.
        let silent = within.filter(|line| line.silent || !line.complete);
        silent.map(|line| line.size).sum::<u64>() == bytes.end.saturating_sub(bytes.start)
    }

    /// Whether these bytes of a stream are exactly what has to be passed over because of blocks that cannot be read.
    fn is_passed_over(&self, stream: u64, bytes: &Range<u64>) -> bool {
        let epoch = self.streams.get(&stream).and_then(|stream| stream.epoch);
        epoch.is_some_and(|epoch| self.epochs[epoch as usize].unreadable.contains(bytes))
    }

    /// What can only be said at the end.
    pub fn finish(&mut self) {
        if self.owed > 0 {
            let (owed, lines) = (self.owed, self.owed_lines());
            self.violated(|| format!("LOST: {owed} lines, {lines:?}"));
        }
        if self.page_views && self.mode == Mode::ExactlyOnce && !self.offsets_may_be_lost {
            let gap = self.streams.iter().find_map(|(name, stream)| Some((*name, stream.unsaid_gap()?)));
            if let Some((stream, (position, end))) = gap {
                self.violated(|| {
                    format!("stream {stream:016x}: nothing says what lies between {end} and {position}")
                });
            }
        }
        for number in 0..self.epochs.len() {
            let Some(stream) = self.epochs[number].stream else { continue };
            if !self.epochs[number].loose && self.mode == Mode::ExactlyOnce {
                self.finish_epoch(number, stream);
            }
        }
    }

    /// Lines without a text of their own are found by their positions. The first of a file may count as the first of the one
    /// before it, if that held nothing else.
    fn finish_epoch(&mut self, number: usize, stream: u64) {
        let mut events = self.streams[&stream].events.clone();
        for id in self.epochs[number].lines.clone() {
            let line = self.lines[id as usize].clone();
            let size = events.remove(&line.position);
            if size.is_some_and(|size| size != line.size) {
                self.violated(|| format!("line {id} is {line:?}, its event has size {size:?}"));
            }
            if size.is_some() && line.silent && line.complete {
                self.violated(|| format!("line {id} is no page view, and there is an event of it: {line:?}"));
            }
            let is_expected = line.complete && !line.excused && !line.silent;
            if size.is_none() && is_expected && !line.kind.is_unique() && line.position > 0 {
                self.violated(|| format!("LOST: line {id} {line:?} of stream {stream:016x}"));
            }
            let reached = self.reached.get(&stream).copied().filter(|_| !self.offsets_may_be_lost);
            if line.silent && line.complete && !line.excused && reached.is_some_and(|at| at < line.end()) {
                self.violated(|| format!("line {id} was never passed by: {reached:?} in {line:?}"));
            }
        }
        for bytes in self.epochs[number].unreadable.clone() {
            let events = &self.streams[&stream];
            let is_due = events.events.contains_key(&bytes.end) && !events.events.contains_key(&bytes.start);
            let told = events.skipped.get(&bytes.end).copied();
            if is_due && told != Some(bytes.end - bytes.start) {
                self.violated(|| {
                    format!("stream {stream:016x} tells {told:?} of what was passed over: {bytes:?}")
                });
            }
        }
        if let Some((position, size)) = events.first_key_value() {
            let what = format!("stream {stream:016x} has an event at {position} of {size} where no line is");
            self.violated(|| what);
        }
    }
}

/// What is looked for in every event.
struct Marks {
    id: Finder<'static>,
    size: Finder<'static>,
    skipped: Finder<'static>,
    partial: Finder<'static>,
    token: Finder<'static>,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| Marks {
    id: Finder::new(b"\"id\":\""),
    size: Finder::new(b"\"line_size\":"),
    skipped: Finder::new(b"\"skipped_size\":"),
    partial: Finder::new(b"\"partial\":true"),
    token: Finder::new(b"/t/"),
});

/// Reads the few fields that matter; written for speed, as every event of every seed passes here.
fn scan(value: &[u8]) -> Option<Event> {
    let marks = &*MARKS;
    let id = after(value, &marks.id)?;
    let stream = u64::from_str_radix(std::str::from_utf8(id.get(..16)?).ok()?, 16).ok()?;
    let position = number(id.get(16..)?.strip_prefix(b":")?)?;
    let size = number(after(id, &marks.size)?)?;
    let skipped = after(id, &marks.skipped).and_then(number).unwrap_or(0);
    let partial = after(id, &marks.partial).is_some();
    let token = after(id, &marks.token).and_then(number).and_then(|token| LineId::try_from(token).ok());
    Some(Event { stream, position, size, skipped, partial, token })
}

fn after<'a>(value: &'a [u8], mark: &Finder<'_>) -> Option<&'a [u8]> {
    mark.find(value).map(|at| &value[at + mark.needle().len()..])
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut value = None;
    for digit in digits {
        value = Some(value.unwrap_or(0) * 10 + u64::from(digit - b'0'));
    }
    value
}
