//! `visitor:`: who is one visitor. The secret itself is read when an agent starts, not here.

use super::Asked;
use super::variable::{self, Variable};
use crate::config::reader::Section;
use crate::config::secret::{self, SecretFile};
use crate::event::rules::VisitorRules;

pub(super) fn read(mut section: Section<'_>) -> (VisitorRules, Option<SecretFile>, Vec<Asked>) {
    let cookie = section.nullable("cookie").map(|Variable(name)| name);
    let asked = variable::asked(&section, "cookie", cookie.as_deref());
    let secret_file = secret::read_file(&mut section, ["secret_file", "secret_credential"]);
    section.finish();
    (VisitorRules { cookie, secret: Vec::new() }, secret_file, asked)
}
