//! A real nginx with `$request_id` in its log and a second log as the truth, and the real logrotate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{Process, command};
use super::wait::{free_port, wait_until};

/// The format of both logs, as agent.yaml takes it.
pub const FORMAT: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                          \"$http_referer\" \"$http_user_agent\" $request_id";

/// What finds a request id in the truth and in an event.
pub const TOKEN: &str = "[0-9a-f]{32}";

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    port: u16,
    directory: PathBuf,
}

impl Nginx {
    /// Starts it with everything it writes below `directory`, in the foreground.
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, "")
    }

    /// The same with options of the `access_log` that is rotated, as ` buffer=64k`.
    pub fn start_with(directory: &Path, options: &str) -> Self {
        let port = free_port();
        let configuration = directory.join("nginx.conf");
        let run = directory.join("run");
        let logs = directory.join("logs");
        for path in [&run, &logs] {
            std::fs::create_dir_all(path).expect("a directory can be made in the scratch directory");
        }
        std::fs::write(&configuration, configuration_text(directory, port, options))
            .expect("nginx.conf can be written");
        let mut nginx = command(&program("nginx"));
        nginx.arg("-p").arg(directory).arg("-c").arg(&configuration).args(["-g", "daemon off;"]);
        let mut process = Process::start("nginx", directory, nginx);
        wait_until(Duration::from_secs(20), "nginx listens", || {
            assert!(process.exited().is_none(), "nginx ended: {}", process.last_words());
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { process, port, directory: directory.to_owned() }
    }

    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The log that is rotated.
    pub fn log(&self) -> PathBuf {
        self.directory.join("logs/access.log")
    }

    /// The log that is not.
    pub fn truth(&self) -> PathBuf {
        self.directory.join("truth.log")
    }

    /// Ends it gracefully: all answers are sent and logged.
    pub fn stop(mut self) {
        self.process.signal(rustix::process::Signal::QUIT);
        self.process.wait(Duration::from_secs(20));
    }

    /// Its workers now, those that are shutting down among them.
    pub fn workers(&self) -> Vec<i32> {
        let id = self.process.id();
        let text = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// USR1: the workers flush their buffers and open their logs anew.
    pub fn reopen(&mut self) {
        self.process.signal(rustix::process::Signal::USR1);
    }

    /// HUP: new workers; the old ones end when their requests have.
    pub fn reload(&mut self) {
        self.process.signal(rustix::process::Signal::HUP);
    }

    /// Runs the real logrotate on its log: `create`, and USR1 behind it, as distributions have it.
    pub fn rotate(&self) {
        let configuration = self.directory.join("logrotate.conf");
        let text = format!(
            "{log} {{\n  size 1\n  rotate 500\n  create\n  missingok\n  sharedscripts\n  postrotate\n    kill -USR1 \"$(cat {run}/nginx.pid)\"\n  endscript\n}}\n",
            log = self.log().display(),
            run = self.directory.join("run").display(),
        );
        std::fs::write(&configuration, text).expect("logrotate.conf can be written");
        logrotate(&configuration, &self.directory.join("logrotate.state"));
    }
}

/// Runs logrotate with its own state file, whatever the time of day.
///
/// # Panics
/// With its words, when it fails.
pub fn logrotate(configuration: &Path, state: &Path) {
    let output = Command::new(program("logrotate"))
        .args(["--force", "-s"])
        .args([state, configuration])
        .output()
        .expect("logrotate can be run");
    assert!(output.status.success(), "logrotate: {}", String::from_utf8_lossy(&output.stderr));
}

/// Daemons live outside a plain user's PATH.
pub fn program(name: &str) -> String {
    let directories = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin"];
    let found = directories.iter().map(|directory| format!("{directory}/{name}"));
    found.into_iter().find(|path| Path::new(path).exists()).unwrap_or_else(|| name.to_owned())
}

/// Two workers, so that one still writes to the renamed file while the other has reopened.
fn configuration_text(directory: &Path, port: u16, options: &str) -> String {
    let at = directory.display();
    // As root, nginx's workers would change to a user that may not enter a private scratch directory.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "{user}
worker_processes 2;
pid {at}/run/nginx.pid;
error_log {at}/nginx-error.log warn;
events {{ worker_connections 256; }}
http {{
  log_format traced '{FORMAT}';
  client_body_temp_path {at}/run/body;
  proxy_temp_path {at}/run/proxy;
  fastcgi_temp_path {at}/run/fastcgi;
  uwsgi_temp_path {at}/run/uwsgi;
  scgi_temp_path {at}/run/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port};
    access_log {at}/logs/access.log traced{options};
    access_log {at}/truth.log traced;
    location / {{ return 200 'ok'; }}
    location /gone/ {{ return 404; }}
    location /moved/ {{ return 301 /; }}
  }}
}}
"
    )
}
