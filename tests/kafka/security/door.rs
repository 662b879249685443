//! The broker with many doors, and the certificates, names and passwords that open them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use super::CANARY;
use crate::support::kafka::Kafka;
use crate::support::scratch::Scratch;
use crate::support::topic;
use crate::support::wait::free_port;

const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/certificates.sh");

/// How long a broker lets a client go on with one token.
pub const REAUTHENTICATE_MS: u64 = 8000;

/// A listener of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Lets everybody in, and lets him do anything.
    Plain,
    /// TLS.
    Tls,
    /// TLS, and whoever comes must show a certificate.
    Mutual,
    /// TLS with the certificate of another host.
    Elsewhere,
    /// TLS with a certificate that has expired.
    Outdated,
    /// SASL within TLS, every mechanism.
    Sasl,
    /// SASL in plain text, SCRAM-SHA-512 alone.
    Open,
}

/// All doors, with the name of the listener and its protocol.
const ALL: [(Door, &str, &str); 7] = [
    (Door::Plain, "PLAINTEXT", "PLAINTEXT"),
    (Door::Tls, "TLS", "SSL"),
    (Door::Mutual, "MUTUAL", "SSL"),
    (Door::Elsewhere, "ELSEWHERE", "SSL"),
    (Door::Outdated, "OUTDATED", "SSL"),
    (Door::Sasl, "SASL", "SASL_SSL"),
    (Door::Open, "OPEN", "SASL_PLAINTEXT"),
];

/// Users of the tests of rights: each lacks one, which its name says.
pub const USERS: [&str; 6] = ["all", "no-write", "no-read", "no-describe", "no-transaction", "no-group"];

/// The broker.
pub struct Doors {
    kafka: Kafka,
    ports: [u16; ALL.len()],
    certificates: PathBuf,
    _scratch: Scratch,
}

impl Doors {
    /// The one that all tests share; it ends with the last of them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Doors>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(doors) = shared.upgrade() {
            return doors;
        }
        let doors = Arc::new(Self::start());
        *shared = Arc::downgrade(&doors);
        doors
    }

    /// One of a test's own.
    pub fn start() -> Self {
        let scratch = Scratch::new("doors");
        let certificates = scratch.join("certificates");
        let made =
            Command::new(CERTIFICATES).arg(&certificates).output().expect("certificates.sh can be run");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let ports: [u16; ALL.len()] = std::array::from_fn(|_| free_port());
        let controller = free_port();
        let properties = scratch.join("further.properties");
        std::fs::write(&properties, further(&ports, controller, &certificates))
            .expect("the properties can be written");
        let scram = |bits: u32| format!("SCRAM-SHA-{bits}=[name=alice,password={CANARY}]");
        let further =
            [&properties.display().to_string(), "--add-scram", &scram(256), "--add-scram", &scram(512)];
        let kafka = Kafka::formatted(
            Scratch::new("kafka"),
            [&ports[0].to_string(), &controller.to_string()],
            &further,
        );
        kafka.restart();
        Self { kafka, ports, certificates, _scratch: scratch }
    }

    /// HOST:PORT as the certificates call it.
    pub fn address(&self, door: Door) -> String {
        if door == Door::Plain {
            return self.kafka.brokers();
        }
        let at = ALL.iter().position(|(one, ..)| *one == door).expect("every door is in the table");
        format!("localhost:{}", self.ports[at])
    }

    /// A file of certificates.sh, such as `ours.pem`.
    pub fn file(&self, name: &str) -> String {
        self.certificates.join(name).display().to_string()
    }

    /// The line of `kafka:` that trusts the authority of this broker.
    pub fn trusted(&self) -> String {
        format!("tls: {{ca_file: {}}}", self.file("ours.pem"))
    }

    pub fn create_topic(&self, name: &str) {
        topic::create(&self.kafka.brokers(), name, 3, &[]);
    }
}

/// Properties behind those of every node of the tests.
fn further(ports: &[u16; ALL.len()], controller: u16, certificates: &Path) -> String {
    let doors = || ALL.iter().zip(ports);
    let list = |entries: Vec<String>| entries.join(",");
    let at =
        |host: &str| list(doors().map(|((_, name, _), port)| format!("{name}://{host}:{port}")).collect());
    let protocols = list(ALL.iter().map(|(_, name, protocol)| format!("{name}:{protocol}")).collect());
    let file = |name: &str| certificates.join(name).display().to_string();
    let users: Vec<String> =
        USERS.iter().chain(&["alice"]).map(|user| format!("user_{user}=\"{CANARY}\"")).collect();
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    format!(
        "listeners={},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={}\n\
         listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT\n\
         ssl.keystore.type=PEM\n\
         ssl.truststore.type=PEM\n\
         ssl.keystore.location={}\n\
         ssl.truststore.location={}\n\
         listener.name.mutual.ssl.client.auth=required\n\
         listener.name.elsewhere.ssl.keystore.location={}\n\
         listener.name.outdated.ssl.keystore.location={}\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER\n\
         listener.name.open.sasl.enabled.mechanisms=SCRAM-SHA-512\n\
         listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {};\n\
         listener.name.sasl.scram-sha-256.sasl.jaas.config={scram}\n\
         listener.name.sasl.scram-sha-512.sasl.jaas.config={scram}\n\
         listener.name.open.scram-sha-512.sasl.jaas.config={scram}\n\
         listener.name.sasl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";\n\
         listener.name.sasl.oauthbearer.connections.max.reauth.ms={REAUTHENTICATE_MS}\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS\n\
         allow.everyone.if.no.acl.found=true\n",
        at("127.0.0.1"),
        at("localhost").replace("PLAINTEXT://localhost", "PLAINTEXT://127.0.0.1"),
        file("broker-store.pem"),
        file("ours.pem"),
        file("elsewhere-store.pem"),
        file("outdated-store.pem"),
        users.join(" "),
    )
}
