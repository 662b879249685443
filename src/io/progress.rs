//! A bar on the terminal for long input.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Less than this is read in about a second: a bar would only flicker.
const BYTES_MIN: u64 = 128 << 20;

/// How often the bar is drawn, in times a second.
const DRAWN_HZ: u8 = 8;

/// A bar on stderr, or nothing.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar over this many bytes, if there are enough of them.
    #[must_use]
    pub fn over_bytes(bytes: u64) -> Self {
        if bytes < BYTES_MIN {
            return Self::none();
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(DRAWN_HZ));
        // A template that is none would leave the library's own, which does as well.
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {bytes} of {total_bytes}, {eta} left") {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// No bar at all.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// So many bytes are done.
    pub fn reach(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(bytes);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
