//! `page_views:`: what is a page view.

use super::client::Network;
use super::page::Pattern;
use crate::config::defaults;
use crate::config::node::{Node, quoted};
use crate::config::number::Written;
use crate::config::reader::Section;
use crate::config::shape::Shape;
use crate::config::value::{Choice, Fault, Value};
use crate::event::bots::Bots;
use crate::event::compile;
use crate::event::globs::Globs;
use crate::event::rules::{BotRules, EmptyUserAgent, Feeds, ViewRules};

impl Choice for Feeds {
    const WORDS: &'static [(&'static str, Self)] = &[("exclude", Self::Exclude), ("count", Self::Count)];
}

impl Choice for EmptyUserAgent {
    const WORDS: &'static [(&'static str, Self)] = &[("bot", Self::Bot), ("visitor", Self::Visitor)];
}

/// A request method.
struct Method(String);

impl Value for Method {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        if !text.chars().all(|c| c.is_ascii_uppercase() || c == '-') {
            let fault = format!("must be a request method, found {}", quoted(&text));
            return Err(Fault::new(fault, format!("methods are in capitals: {}", text.to_ascii_uppercase())));
        }
        Ok(Self(text))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("a request method in capitals", "^[A-Z-]+$")
    }
}

/// The status code of a response.
struct Status(u16);

impl Value for Status {
    fn read(node: &Node) -> Result<Self, Fault> {
        let number = Written::Count.read::<u32>(node, &defaults::STATUS_BOUNDS)?;
        let status = u16::try_from(number).map(Self);
        status.map_err(|_| Fault::new("must be a status code", "write three digits"))
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn shape() -> Shape {
        Shape::whole((*defaults::STATUS_BOUNDS.start()).into(), (*defaults::STATUS_BOUNDS.end()).into())
    }
}

/// A glob over whole paths.
struct PathGlob(String);

impl Value for PathGlob {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        if !text.starts_with(['/', '*', '{', '[']) {
            let fault = format!("must be a glob over the whole path, found {}", quoted(&text));
            return Err(Fault::new(
                fault,
                format!("begin it with `/` or `**/`: \"/{text}\" or \"**/{text}\""),
            ));
        }
        checked(&text).map(|()| Self(text))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("a glob over the whole path", "^[/*{\\[]")
    }
}

/// A glob over host names, which are compared in lower case.
struct HostGlob(String);

impl Value for HostGlob {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        if text.contains('/') {
            let fault = format!("must be a glob over the name of a host, found {}", quoted(&text));
            return Err(Fault::new(fault, "write the name alone, as in \"*.example.com\""));
        }
        checked(&text).map(|()| Self(text.to_lowercase()))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("a glob over the name of a host", "^[^/]+$")
    }
}

fn checked(glob: &str) -> Result<(), Fault> {
    compile::check_glob(glob).map_err(|mistake| {
        let fault = format!("must be a glob, found {}: {}", quoted(glob), mistake.message);
        Fault::new(
            fault,
            "* and ? match within a name, ** any number of directories, [ab] a character, {a,b} either",
        )
    })
}

/// The ending of a file's name, lower-case, without its dot.
struct Extension(String);

impl Value for Extension {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        let extension = text.trim_start_matches('*').trim_start_matches('.').to_lowercase();
        if extension.is_empty() || extension.contains(['.', '/', '*', ' ']) {
            let fault = format!("must be the extension of a file's name, found {}", quoted(&text));
            return Err(Fault::new(fault, "write what stands behind the last dot, as in css"));
        }
        Ok(Self(extension))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::text("the extension of a file's name")
    }
}

pub(super) fn read(mut section: Section<'_>) -> ViewRules {
    let default = ViewRules::default();
    let methods = section.list_or("methods", default.methods.into_iter().map(Method).collect());
    let statuses = section.list_or("statuses", default.statuses.into_iter().map(Status).collect());
    let mut rules = ViewRules {
        methods: methods.into_iter().map(|Method(method)| method).collect(),
        statuses: statuses.into_iter().map(|Status(status)| status).collect(),
        ..ViewRules::default()
    };
    read_exclude(section.section("exclude"), &mut rules);
    read_static(section.section("static"), &mut rules);
    rules.feeds = section.optional("feeds", default.feeds);
    rules.bots = read_bots(section.section("bots"));
    section.finish();
    rules
}

fn read_exclude(mut section: Section<'_>, rules: &mut ViewRules) {
    let paths: Vec<String> = section.list("paths").into_iter().map(|PathGlob(glob)| glob).collect();
    let hosts: Vec<String> = section.list("hosts").into_iter().map(|HostGlob(glob)| glob).collect();
    let addresses = section.list("addresses").into_iter();
    rules.excluded_addresses = addresses.map(|Network(network)| network).collect();
    rules.excluded_paths = together(&section, "paths", &paths);
    rules.excluded_hosts = together(&section, "hosts", &hosts);
    section.finish();
}

fn read_static(mut section: Section<'_>, rules: &mut ViewRules) {
    let extensions: Option<Vec<Extension>> = section.list_or_default("extensions");
    if let Some(extensions) = extensions {
        rules.static_extensions = extensions.into_iter().map(|Extension(extension)| extension).collect();
    }
    let added = section.list("add").into_iter().map(|Extension(extension)| extension);
    rules.static_extensions.extend(added);
    let paths: Option<Vec<PathGlob>> = section.list_or_default("paths");
    if let Some(paths) = paths {
        let paths: Vec<String> = paths.into_iter().map(|PathGlob(glob)| glob).collect();
        rules.static_paths = together(&section, "paths", &paths);
    }
    section.finish();
}

/// One set of globs that are each right by themselves.
fn together(section: &Section<'_>, key: &str, globs: &[String]) -> Globs {
    Globs::new(globs).unwrap_or_else(|error| {
        let help = "write fewer or simpler globs";
        section.fault(section.place(), key, &Fault::new(format!("is too large: {}", error.kind()), help));
        Globs::default()
    })
}

/// A pattern of the data set, as it is written there.
struct KnownBot(String);

impl Value for KnownBot {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        let rules = BotRules { remove: vec![text.clone()], ..BotRules::default() };
        Bots::new(&rules).map(|_| Self(text)).map_err(|error| {
            let fault = format!("must hold built-in patterns: {error}");
            Fault::new(
                fault,
                "write it as `viewtail explain` shows it for a line of this bot, in single quotes",
            )
        })
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::text("a pattern of the built-in list")
    }
}

fn read_bots(mut section: Section<'_>) -> BotRules {
    let add = section.list("add").into_iter().map(|Pattern(pattern)| pattern.as_str().to_owned()).collect();
    let remove = section.list("remove").into_iter().map(|KnownBot(pattern)| pattern).collect();
    let empty_user_agent = section.optional("empty_user_agent", EmptyUserAgent::Bot);
    section.finish();
    BotRules { add, remove, empty_user_agent }
}
