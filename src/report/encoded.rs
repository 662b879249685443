//! Events that were just encoded, into the tally: by the places of their values, without reading JSON.

use std::borrow::Cow;

use super::tally::{Seen, Tally};
use crate::event::Encoded;

/// Before the value that only a warning needs. A value cannot hold it: its quotes would be escaped.
const CLIENT_ADDRESS: &[u8] = br#","client_address":""#;

impl Tally {
    /// Counts the event that `encoded` describes in `out`.
    pub fn add_encoded(&mut self, encoded: &Encoded, out: &[u8]) {
        let places = &encoded.places;
        let text = |(start, end): (usize, usize)| plain(&out[start..end]);
        let [day, site, page, referrer_host, bot] =
            [places.day, places.site, places.page, places.referrer_host, places.bot].map(text);
        let [visitor_id, client_key] = [places.visitor_id, places.client_key].map(text);
        let client_address = if encoded.view && self.wants_address() { client_address(out) } else { &[] };
        self.add(&Seen {
            day: &day,
            site: &site,
            page: &page,
            is_view: encoded.view,
            reason: encoded.reason.map_or(&[], |reason| reason.as_str().as_bytes()),
            visitor_id: &visitor_id,
            client_key: &client_key,
            referrer_host: &referrer_host,
            bot: &bot,
            client_address,
        });
    }
}

/// A JSON text without its quotes, as what it means.
fn plain(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let quoted = [b"\"", text, b"\""].concat();
    // What the encoder wrote is JSON; of anything else the text itself is still a name.
    match serde_json::from_slice::<String>(&quoted) {
        Ok(plain) => Cow::Owned(plain.into_bytes()),
        Err(_) => Cow::Borrowed(text),
    }
}

fn client_address(out: &[u8]) -> &[u8] {
    let Some(at) = memchr::memmem::find(out, CLIENT_ADDRESS) else { return &[] };
    let value = &out[at + CLIENT_ADDRESS.len()..];
    &value[..memchr::memchr(b'"', value).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(plain(br#"/a\"b\\\u001b"#).as_ref(), b"/a\"b\\\x1b");
        assert!(matches!(plain(b"/plain"), Cow::Borrowed(b"/plain")));
        assert_eq!(client_address(br#"{"v":1,"client_address":"10.0.0.1","x":2}"#), b"10.0.0.1");
        assert_eq!(client_address(br#"{"v":1,"url_path":"/,\"client_address\":\"1.1.1.1"}"#), b"");
    }
}
