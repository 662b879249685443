//! The web server of the show: writes the log at a steady pace and rotates it as logrotate and nginx do.
//!
//! A rotation renames the log; lines go on into the renamed file for a moment, then into a new one, and for another
//! moment into both, as from two workers of which one has not seen the signal yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::tally::Tally;
use super::traffic::Traffic;
use crate::io::clock::{self, Clock};

/// How long lines go into the renamed file only, and then into both: nginx needs milliseconds to seconds.
const LATE_MS: u64 = 400;

/// Pause between two looks at the clock.
const STEP: Duration = Duration::from_millis(10);

/// When what is written.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Length of the show.
    pub duration_ms: u64,
    /// Lines in a second.
    pub lines_per_second: u64,
    /// When the log is rotated.
    pub rotations_ms: Vec<u64>,
}

/// What was written so far: the truth.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Every line, counted when it was in the file.
    pub truth: Tally,
    /// Rotations so far.
    pub rotations: u64,
    /// Nothing more comes.
    pub is_finished: bool,
    /// Why nothing more comes, if it is not the end of the show.
    pub error: Option<String>,
}

/// The running writer; it stops and is waited for when this is dropped.
#[derive(Debug)]
pub struct Writer {
    written: Arc<Mutex<Written>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Begins to write `path`.
    ///
    /// # Errors
    /// The log or the thread could not be made.
    pub fn start(path: &Path, pace: Pace) -> io::Result<Self> {
        let written = Arc::new(Mutex::new(Written::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut web_server = WebServer {
            path: path.to_owned(),
            current: create(path)?,
            renamed: None,
            traffic: Traffic::until(clock::unix_milliseconds()),
            pace,
            written: Arc::clone(&written),
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("web server".into()).spawn(move || {
            let error = web_server.serve(&stopped).err().map(|error| error.to_string());
            let mut written = web_server.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.is_finished = true;
            written.error = error;
        })?;
        Ok(Self { written, stop, thread: Some(thread) })
    }

    /// Looks at what is written so far.
    pub fn look<T>(&self, look: impl FnOnce(&Written) -> T) -> T {
        look(&self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic ends the process, so that there is nothing to learn here.
            let _ = thread.join();
        }
    }
}

struct WebServer {
    path: PathBuf,
    current: File,
    /// The file before the last rotation, and when the rotation was.
    renamed: Option<(File, u64)>,
    traffic: Traffic,
    pace: Pace,
    written: Arc<Mutex<Written>>,
}

impl WebServer {
    fn serve(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let clock = Clock::start();
        let mut lines = 0;
        let mut rotations = self.pace.rotations_ms.clone().into_iter().peekable();
        while !stop.load(Ordering::Acquire) {
            let elapsed_ms = clock.now().0;
            if elapsed_ms >= self.pace.duration_ms {
                return Ok(());
            }
            if rotations.next_if(|at| elapsed_ms >= *at).is_some() {
                self.rename(elapsed_ms)?;
            }
            self.reopen(elapsed_ms)?;
            while lines < elapsed_ms * self.pace.lines_per_second / 1000 {
                lines += 1;
                self.write_line(lines, elapsed_ms)?;
            }
            std::thread::sleep(STEP);
        }
        Ok(())
    }

    fn write_line(&mut self, number: u64, elapsed_ms: u64) -> io::Result<()> {
        let mut line = Vec::with_capacity(256);
        // The lock is held over the write: whoever sees the line in the topic finds it counted.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let permille = elapsed_ms * 1000 / self.pace.duration_ms;
        self.traffic.next_line(permille, &mut written.truth, &mut line);
        let file = match &mut self.renamed {
            // Between the rename and the reopening `current` is the renamed file; afterwards every second line is late.
            Some((file, _)) if number.is_multiple_of(2) => file,
            Some(_) | None => &mut self.current,
        };
        if number.is_multiple_of(100) {
            // A line in two writes: the agent must wait for the rest.
            let (head, tail) = line.split_at(line.len() / 2);
            file.write_all(head)?;
            file.write_all(tail)
        } else {
            file.write_all(&line)
        }
    }

    fn rename(&mut self, elapsed_ms: u64) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let older = |number: u64| self.path.with_extension(format!("log.{number}"));
        for number in (1..=written.rotations).rev() {
            std::fs::rename(older(number), older(number + 1))?;
        }
        std::fs::rename(&self.path, older(1))?;
        written.rotations += 1;
        self.renamed = Some((self.current.try_clone()?, elapsed_ms));
        Ok(())
    }

    /// Opens the new log some time after the rename, and lets go of the renamed one after some more.
    fn reopen(&mut self, elapsed_ms: u64) -> io::Result<()> {
        let Some((_, renamed_at)) = self.renamed else { return Ok(()) };
        if elapsed_ms < renamed_at + LATE_MS {
            return Ok(());
        }
        if !self.path.exists() {
            self.current = create(&self.path)?;
        }
        if elapsed_ms >= renamed_at + 2 * LATE_MS {
            self.renamed = None;
        }
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let pace = Pace { duration_ms: 2500, lines_per_second: 400, rotations_ms: vec![100, 1200] };
        let writer = Writer::start(&path, pace).unwrap();
        let clock = Clock::start();
        while !writer.look(|written| written.is_finished) {
            assert!(clock.now().0 < 20_000, "the writer does not end");
            std::thread::sleep(STEP);
        }
        let written = writer.look(Clone::clone);
        assert_eq!((written.error, written.rotations), (None, 2));
        let mut lines = 0;
        for name in ["access.log", "access.log.1", "access.log.2"] {
            let bytes = std::fs::read(directory.path().join(name)).unwrap();
            assert!(bytes.ends_with(b"\n"), "{name} ends with a line");
            lines += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        }
        assert_eq!(lines, written.truth.lines);
        assert!(lines >= 900, "{lines}");
    }
}
