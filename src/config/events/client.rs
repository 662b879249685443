//! `client_address:`: whose address counts.

use ipnet::IpNet;

use super::Asked;
use super::variable::{self, Header};
use crate::config::defaults;
use crate::config::node::{Node, quoted};
use crate::config::number::Written;
use crate::config::reader::Section;
use crate::config::shape::Shape;
use crate::config::value::{Fault, Value};
use crate::event::compile;
use crate::event::rules::ClientRules;

/// A network or an address.
pub(super) struct Network(pub(super) IpNet);

impl Value for Network {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        compile::network(&text).map(Self).ok_or_else(|| {
            let fault = format!("must be a network or an address, found {}", quoted(&text));
            Fault::new(fault, "write it as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32; names are not resolved")
        })
    }

    fn show(&self) -> String {
        self.0.to_string().show()
    }

    fn shape() -> Shape {
        Shape::text("a network or an address")
    }
}

pub(super) fn read(mut section: Section<'_>) -> (ClientRules, Vec<Asked>) {
    let header = section.nullable("header").map(|Header(name)| name);
    let asked = variable::asked(&section, "header", header.as_deref());
    let trusted: Vec<IpNet> = section.list("trusted").into_iter().map(|Network(network)| network).collect();
    let ipv6_prefix =
        section.number("ipv6_prefix", Written::Count, defaults::IPV6_PREFIX, defaults::IPV6_PREFIX_BOUNDS);
    judge(&section, header.as_deref(), &trusted);
    section.finish();
    (ClientRules { header, trusted, ipv6_prefix }, asked)
}

fn judge(section: &Section<'_>, header: Option<&str>, trusted: &[IpNet]) {
    // The number would be the proxies', and look right.
    section.rule(&["header", "trusted"], header.is_none() || !trusted.is_empty(), || {
        Fault::new(
            "`header` is believed from nobody, because `trusted` is empty",
            "list the networks of your proxies, as nginx's set_real_ip_from: `trusted: [10.0.0.0/8]`",
        )
    });
    section.advice(&["trusted", "header"], header.is_some() || trusted.is_empty(), || {
        Fault::new(
            "`trusted` counts for nothing without `header`",
            "name the header that your proxies write, for example `header: X-Forwarded-For`",
        )
    });
    let is_everybody = trusted.iter().any(|network| network.prefix_len() == 0);
    section.advice(&["trusted"], !is_everybody, || {
        Fault::new(
            "`trusted` is everybody, so every client can claim any address",
            "list the networks of your proxies alone",
        )
    });
}
