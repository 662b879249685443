//! Child processes that cannot outlive the tests.
//!
//! Each is killed on drop, and by the kernel when this process dies in any way. The kernel ties a child to the
//! THREAD that made it, so all are made by one thread that lives as long as the process.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::{now, wait_until};

/// A child whose stdout and stderr go to files (or stdout to a pipe that the caller takes).
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    stderr: PathBuf,
}

/// Prepares a command that dies with this process.
pub fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

impl Process {
    /// Starts it; what it says goes to `NAME.out` and `NAME.err` in `directory`, behind what is there.
    pub fn start(name: &str, directory: &Path, mut command: Command) -> Self {
        let append = |ending: &str| {
            let path = directory.join(format!("{name}.{ending}"));
            let file = File::options().create(true).append(true).open(&path);
            (path, file.expect("the output file can be opened"))
        };
        let ((_, stdout), (stderr_path, stderr)) = (append("out"), append("err"));
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        Self { name: name.to_owned(), child: spawn(command), status: None, stderr: stderr_path }
    }

    /// Starts it with its stdout in a pipe, which is handed back.
    pub fn start_piped(
        name: &str,
        directory: &Path,
        mut command: Command,
    ) -> (Self, std::process::ChildStdout) {
        let stderr_path = directory.join(format!("{name}.err"));
        let stderr = File::options().create(true).append(true).open(&stderr_path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr.expect("the output file can be opened"));
        let mut child = spawn(command);
        let stdout = child.stdout.take().expect("stdout was piped");
        (Self { name: name.to_owned(), child, status: None, stderr: stderr_path }, stdout)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// The end of stderr, for messages.
    pub fn last_words(&self) -> String {
        self.last_lines(5)
    }

    fn last_lines(&self, count: usize) -> String {
        let text = self.stderr();
        let lines: Vec<&str> = text.lines().rev().take(count).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Sends a signal; a process that is gone already is none of the caller's worries.
    pub fn signal(&mut self, signal: Signal) {
        if self.exited().is_some() {
            return;
        }
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a valid id");
        kill_process(id, signal).expect("a signal can be sent to a child");
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("a child can be waited for");
        }
        self.status
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within `limit`, with its last words.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let began = now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                began.elapsed() < limit,
                "{} (process {}) did not end within {limit:?}; its last words:\n{}",
                self.name,
                self.id(),
                self.last_words()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(30));
    }

    /// Resident memory in KiB, 0 once it ended.
    pub fn rss_kib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }

    /// CPU time that it used, user and system together; none once it ended.
    pub fn cpu(&self) -> Duration {
        // proc_pid_stat(5): fields 14 and 15, in ticks of which Linux shows 100 a second; the name in field 2 ends with a parenthesis.
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Open descriptors, 0 once it ended.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    /// Waits until stderr holds `text`.
    pub fn wait_for_words(&self, limit: Duration, text: &str) {
        wait_until(limit, &format!("{} says {text:?}", self.name), || self.stderr().contains(text));
    }
}

impl Drop for Process {
    /// Where a test failed, its files may soon be gone with the machine, so what it said last is shown.
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}, process {}, said last:\n{}", self.name, self.id(), self.last_lines(40));
        }
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Whether it was ended by a signal, as kill -9 and an abort do.
pub fn ended_by_signal(status: ExitStatus) -> bool {
    status.signal().is_some()
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

fn spawn(command: Command) -> Child {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                drop(answer.send(command.spawn()));
            }
        });
        Mutex::new(sender)
    });
    let program = format!("{command:?}");
    let (sender, answer) = mpsc::channel();
    spawner
        .lock()
        .expect("the lock is held for sending alone")
        .send((command, sender))
        .expect("the spawner never ends");
    match answer.recv().expect("the spawner answers every order") {
        Ok(child) => child,
        Err(error) => panic!("{program} could not be started: {error}"),
    }
}
