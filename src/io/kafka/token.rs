//! The token of SASL OAUTHBEARER: read from its file whenever librdkafka wants one, which is when four fifths of the last
//! one's life are over. Whoever writes the file renews it in place; nothing has to be restarted or told.
//!
//! The file's name reaches the clients as librdkafka's `sasl.oauthbearer.config`, which is made for that and is handed back
//! with each wish for a token. No message holds a token or any part of it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::consumer::ConsumerContext;
use serde::Deserialize;

use crate::io::clock;

/// The longest token that is read: brokers take no larger request before a client is known (512 KiB), and real ones have
/// a few KiB.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// How soon the file of a token that does not say how long it lives is read again: a short life among those that are
/// usual (5 minutes to an hour).
const OPAQUE_LIFE_MS: u64 = 5 * 60 * 1000;

/// The property of librdkafka that carries the file's name.
pub const FILE_PROPERTY: &str = "sasl.oauthbearer.config";

/// What every client is made with, so that each of them can have a token.
#[derive(Clone, Copy, Debug)]
pub struct Context;

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, file: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        Ok(read(Path::new(file.unwrap_or_default()))?)
    }
}

impl ConsumerContext for Context {}

/// A token that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be read.
    #[error("{}: cannot read the token: {source}; the user that runs viewtail must be able to read the file", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{}: no token: the file must hold one line of at most {TOKEN_BYTES_MAX} bytes", .path.display())]
    NotToken {
        /// The file.
        path: PathBuf,
    },
    /// The token was good once.
    #[error("{}: the token expired {seconds} s ago", .path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// How long it has been expired.
        seconds: u64,
    },
}

/// The claims of a JSON Web Token (RFC 7519) that concern us.
#[derive(Deserialize)]
struct Claims {
    /// Seconds since the epoch, maybe with a fraction.
    exp: Option<f64>,
    sub: Option<String>,
}

/// Reads the token of a file. How long it lives is in it, if it is a JSON Web Token; its signature is the brokers' business.
///
/// # Errors
/// There is none, or it has expired.
pub fn read(path: &Path) -> Result<OAuthToken, TokenError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|source| TokenError::Io { path: path.to_owned(), source })?;
    let token = text.trim();
    let is_token = !token.is_empty()
        && text.len() as u64 <= TOKEN_BYTES_MAX
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token {
        return Err(TokenError::NotToken { path: path.to_owned() });
    }
    let now_ms = clock::unix_milliseconds();
    let claims = claims_of(token);
    let expires_at_ms = match claims.as_ref().and_then(|claims| claims.exp) {
        Some(seconds) => milliseconds(seconds),
        None => now_ms + OPAQUE_LIFE_MS,
    };
    if expires_at_ms <= now_ms {
        return Err(TokenError::Expired { path: path.to_owned(), seconds: (now_ms - expires_at_ms) / 1000 });
    }
    Ok(OAuthToken {
        token: token.to_owned(),
        // Brokers read the name from the token; this one is for librdkafka's log.
        principal_name: claims.and_then(|claims| claims.sub).unwrap_or_else(|| "viewtail".to_owned()),
        lifetime_ms: i64::try_from(expires_at_ms).unwrap_or(i64::MAX),
    })
}

fn claims_of(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let json = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is meant")]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    fn read_back(content: &str) -> Result<OAuthToken, TokenError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path())
    }

    #[test]
    fn a_tokens_life_and_name_are_its_own() {
        let found = read_back(&format!("{}\n", token(r#"{"sub":"agent","exp":99999999999.5}"#))).unwrap();
        assert_eq!((found.principal_name.as_str(), found.lifetime_ms), ("agent", 99_999_999_999_500));
    }

    #[test]
    fn a_token_that_does_not_tell_its_life_is_read_again_after_minutes() {
        for text in ["opaque-token", "a.b.c", &token("[]"), &token(r#"{"sub":"agent"}"#)] {
            let now_ms = i64::try_from(clock::unix_milliseconds()).unwrap();
            let life_ms = read_back(text).unwrap().lifetime_ms - now_ms;
            assert!((290_000..310_000).contains(&life_ms), "{text}: {life_ms}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_shown() {
        let canary = "canary-7f3a";
        let long = format!("{canary}{}", "x".repeat(70_000));
        for content in ["", "\n", &format!("{canary} {canary}"), &format!("{canary}\n{canary}"), &long] {
            let error = read_back(content).err().unwrap();
            assert!(matches!(error, TokenError::NotToken { .. }), "{error}");
            assert!(!format!("{error:?} {error}").contains(canary), "{error:?}");
        }
        let expired = read_back(&token(r#"{"sub":"canary-7f3a","exp":1000}"#)).err().unwrap();
        assert!(matches!(expired, TokenError::Expired { .. }) && !expired.to_string().contains(canary));
        assert!(matches!(read(Path::new("/nonexistent")), Err(TokenError::Io { .. })));
    }
}
