//! `kafka.tls` and `kafka.sasl`.

use std::path::PathBuf;

use crate::config::reader::{Reader, Section};
use crate::config::secret::{self, Password, Secret, SecretFile};
use crate::config::value::{Choice, Fault, Value};

/// Encryption of the connections to the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificates that brokers are verified by, PEM; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate that we show, and its key.
    pub identity: Option<TlsIdentity>,
    /// Whether a broker's certificate must carry its host name.
    pub verify_hostname: bool,
    /// Whether any certificate is accepted, so that anybody on the way can read and change what is sent.
    pub unsafe_accept_any_certificate: bool,
}

/// What we prove ourselves by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Certificate chain, PEM.
    pub cert_file: PathBuf,
    /// Private key, PEM.
    pub key_file: SecretFile,
    /// The key's passphrase, where it has one.
    pub key_password: Option<Password>,
}

/// Who we say that we are, and how that is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// How it is proven.
    pub mechanism: SaslMechanism,
    /// By what.
    pub credentials: Credentials,
}

/// What proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        username: String,
        /// The password, or where it is.
        password: Password,
    },
    /// The file of a token that says the name itself; with OAUTHBEARER alone.
    Token(SecretFile),
}

/// How it is proven who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// By sending the password.
    Plain,
    /// By a challenge to the password.
    ScramSha256,
    /// By a challenge to the password.
    ScramSha512,
    /// By sending a token.
    OauthBearer,
}

impl SaslMechanism {
    /// The name that Kafka gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

impl Choice for SaslMechanism {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("PLAIN", Self::Plain),
        ("SCRAM-SHA-256", Self::ScramSha256),
        ("SCRAM-SHA-512", Self::ScramSha512),
        ("OAUTHBEARER", Self::OauthBearer),
    ];
    const LATER: &'static [&'static str] = &["GSSAPI"];
}

/// Off unless something is set: one file of another authority is a clear wish for encryption.
pub(super) fn read_tls(mut section: Section<'_>, reader: &Reader) -> Option<Tls> {
    let wanted = section.has_values();
    let enabled = section.optional("enabled", wanted);
    let ca_file = section.nullable("ca_file");
    let cert_file: Option<PathBuf> = section.nullable("cert_file");
    let key_file = secret::read_file(&mut section, ["key_file", "key_credential"]);
    let key_password = secret::read_file(&mut section, ["key_password_file", "key_password_credential"]);
    let verify_hostname = section.optional("verify_hostname", true);
    let unsafe_accept_any_certificate = section.optional("unsafe_accept_any_certificate", false);
    section.finish();
    let pair = ["kafka.tls.cert_file", "kafka.tls.key_file", "kafka.tls.key_credential"];
    reader.rule(&pair, cert_file.is_some() == key_file.is_some(), || {
        let (given, absent) = match &key_file {
            None => ("cert_file", "key_file"),
            Some(SecretFile::Path(_)) => ("key_file", "cert_file"),
            Some(SecretFile::Credential(_)) => ("key_credential", "cert_file"),
        };
        Fault::new(format!("`{given}` is of no use without `{absent}`"), "set both, or none")
    });
    let passwords = ["kafka.tls.key_password_file", "kafka.tls.key_password_credential"];
    reader.rule(&passwords, key_password.is_none() || key_file.is_some(), || {
        Fault::new(
            "the password of a key is of no use without `key_file`",
            "set `cert_file` and `key_file`, or remove it",
        )
    });
    reader.advice(
        &["kafka.tls.unsafe_accept_any_certificate"],
        !(enabled && unsafe_accept_any_certificate),
        || {
            Fault::new(
                "brokers are not verified: whoever is on the way can read and change what is sent",
                "for tests only; otherwise name the authority of the brokers in `ca_file`",
            )
        },
    );
    let identity = cert_file.zip(key_file).map(|(cert_file, key_file)| TlsIdentity {
        cert_file,
        key_file,
        key_password: key_password.map(Password::File),
    });
    enabled.then_some(Tls { ca_file, identity, verify_hostname, unsafe_accept_any_certificate })
}

/// Off unless something is set; then the mechanism must be, and what it proves: name and password, or a token.
pub(super) fn read_sasl(mut section: Section<'_>, reader: &Reader) -> Option<Sasl> {
    let mechanism: Option<SaslMechanism> = needed(&mut section, "mechanism", "SCRAM-SHA-512");
    if mechanism == Some(SaslMechanism::OauthBearer) {
        let token = secret::read_file(&mut section, TOKEN_KEYS);
        if !TOKEN_KEYS.iter().any(|key| section.is_given(key)) {
            section.missing(TOKEN_KEYS[0], "/etc/viewtail/kafka-token");
        }
        for key in ["username"].into_iter().chain(SOURCES) {
            let is_given = section.nullable::<Secret>(key).is_some();
            refuse_in_vain(reader, key, is_given);
        }
        section.finish();
        return Some(Sasl { mechanism: mechanism?, credentials: Credentials::Token(token?) });
    }
    let username: Option<String> = needed(&mut section, "username", "viewtail");
    let password = read_password(&mut section);
    if section.has_values() && password.is_empty() && !SOURCES.iter().any(|key| section.is_given(key)) {
        section.missing("password_file", "/etc/viewtail/kafka-password");
    }
    let _ = secret::read_file(&mut section, TOKEN_KEYS);
    for key in TOKEN_KEYS {
        refuse_in_vain(reader, key, section.is_given(key));
    }
    section.finish();
    let sources = SOURCES.map(|key| format!("kafka.sasl.{key}"));
    let sources: Vec<&str> = sources.iter().rev().map(String::as_str).collect();
    reader.rule(&sources, password.len() <= 1, || {
        Fault::new(
            "the password is given in more than one way",
            "keep one of `password_file`, `password_credential`, `password_env` and `password`",
        )
    });
    let credentials = Credentials::Password { username: username?, password: password.into_iter().next()? };
    Some(Sasl { mechanism: mechanism?, credentials })
}

/// An option of the other kind of credentials.
fn refuse_in_vain(reader: &Reader, key: &str, is_given: bool) {
    reader.rule(&[&format!("kafka.sasl.{key}"), "kafka.sasl.mechanism"], !is_given, || {
        Fault::new(
            format!("`{key}` is of no use with this mechanism"),
            "OAUTHBEARER takes a token alone; the others take `username` and a password",
        )
    });
}

/// An option that must be given where anything is.
fn needed<T: Value>(section: &mut Section<'_>, key: &'static str, example: &'static str) -> Option<T> {
    if section.has_values() { section.required(key, example) } else { section.nullable(key) }
}

/// The keys that a password can be given by, the best first.
const SOURCES: [&str; 4] = ["password_file", "password_credential", "password_env", "password"];

/// The keys that a token can be given by.
const TOKEN_KEYS: [&str; 2] = ["token_file", "token_credential"];

fn read_password(section: &mut Section<'_>) -> Vec<Password> {
    let [file, credential, environment, inline] = SOURCES;
    let file = secret::read_file(section, [file, credential]).map(Password::File);
    let environment = section.nullable(environment).map(Password::Environment);
    let inline = section.nullable::<Secret>(inline).map(Password::Inline);
    [file, environment, inline].into_iter().flatten().collect()
}
