//! The Markdown that README.md and the help texts use, to roff: paragraphs, lists, code, bold, links.
//!
//! It knows what viewtail's own texts contain and no more; tables are not among it.

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// The text below a heading of the second level, up to the next one.
///
/// # Panics
/// When there is no such heading: the text is part of the build.
pub(super) fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).expect("README.md has this heading");
    rest.split("\n## ").next().unwrap_or(rest)
}

/// Renders text; what stands between three backquotes, or is indented without being a list's, keeps its lines.
pub(super) fn to_roff(text: &str) -> String {
    let mut page = Page::default();
    for line in text.lines() {
        page.take(line);
    }
    page.end_block();
    page.roff.to_roff()
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Block {
    /// Nothing yet, or a blank line.
    #[default]
    None,
    Paragraph,
    Item,
    /// Between fences.
    Fenced,
    /// Indented lines.
    Indented,
}

#[derive(Default)]
struct Page {
    roff: Roff,
    block: Block,
    /// The lines of the paragraph or item that is being read, joined.
    text: String,
    is_begun: bool,
}

impl Page {
    fn take(&mut self, line: &str) {
        let is_fence = line.starts_with("```");
        match (self.block, line) {
            (Block::Fenced, _) if is_fence => self.end_block(),
            (Block::Fenced, _) => self.verbatim(line),
            _ if is_fence => self.begin_verbatim(Block::Fenced),
            (_, "" | "---") => self.end_block(),
            (Block::Item, _) if line.starts_with("  ") => self.join(line),
            (Block::Indented, _) if line.starts_with("  ") => self.verbatim(&line[2..]),
            _ if line.starts_with("  ") => {
                self.begin_verbatim(Block::Indented);
                self.verbatim(&line[2..]);
            }
            _ => self.begin_or_join(line),
        }
    }

    fn begin_or_join(&mut self, line: &str) {
        if let Some(item) = line.strip_prefix("- ") {
            self.end_block();
            self.block = Block::Item;
            self.join(item);
        } else {
            if self.block != Block::Paragraph {
                self.end_block();
                self.block = Block::Paragraph;
            }
            self.join(line);
        }
    }

    fn join(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(line.trim());
    }

    fn begin_verbatim(&mut self, block: Block) {
        self.end_block();
        self.block = block;
        self.roff.control("PP", []).control("RS", ["4"]).control("nf", []);
    }

    fn verbatim(&mut self, line: &str) {
        self.roff.text([roman(line)]);
    }

    fn end_block(&mut self) {
        let text = std::mem::take(&mut self.text);
        match std::mem::take(&mut self.block) {
            Block::None => return,
            Block::Paragraph => {
                if self.is_begun {
                    self.roff.control("PP", []);
                }
                self.roff.text(inlines(&text));
            }
            Block::Item => {
                self.roff.control("IP", ["\\(bu", "2"]).text(inlines(&text));
            }
            Block::Fenced | Block::Indented => {
                self.roff.control("fi", []).control("RE", []);
            }
        }
        self.is_begun = true;
    }
}

/// `code` and **bold** are bold, a link is its text.
pub(super) fn inlines(text: &str) -> Vec<Inline> {
    let text = without_links(text);
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, marked, after)) = first_marked(rest) {
        parts.extend([roman(before), bold(marked)]);
        rest = after;
    }
    parts.push(roman(rest));
    parts
}

/// What stands before, within and behind the first pair of marks. A mark before a space is none: `**` is a glob as well.
fn first_marked(text: &str) -> Option<(&str, &str, &str)> {
    let begins = |mark: &'static str| {
        let is_beginning =
            |at: &usize| text[at + mark.len()..].starts_with(|next: char| !next.is_whitespace());
        Some((text.match_indices(mark).map(|(at, _)| at).find(is_beginning)?, mark))
    };
    let (start, mark) = begins("`").into_iter().chain(begins("**")).min()?;
    let (marked, after) = text[start + mark.len()..].split_once(mark)?;
    Some((&text[..start], marked, after))
}

fn without_links(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, behind)) = rest.split_once("](") {
        let Some((start, (_, after))) = before.rfind('[').zip(behind.split_once(')')) else { break };
        plain.push_str(&before[..start]);
        plain.push_str(&before[start + 1..]);
        rest = after;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_lists_and_code_keep_their_kind() {
        let text = "One\ntwo.\n\n- **Item.** With `code`\n  and more.\n- Next [link](README.md).\n\n```sh\na -b\n  c\n```\nLast.";
        let expected = "One two.\n.IP \\(bu 2\n\\fBItem.\\fR With \\fBcode\\fR and more.\n.IP \\(bu 2\nNext link.\n\
                        .PP\n.RS 4\n.nf\na \\-b\n  c\n.fi\n.RE\n.PP\nLast.\n";
        assert_eq!(to_roff(text), expected);
    }

    #[test]
    fn an_indented_example_keeps_its_lines() {
        let expected = "Examples:\n.PP\n.RS 4\n.nf\nviewtail demo\n  viewtail run\n.fi\n.RE\n";
        assert_eq!(to_roff("Examples:\n  viewtail demo\n    viewtail run"), expected);
    }

    #[test]
    fn two_stars_are_bold_around_words_and_a_glob_elsewhere() {
        assert_eq!(
            to_roff("**Bold** and `code`: ** any, * one."),
            "\\fBBold\\fR and \\fBcode\\fR: ** any, * one.\n"
        );
    }

    #[test]
    fn a_section_ends_at_the_next_heading() {
        assert_eq!(section("# A\n\n## B\nb\n### C\nc\n\n## D\nd", "B"), "b\n### C\nc\n");
    }

    #[test]
    fn brackets_that_are_no_link_stay() {
        assert_eq!(without_links("[FILE] is [a](b) and c](d"), "[FILE] is a and c](d");
        assert_eq!(without_links("a](b)"), "a](b)");
    }
}
