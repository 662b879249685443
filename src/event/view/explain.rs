//! Why an event says what it says: the same rules as for the event, asked for their reasons. For people, so it may allocate.

use std::net::IpAddr;
use std::ops::Range;

use super::{Asked, Field, Fields, Known, PageKeys, Reason, View};
use crate::event::page::PageStep;

/// What the rules make of a line that is of its format.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Its variables, in the order of the format.
    pub fields: Vec<ExplainedField>,
    /// Whose address counts; `None`: nobody's.
    pub address: Option<IpAddr>,
    /// How the address was found, or why not.
    pub address_how: String,
    /// How the page's key came about; the last step has the key.
    pub page: Vec<PageStep>,
    /// What the visitor is told by.
    pub visitor_how: String,
    /// The crawler that the user agent is.
    pub bot: Option<ExplainedBot>,
    /// All rules in their order: whether each fires, and why or why not. The first that fires counts.
    pub rules: Vec<(Reason, bool, String)>,
}

/// A variable of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedField {
    /// Its name, without `$`.
    pub name: String,
    /// Its bytes in the line.
    pub place: Range<usize>,
    /// Its value, the line's escapes undone.
    pub value: Vec<u8>,
}

/// A crawler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedBot {
    /// Its name.
    pub name: String,
    /// The pattern that matched, as `page_views.bots.remove` takes it; `None` where none was needed.
    pub pattern: Option<String>,
    /// Where its operator describes it.
    pub url: Option<String>,
}

impl View {
    /// Explains what [`View::push`] makes of the same fields.
    pub(in crate::event) fn explain(&mut self, fields: &Fields<'_>) -> Explanation {
        let mut out = Vec::new();
        let when = self.time.push(fields, &mut out);
        let encoded = self.push(fields, &mut out);
        let is_dated = when.is_some();
        let (address, address_how) = self.explain_address(fields);
        let cookie = self.sources.cookie(fields, &mut self.value).is_some();
        let visitor_how = match (encoded.places.visitor_id, cookie, is_dated) {
            ((0, 0), _, false) => "none: the line has no time, and ids change with the day".to_owned(),
            ((0, 0), _, true) => "none: the line has no address".to_owned(),
            (_, true, _) => "the cookie, the same on every day".to_owned(),
            (_, false, _) => "the address and the user agent, on this day and site".to_owned(),
        };
        let user_agent = fields.get(Field::HttpUserAgent).map(|value| value.decode(&mut self.user_agent));
        let found =
            fields.has(Field::HttpUserAgent).then(|| self.bots.explain(user_agent.unwrap_or_default()));
        let bot = found.flatten().map(|found| ExplainedBot {
            name: found.name.to_owned(),
            pattern: found.pattern.map(str::to_owned),
            url: found.url.map(str::to_owned),
        });
        let asked = Asked::of(fields, &mut self.request);
        let known = Known { asked: asked.as_ref(), host: &self.host, address };
        let facts = known.facts(fields, &mut self.value, &mut self.other);
        let rules = self.exclusion.explain(&facts, bot.as_ref().map(|bot| bot.name.as_str()));
        let page = page_steps(&mut self.pages, asked.as_ref());
        Explanation { fields: explained(fields), address, address_how, page, visitor_how, bot, rules }
    }

    fn explain_address(&mut self, fields: &Fields<'_>) -> (Option<IpAddr>, String) {
        let address = self.sources.address(fields, &self.clients, &mut self.value);
        let Some(peer) = fields.get(Field::RemoteAddr) else {
            return (None, "none: the line has no $remote_addr".to_owned());
        };
        let Some(peer) = self.clients.resolve(peer.text(), None) else {
            return (None, "none: $remote_addr is no address".to_owned());
        };
        let forwarded = self.sources.forwarded.map(|slot| fields.at(slot).is_some());
        let how = match forwarded {
            None => "$remote_addr".to_owned(),
            Some(false) => "$remote_addr: the line has no value for `client_address.header`".to_owned(),
            Some(true) if !self.clients.is_trusted(peer) => {
                format!("$remote_addr: {peer} is in no network of `trusted`, so the header is not believed")
            }
            Some(true) if address == Some(peer) => {
                format!("$remote_addr: {peer} is trusted, but its header ends in no address")
            }
            Some(true) => {
                format!("the header: {peer} is trusted, and this is the last address there that is not")
            }
        };
        (address, how)
    }
}

fn page_steps(pages: &mut PageKeys, asked: Option<&Asked<'_>>) -> Vec<PageStep> {
    asked.and_then(Asked::target).map_or_else(Vec::new, |target| pages.explain(target))
}

fn explained(fields: &Fields<'_>) -> Vec<ExplainedField> {
    let mut scratch = Vec::new();
    let field = |((name, value), place): ((&str, super::Value<'_>), Range<usize>)| ExplainedField {
        name: name.to_owned(),
        place,
        value: value.decode(&mut scratch).to_vec(),
    };
    fields.iter().zip(fields.places()).map(field).collect()
}
