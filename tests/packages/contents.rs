//! What is installed: complete, small, and alike in both kinds.

use std::collections::BTreeSet;
use std::process::Command;

use crate::made::{Kind, package, source, staged, succeed};

/// What a stripped binary may weigh.
const BINARY_SIZE_MAX: u64 = 20 * 1024 * 1024;

/// Files of both kinds; `*` at the end stands for any of a directory.
const BOTH: [&str; 24] = [
    "/etc/viewtail/agent.yaml",
    "/usr/bin/viewtail",
    "/usr/lib/systemd/system/viewtail.service",
    "/usr/lib/sysusers.d/viewtail.conf",
    "/usr/lib/tmpfiles.d/viewtail.conf",
    "/usr/share/bash-completion/completions/viewtail",
    "/usr/share/doc/viewtail/README.md",
    "/usr/share/doc/viewtail/SECURITY.md",
    "/usr/share/doc/viewtail/changelog.gz",
    "/usr/share/doc/viewtail/examples/downstream.md",
    "/usr/share/doc/viewtail/examples/downstream/clickhouse-tables.sql",
    "/usr/share/doc/viewtail/examples/downstream/doris-tables.sql",
    "/usr/share/doc/viewtail/examples/downstream/flink-tables.sql",
    "/usr/share/doc/viewtail/examples/systemd/lease.conf",
    "/usr/share/doc/viewtail/examples/viewtail.json",
    "/usr/share/doc/viewtail/examples/viewtail.rules.yaml",
    "/usr/share/doc/viewtail/metrics.md",
    "/usr/share/doc/viewtail/viewtail.cdx.json",
    "/usr/share/fish/vendor_completions.d/viewtail.fish",
    "/usr/share/man/man1/viewtail.1.gz",
    "/usr/share/man/man5/viewtail.yaml.5.gz",
    "/usr/share/viewtail/agent.schema.json",
    "/usr/share/viewtail/next-steps",
    "/usr/share/viewtail/view-event-v1.schema.json",
];
const DEB: [&str; 4] = [
    "/usr/share/doc/viewtail/changelog.Debian.gz",
    "/usr/share/doc/viewtail/copyright",
    "/usr/share/doc/viewtail/third-party-licences.gz",
    "/usr/share/zsh/vendor-completions/_viewtail",
];
const RPM: [&str; 3] = [
    "/usr/share/licenses/viewtail/LICENSE",
    "/usr/share/licenses/viewtail/third-party-licences",
    "/usr/share/zsh/site-functions/_viewtail",
];

fn listed(kind: Kind) -> BTreeSet<String> {
    let package = package(kind, 1);
    let text = match kind {
        Kind::Deb => {
            succeed(Command::new("sh").args(["-c", "dpkg-deb --fsys-tarfile \"$0\" | tar -t"]).arg(package))
        }
        Kind::Rpm => succeed(Command::new("rpm").args(["-qpl", "--nosignature"]).arg(package)),
    };
    let paths =
        text.lines().filter(|line| !line.ends_with('/')).map(|line| line.trim_start_matches('.').to_owned());
    paths.collect()
}

#[test]
fn both_kinds_hold_what_they_should() {
    for (kind, own) in [(Kind::Deb, DEB.as_slice()), (Kind::Rpm, RPM.as_slice())] {
        let listed = listed(kind);
        for wanted in BOTH.iter().chain(own) {
            assert!(listed.contains(*wanted), "{kind:?} lacks {wanted}: {listed:#?}");
        }
        let of_nginx = listed.iter().find(|path| path.contains("logrotate.d") || path.contains("nginx"));
        assert_eq!(of_nginx, None, "a package changes nothing of the web server's");
    }
}

#[test]
fn the_binary_is_small_stripped_and_links_nothing_but_the_c_library() {
    let binary = staged().join("usr/bin/viewtail");
    let size = std::fs::metadata(&binary).expect("the binary is staged").len();
    println!("binary: {size} bytes");
    assert!(size <= BINARY_SIZE_MAX, "{size} bytes");
    let sections = succeed(Command::new("readelf").args(["-SW"]).arg(&binary));
    // What rustc leaves for debuggers in 34 bytes of .debug_gdb_scripts is loaded, and so no strip takes it.
    let is_stripped = [".symtab", ".debug_info", ".debug_line"].iter().all(|name| !sections.contains(name));
    assert!(is_stripped, "{sections}");
    let dynamic = succeed(Command::new("readelf").args(["-dW"]).arg(&binary));
    let libraries = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    let libraries: Vec<&str> = libraries.filter_map(|line| line.split(['[', ']']).nth(1)).collect();
    let allowed = ["libc.so", "libm.so", "libgcc_s.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux"];
    let is_allowed = |library: &&str| allowed.iter().any(|allowed| library.starts_with(allowed));
    assert!(!libraries.is_empty() && libraries.iter().all(is_allowed), "{libraries:?}");
}

#[test]
fn the_list_of_components_names_what_is_linked() {
    let path = staged().join("usr/share/doc/viewtail/viewtail.cdx.json");
    let text = std::fs::read_to_string(&path).expect("the list is staged");
    let list: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((&list["bomFormat"], &list["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let validate = "import sys; from cyclonedx.schema import SchemaVersion; \
                    from cyclonedx.validation.json import JsonStrictValidator as Validator; \
                    print(Validator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()))";
    let python = source().join("target/lint/bin/python");
    assert_eq!(
        succeed(Command::new(python).args(["-c", validate]).arg(&path)).trim(),
        "None",
        "no fault is found"
    );
    let components = list["components"].as_array().expect("it has components");
    for wanted in
        ["rdkafka-sys", "openssl-sys", "tokio", "serde_yaml", "openssl", "librdkafka", "zstd", "zlib"]
    {
        let found = components.iter().find(|component| component["name"] == wanted);
        let found = found.unwrap_or_else(|| panic!("{wanted} is in the list"));
        assert!(found["version"].is_string() && found["licenses"].is_array(), "{found}");
    }
}

#[test]
fn every_linked_work_brings_its_licence() {
    let path = source().join("target/package/made/third-party-licences");
    let text = std::fs::read_to_string(path).expect("the licences are made");
    for wanted in
        ["openssl-src ", "librdkafka - Apache Kafka C driver library", "crawler-user-agents", "tokio "]
    {
        assert!(text.contains(wanted), "{wanted}");
    }
}
