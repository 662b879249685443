//! Ctrl-C and SIGTERM for the commands that have to tidy up behind themselves.
//!
//! Only for commands that look at a flag between short steps; the agent listens to its signals in its own loop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Says whether the person at the terminal wants the command to end.
#[derive(Clone, Debug)]
pub struct Interrupt {
    wanted: Arc<AtomicBool>,
}

impl Interrupt {
    /// Catches SIGINT and SIGTERM from now on, for the rest of the process's life.
    ///
    /// # Errors
    /// The handlers or their thread could not be set up.
    pub fn install() -> io::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&wanted);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // The handlers are in place when this function returns: an early Ctrl-C is not lost.
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            flag.store(true, Ordering::Release);
        })?;
        Ok(Self { wanted })
    }

    /// Whether a signal has arrived.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }
}
