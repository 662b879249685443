//! The topic against a log that is still on disk: every complete line of the file must be covered.

use serde::Serialize;

use super::audit::Audit;
use super::coverage::Fate;

/// The comparison of one file, fed with its bytes from the beginning.
#[derive(Debug)]
pub struct DiskAudit<'a> {
    audit: &'a Audit,
    stream: u64,
    /// Lines that end at or below it must be in the topic.
    committed: u64,
    /// Where the line that is being read starts.
    line_start: u64,
    /// Bytes fed so far.
    position: u64,
    report: FileReport,
}

/// What the comparison of one file found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file.
    pub path: String,
    /// Its stream.
    pub stream: String,
    /// Complete lines on disk.
    pub lines: u64,
    /// Of these: in the topic.
    pub delivered_lines: u64,
    /// Of these: left out for a reason that the gaps of the stream name.
    pub explained_lines: u64,
    /// Of these: neither. They should be in the topic.
    pub missing_lines: u64,
    /// Of these: behind everything committed, not yet sent.
    pub unsent_lines: u64,
    /// The first missing line's range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_missing: Option<(u64, u64)>,
}

impl<'a> DiskAudit<'a> {
    /// Begins with the file `path`, that is the generation `stream`. `committed` is the position that the agent's state
    /// claims, 0 if it claims none.
    #[must_use]
    pub fn new(audit: &'a Audit, path: String, (stream, committed): (u64, u64)) -> Self {
        let report = FileReport { path, stream: format!("{stream:016x}"), ..FileReport::default() };
        // A line below another one that was delivered is due as well, whatever the state says.
        let committed = committed.max(audit.frontier(stream));
        Self { audit, stream, committed, line_start: 0, position: 0, report }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        for newline in memchr::memchr_iter(b'\n', bytes) {
            let end = self.position + newline as u64 + 1;
            self.judge(self.line_start, end);
            self.line_start = end;
        }
        self.position += bytes.len() as u64;
    }

    /// The result; an unfinished last line is not judged, it is not a line yet.
    #[must_use]
    pub fn finish(self) -> FileReport {
        self.report
    }

    fn judge(&mut self, start: u64, end: u64) {
        self.report.lines += 1;
        match self.audit.fate(self.stream, start, end) {
            Fate::Covered => self.report.delivered_lines += 1,
            Fate::Explained(_) => self.report.explained_lines += 1,
            Fate::Ahead if end > self.committed => self.report.unsent_lines += 1,
            Fate::Missing | Fate::Ahead => {
                self.report.missing_lines += 1;
                self.report.first_missing.get_or_insert((start, end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SourceId;
    use super::*;

    const FILE: &[u8] = b"one\ntwo\nthree\nfour\nunfinished";

    fn audit(events: &[(u64, u64)]) -> Audit {
        let mut audit = Audit::default();
        for (start, size) in events {
            let event = format!(r#"{{"id":"00000000000000aa:{start}","line_size":{size}}}"#);
            audit.feed(SourceId(0), event.as_bytes());
        }
        audit
    }

    fn compare(audit: &Audit, committed: u64, chunk: usize) -> FileReport {
        let mut disk = DiskAudit::new(audit, "access.log".into(), (0xaa, committed));
        for bytes in FILE.chunks(chunk) {
            disk.feed(bytes);
        }
        disk.finish()
    }

    #[test]
    fn lines_behind_the_committed_position_are_not_yet_sent() {
        let audit = audit(&[(0, 4), (4, 4)]);
        for chunk in 1..FILE.len() {
            let report = compare(&audit, 8, chunk);
            assert_eq!(
                (report.lines, report.delivered_lines, report.unsent_lines),
                (4, 2, 2),
                "chunk {chunk}"
            );
            assert_eq!(report.missing_lines, 0);
        }
    }

    #[test]
    fn lines_below_the_committed_position_are_due() {
        let report = compare(&audit(&[(0, 4)]), 14, 5);
        assert_eq!((report.missing_lines, report.unsent_lines), (2, 1));
        assert_eq!(report.first_missing, Some((4, 8)));
    }

    #[test]
    fn a_line_missing_between_others_is_due_without_any_state() {
        let report = compare(&audit(&[(0, 4), (8, 6)]), 0, 7);
        assert_eq!((report.delivered_lines, report.missing_lines, report.unsent_lines), (2, 1, 1));
    }

    #[test]
    fn a_stream_without_any_event_is_missing_up_to_its_committed_position() {
        let report = compare(&audit(&[]), 8, 3);
        assert_eq!((report.missing_lines, report.unsent_lines), (2, 2));
    }
}
