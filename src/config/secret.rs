//! Secrets: a text that is never shown, and where a password comes from.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

/// What stands for a secret wherever it would be shown.
pub const MASK: &str = "********";

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

/// Where a password comes from. It is read when it is needed, so that a changed file counts at the next connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The first line of a file.
    File(PathBuf),
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
            Self::File(path) => {
                let mut bytes = Vec::new();
                std::fs::File::open(path)
                    .and_then(|file| file.take(PASSWORD_BYTES_MAX + 1).read_to_end(&mut bytes))
                    .map_err(|error| PasswordError::File { path: path.clone(), error })?;
                first_line(bytes).ok_or_else(|| PasswordError::NotPassword { path: path.clone() })
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
            Password::File(path.clone()).read().map(|secret| secret.expose().to_owned()).ok()
        };
        assert_eq!(read(b"open sesame\r\n"), Some("open sesame".to_owned()));
        assert_eq!(read(b"open\nsesame"), Some("open".to_owned()));
        assert_eq!(read(b"\n"), None);
        assert_eq!(read(b"\xff"), None);
        assert_eq!(read(&vec![b'x'; 70_000]), None);
        assert!(Password::File(directory.path().join("absent")).read().is_err());
        assert!(Password::Environment("VIEWTAIL_NO_SUCH_VARIABLE".to_owned()).read().is_err());
    }
}
