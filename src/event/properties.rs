//! For any line, one valid JSON object that says what the line says and nothing else.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::rules::{AddressPrivacy, Keep, PrivacyRules, Rules};
use super::{Encoder, EncoderOptions, Place, Places, Reason, Site, SkipReason, StreamId, schema};
use crate::format::{Escape, Format, write_as_nginx};

const COMBINED_JSON: &str = r#"{"a":"$remote_addr","t":"$time_iso8601","r":"$request","s":$status,"f":"$http_referer","u":"$http_user_agent"}"#;

fn encoder(format: Format) -> Encoder {
    let site = Site::Fixed("site".to_owned());
    let (host, log) = ("web1".to_owned(), "blog".to_owned());
    Encoder::new(EncoderOptions { format, site, host, log, rules: Arc::new(rules()) }).unwrap()
}

/// Everything that can be shown is.
fn rules() -> Rules {
    let privacy = PrivacyRules {
        client_address: AddressPrivacy::Raw,
        query: Keep::Keep,
        referrer_query: Keep::Keep,
        ..PrivacyRules::default()
    };
    Rules { privacy, extra: vec!["request".to_owned(), "http_user_agent".to_owned()], ..Rules::default() }
}

/// Reads an event and holds it against everything that is true of all events.
fn read(encoder: &mut Encoder, line: &[u8], place: &Place) -> Result<Value, TestCaseError> {
    let mut out = Vec::new();
    let encoded = encoder.encode(line, place, &mut out);
    let event = schema::read(&out).map_err(TestCaseError::fail)?;
    let Places { site, day, page, visitor_id, client_key, referrer_host, bot } = encoded.places;
    for (key, (start, end)) in [
        ("site", site),
        ("day", day),
        ("page", page),
        ("visitor_id", visitor_id),
        ("client_key", client_key),
        ("referrer_host", referrer_host),
        ("bot", bot),
    ] {
        let text = [b"\"", &out[start..end], b"\""].concat();
        let expect = event.get(key).cloned().unwrap_or_default();
        prop_assert_eq!(
            &serde_json::from_slice::<Value>(&text).unwrap(),
            &Value::from(expect.as_str().unwrap_or_default())
        );
    }
    prop_assert_eq!(&event["is_page_view"], &Value::from(encoded.view));
    prop_assert_eq!(event.get("exclude_reason").and_then(Value::as_str), encoded.reason.map(Reason::as_str));
    prop_assert_eq!(&event["id"], &Value::from(format!("{}:{}", place.stream, place.position)));
    prop_assert_eq!(&event["line_size"], &Value::from(place.line_size));
    prop_assert_eq!(event.get("raw").is_some(), encoded.is_malformed());
    prop_assert_eq!(event.get("time").is_some(), encoded.time_ms.is_some());
    Ok(event)
}

fn place() -> impl Strategy<Value = Place> {
    let skipped = proptest::option::of((1_u64.., Just(SkipReason::Filtered)));
    (any::<[u64; 2]>(), 1_u64.., any::<[bool; 2]>(), skipped).prop_map(
        |([stream, position], line_size, [partial, truncated], skipped)| Place {
            stream: StreamId(stream),
            position,
            line_size,
            skipped,
            partial,
            truncated,
        },
    )
}

/// Values that try to leave their field, and any bytes.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"\"",
        b"\\",
        b"\",\"v\":2",
        b"\"}",
        b"\n",
        b"\\x22",
        b"\\u0022",
        b"\x1B[2J",
        b"\x7F",
        b"\xE4\xB8",
        b"\xAD",
        b" ",
        b"://",
        b"u:p@",
        b"\" 200 ",
        b"site",
        b"\xF0\x9F\x98\x80",
    ];
    let piece = prop_oneof![3 => select(pieces).prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 1..4)];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What an event shows of a text: the definition, without any care for speed.
fn shown(text: &[u8]) -> String {
    let mut clean = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.windows(3).position(|it| it == b"://") {
        clean.extend_from_slice(&rest[..start + 3]);
        rest = &rest[start + 3..];
        let end = rest.iter().position(|byte| b"/?# \t\r\n".contains(byte)).unwrap_or(rest.len());
        if let Some(at) = rest[..end].iter().rposition(|byte| *byte == b'@') {
            rest = &rest[at + 1..];
        }
    }
    clean.extend_from_slice(rest);
    String::from_utf8_lossy(&clean).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_is_one_event(line in prop_oneof![vec(any::<u8>(), 0..200), hostile()], place in place()) {
        let event = read(&mut encoder(Format::combined()), &line, &place)?;
        prop_assert_eq!(&event["exclude_reason"], "malformed");
        prop_assert_eq!(event.get("partial").is_some(), place.partial);
        prop_assert_eq!(event.get("truncated").is_some(), place.truncated);
        prop_assert_eq!(event.get("skipped_size").and_then(Value::as_u64), place.skipped.map(|(size, _)| size));
    }

    #[test]
    fn a_value_stays_in_its_field(
        (path, referrer, user_agent) in (hostile(), hostile(), hostile()),
        escape in select(&[Escape::Default, Escape::Json][..]),
        place in place(),
    ) {
        let [mut p, mut f, mut u] = [b"GET /".to_vec(), Vec::new(), Vec::new()];
        write_as_nginx(escape, &path, &mut p);
        write_as_nginx(escape, &referrer, &mut f);
        write_as_nginx(escape, &user_agent, &mut u);
        let line = [
            br#"{"a":"192.0.2.1","t":"2026-11-22T10:13:39+00:00","r":""#, &p[..], br#" HTTP/1.1","s":200,"f":""#, &f,
            br#"","u":""#, &u, br#""}"#,
        ].concat();
        let event = read(&mut encoder(Format::nginx(COMBINED_JSON, escape).unwrap()), &line, &place)?;
        prop_assert_eq!(&event["v"], 1);
        prop_assert_eq!(&event["http_response_status_code"], 200);
        prop_assert_ne!(event.get("exclude_reason"), Some(&Value::from("malformed")));
        prop_assert!(event["url_path"].as_str().is_some_and(|path| path.starts_with('/') && path.is_ascii()));
        for (key, value) in [("http_request_referrer", referrer), ("user_agent_original", user_agent)] {
            let expect = (!escape.is_absent(&value)).then(|| Value::from(shown(&value)));
            prop_assert_eq!(event.get(key), expect.as_ref());
        }
    }
}
