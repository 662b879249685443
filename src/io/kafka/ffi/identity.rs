//! Who is who on a connection: the verdict on a broker's certificate, and our own token.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, OAuthToken};
use rdkafka::config::NativeClientConfig;

use super::owned;
use crate::io::kafka::connection::CERTIFICATE_MARK;
use crate::io::kafka::token::{self, Context};

/// Has OpenSSL's number for what is wrong with a certificate written to the log, where librdkafka itself says only that
/// it could not be verified. The verdict stays OpenSSL's.
pub fn name_verdicts(config: &NativeClientConfig) {
    // SAFETY: the configuration is alive, and the function lives as long as the process. The call fails only in builds
    // without TLS, where nothing is verified.
    unsafe { rd::rd_kafka_conf_set_ssl_cert_verify_cb(config.ptr(), Some(name_verdict)) };
}

/// Called by a broker's thread for each certificate of the chain; the answer 0 refuses it.
unsafe extern "C" fn name_verdict(
    _: *mut rd::rd_kafka_t,
    _: *const c_char,
    _: i32,
    verdict: *mut c_int,
    _: c_int,
    _: *const c_char,
    _: usize,
    message: *mut c_char,
    message_size: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka lends an int for the length of the call.
    let number = unsafe { *verdict };
    if number == 0 {
        return 1;
    }
    let text = format!("{CERTIFICATE_MARK}{number}\0");
    if text.len() <= message_size {
        // SAFETY: librdkafka lends a buffer of `message_size` bytes, and the text with its NUL fits into it.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), message, text.len()) };
    }
    0
}

/// Answers librdkafka's wish for a token.
///
/// # Safety
/// `wish` must be a live event of this kind and of this client.
pub unsafe fn answer_wish(client: &Client<Context>, wish: *mut rd::rd_kafka_event_t) {
    // SAFETY: the caller's promise; the string belongs to the event and is copied.
    let file = owned(unsafe { rd::rd_kafka_event_config_string(wish) });
    give_token(client, Path::new(&file));
}

/// Gives a client the token of this file, or the reason why there is none, which it tells as an error of authentication.
pub fn give_token(client: &Client<Context>, file: &Path) {
    let problem = match token::read(file) {
        Ok(token) => set_token(client, &token).err(),
        Err(error) => Some(error.to_string()),
    };
    if let Some(problem) = problem {
        let problem = CString::new(problem).unwrap_or_default();
        // SAFETY: the client is alive, and so is the text, which is copied.
        unsafe { rd::rd_kafka_oauthbearer_set_token_failure(client.native_ptr(), problem.as_ptr()) };
    }
}

/// What librdkafka writes of an error at most; its own callers use as much.
const MESSAGE_BYTES: usize = 512;

fn set_token(client: &Client<Context>, token: &OAuthToken) -> Result<(), String> {
    let value = CString::new(token.token.as_str()).map_err(|error| error.to_string())?;
    let principal = CString::new(token.principal_name.as_str()).map_err(|error| error.to_string())?;
    let mut message = [0; MESSAGE_BYTES];
    // SAFETY: client, texts and buffer are alive; without extensions their pointer may be null.
    let code = unsafe {
        rd::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            message.as_mut_ptr(),
            message.len(),
        )
    };
    if code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    Err(owned(message.as_ptr()))
}
