//! `privacy:`: what is left out of events.

use crate::config::reader::Section;
use crate::config::value::Choice;
use crate::event::rules::{AddressPrivacy, Keep, KeepUserAgent, PrivacyRules, Raw};

impl Choice for AddressPrivacy {
    const WORDS: &'static [(&'static str, Self)] =
        &[("truncate", Self::Truncate), ("raw", Self::Raw), ("drop", Self::Drop)];
}

impl Choice for Keep {
    const WORDS: &'static [(&'static str, Self)] = &[("drop", Self::Drop), ("keep", Self::Keep)];
}

impl Choice for KeepUserAgent {
    const WORDS: &'static [(&'static str, Self)] = &[("keep", Self::Keep), ("drop", Self::Drop)];
}

impl Choice for Raw {
    const WORDS: &'static [(&'static str, Self)] =
        &[("malformed", Self::Malformed), ("always", Self::Always), ("never", Self::Never)];
}

pub(super) fn read(mut section: Section<'_>) -> PrivacyRules {
    let default = PrivacyRules::default();
    let rules = PrivacyRules {
        client_address: section.optional("client_address", default.client_address),
        query: section.optional("query", default.query),
        referrer_query: section.optional("referrer_query", default.referrer_query),
        user_agent: section.optional("user_agent", default.user_agent),
        raw: section.optional("raw", default.raw),
    };
    section.finish();
    rules
}
