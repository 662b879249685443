//! What is fuzzed, one function per target: any bytes in, a panic when a promise is broken.
//!
//! Shared by the fuzzers of this directory and by a test that runs a fixed corpus through them.

use std::sync::{Arc, OnceLock};

use viewtail::event::page::{PAGE_BYTES_MAX, PageKeys};
use viewtail::event::rules::{AddressPrivacy, Keep, KeepUserAgent, PageRules, PrivacyRules, Raw, Rules};
use viewtail::event::{EVENT_BYTES_MAX, Encoder, EncoderOptions, Place, Site, StreamId};
use viewtail::format::{Escape, Format, Spans};
use viewtail::report::{DaySelection, HtmlOptions, Report, Seen, Tally, write_html};

/// Every named format, and one of each other kind; compiled once, as the agent does.
fn formats() -> &'static [Format] {
    static FORMATS: OnceLock<Vec<Format>> = OnceLock::new();
    FORMATS.get_or_init(compile_formats)
}

fn compile_formats() -> Vec<Format> {
    let mut formats: Vec<Format> = Format::KNOWN.iter().filter_map(|name| Format::known(name)).collect();
    formats.extend(Format::nginx("$msec $remote_addr \"$request\" $status $http_cookie", Escape::Default));
    formats.extend(Format::nginx("{\"a\":\"$remote_addr\",\"r\":\"$request\",\"s\":$status}", Escape::Json));
    formats.extend(Format::apache("%h %l %u %t \\\"%r\\\" %>s %b %D <%{User-Agent}i>"));
    formats.extend(Format::regex("(?P<remote_addr>\\S+) (?P<request>.*)", Escape::Default));
    formats
}

/// A line of any format: its values lie in it and can be decoded.
pub fn format(data: &[u8]) {
    let mut spans = Spans::default();
    for format in formats() {
        if let Some(fields) = format.split(data, &mut spans) {
            for (_, value) in fields.iter() {
                let mut scratch = Vec::new();
                assert!(value.decode(&mut scratch).len() <= data.len().saturating_mul(4));
            }
        }
    }
    // The text of a format is not trusted either: it compiles or is refused with places inside it.
    let text = String::from_utf8_lossy(data);
    for compiled in
        [Format::nginx(&text, Escape::Default), Format::nginx(&text, Escape::Json), Format::apache(&text)]
    {
        match compiled {
            Ok(format) => drop(format.split(data, &mut spans).map(|fields| fields.iter().count())),
            Err(error) => assert!(error.remarks.iter().all(|remark| remark.span.end <= text.len())),
        }
    }
}

/// A line as an event: one object on one line, in UTF-8, flat, no longer than it may be.
pub fn json(data: &[u8]) {
    let line: Vec<u8> = data.iter().copied().filter(|&byte| byte != b'\n').collect();
    let rules = Rules { privacy: keep_everything(), ..Rules::default() };
    let rules = Arc::new(rules);
    let as_value: String = line
        .iter()
        .map(|&byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("\\x{byte:02X}") })
        .collect();
    let as_field = format!(
        "192.0.2.1 - {as_value} [22/Nov/2026:10:13:39 +0000] \"GET /{as_value} HTTP/1.1\" 200 1 \"http://{as_value}/\" \"{as_value}\""
    );
    for text in [line.as_slice(), as_field.as_bytes()] {
        let options = EncoderOptions {
            format: Format::combined(),
            site: Site::Fixed(String::from_utf8_lossy(data).into_owned()),
            host: "h".to_owned(),
            log: String::from_utf8_lossy(data).into_owned(),
            rules: Arc::clone(&rules),
        };
        let mut encoder = Encoder::new(options).expect("the default rules compile");
        let place = Place {
            stream: StreamId(1),
            position: 0,
            line_size: u64::try_from(text.len()).expect("memory is smaller") + 1,
            skipped: None,
            partial: false,
            truncated: false,
        };
        let mut out = Vec::new();
        encoder.encode(text, &place, &mut out);
        check_event(&out, &place);
    }
}

fn is_plain(byte: u8) -> bool {
    (b' '..0x7F).contains(&byte) && byte != b'"' && byte != b'\\'
}

fn keep_everything() -> PrivacyRules {
    PrivacyRules {
        client_address: AddressPrivacy::Raw,
        query: Keep::Keep,
        referrer_query: Keep::Keep,
        user_agent: KeepUserAgent::Keep,
        raw: Raw::Always,
    }
}

fn check_event(event: &[u8], place: &Place) {
    let text = std::str::from_utf8(event).expect("an event is UTF-8");
    assert!(!text.chars().any(|character| character < ' '), "a control byte stands in {text:?}");
    assert!(event.len() <= EVENT_BYTES_MAX, "{} bytes", event.len());
    let value: serde_json::Value = serde_json::from_str(text).expect("an event is JSON");
    let object = value.as_object().expect("an event is an object");
    assert_eq!(object["id"], format!("{}:{}", place.stream, place.position));
    assert_eq!(object["line_size"], place.line_size);
    assert!(object.values().all(|value| !value.is_null() && !value.is_object() && !value.is_array()));
}

/// A target's page key: short, readable, and its own key.
pub fn page(data: &[u8]) {
    let mut keys =
        PageKeys::new(&PageRules { query: vec!["p".to_owned(), "id".to_owned()], ..PageRules::default() });
    let mut key = Vec::new();
    keys.write(data, &mut key);
    assert!(key.len() <= PAGE_BYTES_MAX, "{} bytes", key.len());
    let text = std::str::from_utf8(&key).expect("a key is UTF-8");
    assert!(!text.chars().any(char::is_control), "a control character stands in {text:?}");
    let mut again = Vec::new();
    keys.write(&key, &mut again);
    assert_eq!(String::from_utf8_lossy(&again), text, "the key of a key is the key");
    if let Some(step) = keys.explain(data).last() {
        assert_eq!(step.key, text, "what is explained is what is done");
    }
}

/// A report's page with any name in every place for one: the tags are those of a page with harmless names.
pub fn html(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    assert_eq!(tags(&page_with(&name)), tags(&page_with("harmless")), "a name became markup: {name:?}");
}

fn page_with(name: &str) -> String {
    // An empty name is none, which the page may show in another way.
    let name = if name.is_empty() { "-" } else { name };
    let mut tally = Tally::default();
    let view = Seen {
        day: b"2026-11-22",
        site: name.as_bytes(),
        page: name.as_bytes(),
        is_view: true,
        visitor_id: b"v",
        client_key: b"c",
        referrer_host: name.as_bytes(),
        ..Seen::default()
    };
    let bot = Seen { is_view: false, reason: b"bot", bot: name.as_bytes(), ..view };
    tally.add(&view);
    tally.add(&bot);
    let options = HtmlOptions {
        rows_max: 20,
        sources: vec![name.to_owned()],
        missing: vec![name.to_owned()],
        reaches: vec![(name.to_owned(), name.to_owned())],
    };
    let mut out = Vec::new();
    write_html(&Report::new(&tally, &DaySelection::All), &options, &mut out)
        .expect("a vector takes every byte");
    String::from_utf8(out).expect("a page is UTF-8")
}

/// The names of all tags, each with the names of its attributes.
fn tags(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let (mut tag, mut is_quoted, mut end) = (String::new(), false, rest.len());
        for (at, character) in rest.char_indices() {
            match character {
                '"' => is_quoted = !is_quoted,
                '>' if !is_quoted => {
                    end = at;
                    break;
                }
                _ if !is_quoted => tag.push(character),
                _ => {}
            }
        }
        tags.push(tag);
        rest = &rest[end..];
    }
    tags
}
