//! TLS: who trusts whom, and what is said when one does not.

use super::door::{Door, Doors};
use super::{CANARY, EXIT_CONFIGURATION, EXIT_PERMISSION, EXIT_TEMPORARY, Visitor};
use crate::support::wait::free_port;

/// The lines of an agent that shows a certificate.
pub fn shown(doors: &Doors, certificate: &str, key: &str, further: &str) -> String {
    format!(
        "tls: {{ca_file: {}, cert_file: {}, key_file: {}{further}}}",
        doors.file("ours.pem"),
        doors.file(certificate),
        doors.file(key)
    )
}

#[test]
fn a_broker_of_a_trusted_authority_is_talked_to() {
    let doors = Doors::shared();
    Visitor::new("tls", &doors.address(Door::Tls), &[doors.trusted()]).is_let_in(&doors);
}

#[test]
fn an_agent_shows_its_certificate_also_with_a_locked_key() {
    let doors = Doors::shared();
    let mutual = doors.address(Door::Mutual);
    let lines = [shown(&doors, "agent.pem", "agent.key", "")];
    Visitor::new("tls-mutual", &mutual, &lines).is_let_in(&doors);

    let passphrase = doors.file("passphrase");
    std::fs::write(&passphrase, format!("{CANARY}\n")).expect("the passphrase can be written");
    let lines =
        [shown(&doors, "agent.pem", "agent-locked.key", &format!(", key_password_file: {passphrase}"))];
    Visitor::new("tls-locked", &mutual, &lines).is_let_in(&doors);
}

#[test]
fn an_agent_without_a_good_certificate_is_told_which_one_is_wanted() {
    let doors = Doors::shared();
    let knock = |lines: String| Visitor::new("tls-nobody", &doors.address(Door::Mutual), &[lines]);
    knock(doors.trusted())
        .is_refused(EXIT_CONFIGURATION, &["wants a certificate of this agent", "kafka.tls.cert_file"]);
    knock(shown(&doors, "agent-foreign.pem", "agent-foreign.key", ""))
        .is_refused(EXIT_CONFIGURATION, &["by an authority that the brokers trust", "-issuer"]);
    knock(shown(&doors, "agent-expired.pem", "agent-expired.key", ""))
        .is_refused(EXIT_PERMISSION, &["it has expired", "-dates"]);
}

#[test]
fn files_that_tls_cannot_use_are_named_by_their_option() {
    let doors = Doors::shared();
    let knock = |lines: String| Visitor::new("tls-files", &doors.address(Door::Mutual), &[lines]);
    knock(shown(&doors, "agent.pem", "agent-locked.key", ""))
        .is_refused(EXIT_CONFIGURATION, &["kafka.tls.key_file", "key_password_file"]);
    knock(shown(&doors, "agent.pem", "broker.key", "")).is_refused(
        EXIT_CONFIGURATION,
        &["kafka.tls.key_file must be the private key of kafka.tls.cert_file"],
    );
    knock(shown(&doors, "absent.pem", "agent.key", ""))
        .is_refused(EXIT_CONFIGURATION, &["kafka.tls.cert_file must be a certificate in PEM"]);
    knock(format!("tls: {{ca_file: {}}}", doors.file("agent.key")))
        .is_refused(EXIT_CONFIGURATION, &["kafka.tls.ca_file must be certificates in PEM"]);
}

#[test]
fn a_broker_that_is_not_to_be_trusted_is_refused_for_its_reason() {
    let doors = Doors::shared();
    let knock = |door: Door, lines: String| Visitor::new("tls-refused", &doors.address(door), &[lines]);
    knock(Door::Tls, format!("tls: {{ca_file: {}}}", doors.file("foreign.pem")))
        .is_refused(EXIT_CONFIGURATION, &["of an authority that is not trusted here", "kafka.tls.ca_file"]);
    knock(Door::Elsewhere, doors.trusted())
        .is_refused(EXIT_CONFIGURATION, &["is for another host name", "kafka.tls.verify_hostname"]);
    knock(Door::Outdated, doors.trusted()).is_refused(EXIT_CONFIGURATION, &["has expired", "renewed"]);
}

#[test]
fn what_is_not_verified_has_to_be_asked_for() {
    let doors = Doors::shared();
    let anywhere = format!("tls: {{ca_file: {}, verify_hostname: false}}", doors.file("ours.pem"));
    Visitor::new("tls-anywhere", &doors.address(Door::Elsewhere), &[anywhere]).is_let_in(&doors);
    let anybody = "tls: {unsafe_accept_any_certificate: true}".to_owned();
    Visitor::new("tls-anybody", &doors.address(Door::Outdated), &[anybody]).is_let_in(&doors);
    let by_property = "properties: {enable.ssl.certificate.verification: false}".to_owned();
    Visitor::new("tls-property", &doors.address(Door::Tls), &[doors.trusted(), by_property])
        .is_refused(EXIT_CONFIGURATION, &["unsafe_accept_any_certificate"]);
}

#[test]
fn tls_and_plain_text_are_told_apart() {
    let doors = Doors::shared();
    Visitor::new("tls-missing", &doors.address(Door::Tls), &[])
        .is_refused(EXIT_CONFIGURATION, &["it expects TLS", "kafka.tls.ca_file"]);
    let plain = doors.address(Door::Plain).replace("127.0.0.1", "localhost");
    Visitor::new("tls-unwanted", &plain, &[doors.trusted()])
        .is_refused(EXIT_CONFIGURATION, &["it expects plain text", "remove kafka.tls"]);
}

#[test]
fn a_broker_that_is_away_is_a_matter_of_time() {
    let nobody = format!("127.0.0.1:{}", free_port());
    Visitor::new("tls-away", &nobody, &[]).is_refused(EXIT_TEMPORARY, &[&nobody, "Connection refused"]);
}

#[test]
fn a_running_agent_says_why_it_is_not_let_in_and_goes_on_trying() {
    let doors = Doors::shared();
    let wrong = format!("tls: {{ca_file: {}}}", doors.file("foreign.pem"));
    let visitor = Visitor::new("tls-running", &doors.address(Door::Tls), &[wrong]);
    let mut agent = visitor.run();
    agent.process().wait_for_words(crate::stage::CATCH_UP_LIMIT, "of an authority that is not trusted here");
    agent.process().wait_for_words(crate::stage::CATCH_UP_LIMIT, "kafka.tls.ca_file");
    agent.stop();
}
