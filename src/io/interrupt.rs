//! Ctrl-C and SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Calls `act` from a thread of its own whenever SIGINT or SIGTERM arrives, for the rest of the process's life.
///
/// # Errors
/// The handlers or their thread could not be set up.
pub fn on_signal(act: impl Fn() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // The handlers are in place when this function returns: an early signal is not lost.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => act(),
                    _ = terminate.recv() => act(),
                }
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
