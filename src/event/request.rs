//! What a line says was asked for, from whichever variables its format has.

use super::text::{is_plain, push_percent_form};
use crate::format::request::{Request, Target, is_method};
use crate::format::{Field, Fields};

/// Digits and points of a version; nginx writes at most `HTTP/` and eight bytes that make sense.
const VERSION_BYTES_MAX: usize = 8;

/// What `$uri` holds decoded, and a path must hold encoded.
const RESERVED_OF_URI: &[u8] = b"%?# ";

/// A request as far as the log shows it: each part may be missing in the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) method: Option<&'a [u8]>,
    target: Option<Target<'a>>,
    protocol_version: Option<&'a [u8]>,
    /// The log and JSON write all of it alike, so that no part has to be looked at for that again.
    pub(super) is_plain: bool,
}

/// Memory for what a line does not hold as it is meant.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    decoded: Vec<u8>,
    arguments: Vec<u8>,
    target: Vec<u8>,
}

impl<'a> Asked<'a> {
    /// The request of a line, `None` if what the line shows is none. Without any variable that holds a request, every
    /// part is missing and nothing is malformed.
    pub(super) fn of(fields: &Fields<'a>, buffers: &'a mut Buffers) -> Option<Self> {
        if fields.has(Field::Request) {
            let logged = fields.get(Field::Request)?;
            let is_plain = is_plain(logged.text());
            let request = if is_plain { logged.text() } else { logged.decode(&mut buffers.decoded) };
            let Request { method, target, version } = Request::split(request)?;
            let protocol_version = version.or_else(|| logged_version(fields));
            return Some(Self { method: Some(method), target: Some(target), protocol_version, is_plain });
        }
        let mut asked = Self { protocol_version: logged_version(fields), ..Self::default() };
        if fields.has(Field::RequestMethod) {
            asked.method = Some(fields.get(Field::RequestMethod)?.text()).filter(|method| is_method(method));
            asked.method?;
        }
        if fields.has(Field::RequestUri) {
            asked.target = Some(Target::split(fields.get(Field::RequestUri)?.decode(&mut buffers.decoded))?);
        } else if fields.has(Field::Uri) {
            asked.target = Some(Target::split(joined(fields, buffers)?)?);
        }
        Some(asked)
    }

    pub(super) fn path(&self) -> Option<&'a [u8]> {
        self.target.map(|target| target.path)
    }

    /// What stands behind the `?`.
    pub(super) fn query(&self) -> Option<&'a [u8]> {
        self.target.and_then(|target| target.query)
    }

    /// The target as it was asked for.
    pub(super) fn target(&self) -> Option<&'a [u8]> {
        self.target.map(|target| target.whole)
    }

    /// The target taken apart, if it can be copied as it is.
    pub(super) fn plain_target(&self) -> Option<&Target<'a>> {
        self.target.as_ref().filter(|_| self.is_plain)
    }

    /// The host that an absolute target names.
    pub(super) fn authority(&self) -> Option<&'a [u8]> {
        self.target.and_then(|target| target.authority)
    }

    /// The protocol's version, if it looks like one.
    pub(super) fn version(&self) -> Option<&'a [u8]> {
        self.protocol_version.filter(|version| {
            (1..=VERSION_BYTES_MAX).contains(&version.len())
                && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        })
    }
}

/// The target that `$uri`, which is decoded, and `$args`, which are not, were taken from.
fn joined<'a>(fields: &Fields<'_>, buffers: &'a mut Buffers) -> Option<&'a [u8]> {
    let Buffers { decoded, arguments, target } = buffers;
    target.clear();
    push_percent_form(target, fields.get(Field::Uri)?.decode(decoded), RESERVED_OF_URI);
    if let Some(query) = fields.get(Field::Args) {
        target.push(b'?');
        target.extend_from_slice(query.decode(arguments));
    }
    Some(target)
}

fn logged_version<'a>(fields: &Fields<'a>) -> Option<&'a [u8]> {
    fields.get(Field::ServerProtocol)?.text().strip_prefix(b"HTTP/")
}
