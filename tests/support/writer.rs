//! A web server without the web: writes a log at a steady rate, rotates it by rename, and writes on in the renamed
//! file for a while, as nginx does until it has handled USR1. The truth is a second file that is never touched.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::access_log::{AccessLog, Random};
use super::wait::now;

/// Lines are written in bursts of this length, so that any rate is met without a timer per line.
const BURST: Duration = Duration::from_millis(10);

/// How a log is written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The path that the agent is configured with.
    pub log: PathBuf,
    /// Letters and digits that begin each token, and the seed of its lines.
    pub tag: String,
    /// Lines a second.
    pub rate: u64,
    /// Time between two rotations; `None`: never.
    pub rotate_every: Option<Duration>,
    /// At most this long lines go on into the renamed file.
    pub late: Duration,
}

impl Plan {
    /// A log that is never rotated.
    pub fn steady(log: &Path, tag: &str, rate: u64) -> Self {
        Self { log: log.to_owned(), tag: tag.to_owned(), rate, rotate_every: None, late: Duration::ZERO }
    }

    /// The same log with a rotation every so often.
    #[must_use]
    pub fn rotated(mut self, every: Duration, late: Duration) -> Self {
        (self.rotate_every, self.late) = (Some(every), late);
        self
    }
}

/// Writes until it is told to stop.
#[derive(Debug)]
pub struct Writer {
    lines: Arc<AtomicU64>,
    rotations: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    truth: PathBuf,
}

impl Writer {
    /// Starts to write.
    pub fn start(plan: Plan) -> Self {
        let (lines, rotations, stop) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let truth = plan.log.with_file_name(format!("truth-{}", plan.tag));
        let mut desk = Desk::open(plan, &truth, (Arc::clone(&lines), Arc::clone(&rotations)));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                desk.burst();
                std::thread::sleep(BURST);
            }
        });
        Self { lines, rotations, stop, thread: Some(thread), truth }
    }

    /// Lines written so far.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Rotations so far.
    pub fn rotations(&self) -> u64 {
        self.rotations.load(Ordering::Relaxed)
    }

    /// Stops; the file with every line that was written, in order.
    pub fn finish(mut self) -> PathBuf {
        self.end();
        self.truth.clone()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the writer did not panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The writing thread's things.
struct Desk {
    plan: Plan,
    log: AccessLog,
    random: Random,
    file: File,
    truth: File,
    lines: Arc<AtomicU64>,
    rotations: Arc<AtomicU64>,
    began: std::time::Instant,
    rotated: std::time::Instant,
    /// Since the rename, as long as the renamed file is written.
    renamed: Option<(std::time::Instant, Duration)>,
    line: Vec<u8>,
}

impl Desk {
    fn open(plan: Plan, truth: &Path, counters: (Arc<AtomicU64>, Arc<AtomicU64>)) -> Self {
        let seed = plan.tag.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
        Self {
            log: AccessLog::new(&plan.tag, seed),
            random: Random::new(seed),
            file: append(&plan.log),
            truth: append(truth),
            lines: counters.0,
            rotations: counters.1,
            began: now(),
            rotated: now(),
            renamed: None,
            line: Vec::new(),
            plan,
        }
    }

    /// Writes what is due, one write a line as nginx does, each line into the log before the truth.
    fn burst(&mut self) {
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = (elapsed_ms * self.plan.rate / 1000).saturating_sub(self.log.count());
        for _ in 0..due {
            self.line.clear();
            self.log.append_line(&mut self.line);
            self.file.write_all(&self.line).expect("the log can be written");
            self.truth.write_all(&self.line).expect("the truth can be written");
            self.lines.fetch_add(1, Ordering::Relaxed);
        }
        self.rotate();
    }

    fn rotate(&mut self) {
        if let Some((since, late)) = self.renamed {
            if since.elapsed() >= late {
                self.file = append(&self.plan.log);
                self.renamed = None;
                self.rotations.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        if self.plan.rotate_every.is_some_and(|every| self.rotated.elapsed() >= every) {
            shift_names(&self.plan.log);
            let late_ms = u64::try_from(self.plan.late.as_millis()).unwrap_or(0);
            let late = Duration::from_millis(self.random.below(late_ms + 1));
            (self.rotated, self.renamed) = (now(), Some((now(), late)));
        }
    }
}

/// access.log.1 becomes access.log.2 and so on, then access.log becomes access.log.1; nothing is ever deleted.
fn shift_names(log: &Path) {
    let numbered = |number: u32| PathBuf::from(format!("{}.{number}", log.display()));
    let mut last = 1;
    while numbered(last).exists() {
        last += 1;
    }
    for number in (1..last).rev() {
        std::fs::rename(numbered(number), numbered(number + 1)).expect("a log can be renamed");
    }
    std::fs::rename(log, numbered(1)).expect("a log can be renamed");
}

fn append(path: &Path) -> File {
    File::options().create(true).append(true).open(path).expect("a log can be opened for appending")
}

/// Writes `count` lines at once and adds them to the truth, which is created where it is missing.
pub fn write_lines(log: &Path, source: &mut AccessLog, count: u64, truth: &Path) {
    let mut block = Vec::new();
    for _ in 0..count {
        source.append_line(&mut block);
    }
    append(log).write_all(&block).expect("the log can be written");
    append(truth).write_all(&block).expect("the truth can be written");
}

/// Lines of a file.
pub fn lines_in(path: &Path) -> u64 {
    let text = std::fs::read(path).expect("a file of the test can be read");
    u64::try_from(memchr::memchr_iter(b'\n', &text).count()).expect("a count of lines fits")
}
