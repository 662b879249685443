//! The agent's endpoints: four pages over plain HTTP, on a thread of their own.
//!
//! Whoever can reach the port is a stranger: he may send half a request, read nothing of an answer, or come a thousand
//! times. So everything has a bound: connections (the oldest makes room for the newest), bytes of a request, time of a whole
//! conversation. Only GET is answered, nothing of a request is ever repeated, and nothing here can hold the data plane up.
//!
//! Must not know what the pages say: whoever serves gives a function for that.

pub mod client;
mod server;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use hyper::body::Bytes;
use tokio::sync::oneshot;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/metrics`: numbers for Prometheus.
    Metrics,
    /// `/healthz`: does the agent live?
    Health,
    /// `/readyz`: does it do its work?
    Ready,
    /// `/status`: files and Kafka, as JSON.
    Status,
}

impl Page {
    /// The page at a path.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/metrics" => Some(Self::Metrics),
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Ready),
            "/status" => Some(Self::Status),
            _ => None,
        }
    }
}

/// What a page says.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether the answer is yes: 200, else 503.
    pub is_well: bool,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The body; shared, so that many slow readers of one answer hold it once.
    pub body: Bytes,
}

impl Answer {
    /// Plain text.
    #[must_use]
    pub fn text(is_well: bool, body: String) -> Self {
        Self { is_well, media_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// Takes the address, so that nobody else can. Whether it could be had is known at once.
///
/// # Errors
/// It is in use, or not one of this host.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The endpoints for as long as this lives; then the address is free again.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // That nobody can stop is the sign to do so.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It ends at its next await, and what it did there concerns nobody any more.
            let _ = thread.join();
        }
    }
}

/// Answers from now on, on a thread of its own.
///
/// # Errors
/// The operating system gives no thread.
pub fn serve<A, F>(listener: TcpListener, answer: A) -> io::Result<Server>
where
    A: Fn(Page) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = server::accept(listener, answer) => {}
                _ = stopped => {}
            }
        });
    })?;
    Ok(Server { stop: Some(stop), thread: Some(thread) })
}
