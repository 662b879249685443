//! What the service manager is told by sd_notify(3): ready, alive, how things stand, reloading, stopping. Without one, nothing is.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::clock;

/// The way to the service manager.
#[derive(Debug)]
pub struct Service {
    /// Half of what it waits for a sign of life, so that one that comes late is no death.
    beat_every: Option<Duration>,
    beaten_at: Instant,
    is_ready: bool,
}

impl Service {
    /// Finds the service manager by the environment it gave this process.
    #[must_use]
    pub fn find() -> Self {
        let beat_every = sd_notify::watchdog_enabled().map(|patience| patience / 2);
        Self { beat_every, beaten_at: clock::now(), is_ready: false }
    }

    /// The service does its work. Told once, however often it is said.
    pub fn ready(&mut self) {
        if !std::mem::replace(&mut self.is_ready, true) {
            tell(NotifyState::Ready);
        }
    }

    /// The configuration is being read again. The time tells the manager which of its wishes this answers.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell_all(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!("the service manager hears of no reload: {error}"),
        }
    }

    /// The reload is over, whatever came of it.
    pub fn reloaded(&self) {
        // Before that, it is told once the service does its work.
        if self.is_ready {
            tell(NotifyState::Ready);
        }
    }

    /// How things stand, in one line of text without control characters.
    pub fn status(&self, text: &str) {
        tell(NotifyState::Status(text));
    }

    /// The service ends because it was asked to.
    pub fn stopping(&self) {
        tell(NotifyState::Stopping);
    }

    /// A sign of life, where one is waited for and due.
    pub fn beat(&mut self) {
        if self.patience().is_some_and(|patience| patience.is_zero()) {
            self.beaten_at = clock::now();
            tell(NotifyState::Watchdog);
        }
    }

    /// Time until the next sign of life is due; `None` if nobody waits for one.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let due = self.beaten_at + self.beat_every?;
        Some(due.saturating_duration_since(clock::now()))
    }
}

fn tell(state: NotifyState<'_>) {
    tell_all(&[state]);
}

fn tell_all(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager hears nothing: {error}");
    }
}
