//! `viewtail explain`: why a line is, or is not, a page view.

use crate::binary::{call, call_with_stdin};

const LINE: &str = concat!(
    r#"192.0.2.7 - - [23/Nov/2026:06:47:00 +0100] "GET //posts/./a.css?x=1 HTTP/2.0" 404 5120 "#,
    r#""-" "Googlebot/2.1""#
);

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_person_is_told_the_rule_the_place_and_the_steps() {
    let called = call(&["explain", LINE, "--format", "combined", "--site", "blog.example.com"]);
    assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""));
    let says = |text: &str| assert!(called.stdout.contains(text), "{text}: {}", called.stdout);
    says("$remote_addr");
    says("0..9");
    says("=>  status");
    says("yes static");
    says("yes bot");
    says("no page view: status");
    says("/posts/a.css");
    says("Googlebot");
    says(r#""exclude_reason":"status""#);
}

#[test]
fn a_program_gets_one_object_a_line() {
    let view = LINE.replace("a.css", "a").replace(" 404 ", " 200 ").replace("Googlebot/2.1", "Mozilla/5.0");
    let input = format!("{LINE}\n{view}\nno access log\n");
    let called = call_with_stdin(&["--json", "explain", "-", "--format", "combined"], input.as_bytes());
    let [first, second, third] = called.stdout.lines().map(json).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(first["bot"]["name"], "Googlebot");
    let fired = |all: &serde_json::Value| {
        let rules = all["rules"].as_array().unwrap().iter();
        rules.filter(|rule| rule["fires"] == true).map(|rule| rule["rule"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(fired(&first), ["status", "static", "bot"]);
    assert_eq!(fired(&second), [""; 0]);
    assert_eq!(second["event"]["is_page_view"], true);
    assert_eq!(second["event"]["page"], second["page"].as_array().unwrap().last().unwrap()["key"]);
    let status = first["fields"].as_array().unwrap().iter().find(|field| field["name"] == "status").unwrap();
    let place = |end: &str| usize::try_from(status[end].as_u64().unwrap()).unwrap();
    assert_eq!(&LINE[place("from")..place("to")], "404");
    assert_eq!(first["client"]["address"], "192.0.2.7");
    assert_eq!((&third["parsed"], &third["event"]["exclude_reason"]), (&false.into(), &"malformed".into()));
}

#[test]
fn a_proxy_that_is_trusted_and_one_that_is_not_are_told_apart() {
    let scratch = tempfile::tempdir().unwrap();
    let config = scratch.path().join("agent.yaml");
    let secret = scratch.path().join("visitor.secret");
    std::fs::write(&secret, "x".repeat(40)).unwrap();
    let yaml = format!(
        "agent: {{id: a, state_dir: {0}}}\nlogs: [{{paths: [{0}/a.log], name: shop, format: main}}]\nkafka: {{brokers: [localhost:9092], topic: t}}\nvisitor: {{secret_file: {1}}}\nclient_address: {{header: X-Forwarded-For, trusted: [10.0.0.0/8]}}\n",
        scratch.path().display(),
        secret.display()
    );
    std::fs::write(&config, yaml).unwrap();
    let config = config.to_str().unwrap();
    let explain = |peer: &str| {
        let line = LINE.replace("192.0.2.7", peer) + r#" "198.51.100.9, 203.0.113.5""#;
        let called = call(&["--json", "-c", config, "explain", &line, "--log", "shop"]);
        assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""), "{}", called.stdout);
        json(&called.stdout)
    };
    let (trusted, other) = (explain("10.0.0.1"), explain("192.0.2.1"));
    assert_eq!(trusted["client"]["address"], "203.0.113.5");
    assert_eq!(other["client"]["address"], "192.0.2.1");
    assert!(other["client"]["how"].as_str().unwrap().contains("not believed"), "{other}");
    assert_eq!(
        explain("10.0.0.1")["event"]["visitor_id"],
        trusted["event"]["visitor_id"],
        "one secret, one id"
    );
    let called = call(&["-c", config, "explain", LINE, "--log", "blog"]);
    assert_eq!(called.code, Some(2));
    assert!(called.stderr.contains("shop"), "{}", called.stderr);
}

#[test]
fn a_hostile_line_is_shown_and_not_obeyed() {
    let hostile = LINE.replace("Googlebot", r"\x1B[2J\xC2\x9B");
    for line in [hostile.as_str(), "\u{1b}[2J\u{202e}"] {
        for json in [&[][..], &["--json"]] {
            let called = call(&[json, &["explain", line, "--format", "combined"]].concat());
            assert_eq!(called.code, Some(0), "{}", called.stderr);
            let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!called.stdout.contains(obeyed), "{:?}", called.stdout);
        }
    }
}
