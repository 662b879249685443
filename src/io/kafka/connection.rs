//! Why no connection comes about, and what to change: librdkafka's lines in the words of agent.yaml.
//!
//! The texts are those of librdkafka 2.12.1, OpenSSL 3 and Apache Kafka; tests on a real broker fail if they change.
//! What is not recognised keeps librdkafka's own words.

use super::log::without_thread;

/// Who can remove an obstacle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Time: brokers that do not run yet, a network that is down.
    Time,
    /// Whoever gives rights and credentials.
    Rights,
    /// Whoever writes agent.yaml, or the brokers' counterpart of it.
    Configuration,
}

/// What keeps a connection from coming about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Who can remove it.
    pub blame: Blame,
    /// The broker and the fact, one line.
    pub fact: String,
    /// What to do.
    pub remedy: String,
}

/// What a line of librdkafka's log means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Certificate(Certificate),
    OwnCertificateMissing,
    OwnCertificateRefused,
    TlsExpected,
    TlsUnexpected,
    SaslExpected,
    SaslUnexpected,
    OtherMechanisms,
    TokenRefused,
    PasswordRefused,
    NoToken,
    NameUnknown,
}

/// What is wrong with a broker's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certificate {
    Expired,
    NotYetValid,
    OfAnotherHost,
    OfAnotherAuthority,
    Other,
}

/// Words of a line and what they mean; the first that fits counts.
const WORDS: [(&str, Trouble); 20] = [
    (NO_TOKEN, Trouble::NoToken),
    // RFC 7628: how a broker answers to a token.
    ("\"status\":\"invalid_token\"", Trouble::TokenRefused),
    ("SASL OAUTHBEARER authentication failed", Trouble::TokenRefused),
    ("supported mechanisms:  (", Trouble::SaslUnexpected),
    ("supported mechanisms: ", Trouble::OtherMechanisms),
    ("SASL authentication error", Trouble::PasswordRefused),
    ("broker might require SASL authentication", Trouble::SaslExpected),
    ("connecting to a SSL listener?", Trouble::TlsExpected),
    // RFC 8446: bad_certificate and certificate_required are how servers ask for one that was not sent.
    ("SSL alert number 42", Trouble::OwnCertificateMissing),
    ("SSL alert number 116", Trouble::OwnCertificateMissing),
    // Revoked, expired, unknown (what Java says to anything it does not trust), unknown authority.
    ("SSL alert number 44", Trouble::OwnCertificateRefused),
    ("SSL alert number 45", Trouble::OwnCertificateRefused),
    ("SSL alert number 46", Trouble::OwnCertificateRefused),
    ("SSL alert number 48", Trouble::OwnCertificateRefused),
    ("certificate verify failed", Trouble::Certificate(Certificate::Other)),
    ("connecting to a PLAINTEXT broker listener?", Trouble::TlsUnexpected),
    ("wrong version number", Trouble::TlsUnexpected),
    ("unexpected eof while reading", Trouble::TlsUnexpected),
    ("state SSL_HANDSHAKE", Trouble::TlsUnexpected),
    ("Failed to resolve", Trouble::NameUnknown),
];

/// How librdkafka begins to say that it was given no token; the reason follows.
const NO_TOKEN: &str = "Failed to acquire SASL OAUTHBEARER token: ";

/// A broker answers the first question at once, or hangs up as fast; a slow one has this long.
const HANG_UP_MS_MAX: u32 = 1000;

/// The mark that the edge's own verification leaves in the line about a certificate, followed by OpenSSL's number.
pub const CERTIFICATE_MARK: &str = "X509_V_ERR ";

/// What was heard of connections that failed, the most telling line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    trouble: Option<(Trouble, String)>,
}

impl Attempts {
    /// Takes a line in; one that is not about a failed connection changes nothing.
    pub fn hear(&mut self, line: &str) {
        let Some(trouble) = Trouble::of(line) else { return };
        let says_less = match (self.trouble.as_ref().map(|(known, _)| *known), trouble) {
            // The line that follows the verdict on it.
            (Some(Trouble::Certificate(_)), Trouble::Certificate(Certificate::Other)) => true,
            // Without another token the last one is shown until it is refused.
            (Some(Trouble::NoToken), trouble) => trouble != Trouble::NoToken,
            (Some(_) | None, _) => false,
        };
        if !says_less {
            self.trouble = Some((trouble, without_thread(line).to_owned()));
        }
    }

    /// What keeps the connection from coming about, where it is known.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        let (trouble, line) = self.trouble.as_ref()?;
        Some(trouble.obstacle(line))
    }
}

/// Why there is no token, of an error of the client that is about this.
pub fn no_token(error: &str) -> Option<&str> {
    error.strip_prefix(NO_TOKEN)
}

impl Trouble {
    fn of(line: &str) -> Option<Self> {
        if let Some((_, number)) = line.split_once(CERTIFICATE_MARK) {
            return Some(Self::Certificate(Certificate::of(number.trim())));
        }
        let known = WORDS.iter().find(|(words, _)| line.contains(words)).map(|(_, trouble)| *trouble);
        known.or_else(|| Self::of_hang_up(line))
    }

    /// A broker that hangs up says nothing; when it does so tells what it did not like.
    fn of_hang_up(line: &str) -> Option<Self> {
        if !line.contains("Disconnected") {
            return None;
        }
        if line.contains("in state APIVERSION_QUERY") && !line.contains("ssl://") {
            return Some(Self::TlsExpected);
        }
        // Whoever is not known is cut off at the first question. A connection of some age ends for other reasons.
        let (_, rest) = line.split_once("(after ")?;
        let (age_ms, _) = rest.split_once("ms in state UP")?;
        let is_young = age_ms.parse::<u32>().is_ok_and(|age_ms| age_ms < HANG_UP_MS_MAX);
        (is_young && !line.contains("sasl_")).then_some(Self::SaslExpected)
    }

    fn obstacle(self, line: &str) -> Obstacle {
        let broker = broker_of(line).unwrap_or("the broker");
        let (blame, fact, remedy) = match self {
            Self::Certificate(certificate) => {
                (Blame::Configuration, certificate.fact(broker), certificate.remedy())
            }
            Self::OwnCertificateMissing => (
                Blame::Configuration,
                format!("{broker} wants a certificate of this agent, by an authority that the brokers trust"),
                "set kafka.tls.cert_file and key_file to such a one: `openssl x509 -noout -issuer -in FILE` shows whose it is",
            ),
            Self::OwnCertificateRefused => (
                Blame::Rights,
                format!(
                    "{broker} refuses the certificate of this agent: it has expired, or is of an authority that the brokers do not trust"
                ),
                "look with `openssl x509 -noout -dates -issuer -in` at kafka.tls.cert_file, and have it renewed",
            ),
            Self::TlsExpected => (
                Blame::Configuration,
                format!("{broker} hangs up on plain text: it expects TLS"),
                "set kafka.tls.ca_file (or kafka.tls.enabled: true), or name the port of the brokers' plain listener",
            ),
            Self::TlsUnexpected => (
                Blame::Configuration,
                format!("{broker} does not answer to TLS: it expects plain text"),
                "name the port of the brokers' TLS listener in kafka.brokers, or remove kafka.tls",
            ),
            Self::SaslExpected => (
                Blame::Configuration,
                format!("{broker} hangs up on who does not authenticate"),
                "set kafka.sasl, or name the port of a listener without SASL",
            ),
            Self::SaslUnexpected => (
                Blame::Configuration,
                format!("{broker} knows no SASL"),
                "name the port of the brokers' SASL listener in kafka.brokers, or remove kafka.sasl",
            ),
            Self::OtherMechanisms => (
                Blame::Configuration,
                format!("{broker} does not offer this mechanism of SASL, but: {}", mechanisms_of(line)),
                "set kafka.sasl.mechanism to one of them",
            ),
            Self::PasswordRefused => (
                Blame::Rights,
                format!("{broker} refuses the user or the password (which of the two, it does not say)"),
                "check kafka.sasl.username and the password, and that the brokers know this user for this mechanism",
            ),
            Self::TokenRefused => (
                Blame::Rights,
                format!("{broker} refuses the token"),
                "see in kafka.sasl.token_file whether it has expired, and is for these brokers",
            ),
            Self::NoToken => (
                Blame::Rights,
                no_token(line).unwrap_or(line).to_owned(),
                "have a fresh token written to kafka.sasl.token_file",
            ),
            Self::NameUnknown => (
                Blame::Time,
                format!("the name of {broker} is unknown"),
                "check kafka.brokers, and this host's name service",
            ),
        };
        Obstacle { blame, fact, remedy: remedy.to_owned() }
    }
}

impl Certificate {
    /// By OpenSSL's number (x509_vfy.h).
    fn of(number: &str) -> Self {
        match number {
            "9" => Self::NotYetValid,
            "10" => Self::Expired,
            // The issuer is not here, or the chain ends with a stranger.
            "2" | "18" | "19" | "20" | "21" => Self::OfAnotherAuthority,
            "62" | "64" => Self::OfAnotherHost,
            _ => Self::Other,
        }
    }

    fn fact(self, broker: &str) -> String {
        let what = match self {
            Self::Expired => "has expired",
            Self::NotYetValid => "is not valid yet, by the clock of this host",
            Self::OfAnotherHost => "is for another host name",
            Self::OfAnotherAuthority => "is of an authority that is not trusted here",
            Self::Other => "cannot be verified",
        };
        format!("the certificate of {broker} {what}")
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Expired => "have it renewed on the broker, unless the clock of this host is wrong",
            Self::NotYetValid => "set the clock of this host",
            Self::OfAnotherHost => {
                "write kafka.brokers with the names in their certificates, which must also be those of their \
                 advertised listeners; kafka.tls.verify_hostname: false would accept any host of this authority"
            }
            Self::OfAnotherAuthority | Self::Other => "set kafka.tls.ca_file to the authority of the brokers",
        }
    }
}

/// The HOST:PORT of a line that begins `[PROTOCOL://]HOST:PORT/ID: `.
fn broker_of(line: &str) -> Option<&str> {
    let (place, _) = line.split_once('/').filter(|(place, _)| !place.ends_with(':')).or_else(|| {
        let (_, rest) = line.split_once("://")?;
        rest.split_once('/')
    })?;
    place.contains(':').then_some(place)
}

/// What a broker offers, in the line that ends `supported mechanisms: A,B (after ...)`.
fn mechanisms_of(line: &str) -> &str {
    let (_, rest) = line.split_once("supported mechanisms: ").unwrap_or_default();
    rest.split(" (after").next().unwrap_or(rest).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obstacle(lines: &[&str]) -> Obstacle {
        let mut heard = Attempts::default();
        lines.iter().for_each(|line| heard.hear(line));
        heard.obstacle().unwrap()
    }

    #[test]
    fn a_certificate_is_told_by_the_number_of_the_verdict_and_not_by_the_line_behind_it() {
        let verdict = "[thrd:ssl://a:1/bootstrap]: ssl://a:1/bootstrap: Certificate (subject=/CN=a, issuer=/CN=b) \
                       verification callback failed: X509_V_ERR 62";
        let failure = "[thrd:ssl://a:1/bootstrap]: ssl://a:1/bootstrap: error:0A000086:SSL routines::certificate \
                       verify failed (after 6ms in state SSL_HANDSHAKE)";
        let found = obstacle(&[verdict, failure]);
        assert_eq!(
            (found.blame, found.fact.as_str()),
            (Blame::Configuration, "the certificate of a:1 is for another host name")
        );
        assert!(obstacle(&[failure]).remedy.contains("ca_file"));
    }

    #[test]
    fn a_token_that_cannot_be_had_is_told_and_not_what_becomes_of_the_last_one() {
        let error = "Failed to acquire SASL OAUTHBEARER token: /token: the token expired 5 s ago";
        let refused = "[thrd:TxnCoordinator]: TxnCoordinator: a:1: SASL authentication error: \
                       {\"status\":\"invalid_token\"} (after 311ms in state AUTH_REQ)";
        assert_eq!(obstacle(&[error, refused]).fact, "/token: the token expired 5 s ago");
        assert!(obstacle(&[refused]).fact.ends_with("refuses the token"));
    }

    #[test]
    fn a_line_about_something_else_leaves_the_last_trouble() {
        let refused = "[thrd:sasl_ssl://a:1/bootstrap]: sasl_ssl://a:1/bootstrap: SASL authentication error: \
                       Authentication failed: Invalid username or password (after 334ms in state AUTH_REQ)";
        let found =
            obstacle(&[refused, "[thrd:a:1]: a:1/1: Connect to ipv6#[::1]:1 failed: Connection refused"]);
        assert_eq!(found.blame, Blame::Rights);
        assert!(found.fact.starts_with("a:1 refuses the user or the password"), "{}", found.fact);
    }

    #[test]
    fn mechanisms_are_those_that_the_broker_offers() {
        let line = "[thrd:sasl_plaintext://a:1/bootstrap]: sasl_plaintext://a:1/bootstrap: SASL PLAIN mechanism \
                    handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: \
                    SCRAM-SHA-512 (after 304ms in state AUTH_HANDSHAKE)";
        assert!(obstacle(&[line]).fact.ends_with("but: SCRAM-SHA-512"), "{:?}", obstacle(&[line]));
        let none = line.replace("SCRAM-SHA-512 (", " (");
        assert!(obstacle(&[&none]).fact.ends_with("knows no SASL"), "{:?}", obstacle(&[&none]));
    }

    #[test]
    fn brokers_are_named_without_protocol_and_number() {
        assert_eq!(broker_of("ssl://a:1/bootstrap: x"), Some("a:1"));
        assert_eq!(broker_of("a:1/1: x"), Some("a:1"));
        assert_eq!(broker_of("nothing"), None);
    }
}
