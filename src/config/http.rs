//! `http:`: where the agent is looked at.

use std::net::SocketAddr;

use serde_json::json;

use super::defaults;
use super::node::{Kind, Node};
use super::reader::{Reader, Section};
use super::shape::Shape;
use super::survey::Presence;
use super::value::{Fault, Value};

/// The endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where they listen; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

/// An address of this host with a port.
#[derive(Clone, Copy)]
struct Listen(SocketAddr);

impl Value for Listen {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        let address: Option<SocketAddr> =
            text.parse().ok().filter(|address: &SocketAddr| address.port() != 0);
        address.map(Self).ok_or_else(|| {
            Fault::new(
                format!("must be an address with a port, found {}", node.describe()),
                format!("such as {}, or [::1]:9464", defaults::HTTP_LISTEN),
            )
        })
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn shape() -> Shape {
        Shape::matching("an address with a port", r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]+$")
    }
}

/// `false` in place of the section switches the endpoints off.
pub(super) fn read(root: &mut Section<'_>, reader: &Reader) -> Http {
    root.declare("http", || {
        let shape =
            Shape { words: "false, or the options below".to_owned(), schema: json!({"const": false}) };
        (Some(shape), Presence::empty())
    });
    if let Some(entry) = root.entry("http")
        && matches!(entry.value.kind, Kind::Bool(false))
    {
        root.given("http");
        root.record("http", false.show(), Some(entry.key.place));
        return Http { listen: None };
    }
    let mut section = root.section("http");
    let Listen(listen) = section.optional("listen", Listen(defaults::HTTP_LISTEN));
    section.finish();
    reader.advice(&["http.listen"], listen.ip().is_loopback(), || {
        Fault::new(
            "everybody who reaches this address can read the paths of the logs and how far they are delivered",
            format!("listen at {}, or let only your monitoring through the firewall", defaults::HTTP_LISTEN),
        )
    });
    Http { listen: Some(listen) }
}
