//! From bytes that were read to records in the block that is being filled.

use super::action::{Action, Chunk, FileError, FileId, Form, Millis};
use super::batch::{ANY_PARTITION, BLOCK_BYTES, Block, Destination, Reach, Record, Slice};
use super::generation::Generation;
use super::identity::marker_length;
use super::line::{Bytes, Ending, Line, Taken, Want};
use super::notice::Notice;
use super::options::{PartitionBy, Rejects, Timestamp};
use super::partition::partition_of;
use super::tail::{Allowance, Tail};
use super::tally::{Outcome, Tally};
use super::trouble::Trouble;
use super::unreadable::Probe;
use crate::event::{Encoded, Encoder, Place, SkipReason, StreamId};
use crate::planted::{self, Bug};

/// The read that is under way.
#[derive(Debug)]
pub(super) struct Reading {
    pub stream: StreamId,
    pub file: FileId,
    want: Want,
    /// When it was asked for: what was written later need not be in it, however late it comes.
    asked_at: Millis,
    /// It looks for the end of a place that cannot be read.
    probe: Option<Probe>,
    /// Positions were set back since it was asked for.
    pub outdated: bool,
}

impl Tail {
    /// Asks for what comes next of a generation.
    pub fn read(&mut self, now: Millis, (stream, file): (StreamId, FileId), actions: &mut Vec<Action>) {
        let generation = self.generation(stream);
        let (want, probe) = (generation.lines.want(), generation.probe());
        let line = (want.from.position, want.length, marker_length(want.from.position));
        let (position, length, before) = probe.map_or(line, |probe| (probe.position, probe.length, 0));
        actions.push(Action::Read { file, position, length, before });
        self.reading = Some(Reading { stream, file, want, asked_at: now, probe, outdated: false });
    }

    /// Takes the bytes of the read under way.
    pub fn was_read(
        &mut self,
        now: Millis,
        result: Result<Chunk<'_>, FileError>,
        allowance: Allowance<'_>,
        actions: &mut Vec<Action>,
    ) {
        let Some(reading) = self.reading.take() else { return };
        let stream = reading.stream;
        if reading.outdated || self.generation(stream).file != Some(reading.file) {
            self.note_size(&reading, &result);
            self.poll(stream, now);
            return;
        }
        if let Some(probe) = reading.probe {
            self.probed(now, (stream, probe), result, actions);
            return;
        }
        match result {
            Err(FileError::Unpacking) => self.queue(stream),
            Err(FileError::Unreadable) => {
                self.reading_stopped(now, stream, reading.want.from.position, actions);
            }
            Err(error) => self.reading_failed(now, stream, error, actions),
            // It was empty when it was opened, and has to be looked at anew.
            Ok(Chunk { form: Form::Packed, .. }) => self.suspect(stream, actions),
            Ok(chunk) => {
                let proven = reading.want.from.fits(chunk.before) || planted::is(Bug::NoVerifyAfterRead);
                let is_unknown = self.may_be_copy(stream) && !chunk.data.is_empty();
                if chunk.size() < reading.want.from.position || !proven || is_unknown {
                    self.suspect(stream, actions);
                } else {
                    let bytes = chunk.data.len() as u64;
                    let end = reading.want.from.position + bytes;
                    let stops = chunk.is_cut_short;
                    let progress = self.take_lines(now, &reading, chunk, allowance);
                    self.note_head(stream);
                    self.charge(now, stream, bytes);
                    if stops && self.generation(stream).looked_to == end {
                        self.reading_stopped(now, stream, end, actions);
                    } else {
                        self.plan_next(now, stream, progress, actions);
                    }
                }
            }
        }
    }

    /// Nothing is made of an outdated read, but the bytes that it shows are known from then on, and may be lost.
    fn note_size(&mut self, reading: &Reading, result: &Result<Chunk<'_>, FileError>) {
        let (Ok(chunk), None) = (result, reading.probe) else { return };
        let from = reading.want.from;
        let generation = self.generation(reading.stream);
        let is_it = generation.file == Some(reading.file);
        if is_it && chunk.size() >= from.position && from.fits(chunk.before) {
            generation.learns_size(chunk.stat, chunk.form);
        }
    }

    fn take_lines(
        &mut self,
        now: Millis,
        reading: &Reading,
        chunk: Chunk<'_>,
        allowance: Allowance<'_>,
    ) -> Progress {
        let generation = self.generations.get_mut(&reading.stream).expect("a file is read for a generation");
        let Some(log) = generation.log else { return Progress::None };
        let from = reading.want.from.position;
        let end = from + chunk.data.len() as u64;
        let reaches_end = end >= chunk.size();
        let cuts_early = planted::is(Bug::PartialAsWhole)
            || planted::is(Bug::PartialWhenRotated) && generation.is_rotated();
        let closed = reaches_end && (generation.finished || cuts_early);
        generation.learns_size(chunk.stat, chunk.form);
        let is_first = generation.read_at == Millis::default();
        generation.read_at = reading.asked_at;
        generation.is_hinted = false;
        if !chunk.is_cut_short {
            generation.stop = None;
            let after_ms = Trouble::ends(&mut generation.trouble, now);
            if let (Some(after_ms), Some(path)) = (after_ms, generation.path.clone()) {
                self.notices.push(Notice::Recovered { path, after_ms });
            }
        }
        generation.head.extend(from, chunk.data);
        let old = generation.lines.cursor();
        let topic = self.options.logs[log].topic;
        let mut writer = Writer {
            block: &mut self.filling.block,
            tally: &mut self.filling.tally,
            site: self.sites.of(log),
            lines: 0,
            encoder: &mut self.encoders[log],
            notices: &mut self.notices,
            partition_by: self.options.partition_by,
            rejects: self.options.rejects,
            timestamp: self.options.timestamp,
            sticky_partition: self.sticky_partition,
            topic,
            partitions: allowance.partitions[usize::from(topic)],
            record_bytes_max: allowance.record_bytes_max,
            key: Slice::default(),
            key_partition: 0,
            full: false,
        };
        writer.set_stream_key(generation.stream);
        let mut lines = generation.lines.clone();
        let bytes = Bytes { before: chunk.before, data: chunk.data };
        let ending = if closed { Ending::Closed } else { Ending::Open };
        lines.feed(bytes, ending, |line| writer.take(generation, line));
        let (full, taken) = (writer.full, writer.lines);
        let has_more_to_read = full || lines.has_long_line();
        let looked_to = if has_more_to_read { lines.want().from.position } else { end };
        let grown = looked_to > generation.looked_to;
        generation.note_read(looked_to);
        generation.lines = lines;
        self.reads.lines += taken;
        self.reads.bytes += generation.lines.cursor().position - old.position;
        if generation.lines.cursor() != old {
            self.filling.reaches.add(Reach { from: old.position, to: generation.entry() });
            if planted::is(Bug::AdvanceOnProduce) {
                generation.committed = generation.lines.cursor();
            }
        }
        if !grown {
            return Progress::None;
        }
        generation.grown_at = now;
        if is_first && reaches_end { Progress::First } else { Progress::Some }
    }

    fn plan_next(&mut self, now: Millis, stream: StreamId, progress: Progress, actions: &mut Vec<Action>) {
        let generation = self.generation(stream);
        if !generation.is_drained() {
            self.queue(stream);
        } else if generation.finished {
            self.release(now, stream, actions);
        } else {
            match progress {
                // It is not known to grow, and the hints that tell of it are heard since before it was listed.
                Progress::First if !generation.is_rotated() => {}
                Progress::First | Progress::Some => self.poll(stream, self.read_again_at(now)),
                Progress::None => self.finish_if_proven(now, stream, None, actions),
            }
            self.note_idle(stream);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Some,
    /// With the first read to the end of the file.
    First,
    None,
}

/// Turns the lines of one read into records.
struct Writer<'a> {
    block: &'a mut Block,
    tally: &'a mut Tally,
    /// The number of the site that page views of this log count for.
    site: usize,
    /// Lines that were taken.
    lines: u64,
    encoder: &'a mut Encoder,
    notices: &'a mut Vec<Notice>,
    partition_by: PartitionBy,
    rejects: Rejects,
    timestamp: Timestamp,
    sticky_partition: u32,
    /// The topic of the log's events, and how many partitions it has.
    topic: u16,
    partitions: u32,
    record_bytes_max: usize,
    key: Slice,
    key_partition: i32,
    full: bool,
}

impl Writer<'_> {
    /// The stream's key, which all of its lines have or those without another, is written and hashed once per read.
    fn set_stream_key(&mut self, stream: StreamId) {
        match self.partition_by {
            PartitionBy::File | PartitionBy::Visitor | PartitionBy::Page | PartitionBy::Client => {
                let start = self.block.arena.len();
                self.block.arena.extend_from_slice(stream.to_string().as_bytes());
                self.key = Slice::new(start, self.block.arena.len());
                self.key_partition = partition_of(self.block.bytes(self.key), self.partitions);
            }
            PartitionBy::Sticky => {
                self.key_partition = (self.sticky_partition % self.partitions).cast_signed();
            }
            PartitionBy::Site => {}
        }
    }

    fn take(&mut self, generation: &mut Generation, line: Line<'_>) -> Taken {
        if self.block.arena.len() >= BLOCK_BYTES {
            self.full = true;
            return Taken::Full;
        }
        self.lines += 1;
        let begins_late = !generation.begun && generation.committed.position > 0;
        let is_told = line.skipped.is_some_and(|(size, _)| size == line.position);
        let from_start = Some((line.position, SkipReason::Start));
        let skipped = if begins_late && !is_told { from_start } else { line.skipped };
        let place = Place {
            stream: generation.stream,
            position: line.position,
            line_size: line.size,
            skipped,
            partial: line.partial && !planted::is(Bug::PartialAsWhole),
            truncated: line.truncated,
        };
        let start = self.block.arena.len();
        let encoded = self.encoder.encode(line.bytes, &place, &mut self.block.arena);
        let value = Slice::new(start, self.block.arena.len());
        generation.line_time_ms = encoded.time_ms.or(generation.line_time_ms);
        let destination = self.destination(&encoded);
        if destination != Destination::Rejects && !self.encoder.lets_out(&encoded) {
            self.block.arena.truncate(start);
            self.tally.leave_out(Outcome::Filtered);
            return Taken::Filtered;
        }
        if value.len() > self.record_bytes_max {
            self.block.arena.truncate(start);
            self.tally.leave_out(Outcome::TooLarge);
            self.tell(generation, |path| Notice::EventTooLarge { path, position: line.position });
            return Taken::Skipped;
        }
        if line.truncated {
            self.tell(generation, |path| Notice::LineTruncated {
                path,
                position: line.position,
                bytes: line.size,
            });
        }
        let (key, partition) = match destination {
            Destination::Events(_) => self.key_of(&encoded),
            Destination::Rejects => (self.key, ANY_PARTITION),
        };
        let timestamp_ms = match self.timestamp {
            Timestamp::Now => 0,
            Timestamp::Event => encoded.time_ms.unwrap_or(0).max(0),
        };
        self.block.records.push(Record { key, value, destination, partition, timestamp_ms });
        generation.begun = true;
        self.tally.take(&encoded, value.len(), self.site);
        Taken::Event
    }

    fn destination(&self, encoded: &Encoded) -> Destination {
        match self.rejects {
            Rejects::Apart if encoded.is_malformed() => Destination::Rejects,
            Rejects::Apart | Rejects::Topic => Destination::Events(self.topic),
        }
    }

    /// The key and the partition of an event.
    fn key_of(&self, encoded: &Encoded) -> (Slice, i32) {
        let places = &encoded.places;
        let (start, end) = match self.partition_by {
            PartitionBy::File | PartitionBy::Sticky => return (self.key, self.key_partition),
            PartitionBy::Site => places.site,
            PartitionBy::Visitor => places.visitor_id,
            PartitionBy::Page => places.page,
            PartitionBy::Client => places.client_key,
        };
        if start == end && self.partition_by != PartitionBy::Site {
            return (self.key, self.key_partition);
        }
        let key = Slice::new(start, end);
        (key, partition_of(self.block.bytes(key), self.partitions))
    }

    fn tell(&mut self, generation: &Generation, notice: impl FnOnce(super::action::SharedPath) -> Notice) {
        if let Some(path) = generation.path.clone() {
            self.notices.push(notice(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::action::{SharedPath, Stat};
    use super::super::identity::Tuple;
    use super::super::line::Gap;
    use super::super::tail::{Birth, TailOptions};
    use super::*;
    use crate::event::rules::{Emit, Rules};

    const FILE: FileId = FileId(7);
    const VIEW: &str =
        "192.0.2.7 - - [23/Nov/2026:06:28:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0 (X11)\"\n";
    const POST: &str =
        "192.0.2.7 - - [23/Nov/2026:06:28:00 +0000] \"POST /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0 (X11)\"\n";
    const NOISE: &str = "noise\n";

    fn tail(emit: Emit, partition_by: PartitionBy, rejects: Rejects) -> Tail {
        let mut options = TailOptions { partition_by, rejects, ..TailOptions::of_log("/log/a") };
        options.logs[0].topic = 1;
        options.logs[0].encoder.rules = Arc::new(Rules { emit, ..Rules::default() });
        Tail::new(options, None)
    }

    fn stat(size: usize) -> Stat {
        let tuple = Tuple { device: 1, inode: 1, birth_ns: None };
        Stat { tuple, size: size as u64, modified_ns: 0, links: 1 }
    }

    fn begin(tail: &mut Tail) -> StreamId {
        tail.begin(Millis(0), Birth::of_file(&SharedPath::from(Path::new("/log/a")), stat(0), FILE))
    }

    /// Reads what is new of a text, and gives each record's destination, partition, key and value.
    fn read(
        tail: &mut Tail,
        stream: StreamId,
        text: &str,
    ) -> Vec<(Destination, i32, String, serde_json::Value)> {
        let mut actions = Vec::new();
        tail.read(Millis(1), (stream, FILE), &mut actions);
        let from = usize::try_from(tail.generation(stream).lines.cursor().position).unwrap();
        let before = &text.as_bytes()[from.saturating_sub(marker_length(from as u64))..from];
        let form = Form::Plain;
        let (data, stat) = (&text.as_bytes()[from..], stat(text.len()));
        let chunk = Chunk { data, before, stat, form, is_cut_short: false };
        let allowance = Allowance { may_read: true, partitions: &[3, 5], record_bytes_max: 1_000_000 };
        tail.was_read(Millis(1), Ok(chunk), allowance, &mut actions);
        let block = &tail.filling.block;
        let shown = |record: &Record| {
            let key = String::from_utf8(block.bytes(record.key).to_vec()).unwrap();
            (
                record.destination,
                record.partition,
                key,
                serde_json::from_slice(block.bytes(record.value)).unwrap(),
            )
        };
        let records = block.records.iter().map(shown).collect();
        tail.filling.block.clear();
        records
    }

    #[test]
    fn lines_left_out_move_the_position_and_are_committed_without_a_record() {
        let mut tail = tail(Emit::PageViews, PartitionBy::File, Rejects::Topic);
        let stream = begin(&mut tail);
        let text = [POST, NOISE, POST].concat();
        assert_eq!(read(&mut tail, stream, &text), []);
        let reached = tail.take_filled().reaches.iter().map(|reach| reach.to).collect::<Vec<_>>();
        let bytes = text.len() as u64;
        assert_eq!(reached.len(), 1);
        assert_eq!(
            (reached[0].mark.position, reached[0].gap),
            (bytes, Gap { bytes, reason: SkipReason::Filtered })
        );

        // What a restart finds in Kafka, and what it does not.
        tail.committed(Millis(2), &reached, &[]);
        read(&mut tail, stream, &[&text, POST].concat());
        tail.rewind(Millis(3));
        tail.reading = None;
        let records = read(&mut tail, stream, &[&text, VIEW].concat());
        let event = &records[0].3;
        assert_eq!(event["skipped_size"], bytes);
        assert_eq!(event["skipped_reason"], "filtered");
        assert_eq!(tail.generation(stream).lines.behind(), Gap::default());
    }

    #[test]
    fn rejects_go_apart_also_where_only_page_views_are_let_out() {
        for emit in [Emit::All, Emit::PageViews] {
            let mut tail = tail(emit, PartitionBy::Page, Rejects::Apart);
            let stream = begin(&mut tail);
            let records = read(&mut tail, stream, &[VIEW, NOISE].concat());
            let places: Vec<_> =
                records.iter().map(|(to, partition, key, _)| (*to, *partition, key.as_str())).collect();
            let name = stream.to_string();
            let page = (Destination::Events(1), partition_of(b"/a", 5), "/a");
            assert_eq!(places, [page, (Destination::Rejects, ANY_PARTITION, &*name)]);
        }
    }

    #[test]
    fn keys_are_what_partition_by_names() {
        for (partition_by, field) in [
            (PartitionBy::Visitor, "visitor_id"),
            (PartitionBy::Page, "page"),
            (PartitionBy::Client, "client_key"),
            (PartitionBy::Site, "site"),
        ] {
            let mut tail = tail(Emit::All, partition_by, Rejects::Topic);
            let stream = begin(&mut tail);
            let records = read(&mut tail, stream, &[VIEW, NOISE].concat());
            let (_, partition, key, event) = &records[0];
            assert_eq!(event[field], key.as_str());
            assert_eq!(*partition, partition_of(key.as_bytes(), 5));
            let without =
                if partition_by == PartitionBy::Site { "example.net".to_owned() } else { stream.to_string() };
            assert_eq!(records[1].2, without, "an event without that field");
        }
    }
}
