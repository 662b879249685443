//! `page:`: what is one page.

use crate::config::node::{Node, quoted};
use crate::config::reader::Section;
use crate::config::shape::Shape;
use crate::config::value::{Choice, Fault, Value};
use crate::event::compile;
use crate::event::rules::{ArticleRule, PageRules, TrailingSlash};

impl Choice for TrailingSlash {
    const WORDS: &'static [(&'static str, Self)] = &[("strip", Self::Strip), ("keep", Self::Keep)];
}

/// A regular expression.
pub(super) struct Pattern(pub(super) compile::Pattern);

impl Value for Pattern {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        compile::pattern(&text).map(Self).map_err(|mistake| {
            let fault = format!("must be a regular expression: {}", mistake.message);
            Fault::new(fault, "write it in single quotes; a backslash makes the next character plain")
                .at(mistake.span)
        })
    }

    fn show(&self) -> String {
        self.0.as_str().to_owned().show()
    }

    fn shape() -> Shape {
        Shape::text("a regular expression")
    }
}

/// The name of a file, without its directories.
struct Document(String);

impl Value for Document {
    fn read(node: &Node) -> Result<Self, Fault> {
        let name = String::read(node)?;
        if name.contains('/') {
            let fault = format!("must be the name of a file, found {}", quoted(&name));
            return Err(Fault::new(fault, "write the name alone, as in index.html"));
        }
        Ok(Self(name))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("the name of a file", "^[^/]+$")
    }
}

pub(super) fn read(mut section: Section<'_>) -> PageRules {
    let default = PageRules::default();
    let query = section.list("query");
    let index = section.list_or("index", default.index.into_iter().map(Document).collect());
    let trailing_slash = section.optional("trailing_slash", default.trailing_slash);
    let rules =
        section.optional_sections("rules", "[{match: '^/posts/(?P<slug>[^/]+)$', page: 'post:{slug}'}]");
    let articles = rules.into_iter().filter_map(read_rule).collect();
    section.finish();
    PageRules {
        query,
        index: index.into_iter().map(|Document(name)| name).collect(),
        trailing_slash,
        articles,
    }
}

fn read_rule(mut section: Section<'_>) -> Option<ArticleRule> {
    let pattern = section.required("match", r"'^/posts/(?P<slug>[^/]+)\.html$'");
    let page: Option<String> = section.required("page", "'post:{slug}'");
    let rule = match (pattern, page) {
        (Some(Pattern(pattern)), Some(page)) => ArticleRule::new(pattern, &page)
            .map_err(|mistake| {
                let place = section.entry("page").map_or(section.place(), |entry| entry.value.place);
                let help = "a key is text in which {name} stands for what (?P<name>...) matched";
                section.fault(place, "page", &Fault::new(mistake.message, help).at(mistake.span));
            })
            .ok(),
        (None, _) | (_, None) => None,
    };
    section.finish();
    rule
}
