//! viewtail.yaml(5): the table of options that the schema and `config explain` are made of, as a page.

use std::collections::HashMap;

use clap_mangen::roff::{Roff, bold, roman};

use super::{markdown, section};
use crate::config::{self, ConfigOption};

const DESCRIPTION: &str = "\
`/etc/viewtail/agent.yaml` is YAML. `viewtail init` writes it from the web server's own configuration; the shipped file holds \
every option with its default. A wrong file is refused as a whole, with every mistake, its place and the remedy: `viewtail \
check` tries it and what it leads to, `viewtail config show` prints what counts and where it comes from, `viewtail config \
explain KEY` shows lines to copy. `systemctl reload viewtail` makes a running agent read it again.

Sizes have a unit: kB, MB and GB are powers of 1000, KiB, MiB and GiB powers of 1024. Durations too: ms, s, m, h, d. Any value \
can be `${NAME}` or `${NAME:-otherwise}`, an environment variable whose name is in capitals; `$${` stands for `${`.";

const EXAMPLE: &str = "\
All that has to be said:

```
logs:
  - paths: [/var/log/nginx/access.log]
    format: combined
kafka:
  brokers: [localhost:9092]
  topic: page-views
```";

const OPTIONS: &str = "\
A dot leads into a mapping, `[]` stands for any entry of a list. What `logs[]` has in common with the top counts for that log.";

/// The page.
pub(super) fn page() -> String {
    let mut head = Roff::new();
    let version = concat!("viewtail ", env!("CARGO_PKG_VERSION"));
    head.control("TH", ["VIEWTAIL.YAML", "5", "", version, "viewtail's manual"]);
    // `render` defines what apostrophes need, once for the page.
    let mut page = head.render();
    page += ".nh\n.ad l\n.SH NAME\nviewtail.yaml \\- configuration of the viewtail agent\n";
    page += &section("DESCRIPTION", DESCRIPTION);
    page += &section("EXAMPLE", EXAMPLE);
    page += &section("OPTIONS", OPTIONS);
    page += &entries(&config::options());
    page += ".SH FILES\n\\fI/etc/viewtail/agent.yaml\\fR, \\fI/usr/share/viewtail/agent.schema.json\\fR (for editors)\n";
    page += ".SH SEE ALSO\n\\fBviewtail\\fR(1)\n";
    page
}

/// Every option, below the name of the section that it is in.
fn entries(options: &[ConfigOption]) -> String {
    let mut text = String::new();
    let mut top = "";
    // Several options may be parts of one thing, with the same words: those are said once.
    let mut said: HashMap<&str, &str> = HashMap::new();
    for option in options {
        let of = option.path.split(['.', '[']).next().unwrap_or_default();
        if of != top {
            top = of;
            text += &format!(".SS {of}\n");
        }
        let first = *said.entry(&option.meaning).or_insert(&option.path);
        text += &if option.is_section() && of == option.path {
            markdown::to_roff(&option.meaning)
        } else {
            entry(option, first)
        };
    }
    text
}

/// An option; `first` is the one where its meaning is said.
fn entry(option: &ConfigOption, first: &str) -> String {
    let mut head = Roff::new();
    head.control("PP", []).text([bold(option.path.as_str())]).control("RS", ["4"]);
    let mut text = head.to_roff();
    text += &if first == option.path {
        markdown::to_roff(&option.meaning)
    } else {
        markdown::to_roff(&format!("A part of `{first}`."))
    };
    let mut facts = Roff::new();
    if let Some(accepts) = &option.accepts {
        facts.control("PP", []).text([roman(format!("Accepts {accepts}."))]);
        facts.text(match &option.default {
            Some(default) => vec![roman("Default: "), bold(default.as_str()), roman(".")],
            None => vec![roman("No default.")],
        });
        if let Some(why) = &option.why {
            facts.text(markdown::inlines(why));
        }
    }
    facts.control("RE", []);
    text + &facts.to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_on_the_page_and_no_text_is_there_twice() {
        let options = config::options();
        let page = page();
        for option in options.iter().filter(|option| !option.is_section()) {
            let escaped = option.path.replace('-', "\\-");
            let head = format!("\n\\fB{escaped}\\fR\n");
            assert_eq!(page.matches(&head).count(), 1, "{}", option.path);
        }
        let long: Vec<&str> =
            page.lines().filter(|line| line.len() > 200 && !line.starts_with("Accepts")).collect();
        for line in &long {
            assert_eq!(page.matches(line).count(), 1, "{line}");
        }
        assert!(long.len() > 10, "{long:?}");
    }

    #[test]
    fn an_entry_says_what_it_accepts_and_why_its_default_is_one() {
        let options = config::options();
        let option = config::find_option(&options, "kafka.commit_interval").expect("it is an option");
        let text = entry(option, &option.path);
        for part in ["Accepts a duration from 50ms", "Default: \\fB1s\\fR.", "A reader sees"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
