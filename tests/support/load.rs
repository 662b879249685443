//! Requests over the loopback: a few keep-alive connections, each with one request under way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::access_log::{AccessLog, Random};

/// An answer comes at once or never.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Load on one server until it is told to stop.
#[derive(Debug)]
pub struct Load {
    requests: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts `connections` clients of about `rate` requests a second each.
    pub fn start(port: u16, connections: u64, rate: u64) -> Self {
        let (requests, stop) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let client = |number| {
            let (requests, stop) = (Arc::clone(&requests), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut client = Client::connect(port, number);
                while !stop.load(Ordering::Relaxed) {
                    // Ten requests and a pause: the rate is a limit, not a promise.
                    for _ in 0..10 {
                        client.request();
                        requests.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(10_000 / rate.max(1)));
                }
            })
        };
        let threads = (0..connections).map(client).collect();
        Self { requests, stop, threads }
    }

    /// Requests answered so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Stops and says how many requests were answered.
    ///
    /// # Panics
    /// When a client did.
    pub fn finish(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("every request was answered");
        }
        self.requests()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

struct Client {
    stream: BufReader<TcpStream>,
    paths: AccessLog,
    random: Random,
}

impl Client {
    fn connect(port: u16, number: u64) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("nginx takes connections");
        stream.set_read_timeout(Some(ANSWER_LIMIT)).expect("a time limit can be set");
        stream.set_nodelay(true).expect("nodelay can be set");
        Self {
            stream: BufReader::new(stream),
            paths: AccessLog::new(&format!("c{number}"), number),
            random: Random::new(number),
        }
    }

    /// One request, with quotes, non-ASCII text and missing headers among what it sends.
    fn request(&mut self) {
        let prefix = ["", "/gone", "/moved"][usize::try_from(self.random.skewed(3)).unwrap_or(0)];
        let path = self.paths.path();
        let agent = ["viewtail-load/1.0", "quo\"ted \\ agent", "\u{fc}ml\u{e4}ut \u{1f600}"];
        let agent = agent[usize::try_from(self.random.below(3)).unwrap_or(0)];
        let request = format!(
            "GET {prefix}{path}?q=%20a HTTP/1.1\r\nHost: test.example.org\r\nUser-Agent: {agent}\r\n\r\n"
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("a request can be sent");
        self.read_answer();
    }

    fn read_answer(&mut self) {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("nginx answers");
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if let Some((name, value)) = text.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a content length is a number");
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("nginx sends the whole answer");
    }
}
