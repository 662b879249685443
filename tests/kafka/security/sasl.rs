//! SASL: passwords and tokens, right and wrong.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::door::{Door, Doors, REAUTHENTICATE_MS};
use super::{CANARY, EXIT_CONFIGURATION, EXIT_PERMISSION, Visitor};
use crate::stage::CATCH_UP_LIMIT;
use crate::support::access_log::AccessLog;
use crate::support::topic::Counter;
use crate::support::wait::{pass_time, unix_seconds, wait_until};
use crate::support::writer::write_lines;

pub fn password(doors: &Doors, mechanism: &str, user: &str, password: &str) -> String {
    let file = doors.file(&format!("password-{mechanism}-{user}"));
    std::fs::write(&file, format!("{password}\n")).expect("the password can be written");
    format!("sasl: {{mechanism: {mechanism}, username: {user}, password_file: {file}}}")
}

/// A token without a signature, which the broker of the tests takes (Kafka's OAuthBearerUnsecuredValidator).
fn write_token(file: &Path, lifetime_seconds: i64) {
    let now = unix_seconds();
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        serde_json::json!({"sub": "alice", "jti": CANARY, "iat": now - 60, "exp": now + lifetime_seconds});
    let token = format!("{}.{}.\n", part(serde_json::json!({"alg": "none"})), part(claims));
    // As whoever renews a token should do it: the agent may read at any instant.
    let next = file.with_extension("next");
    std::fs::write(&next, token).and_then(|()| std::fs::rename(&next, file)).expect("a token can be written");
}

#[test]
fn every_mechanism_with_a_password_lets_its_user_in() {
    let doors = Doors::shared();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let lines = [doors.trusted(), password(&doors, mechanism, "alice", CANARY)];
        let name = format!("sasl-{}", mechanism.to_lowercase());
        Visitor::new(&name, &doors.address(Door::Sasl), &lines).is_let_in(&doors);
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_a_matter_of_rights() {
    let doors = Doors::shared();
    let knock = |mechanism: &str, user: &str, secret: &str| {
        let lines = [doors.trusted(), password(&doors, mechanism, user, secret)];
        Visitor::new("sasl-refused", &doors.address(Door::Sasl), &lines)
            .is_refused(EXIT_PERMISSION, &["refuses the user or the password", "kafka.sasl.username"]);
    };
    knock("PLAIN", "alice", "wrong");
    knock("SCRAM-SHA-256", "alice", "wrong");
    knock("SCRAM-SHA-512", "nobody", CANARY);
}

#[test]
fn a_mechanism_that_is_not_offered_and_none_at_all_are_told() {
    let doors = Doors::shared();
    let user = password(&doors, "PLAIN", "alice", CANARY);
    let knock = |door: Door, lines: &[String]| Visitor::new("sasl-none", &doors.address(door), lines);
    knock(Door::Open, std::slice::from_ref(&user))
        .is_refused(EXIT_CONFIGURATION, &["but: SCRAM-SHA-512", "kafka.sasl.mechanism"]);
    knock(Door::Plain, std::slice::from_ref(&user)).is_refused(EXIT_CONFIGURATION, &["knows no SASL"]);
    knock(Door::Sasl, &[doors.trusted()])
        .is_refused(EXIT_CONFIGURATION, &["hangs up on who does not authenticate", "set kafka.sasl"]);
    knock(Door::Sasl, &[user]).is_refused(EXIT_CONFIGURATION, &["it expects TLS"]);
}

#[test]
fn a_token_that_is_missing_expired_or_none_is_told() {
    let doors = Doors::shared();
    let file = doors.file("bad-token");
    let lines = [doors.trusted(), format!("sasl: {{mechanism: OAUTHBEARER, token_file: {file}}}")];
    let knock = |words: &[&str]| {
        Visitor::new("sasl-token", &doors.address(Door::Sasl), &lines).is_refused(EXIT_PERMISSION, words);
    };
    knock(&["cannot read the token", &file]);
    write_token(Path::new(&file), -5);
    knock(&["the token expired", "kafka.sasl.token_file"]);
    std::fs::write(&file, format!("{CANARY}.{CANARY}.{CANARY}\n")).expect("a token can be written");
    knock(&["refuses the token", "kafka.sasl.token_file"]);
}

#[test]
fn a_token_is_read_again_before_it_expires_and_an_agent_without_one_waits_for_the_next() {
    /// Above the time in which the broker wants to be asked again, so that both ends of a token are met.
    const LIFETIME_SECONDS: i64 = 12;
    /// For as long as the test lasts, whatever else the machine does.
    const LONG_SECONDS: i64 = 600;
    let doors = Doors::shared();
    let file = doors.file("token");
    write_token(Path::new(&file), LONG_SECONDS);
    let lines = [doors.trusted(), format!("sasl: {{mechanism: OAUTHBEARER, token_file: {file}}}")];
    let visitor = Visitor::new("sasl-oauth", &doors.address(Door::Sasl), &lines);
    visitor.is_let_in(&doors);

    let (truth, log) = (visitor.scratch.join("truth"), visitor.scratch.join("access.log"));
    let mut source = AccessLog::new("w2", 3);
    let counter = Counter::start(&doors.address(Door::Plain), "sasl-oauth", visitor.scratch.path());
    let renewed_until = |wanted: u64| {
        wait_until(CATCH_UP_LIMIT, "the lines are committed", || {
            write_token(Path::new(&file), LIFETIME_SECONDS);
            counter.count() >= wanted
        });
    };
    write_token(Path::new(&file), LIFETIME_SECONDS);
    let mut agent = visitor.run();
    let mut lines = super::LINES;
    let mut write = |count: u64| {
        write_lines(&log, &mut source, count, &truth);
        lines += count;
        lines
    };
    // Two lives of a token and three of what the broker allows, with lines in each second.
    for _ in 0..u64::try_from(2 * LIFETIME_SECONDS).unwrap_or(0).max(3 * REAUTHENTICATE_MS / 1000) {
        renewed_until(write(5));
        pass_time(Duration::from_secs(1));
    }
    assert!(!agent.words().contains("trying again"), "the connection was lost:\n{}", agent.words());

    std::fs::remove_file(&file).expect("a token can be removed");
    agent.process().wait_for_words(CATCH_UP_LIMIT, "cannot read the token");
    let wanted = write(5);
    write_token(Path::new(&file), LONG_SECONDS);
    counter.wait_for(wanted, CATCH_UP_LIMIT);
    assert!(!agent.words().contains(CANARY), "a secret is shown:\n{}", agent.words());
    agent.stop();
    assert_eq!(counter.count(), wanted, "each line is there once");
}
