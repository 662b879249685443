//! `visitor:`: who is one visitor. The secret itself is read when an agent starts, not here.

use std::path::PathBuf;

use super::Asked;
use super::variable::{self, Variable};
use crate::config::reader::Section;
use crate::event::rules::VisitorRules;

pub(super) fn read(mut section: Section<'_>) -> (VisitorRules, Option<PathBuf>, Vec<Asked>) {
    let cookie = section.nullable("cookie").map(|Variable(name)| name);
    let asked = variable::asked(&section, "cookie", cookie.as_deref());
    let secret_file = section.nullable("secret_file");
    section.finish();
    (VisitorRules { cookie, secret: Vec::new() }, secret_file, asked)
}
