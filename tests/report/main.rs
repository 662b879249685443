//! The page of `viewtail report --html`, opened in a headless browser on a phone and on a desk, by day and by night.
//!
//! `browser.py` beside this file drives the browser and says what the page looks like there; here is what it has to
//! look like. A browser that is missing fails the test: `tests/tools/setup.sh test` installs one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What the WCAG's level AA asks of text.
const CONTRAST_MIN: f64 = 4.5;

/// Targets of hostile requests, as nginx logs them, and what the page has to show.
const HOSTILE: [(&str, &str); 5] = [
    ("/<script>window.hijacked=true</script>", "<script>"),
    (r"/\x22><img/src=x/onerror=window.hijacked=true>", "<img"),
    (r"/\xE2\x80\xAEgpj.exe-page", "gpj.exe-page"),
    ("/&lt;b&gt;-page", "&lt;b&gt;"),
    ("/'onmouseover='window.hijacked=true", "'onmouseover="),
];

fn log() -> String {
    let mut log = String::new();
    let long = "a-name-without-a-break".repeat(20);
    for day in 1..=28 {
        for view in 0..20 + day {
            let (address, hour) = (view % 17, view % 24);
            let target = match view {
                0..5 => HOSTILE[view].0.to_owned(),
                5 => format!("/{long}"),
                _ => format!("/posts/{}", view % 7),
            };
            let referrer = ["-", "https://search.example/", "https://<b>.example/"][view % 3];
            writeln!(
                log,
                r#"203.0.113.{address} - - [{day:02}/Nov/2026:{hour:02}:00:00 +0000] "GET {target} HTTP/1.1" 200 512 "{referrer}" "Mozilla/5.0 (X11; Linux x86_64) Firefox/132.0""#
            )
            .expect("a String takes every text");
        }
        for (target, agent) in
            [("/style.css", "Mozilla/5.0 (X11) Firefox/132.0"), ("/", "Googlebot/2.1"), ("/", "-")]
        {
            writeln!(
                log,
                r#"198.51.100.7 - - [{day:02}/Nov/2026:09:00:00 +0000] "GET {target} HTTP/1.1" 200 512 "-" "{agent}""#
            )
            .expect("a String takes every text");
        }
    }
    log
}

fn page(directory: &Path) -> std::path::PathBuf {
    let (log_path, page) = (directory.join("access.log"), directory.join("report.html"));
    std::fs::write(&log_path, log()).expect("a scratch directory takes a file");
    let output = Command::new(env!("CARGO_BIN_EXE_viewtail"))
        .args(["report", "--format", "combined", "--site", "blog.<example>.com", "--html"])
        .args([&page, &log_path])
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    page
}

fn look(page: &Path) -> Value {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/browser.py");
    let output = Command::new("python3").arg(driver).arg(page).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the driver prints JSON")
}

#[test]
fn the_page_reads_well_on_a_phone_and_on_a_desk_by_day_and_by_night() {
    let scratch = tempfile::tempdir().unwrap();
    let seen = look(&page(scratch.path()));
    assert_eq!(seen["requests"], Value::Array(Vec::new()), "the page asks nobody for anything");
    let views = seen["views"].as_array().unwrap();
    assert_eq!(views.len(), 4);
    for view in views {
        let name = format!("{} {}", view["width"], view["scheme"]);
        assert_eq!(view["client_width"], view["width"], "{name}");
        assert_eq!(view["scroll_width"], view["width"], "{name}: it scrolls sideways");
        assert_eq!(view["wide"], Value::Array(Vec::new()), "{name}: this stands beyond the edge");
        assert!(view["texts"].as_u64().unwrap() > 100, "{name}: the texts were looked at");
        let contrast = view["contrast"].as_f64().unwrap();
        assert!(contrast >= CONTRAST_MIN, "{name}: {contrast} of {}", view["contrast_text"]);
        let chart = &view["chart"];
        assert!(chart["width"].as_f64().unwrap() > 200.0, "{name}: {chart}");
        assert!(chart["height"].as_f64().unwrap() > 150.0, "{name}: {chart}");
        assert!(chart["shapes"].as_u64().unwrap() > 28, "{name}: {chart}");
        assert!(
            chart["text"].as_str().unwrap().contains("The most page views on 2026-11-28"),
            "{name}: {chart}"
        );
        assert_eq!(view["labels_overlap"], false, "{name}: the days below the chart");
    }
    let background = |scheme: &str| {
        let view = views.iter().find(|view| view["scheme"] == scheme).unwrap();
        view["background"].clone()
    };
    assert_ne!(background("light"), background("dark"), "the page follows the scheme");
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let scratch = tempfile::tempdir().unwrap();
    let page = page(scratch.path());
    let seen = look(&page);
    let view = &seen["views"][0];
    assert_eq!((&view["scripts"], &view["hijacked"]), (&0.into(), &false.into()));
    let elements: Vec<&str> = view["elements"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for forbidden in ["script", "img", "b", "iframe", "link", "example"] {
        assert!(!elements.contains(&forbidden), "{forbidden}: {elements:?}");
    }
    let pages: Vec<&str> = view["pages"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for (target, shown) in HOSTILE {
        assert!(pages.iter().any(|page| page.contains(shown)), "{target} as {shown}: {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains('\u{202e}')), "nothing turns the direction: {pages:?}");
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("blog.&lt;example&gt;.com"), "the site is a name too");
}
