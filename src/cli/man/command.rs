//! The parts of the manual that come from the tree of commands. clap_mangen would make a page of each command; here
//! they are sections of one, and the options that all share are said once.

use clap::Command;
use clap_mangen::Man;

use super::markdown;

/// Title, name and synopsis of the page.
pub(super) fn head(tree: &Command) -> String {
    let man = Man::new(tree.clone()).title("VIEWTAIL").manual("viewtail's manual");
    let title = written(|to| man.render_title(to));
    let rest = written(|to| man.render_name_section(to).and_then(|()| man.render_synopsis_section(to)));
    // Not hyphenated and not stretched, so that what is copied from the page is what has to be typed.
    title + ".nh\n.ad l\n" + &without_preambles(&rest)
}

/// What every command understands.
pub(super) fn global_options(tree: &Command) -> String {
    options(&tree.clone().disable_help_subcommand(true))
}

/// A command: how it is called, what it does, its own options, what its help says behind them; then what is below it.
pub(super) fn subcommand(command: &Command) -> String {
    let hidden = ["help", "version"];
    let mut own = command.clone().subcommand_value_name("command");
    let ids: Vec<_> = command.get_arguments().filter(|argument| argument.is_global_set()).collect();
    for id in ids.iter().map(|argument| argument.get_id().clone()) {
        own = own.mut_arg(id, |argument| argument.hide(true));
    }
    for id in hidden {
        if command.get_arguments().any(|argument| argument.get_id() == id) {
            own = own.mut_arg(id, |argument| argument.hide(true));
        }
    }
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut text = format!(".SS {}\n", name.trim_start_matches("viewtail "));
    let man = Man::new(own.clone());
    text += &after_heading(&written(|to| man.render_synopsis_section(to)), ".SH SYNOPSIS\n");
    text += ".PP\n";
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        text += &markdown::to_roff(&about.to_string());
    }
    text += &options(&own);
    if let Some(after) = command.get_after_help() {
        text += ".PP\n";
        text += &markdown::to_roff(&after.to_string());
    }
    text + &command.get_subcommands().map(subcommand).collect::<String>()
}

fn options(command: &Command) -> String {
    let man = Man::new(command.clone());
    after_heading(&written(|to| man.render_options_section(to)), ".SH OPTIONS\n")
}

fn written(render: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    render(&mut bytes).expect("memory takes whatever is written to it");
    String::from_utf8(bytes).expect("help is UTF-8, and so is what is made of it")
}

/// Each rendered section begins with a definition that a page needs once; nothing is left of a section without content.
fn after_heading(rendered: &str, heading: &str) -> String {
    rendered.split_once(heading).map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

fn without_preambles(rendered: &str) -> String {
    let is_preamble = |line: &&str| line.starts_with(".ie ") || line.starts_with(".el ");
    rendered.lines().filter(|line| !is_preamble(line)).map(|line| format!("{line}\n")).collect()
}
