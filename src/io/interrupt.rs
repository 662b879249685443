//! Ctrl-C, SIGTERM and SIGHUP.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Calls `act` from a thread of its own whenever SIGINT or SIGTERM arrives, for the rest of the process's life.
///
/// # Errors
/// The handlers or their thread could not be set up.
pub fn on_signal(act: impl Fn() + Send + 'static) -> io::Result<()> {
    listen("signals", &[SignalKind::interrupt(), SignalKind::terminate()], act)
}

/// The same for SIGHUP, by which a service is asked to read its configuration again.
///
/// # Errors
/// The handler or its thread could not be set up.
pub fn on_hangup(act: impl Fn() + Send + 'static) -> io::Result<()> {
    listen("hangup", &[SignalKind::hangup()], act)
}

fn listen(thread: &str, kinds: &[SignalKind], act: impl Fn() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // The handlers are in place when this function returns: an early signal is not lost.
    let mut signals: Vec<Signal> = {
        let _inside = runtime.enter();
        kinds.iter().map(|kind| signal(*kind)).collect::<io::Result<_>>()?
    };
    std::thread::Builder::new().name(thread.into()).spawn(move || {
        runtime.block_on(async {
            loop {
                // All are asked each time, so that whichever arrives next wakes this.
                let arrived = poll_fn(|context| {
                    let arrived = signals.iter_mut().filter_map(|signal| match signal.poll_recv(context) {
                        Poll::Ready(arrived) => Some(arrived),
                        Poll::Pending => None,
                    });
                    arrived.last().map_or(Poll::Pending, Poll::Ready)
                });
                // Nothing means that the handlers are gone, with the process.
                if arrived.await.is_none() {
                    return;
                }
                act();
            }
        });
    })?;
    Ok(())
}

/// Says whether the person at the terminal wants the command to end: for commands that look between short steps.
#[derive(Clone, Debug)]
pub struct Interrupt {
    wanted: Arc<AtomicBool>,
}

impl Interrupt {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// The handlers or their thread could not be set up.
    pub fn install() -> io::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&wanted);
        on_signal(move || flag.store(true, Ordering::Release))?;
        Ok(Self { wanted })
    }

    /// Whether a signal has arrived.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }
}
