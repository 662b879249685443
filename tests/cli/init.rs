//! `viewtail init`: what it writes where, what it refuses, and that broken configurations are told with their place.

use std::fs;
use std::path::Path;

use crate::binary::{Called, call, call_with_stdin};

const CONF: &str =
    "events { }\nhttp { server { server_name blog.example.com; access_log /var/log/nginx/blog.log; } }\n";

fn init(arguments: &[&str], paths: &[(&str, &Path)]) -> Called {
    let mut all: Vec<&str> = vec!["init"];
    all.extend(arguments);
    for (option, path) in paths {
        all.extend((!option.is_empty()).then_some(*option));
        all.push(path.to_str().expect("scratch paths are UTF-8"));
    }
    call(&all)
}

#[test]
fn what_is_there_already_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let (conf, target) = (scratch.path().join("nginx.conf"), scratch.path().join("agent.yaml"));
    fs::write(&conf, CONF).unwrap();

    let first = init(&[], &[("", &conf), ("-c", &target)]);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), ""), "{}", first.stderr);
    assert!(first.stderr.contains("viewtail check -c"), "{}", first.stderr);
    let written = fs::read_to_string(&target).unwrap();
    assert!(written.contains("site: blog.example.com"), "{written}");

    let second = init(&[], &[("", &conf), ("-o", &target)]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("is there already") && second.stderr.contains("--force"),
        "{}",
        second.stderr
    );

    fs::write(&target, "mine").unwrap();
    assert_eq!(init(&["--force"], &[("", &conf), ("-o", &target)]).code, Some(0));
    assert_eq!(fs::read_to_string(&target).unwrap(), written);
}

#[test]
fn the_shipped_configuration_is_nobodys_work() {
    let scratch = tempfile::tempdir().unwrap();
    let (conf, target) = (scratch.path().join("nginx.conf"), scratch.path().join("agent.yaml"));
    fs::write(&conf, CONF).unwrap();
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/agent.yaml"), &target).unwrap();
    assert_eq!(init(&[], &[("", &conf), ("-c", &target)]).code, Some(0));
    assert!(fs::read_to_string(&target).unwrap().contains("/var/log/nginx/blog.log"));
}

#[test]
fn the_output_of_nginx_is_read_and_brokers_are_written_down() {
    let dump = format!(
        "nginx: configuration file test is successful\n# configuration file /etc/nginx/nginx.conf:\n{CONF}\n"
    );
    let called = call_with_stdin(
        &["init", "-", "-o", "-", "--brokers", "k1:9092,k2:9092", "--topic", "views"],
        dump.as_bytes(),
    );
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    assert!(called.stdout.contains("brokers: [k1:9092, k2:9092]"), "{}", called.stdout);
    assert!(called.stdout.contains("topic: 'views'"), "{}", called.stdout);

    let called = call_with_stdin(&["init", "-", "-o", "-"], CONF.as_bytes());
    assert_eq!(called.code, Some(78));
    assert!(called.stderr.contains("nginx -T"), "{}", called.stderr);

    let called = call_with_stdin(&["init", "-", "-o", "-", "--brokers", "no broker"], dump.as_bytes());
    assert_eq!((called.code, called.stdout.as_str()), (Some(2), ""));
    assert!(called.stderr.contains("no broker"), "{}", called.stderr);
}

#[test]
fn programs_get_the_documented_json() {
    let scratch = tempfile::tempdir().unwrap();
    let conf = scratch.path().join("nginx.conf");
    fs::write(&conf, CONF).unwrap();
    let called = init(&["--json", "-q", "-o", "-"], &[("", &conf)]);
    assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&called.stdout).expect("one object");
    let name = conf.to_str().unwrap();
    let remark = "it does not exist yet, or cannot be seen by this user";
    let expected = serde_json::json!({
        "read": [{"server": "nginx", "path": name}],
        "absent": [],
        "logs": [{
            "server": "nginx", "path": "/var/log/nginx/blog.log", "exclude": [], "format": "combined",
            "site": "blog.example.com", "place": format!("{name}:2"), "remarks": [remark],
        }],
        "left_out": [],
        "written": null,
        "agent_yaml": report["agent_yaml"],
    });
    assert_eq!(report, expected);
    assert!(report["agent_yaml"].as_str().unwrap().contains("blog.log"));
}

#[test]
fn nothing_to_be_found_is_a_failure_that_says_where_it_looked() {
    let scratch = tempfile::tempdir().unwrap();
    let called = init(&["-o", "-"], &[("--root", scratch.path())]);
    assert_eq!((called.code, called.stdout.as_str()), (Some(1), ""));
    for place in [
        "/etc/nginx/nginx.conf",
        "/etc/apache2/apache2.conf",
        "/etc/httpd/conf/httpd.conf",
        "/etc/caddy/Caddyfile",
    ] {
        assert!(called.stderr.contains(place), "{place}: {}", called.stderr);
    }
    assert!(called.stderr.contains("viewtail init /path/to/nginx.conf"), "{}", called.stderr);
}

#[test]
fn a_broken_configuration_is_told_with_its_place() {
    let cases: [(&str, &str, &str); 16] = [
        ("nginx.conf", "http {\n  server { listen 80\n}\n", "nginx.conf:3:1: `}` is not expected here"),
        ("nginx.conf", "http {\n  log_format x 'open;\n}\n", "nginx.conf:2:16: this quote is never closed"),
        ("nginx.conf", "http {\n", "nginx.conf:1:1: this block is not closed"),
        ("nginx.conf", "http { } }\n", "nginx.conf:1:10: this `}` closes no block"),
        ("nginx.conf", "http { 'a'b; }\n", "nginx.conf:1:11: something follows a closing quote"),
        ("nginx.conf", "include nginx.conf;\n", "includes itself: remove one of the includes"),
        ("nginx.conf", "http {\n include none.conf;\n}\n", "nginx.conf:2:2: "),
        ("nginx.conf", "include a b;\n", "`include` takes one file, not 2"),
        ("nginx.conf", "x_by_lua_block { \" }\n", "the Lua code of this block has no end"),
        ("nginx.conf", &"a {".repeat(100), "blocks are more than 64 deep"),
        ("httpd.conf", "ServerRoot /x\n<VirtualHost *:80>\n", "httpd.conf:2:1: <virtualhost> is not closed"),
        ("httpd.conf", "<IfModule a>\n</VirtualHost>\n", "closes <ifmodule> of"),
        ("httpd.conf", "ServerRoot /x\nInclude none.conf\n", "httpd.conf:2:1: /x/none.conf cannot be read"),
        ("Caddyfile", "a.example {\n log {\n}\n", "Caddyfile:1:1: this block is not closed"),
        ("Caddyfile", "(a) {\n import a\n}\nx {\n import a\n}\n", "imports are more than 32 deep"),
        ("Caddyfile", "import Caddyfile\n", "includes itself"),
    ];
    for (name, text, expect) in cases {
        let scratch = tempfile::tempdir().unwrap();
        let conf = scratch.path().join(name);
        fs::write(&conf, text).unwrap();
        let called = init(&["-o", "-"], &[("", &conf)]);
        assert_eq!((called.code, called.stdout.as_str()), (Some(78), ""), "{text}: {}", called.stderr);
        assert!(called.stderr.contains(expect), "{text}: {}", called.stderr);
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    for (path, expect) in [
        (scratch.path(), "no regular file"),
        (Path::new("/dev/zero"), "no regular file"),
        (Path::new("/none/nginx.conf"), "cannot be read"),
    ] {
        let called = init(&["-o", "-"], &[("", path)]);
        assert_eq!(called.code, Some(78), "{}", called.stderr);
        assert!(called.stderr.contains(expect), "{}", called.stderr);
    }
}

#[test]
fn what_a_configuration_says_is_harmless_on_a_terminal_and_in_the_file() {
    let scratch = tempfile::tempdir().unwrap();
    let conf = scratch.path().join("nginx.conf");
    fs::write(
        &conf,
        "http { server { access_log '/l/a\u{1b}[2J\nkafka: {}\n.log'; } server { access_log syslog:x\u{1b}c; access_log '/l/\\x{é}.log'; } }",
    )
    .unwrap();
    let called = init(&["-o", "-"], &[("", &conf)]);
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    assert!(!called.stderr.contains('\u{1b}') && !called.stdout.contains('\u{1b}'), "{}", called.stderr);
    assert_eq!(
        called.stdout.lines().filter(|line| line.starts_with("kafka:")).count(),
        1,
        "{}",
        called.stdout
    );
}
