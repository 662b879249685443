//! The verdict, in the shape that `viewtail verify --json` prints.

use serde::Serialize;

use super::disk::FileReport;

/// The verdict on everything that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// There is at least one line, and nothing is missing, doubled or out of order. Gaps with a reason do not spoil it.
    pub ok: bool,
    /// Different lines.
    pub lines: u64,
    /// Bytes covered by them.
    pub bytes: u64,
    /// Events whose line was there already.
    pub doubled: u64,
    /// Bytes of gaps without a reason.
    pub missing_bytes: u64,
    /// One entry per stream, by name.
    pub streams: Vec<StreamReport>,
    /// The logs that were compared with the topic, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileReport>>,
    /// Records that are not events of viewtail.
    #[serde(skip)]
    pub foreign: u64,
}

/// The verdict on one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamReport {
    /// 16 hexadecimal digits.
    pub stream: String,
    /// Different lines.
    pub lines: u64,
    /// Bytes covered by them.
    pub bytes: u64,
    /// Events whose line was there already.
    pub doubled: u64,
    /// Ranges without a line, in order.
    pub gaps: Vec<Gap>,
    /// Lines that came after a later one of the same partition.
    pub out_of_order: u64,
}

/// A range of bytes that no line covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// First byte.
    pub from: u64,
    /// Behind the last byte.
    pub to: u64,
    /// `hole`, `start`, `filtered`, `unreadable`, `retention` or `other`; null: nobody knows, bytes are missing.
    pub reason: Option<&'static str>,
}

impl Report {
    /// Sums the streams up.
    #[must_use]
    pub fn new(streams: Vec<StreamReport>, foreign: u64) -> Self {
        let sum = |of: fn(&StreamReport) -> u64| streams.iter().map(of).sum::<u64>();
        let (lines, bytes, doubled) =
            (sum(|stream| stream.lines), sum(|stream| stream.bytes), sum(|stream| stream.doubled));
        let missing_bytes = sum(StreamReport::missing_bytes);
        let is_proof = !streams.is_empty();
        let ok = is_proof && doubled == 0 && missing_bytes == 0 && sum(|stream| stream.out_of_order) == 0;
        Self { ok, lines, bytes, doubled, missing_bytes, streams, files: None, foreign }
    }

    /// Adds what the comparison with the logs on disk found.
    pub fn compare(&mut self, files: Vec<FileReport>) {
        self.ok &= files.iter().all(|file| file.missing_lines == 0);
        self.files = Some(files);
    }
}

impl StreamReport {
    /// Bytes of gaps without a reason.
    #[must_use]
    pub fn missing_bytes(&self) -> u64 {
        self.gaps.iter().filter(|gap| gap.reason.is_none()).map(Gap::size).sum()
    }
}

impl Gap {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.to - self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_proves_nothing() {
        assert!(!Report::new(Vec::new(), 3).ok);
    }

    #[test]
    fn the_json_is_the_documented_one() {
        let gaps = vec![Gap { from: 1, to: 3, reason: None }, Gap { from: 5, to: 6, reason: Some("hole") }];
        let stream = StreamReport {
            stream: "00000000000000aa".into(),
            lines: 2,
            bytes: 9,
            doubled: 1,
            gaps,
            out_of_order: 0,
        };
        let json = serde_json::to_string(&Report::new(vec![stream], 7)).unwrap();
        let expected = concat!(
            r#"{"ok":false,"lines":2,"bytes":9,"doubled":1,"missing_bytes":2,"streams":[{"stream":"00000000000000aa","#,
            r#""lines":2,"bytes":9,"doubled":1,"gaps":[{"from":1,"to":3,"reason":null},{"from":5,"to":6,"reason":"hole"}],"#,
            r#""out_of_order":0}]}"#
        );
        assert_eq!(json, expected);
    }
}
