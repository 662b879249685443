//! The report as one HTML file: no network, no script, readable on a phone, in the dark and on paper.
//!
//! Whatever stems from a log or a topic passes [`escape`](escape::escape); a content security policy forbids the rest.

mod chart;
mod escape;

use std::fmt::Write as _;
use std::io::{self, Write};

use super::exclusions::meaning;
use super::model::{DayRow, Ranked, Report, Sums};
use super::selection::date;
use crate::io::table;
use escape::{escape, name};

/// The style sheet, inside the page.
const STYLE: &str = include_str!("style.css");

/// Up to so many days the table of days is unfolded: two months.
const OPEN_DAYS_MAX: usize = 62;

/// From here on three figures beside each other are too wide for a phone.
const LONG_FIGURE_MIN: u64 = 1_000_000;

/// What the page says beside the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HtmlOptions {
    /// Rows of each ranking.
    pub rows_max: usize,
    /// Where the events come from.
    pub sources: Vec<String>,
    /// What is missing, each a sentence.
    pub missing: Vec<String>,
    /// Hosts, and the newest time of their events.
    pub reaches: Vec<(String, String)>,
}

/// Writes the page.
///
/// # Errors
/// The output takes no more.
pub fn write(report: &Report<'_>, options: &HtmlOptions, out: &mut impl Write) -> io::Result<()> {
    let title = escape(&title(report));
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=\"robots\" content=\"noindex\">\n<title>{title} · page views</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )?;
    let period = period(report);
    write!(
        out,
        "<header>\n<p class=\"brand\">viewtail report</p>\n<h1><bdi>{title}</bdi></h1>\n<p class=\"period\">{period}</p>\n</header>\n"
    )?;
    let warnings = report.warnings().iter().map(ToString::to_string);
    for note in options.missing.iter().cloned().chain(warnings) {
        writeln!(out, "<p class=\"note\" role=\"note\">{}</p>", escape(&sentence(&note)))?;
    }
    out.write_all(body(report, options).as_bytes())?;
    out.write_all(footer(options).as_bytes())?;
    out.write_all(b"</main>\n</body>\n</html>\n")
}

fn body(report: &Report<'_>, options: &HtmlOptions) -> String {
    let calendar = report.calendar();
    if calendar.is_empty() {
        return "<section class=\"card\"><h2>Nothing to show</h2><p class=\"lead\">No event lies in these days.</p></section>\n"
            .to_owned();
    }
    let mut html = figures(&report.sums(), calendar.len());
    let _ = write!(
        html,
        "<section class=\"card\">\n<h2>Day by day</h2>\n<p class=\"legend\"><span><span class=\"swatch pv\"></span>Page views</span><span><span class=\"swatch uv\"></span>Visitors</span><span><span class=\"swatch ip\"></span>Addresses</span></p>\n{}</section>\n",
        chart::chart(&calendar)
    );
    html.push_str(&pages(report, options.rows_max));
    if has_sites(report) {
        html.push_str(&sites(report));
    }
    let _ = write!(
        html,
        "<div class=\"pair\">\n{}{}</div>\n",
        referrers(report, options.rows_max),
        excluded(report)
    );
    html.push_str(&bots(report, options.rows_max));
    html.push_str(&days(report));
    html
}

fn figures(sums: &Sums, days: usize) -> String {
    let long = if sums.page_views >= LONG_FIGURE_MIN { " long" } else { "" };
    let mut html = format!("<dl class=\"figures{long}\">\n");
    let figures = [
        ("pv", "Page views", sums.page_views),
        ("uv", "Visitors", sums.visitors),
        ("ip", "Addresses", sums.addresses),
    ];
    for (class, label, value) in figures {
        let per_day = match days {
            1 => String::new(),
            days => format!("<dd>{} a day</dd>", table::number(rounded(value, days as u64))),
        };
        let _ = writeln!(
            html,
            "<div><dt><span class=\"swatch {class}\"></span>{label}</dt><dd>{}</dd>{per_day}</div>",
            table::number(value)
        );
    }
    html.push_str("</dl>\n");
    html
}

fn pages(report: &Report<'_>, rows_max: usize) -> String {
    let (pages, found) = report.top_pages(rows_max);
    let has_sites = has_sites(report);
    let lead = match found {
        0 => "No page was viewed.".to_owned(),
        found if found > pages.len() => format!("{} of {}", pages.len(), table::count(found as u64, "page")),
        found => table::count(found as u64, "page"),
    };
    let site = |page: &Ranked<'_>| {
        if has_sites { format!("<small>{}</small>", name(page.site, "no site")) } else { String::new() }
    };
    let rows = pages.iter().map(|page| (format!("{}{}", name(page.page, "no page"), site(page)), page.sums));
    ranking(("Top pages", "Page", &lead), rows)
}

fn sites(report: &Report<'_>) -> String {
    let sites = report.sites();
    let lead = table::count(sites.len() as u64, "site");
    ranking(("Sites", "Site", &lead), sites.iter().map(|site| (name(site.site, "no site"), site.sums)))
}

/// A table of names with their three numbers. The names are HTML already.
fn ranking((heading, noun, lead): (&str, &str, &str), rows: impl Iterator<Item = (String, Sums)>) -> String {
    let rows: Vec<(String, Sums)> = rows.collect();
    let mut html = format!("<section class=\"card\">\n<h2>{heading}</h2>\n<p class=\"lead\">{lead}</p>\n");
    if rows.is_empty() {
        html.push_str("</section>\n");
        return html;
    }
    let _ = write!(
        html,
        "<table class=\"names pages\">\n<thead><tr><th scope=\"col\">{noun}</th><th scope=\"col\">Page views</th><th scope=\"col\">Visitors</th><th scope=\"col\">Addresses</th></tr></thead>\n<tbody>\n"
    );
    let most = rows.iter().map(|(_, sums)| sums.page_views).max().unwrap_or(0);
    for (name, sums) in rows {
        let _ = write!(html, "<tr><th scope=\"row\">{name}{}</th>", bar(sums.page_views, most));
        for (class, unit, value) in [
            ("strong", "views", sums.page_views),
            ("", "visitors", sums.visitors),
            ("", "addresses", sums.addresses),
        ] {
            let _ = write!(html, "<td class=\"{class}\" data-unit=\"{unit}\">{}</td>", table::number(value));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</section>\n");
    html
}

fn referrers(report: &Report<'_>, rows_max: usize) -> String {
    let referrers = report.referrers();
    let hosts = referrers.hosts.iter().take(rows_max).map(|(host, views)| (name(host, ""), *views));
    let more: u64 = referrers.hosts.iter().skip(rows_max).map(|(_, views)| views).sum();
    let rest = [
        ("other hosts", more),
        ("the site itself", referrers.own),
        ("none, or not logged", referrers.unknown),
    ];
    let rest = rest.into_iter().filter(|(_, views)| *views > 0).map(|(what, views)| (name("", what), views));
    let lead = "The host whose link was followed.";
    counts(("Where visitors came from", "Referrer", "Page views"), lead, hosts.chain(rest))
}

fn excluded(report: &Report<'_>) -> String {
    let (excluded, sums) = (report.excluded(), report.sums());
    let lead = format!(
        "{} of {} were page views ({}).",
        table::number(sums.page_views),
        table::count(sums.events, "event"),
        percent(sums.page_views, sums.events)
    );
    let reason = |reason: &str| match meaning(reason) {
        "" => name(reason, "no reason"),
        meaning => format!("{}<small>{meaning}</small>", name(reason, "")),
    };
    let undated = report.totals().undated;
    let rows = excluded.iter().map(|(word, events)| (reason(word), *events));
    let undated = (undated > 0).then(|| (name("", "without a day, in no number above"), undated));
    counts(("What was not counted, and why", "Reason", "Events"), &lead, rows.chain(undated))
}

fn bots(report: &Report<'_>, rows_max: usize) -> String {
    let bots = report.bots();
    if bots.is_empty() {
        return String::new();
    }
    let shown = rows_max.min(bots.len());
    let lead = format!(
        "{shown} of {}, by the name they give themselves",
        table::count(bots.len() as u64, "crawler")
    );
    let rows = bots.iter().take(rows_max).map(|(bot, events)| (name(bot, ""), *events));
    counts(("Crawlers", "Crawler", "Events"), &lead, rows)
}

/// A table of names with one number. The names are HTML already.
fn counts(
    (heading, noun, counted): (&str, &str, &str),
    lead: &str,
    rows: impl Iterator<Item = (String, u64)>,
) -> String {
    let rows: Vec<(String, u64)> = rows.collect();
    let mut html = format!("<section class=\"card\">\n<h2>{heading}</h2>\n<p class=\"lead\">{lead}</p>\n");
    if !rows.is_empty() {
        let _ = write!(
            html,
            "<table class=\"names\">\n<thead><tr><th scope=\"col\">{noun}</th><th scope=\"col\">{counted}</th></tr></thead>\n<tbody>\n"
        );
        let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
        for (name, count) in rows {
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{name}{}</th><td>{}</td></tr>",
                bar(count, most),
                table::number(count)
            );
        }
        html.push_str("</tbody>\n</table>\n");
    }
    html.push_str("</section>\n");
    html
}

fn days(report: &Report<'_>) -> String {
    let rows = report.days();
    let open = if rows.len() <= OPEN_DAYS_MAX { " open" } else { "" };
    let mut html = format!(
        "<section class=\"card\">\n<details{open}>\n<summary>All days</summary>\n<table>\n<thead><tr><th scope=\"col\">Day</th><th scope=\"col\">Page views</th><th scope=\"col\">Visitors</th><th scope=\"col\">Addresses</th><th scope=\"col\" class=\"wide\">Not counted</th><th scope=\"col\" class=\"wide\">Events</th></tr></thead>\n<tbody>\n"
    );
    let has_sites = has_sites(report);
    for row in rows.iter().rev() {
        let site =
            if has_sites { format!("<small>{}</small>", name(row.site, "no site")) } else { String::new() };
        let DayRow { day, page_views, visitors, addresses, events, .. } = row;
        let _ = write!(
            html,
            "<tr><th scope=\"row\"><time>{}</time>{site}</th><td class=\"strong\">{}</td>",
            escape(day),
            table::number(*page_views)
        );
        for (class, value) in
            [("", *visitors), ("", *addresses), ("wide", events - page_views), ("wide", *events)]
        {
            let _ = write!(html, "<td class=\"{class}\">{}</td>", table::number(value));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</details>\n</section>\n");
    html
}

fn footer(options: &HtmlOptions) -> String {
    let mut html = String::from(
        "<footer>\n<p>All numbers are exact. A visitor is counted once a day and an address too; over several days, and over several sites, the numbers are sums of days and sites, because nobody can be followed from one day to the next.</p>\n",
    );
    if !options.reaches.is_empty() {
        let reach = |(host, time): &(String, String)| format!("{} up to {}", name(host, ""), escape(time));
        let reaches: Vec<String> = options.reaches.iter().map(reach).collect();
        let _ = writeln!(html, "<p>The data reaches: {}.</p>", reaches.join(", "));
    }
    if !options.sources.is_empty() {
        let sources: Vec<String> = options.sources.iter().map(|source| name(source, "")).collect();
        let _ = writeln!(html, "<p>Counted from {}.</p>", sources.join(", "));
    }
    let _ = writeln!(html, "<p>Made by viewtail {}.</p>\n</footer>", env!("CARGO_PKG_VERSION"));
    html
}

fn title(report: &Report<'_>) -> String {
    let sites = report.sites();
    match sites.as_slice() {
        [only] if !only.site.is_empty() => only.site.to_owned(),
        [] | [_] => "Page views".to_owned(),
        several => table::count(several.len() as u64, "site"),
    }
}

fn period(report: &Report<'_>) -> String {
    let days = report.days();
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return "no day".to_owned() };
    if first.day == last.day {
        return long_day(first.day);
    }
    let count = table::count(report.calendar().len() as u64, "day");
    format!("{} to {} · {count}", long_day(first.day), long_day(last.day))
}

/// A day as `23 November 2026`.
fn long_day(day: &str) -> String {
    date(day).map_or_else(|| escape(day), |date| date.strftime("%-d %B %Y").to_string())
}

fn has_sites(report: &Report<'_>) -> bool {
    report.days().iter().any(|row| row.site != report.days()[0].site)
}

fn bar(count: u64, most: u64) -> String {
    let percent = u128::from(count) * 100 / u128::from(most.max(1));
    format!("<span class=\"bar\" style=\"--w:{percent}%\"></span>")
}

fn percent(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

fn rounded(sum: u64, by: u64) -> u64 {
    (sum + by / 2) / by
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DaySelection, Seen, Tally};

    fn html(tally: &Tally, options: &HtmlOptions) -> String {
        let mut out = Vec::new();
        write(&Report::new(tally, &DaySelection::All), options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_names_are_text_wherever_they_stand() {
        let evil = "<script>alert(1)</script>\u{202e}\"'&\u{1b}";
        let mut tally = Tally::default();
        for site in [evil, "b"] {
            for is_view in [true, false] {
                let reason = if is_view { "" } else { evil };
                let name = evil.as_bytes();
                tally.add(&Seen {
                    day: name,
                    site: site.as_bytes(),
                    page: name,
                    is_view,
                    reason: reason.as_bytes(),
                    visitor_id: name,
                    client_key: name,
                    referrer_host: name,
                    bot: name,
                    client_address: name,
                });
            }
        }
        let names = vec![evil.to_owned()];
        let reaches = vec![(evil.to_owned(), evil.to_owned())];
        let options = HtmlOptions { rows_max: 9, sources: names.clone(), missing: names, reaches };
        let page = html(&tally, &options);
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
        assert!(page.matches("&lt;script&gt;").count() >= 8, "{page}");
    }

    #[test]
    fn nothing_is_asked_of_a_network() {
        let page = html(&Tally::default(), &HtmlOptions::default());
        for word in ["http://", "https://", "url(", "@import", "<link", "<img", "src="] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("Nothing to show"), "{page}");
    }

    #[test]
    fn shares_and_means_are_rounded() {
        assert_eq!((percent(1, 3), percent(0, 0)), ("33.3 %".to_owned(), "0.0 %".to_owned()));
        assert_eq!((rounded(5, 2), rounded(4, 3)), (3, 1));
        assert_eq!(sentence("one"), "One.");
    }
}
