//! Configurations made to cost more than their length: each is answered within bounds that the kernel holds.
//!
//! Seconds of the processor and bytes of address space are counted, not time, so a busy machine changes nothing.

use std::process::{Command, Output};

/// The largest file that is read.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Some times what the most expensive text takes; what is not linear in a megabyte takes hours.
const CPU_SECONDS_MAX: u32 = 60;
/// Some times what the largest tree takes; what multiplies itself takes all there is.
const REFUSED_BYTES_MAX: u64 = 512 << 20;
/// A format, rules and an encoder for each of 30,000 logs.
const READ_BYTES_MAX: u64 = 2 << 30;
/// sysexits: a person has to change the configuration.
const EXIT_CONFIGURATION: i32 = 78;

/// Reads a configuration within these bounds; whoever goes beyond is killed, or gets no memory and aborts.
fn read_within(text: &str, bytes_max: u64) -> Output {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("agent.yaml");
    std::fs::write(&file, text).expect("the configuration can be written");
    Command::new("prlimit")
        .arg(format!("--as={bytes_max}"))
        .arg(format!("--cpu={CPU_SECONDS_MAX}"))
        .arg(env!("CARGO_BIN_EXE_viewtail"))
        .args(["config", "show", "-c"])
        .arg(&file)
        .output()
        .expect("prlimit can be run")
}

fn assert_refused(text: &str, what: &str) {
    let Output { status, stderr, .. } = read_within(text, REFUSED_BYTES_MAX);
    let said = String::from_utf8_lossy(&stderr);
    let head: String = said.chars().take(300).collect();
    assert_eq!(status.code(), Some(EXIT_CONFIGURATION), "{what}: {status}\n{head}");
    assert!(said.contains("agent.yaml:") && said.contains("help"), "{what} has no place:\n{head}");
    assert!(said.len() < 20_000, "{what}: {} bytes of words\n{head}", said.len());
}

/// The piece again and again, up to the largest file.
fn filled(prefix: &str, piece: &str) -> String {
    prefix.to_owned() + &piece.repeat((FILE_BYTES_MAX - prefix.len()) / piece.len())
}

#[test]
fn the_largest_text_of_any_piece_costs_no_more_than_its_length() {
    const PIECES: [&str; 24] = [
        "[", "{", "- ", "? ", "a: ", "\n", " ", ":", "\"", "'", "a\n", "- a\n", "#", "&a ", "*a ", "a,",
        "[a]: ", "é", "\t", "{a: b},", "!", "%x\n", "---\n", "|\n",
    ];
    for prefix in ["", "a: [", "a: \""] {
        for piece in PIECES {
            let text = filled(prefix, piece);
            if text.trim_matches(['\n', ' ', '#']).is_empty() {
                // It says nothing at all, so no place in it is to blame.
                assert_eq!(read_within(&text, REFUSED_BYTES_MAX).status.code(), Some(EXIT_CONFIGURATION));
                continue;
            }
            assert_refused(&text, &format!("{prefix}{piece:?}"));
        }
    }
    let as_many_brackets_as_are_read = format!("a: {}", "[".repeat(1900));
    assert_refused(&filled(&as_many_brackets_as_are_read, "a,"), "1900 brackets");
}

#[test]
fn a_bomb_of_anchors_is_refused_before_it_is_expanded() {
    // Each line is ten times the one before: 10^9 items, if anybody followed.
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let again = vec![format!("*a{}", level - 1); 10].join(",");
        bomb += &format!("a{level}: &a{level} [{again}]\n");
    }
    assert_refused(&bomb, "a bomb of anchors");
    assert_refused(&bomb.replace("x,", "{<<: *a0},"), "a bomb of merge keys");
}

#[test]
fn one_scalar_as_large_as_the_file_is_refused_in_few_words() {
    let complete =
        |topic: &str| format!("logs: [{{paths: [/a.log]}}]\nkafka: {{brokers: [a], topic: {topic}}}\n");
    let large = "x".repeat(FILE_BYTES_MAX - 200);
    assert_refused(&complete(&large), "a plain scalar");
    assert_refused(&complete(&format!("'{large}'")), "a quoted scalar");
    assert_refused(&complete(&format!("\"{large}\"")), "a scalar in double quotes");
    assert_refused(&complete(&format!("'views.{{site}}{large}'")), "a template");
}

#[test]
fn thirty_thousand_logs_are_read() {
    let logs: String = (0..30_000).map(|number| format!("- paths:\n  - /v/{number}.log\n")).collect();
    let text = format!("kafka: {{brokers: [a], topic: t}}\nlogs:\n{logs}");
    let Output { status, stderr, .. } = read_within(&text, READ_BYTES_MAX);
    assert_eq!(status.code(), Some(0), "{status}\n{}", String::from_utf8_lossy(&stderr));
}
