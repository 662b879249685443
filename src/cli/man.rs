//! `viewtail man`: viewtail(1), from the tree of commands, the texts here, and README.md where that says it already; and
//! viewtail.yaml(5), from the table of options.
//!
//! The manual goes with the binary, so it is made by the binary: no version of one lies beside another version of the
//! other.

mod command;
mod markdown;
mod options;

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_mangen::roff::{Roff, bold, roman};

use super::Exit;
use super::arguments::{Arguments, ManArguments, ManPage};

const README: &str = include_str!("../../README.md");

const DESCRIPTION: &str = "\
viewtail runs beside a web server, follows its access logs, turns each line into an event and puts it into Apache Kafka, so \
that daily page views, visitors and addresses can be counted from the topic. Every complete line is there exactly once for \
consumers that read with `isolation.level=read_committed`, and in order for each file, whatever is killed when; LIMITS says \
what that does not cover.

The log file is the buffer: while Kafka is away nothing is read, memory stays flat, and what was written meanwhile is \
delivered when Kafka is back. Configuration is in `/etc/viewtail/agent.yaml`, described in `viewtail.yaml(5)`. Results go to \
standard output, talk goes to standard error.";

const FIRST_STEPS: &str = "\
As root, after the package is installed:

```
viewtail demo                        # the whole job in half a minute, without Kafka
viewtail init --brokers HOST:9092    # finds the web server's logs, writes /etc/viewtail/agent.yaml
viewtail check                       # each failure with its remedy
systemctl enable --now viewtail
```";

const EXIT_STATUS: [(&str, &str); 6] = [
    ("0", "All is well."),
    ("1", "Failed; standard error says why. `verify`: a line is missing, doubled or out of order."),
    ("2", "Wrong usage."),
    ("75", "Try again later: Kafka does not answer, or another agent has the state directory."),
    ("77", "Permission denied: a log or the state directory, or a right in Kafka."),
    (
        "78",
        "Wrong configuration, or another agent with the same `agent.id`. systemd does not restart the service then.",
    ),
];

const SIGNALS: [(&str, &str); 2] = [
    (
        "SIGTERM, SIGINT",
        "`run` stops reading, commits what it read, and ends within 30 s. After SIGKILL nothing is lost or doubled either; \
         readers of the topic wait for up to 30 s then.",
    ),
    (
        "SIGHUP",
        "`run` reads the configuration again, as after `systemctl reload viewtail`. A wrong one is refused with its mistakes and the agent goes on as before; a right \
         one counts from the next transaction on.",
    ),
];

const ENVIRONMENT: [(&str, &str); 3] = [
    (
        "VIEWTAIL_OPTS",
        "Further options of `viewtail run` under systemd, set in `/etc/default/viewtail`: for example `-v`.",
    ),
    ("NO_COLOR", "Set to anything, it switches colours off, unless `--color` says otherwise."),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC, JOURNAL_STREAM",
        "Set by systemd: where to say that the agent is ready, alive and stopping, and that its output goes to the journal.",
    ),
];

const FILES: [(&str, &str); 7] = [
    (
        "/etc/viewtail/agent.yaml",
        "The configuration: viewtail.yaml(5). What is in `/etc/viewtail/conf.d` counts where it says `include: [conf.d/*.yaml]`.",
    ),
    (
        "/var/lib/viewtail",
        "The state directory: a lock, a copy of the positions, and the secret that visitors' ids are made with. With \
         `delivery: exactly_once` the positions themselves are in Kafka. Nothing of a log is in it.",
    ),
    (
        "/usr/lib/systemd/system/viewtail.service",
        "The service. Change it by drop-ins: systemctl edit viewtail.",
    ),
    ("/etc/default/viewtail", "Environment of the service; need not exist."),
    (
        "/usr/share/viewtail",
        "The schemas: of `agent.yaml`, for editors, and of the events, for whoever reads the topic.",
    ),
    (
        "/usr/share/doc/viewtail/examples",
        "Alerts for Prometheus and a dashboard for Grafana; drop-ins for the service; tables and queries for ClickHouse, Apache \
         Doris and Flink.",
    ),
    (
        "/usr/share/doc/viewtail/metrics.md",
        "What the running agent shows at `http://127.0.0.1:9464/metrics`, `/status`, `/healthz` and `/readyz`.",
    ),
];

/// Prints a page as roff: `viewtail man | man -l -` shows it.
pub fn run(arguments: &ManArguments) -> anyhow::Result<Exit> {
    let page = match arguments.page {
        ManPage::Viewtail => page(),
        ManPage::ViewtailYaml => options::page(),
    };
    std::io::stdout().write_all(page.as_bytes())?;
    Ok(Exit::Ok)
}

fn page() -> String {
    let mut tree = Arguments::command().subcommand_value_name("command");
    tree.build();
    let mut page = command::head(&tree);
    page += &section("DESCRIPTION", DESCRIPTION);
    page += &section("FIRST STEPS", FIRST_STEPS);
    page += ".SH COMMANDS\n";
    for subcommand in tree.get_subcommands() {
        page += &command::subcommand(subcommand);
    }
    page += ".SH OPTIONS\nOf every command, before or behind its name:\n";
    page += &command::global_options(&tree);
    page += &terms("EXIT STATUS", &EXIT_STATUS);
    page += "When several of these hold, the first one of 78, 77, 75 and 1 counts.\n";
    page += &terms("SIGNALS", &SIGNALS);
    page += &terms("ENVIRONMENT", &ENVIRONMENT);
    page += &terms("FILES", &FILES);
    page += &section("WHAT THE SERVICE MAY READ", markdown::section(README, "What the service may read"));
    page += &section("LIMITS", markdown::section(README, "Limits"));
    page += ".SH SEE ALSO\n\\fBviewtail.yaml\\fR(5), \\fBlogrotate\\fR(8), \\fBsetfacl\\fR(1), \\fBsystemd.service\\fR(5)\n";
    page
}

fn section(heading: &str, text: &str) -> String {
    format!(".SH {heading}\n{}", markdown::to_roff(text))
}

/// A section that is a list of terms.
fn terms(heading: &str, terms: &[(&str, &str)]) -> String {
    let mut text = format!(".SH {heading}\n");
    for (term, meaning) in terms {
        let mut roff = Roff::new();
        roff.control("TP", []).text([bold(*term), roman("")]);
        text += &roff.to_roff();
        text += &markdown::to_roff(meaning);
    }
    // What follows the list is no part of its last item.
    text + ".PP\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_the_manual() {
        let page = page();
        let mut tree = Arguments::command();
        tree.build();
        let mut seen = 0;
        for subcommand in tree.get_subcommands() {
            assert!(page.contains(&format!("\n.SS {}\n", subcommand.get_name())), "{subcommand}");
            for option in subcommand.get_arguments().filter_map(clap::Arg::get_long) {
                let escaped = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(page.contains(&escaped), "{subcommand} --{option}");
                seen += 1;
            }
        }
        assert!(seen > 50, "only {seen} options were looked for");
    }

    #[test]
    fn the_limits_are_said_plainly() {
        let page = page();
        let limits = page.split(".SH LIMITS\n").nth(1).expect("the section is there");
        for limit in ["read_committed", "copytruncate", "While the agent is stopped", "NFS", "CAP_LEASE"] {
            assert!(limits.contains(limit), "{limit}:\n{limits}");
        }
    }
}
