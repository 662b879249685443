//! Secrets: a text that is never shown, and where a password comes from.

use std::ffi::OsString;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::node::{Node, quoted};
use super::reader::Section;
use super::shape::Shape;
use super::value::{Fault, Value};

/// What stands for a secret wherever it would be shown.
pub const MASK: &str = "********";

/// Where systemd puts the credentials of a service (systemd.exec(5), since version 247).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The longest name of a file, which a credential's is.
const CREDENTIAL_BYTES_MAX: usize = 255;

/// The longest password that is read from a file: far above any real one, far below what could hurt.
const PASSWORD_BYTES_MAX: u64 = 64 * 1024;

/// A text that no `Debug`, `Display` or message reveals.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text out of sight.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one who needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

/// The file of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFile {
    /// By its path.
    Path(PathBuf),
    /// By the name of the credential as which systemd hands it to the service.
    Credential(String),
}

/// A credential that was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "credential {name}: ${CREDENTIALS_DIRECTORY} is not set, so systemd gave this process none; the service needs \
     `LoadCredential={name}:/path/of/the/file`, and so does a command by hand: \
     `systemd-run --pipe -p User=viewtail -p LoadCredential={name}:/path/of/the/file viewtail check`"
)]
pub struct NoCredentials {
    name: String,
}

impl SecretFile {
    /// Where the file is.
    ///
    /// # Errors
    /// It is a credential, and this process got none.
    pub fn path(&self) -> Result<PathBuf, NoCredentials> {
        self.path_below(std::env::var_os(CREDENTIALS_DIRECTORY))
    }

    fn path_below(&self, credentials: Option<OsString>) -> Result<PathBuf, NoCredentials> {
        match (self, credentials.filter(|directory| !directory.is_empty())) {
            (Self::Path(path), _) => Ok(path.clone()),
            (Self::Credential(name), Some(directory)) => Ok(Path::new(&directory).join(name)),
            (Self::Credential(name), None) => Err(NoCredentials { name: name.clone() }),
        }
    }
}

/// The name of a credential.
struct Credential(String);

impl Value for Credential {
    fn read(node: &Node) -> Result<Self, Fault> {
        let name = String::read(node)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.len() > CREDENTIAL_BYTES_MAX || name.starts_with('.') || !name.chars().all(allowed) {
            let fault = format!(
                "must be at most {CREDENTIAL_BYTES_MAX} characters of a-z A-Z 0-9 . _ - and not begin with a dot, found {}",
                quoted(&name)
            );
            return Err(Fault::new(
                fault,
                "write what stands before the colon of `LoadCredential=`; no path",
            ));
        }
        Ok(Self(name))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("the name of a credential of systemd", "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$")
    }
}

/// Reads a secret's file that is given by its path or as a credential, under two keys; refuses both at once.
pub(super) fn read_file(
    section: &mut Section<'_>,
    [path_key, credential_key]: [&'static str; 2],
) -> Option<SecretFile> {
    let path = section.nullable(path_key).map(SecretFile::Path);
    let credential = section.nullable::<Credential>(credential_key).map(|Credential(name)| name);
    section.rule(&[credential_key, path_key], path.is_none() || credential.is_none(), || {
        Fault::new(
            format!("`{credential_key}` and `{path_key}` are two places of one secret"),
            "keep one of them",
        )
    });
    path.or_else(|| credential.map(SecretFile::Credential))
}

/// Where a password comes from. It is read when it is needed, so that a changed file counts at the next connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The first line of a file.
    File(SecretFile),
    /// An environment variable.
    Environment(String),
    /// The configuration itself.
    Inline(Secret),
}

/// A password that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file could not be read.
    #[error("{}: cannot read the password: {error}; the file must be readable by the user that runs viewtail", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is empty, too long or not text.
    #[error("{}: not a password: its first line must be 1 to {PASSWORD_BYTES_MAX} bytes of UTF-8 text", .path.display())]
    NotPassword {
        /// The file.
        path: PathBuf,
    },
    /// The file was to come from systemd.
    #[error(transparent)]
    NoCredentials(#[from] NoCredentials),
    /// The variable is not set or not text.
    #[error("environment variable {name} is not set; set it to the password, or use `password_file`")]
    Environment {
        /// The variable.
        name: String,
    },
}

impl Password {
    /// Reads the password.
    ///
    /// # Errors
    /// The file or variable does not give one.
    pub fn read(&self) -> Result<Secret, PasswordError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::Environment(name) => {
                let value = std::env::var(name).ok().filter(|value| !value.is_empty());
                value.map(Secret).ok_or_else(|| PasswordError::Environment { name: name.clone() })
            }
            Self::File(file) => {
                let path = file.path()?;
                let mut bytes = Vec::new();
                let read = std::fs::File::open(&path)
                    .and_then(|file| file.take(PASSWORD_BYTES_MAX + 1).read_to_end(&mut bytes));
                match read {
                    Ok(_) => first_line(bytes).ok_or(PasswordError::NotPassword { path }),
                    Err(error) => Err(PasswordError::File { path, error }),
                }
            }
        }
    }
}

fn first_line(bytes: Vec<u8>) -> Option<Secret> {
    let text = String::from_utf8(bytes).ok()?;
    let line = text.lines().next().filter(|line| !line.is_empty())?;
    (line.len() as u64 <= PASSWORD_BYTES_MAX).then(|| Secret(line.to_owned()))
}

/// Whether the value of a key is a secret, judged by its name, misspelt ones too: their lines are shown in errors.
pub(super) fn is_secret_key(key: &str) -> bool {
    /// Two letters wrong is what a hurried hand does to a word of eight.
    const TYPOS_MAX: usize = 2;
    const POINTERS: [&str; 5] = ["_file", "_env", "_credential", ".location", ".url"];
    const WORDS: [&str; 6] = ["pass", "pwd", "secret", "token", ".pem", "sasl.oauthbearer.config"];
    let key = key.to_ascii_lowercase();
    !POINTERS.iter().any(|ending| key.ends_with(ending))
        && (WORDS.iter().any(|word| key.contains(word))
            || strsim::osa_distance(&key, "password") <= TYPOS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let password = Password::Inline(Secret::new("canary".to_owned()));
        let shown = format!("{password:?} {}", password.read().unwrap());
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn secret_keys() {
        for key in [
            "password",
            "pasword",
            "Passwrod",
            "ssl.key.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
        ] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in
            ["password_file", "password_env", "paths", "username", "ssl.ca.location", "key_password_file"]
        {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            Password::File(SecretFile::Path(path.clone()))
                .read()
                .map(|secret| secret.expose().to_owned())
                .ok()
        };
        assert_eq!(read(b"open sesame\r\n"), Some("open sesame".to_owned()));
        assert_eq!(read(b"open\nsesame"), Some("open".to_owned()));
        assert_eq!(read(b"\n"), None);
        assert_eq!(read(b"\xff"), None);
        assert_eq!(read(&vec![b'x'; 70_000]), None);
        let absent = SecretFile::Path(directory.path().join("absent"));
        assert!(Password::File(absent).read().is_err());
        assert!(Password::Environment("VIEWTAIL_NO_SUCH_VARIABLE".to_owned()).read().is_err());
    }

    #[test]
    fn a_credential_is_where_systemd_put_it() {
        let credential = SecretFile::Credential("kafka-password".to_owned());
        let at = |directory: Option<&str>| credential.path_below(directory.map(OsString::from));
        let expected = PathBuf::from("/run/credentials/viewtail.service/kafka-password");
        assert_eq!(at(Some("/run/credentials/viewtail.service")), Ok(expected));
        for nowhere in [None, Some("")] {
            let error = at(nowhere).unwrap_err().to_string();
            assert!(error.contains("LoadCredential=kafka-password:"), "{error}");
        }
        let path = SecretFile::Path(PathBuf::from("/p"));
        assert_eq!(path.path_below(None), Ok(PathBuf::from("/p")));
    }
}
