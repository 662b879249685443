//! What the show looks like: a picture that is redrawn in place, or plain lines.

use std::io::{self, Write as _};

use super::tally::{DayCount, Tally};
use crate::io::clock::Clock;
use crate::io::table::{self, BOLD, DIM, GREEN, RESET, YELLOW};
use crate::io::terminal;
use crate::pipeline::action::Millis;

/// Days in the picture: those of the traffic.
const DAYS_SHOWN: usize = 5;

/// Pages in the picture.
const PAGES_SHOWN: usize = 5;

/// Longest bar, so that a line fits into 80 columns.
const BAR_WIDTH: u64 = 30;

/// Characters of a page that are shown.
const PAGE_WIDTH: usize = 36;

/// Pause between two pictures, and between two plain lines.
const PICTURE_MS: u64 = 200;
const PLAIN_MS: u64 = 3000;

/// How the show is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A picture that is redrawn in place, for a terminal.
    InPlace,
    /// A line every few seconds, for a pipe or a log.
    Plain,
    /// Nothing until the end.
    Silent,
}

/// One moment of the show.
#[derive(Clone, Debug)]
pub struct Moment<'a> {
    /// What was read back from the topic.
    pub read: &'a Tally,
    /// Lines written so far.
    pub written: u64,
    /// Rotations so far.
    pub rotations: u64,
    /// The agent's process id, while it runs.
    pub pid: Option<u32>,
    /// What was done to the agent: `1 graceful restart`, `5 times kill -9`.
    pub fate: String,
}

/// The terminal, or what stands for it.
#[derive(Debug)]
pub struct Screen {
    style: Style,
    lines_drawn: usize,
    clock: Clock,
    shown_at: Option<Millis>,
}

impl Screen {
    /// Nothing is drawn yet.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { style, lines_drawn: 0, clock: Clock::start(), shown_at: None }
    }

    /// A line that stays.
    ///
    /// # Errors
    /// stdout is closed.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        match self.style {
            Style::Silent => Ok(()),
            Style::InPlace | Style::Plain => {
                self.lines_drawn = 0;
                writeln!(anstream::stdout(), "{line}")
            }
        }
    }

    /// Shows the moment, if the last one was shown long enough ago.
    ///
    /// # Errors
    /// stdout is closed.
    pub fn show(&mut self, moment: &Moment<'_>) -> io::Result<()> {
        let pause_ms = if self.style == Style::Plain { PLAIN_MS } else { PICTURE_MS };
        let now = self.clock.now();
        if self.shown_at.is_some_and(|shown_at| now.since(shown_at) < pause_ms) {
            return Ok(());
        }
        self.shown_at = Some(now);
        match self.style {
            Style::Silent => Ok(()),
            Style::Plain => writeln!(anstream::stdout(), "{}", plain(moment)),
            Style::InPlace => self.draw(&picture(moment)),
        }
    }

    /// Shows the last moment whatever was shown before, and leaves it standing.
    ///
    /// # Errors
    /// stdout is closed.
    pub fn end(&mut self, moment: &Moment<'_>) -> io::Result<()> {
        match self.style {
            Style::Silent => Ok(()),
            Style::InPlace => {
                self.draw(&picture(moment))?;
                self.lines_drawn = 0;
                Ok(())
            }
            Style::Plain => {
                picture(moment).iter().try_for_each(|line| writeln!(anstream::stdout(), "{line}"))
            }
        }
    }

    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        // Colours follow the user's choice; the movements are the picture itself, so they go past `anstream`.
        let is_colored = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        let mut text = String::new();
        if self.lines_drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.lines_drawn));
        }
        for line in lines {
            text.push_str("\r\x1b[K");
            if is_colored {
                text.push_str(line);
            } else {
                text.push_str(&anstream::adapter::strip_str(line).to_string());
            }
            text.push('\n');
        }
        self.lines_drawn = lines.len();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

fn plain(moment: &Moment<'_>) -> String {
    let views: u64 = moment.read.days().iter().map(|day| day.views).sum();
    format!(
        "{} written, {} read back, {}, {} on {}; {}",
        table::count(moment.written, "line"),
        table::number(moment.read.lines),
        table::count(moment.rotations, "rotation"),
        table::count(views, "view"),
        table::count(moment.read.days().len() as u64, "day"),
        moment.fate
    )
}

/// Always the same number of lines, so that a picture covers the one before.
fn picture(moment: &Moment<'_>) -> Vec<String> {
    let mut lines = vec![format!("{DIM}  day            views   visitors  addresses{RESET}")];
    let days = moment.read.days();
    let views_max = days.iter().map(|day| day.views).max().unwrap_or(0);
    let shown = &days[days.len().saturating_sub(DAYS_SHOWN)..];
    lines.extend(shown.iter().map(|day| day_line(day, views_max)));
    lines.resize(1 + DAYS_SHOWN, String::new());

    lines.push(format!("{DIM}  {:<PAGE_WIDTH$}  views{RESET}", "page"));
    let pages = moment.read.top_pages(PAGES_SHOWN);
    let views_max = pages.first().map_or(0, |(_, views)| *views);
    lines.extend(pages.iter().map(|(page, views)| {
        let page = terminal::escape_short(page, PAGE_WIDTH);
        format!("  {page:<PAGE_WIDTH$} {:>6}  {}", table::number(*views), bar(*views, views_max))
    }));
    lines.resize(2 + DAYS_SHOWN + PAGES_SHOWN, String::new());

    let log = format!("{} written", table::count(moment.written, "line"));
    lines.push(format!("  log    {log}, {}", table::count(moment.rotations, "rotation")));
    let agent = match moment.pid {
        Some(pid) => format!("{GREEN}runs{RESET} (pid {pid})"),
        None => format!("{YELLOW}stopped{RESET}"),
    };
    lines.push(format!("  agent  {agent}, {}", moment.fate));
    let waiting = moment.written.saturating_sub(moment.read.lines);
    let read = table::count(moment.read.lines, "event");
    lines.push(format!("  topic  {BOLD}{read}{RESET} read back, {} on their way", table::number(waiting)));
    lines
}

fn day_line(day: &DayCount, views_max: u64) -> String {
    let name = terminal::escape_short(&day.day, 10);
    let [views, visitors, addresses] = [day.views, day.visitors, day.addresses].map(table::number);
    format!("  {name:<10} {views:>9}  {visitors:>9}  {addresses:>9}  {}", bar(day.views, views_max))
}

fn bar(value: u64, value_max: u64) -> String {
    let eighths = value * BAR_WIDTH * 8 / value_max.max(1);
    let (full, rest) = (usize::try_from(eighths / 8).unwrap_or(0), usize::try_from(eighths % 8).unwrap_or(0));
    let tip = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][rest];
    format!("{GREEN}{}{tip}{RESET}", "█".repeat(full))
}

#[cfg(test)]
mod tests {
    use super::super::tally::Seen;
    use super::*;

    fn moment(read: &Tally) -> Moment<'_> {
        Moment { read, written: 1200, rotations: 1, pid: Some(7), fate: "not restarted yet".into() }
    }

    #[test]
    fn every_picture_has_the_same_height_and_fits() {
        let mut tally = Tally::default();
        let height = picture(&moment(&tally)).len();
        for day in 0..9 {
            for page in ["/", "/\x1b[2J", "/a-page-with-a-name-that-is-far-too-long-for-its-column"] {
                tally.add(Seen::View {
                    day: &format!("2026-11-0{day}"),
                    page,
                    visitor: "v",
                    address: "192.0.2.1",
                });
                let picture = picture(&moment(&tally));
                assert_eq!(picture.len(), height);
                for line in picture {
                    let line = anstream::adapter::strip_str(&line).to_string();
                    assert!(line.chars().count() <= 80, "{line}");
                    assert!(!line.chars().any(char::is_control), "{line}");
                }
            }
        }
    }

    #[test]
    fn a_plain_line_says_how_far_it_is() {
        let mut tally = Tally::default();
        tally.add(Seen::View { day: "2026-11-01", page: "/", visitor: "v", address: "192.0.2.1" });
        let expected = "1,200 lines written, 1 read back, 1 rotation, 1 view on 1 day; not restarted yet";
        assert_eq!(plain(&moment(&tally)), expected);
    }
}
