//! What may be typed. The help texts here are the reference that a person sees first.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Where the packages put the configuration.
pub const CONFIG_DEFAULT: &str = "/etc/viewtail/agent.yaml";

const EXAMPLES: &str = "\
Examples:
  viewtail demo                      see the whole job in half a minute, nothing needed
  viewtail init                      write the configuration from that of nginx, Apache or Caddy
  viewtail check                     is the configuration right, do logs, broker and topic fit it?
  viewtail run                       follow the logs and deliver
  viewtail report access.log*        page views, visitors and addresses a day, from the logs alone
  viewtail verify                    prove from the topic that no line is missing or doubled

Exit codes: 0 ok, 1 failed, 2 wrong usage, 75 try again later (Kafka does not answer),
77 permission denied, 78 wrong configuration.";

/// viewtail and what was typed behind it.
#[derive(Debug, Parser)]
#[command(
    name = "viewtail",
    version,
    about = "Tails web access logs and delivers every line to Kafka exactly once",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
pub struct Global {
    /// Configuration file [default: /etc/viewtail/agent.yaml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour: NO_COLOR is honoured in `auto`
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow the logs and deliver every line, until SIGTERM or Ctrl-C
    Run(RunArguments),
    /// Write the configuration from that of the web server on this host
    Init(InitArguments),
    /// Test configuration, logs, broker and topic, and say how to fix what is wrong
    ///
    /// Like `nginx -t`: reads the configuration, tries the log formats on the last lines of the real logs, looks at how
    /// they are rotated, and asks the brokers whether the topic is there, which right is missing and whether transactions
    /// are allowed. Changes nothing.
    Check(CheckArguments),
    /// Show the events of a log as they would be produced; touches nothing
    Preview(PreviewArguments),
    /// Show what the rules make of one line: why it is, or is not, a page view
    Explain(ExplainArguments),
    /// Count page views, visitors and addresses a day, from log files or from the topic
    Report(ReportArguments),
    /// Show files, how far they are delivered, and whether Kafka answers
    Status(StatusArguments),
    /// Look at the committed positions, and move them
    #[command(subcommand)]
    Checkpoints(CheckpointsCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prove from the topic that no line is missing or doubled
    Verify(VerifyArguments),
    /// Show the whole job on this machine, ending by itself with the totals checked
    Demo(DemoArguments),
    /// Print what a shell needs to complete commands and options
    Completions(CompletionsArguments),
    /// Print the manual as roff: `viewtail man | man -l -`
    Man(ManArguments),
}

/// `viewtail run ...`
#[derive(Args, Debug)]
pub struct RunArguments {
    /// How lines on stderr are written [default: journal under systemd, else text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormatName>,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormatName {
    /// Time, level and message
    Text,
    /// Priority and message, as sd-daemon(3) has it
    Journal,
    /// One JSON object a line
    Json,
}

/// `viewtail status ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Asks the running agent at http.listen; where none answers, the state directory says how far files were
delivered, and Kafka is asked whether it answers.

Examples:
  viewtail status
  viewtail status --watch 5            again every 5 s, until Ctrl-C
  viewtail status --json               for a program")]
pub struct StatusArguments {
    /// Show it again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
          value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub watch: Option<u16>,
}

/// `viewtail check ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Called by root, it looks at files as the service's user would: the one of the installed unit, with its
groups. Each answer is ok, warning or failure, and where something is to be done, the line says what.

Exit 0: nothing keeps the agent from working. 75: Kafka does not answer, try again later. 77: a
permission is missing, on a file or in Kafka. 78: something is to be changed. The worst one counts.

Examples:
  viewtail check
  viewtail check --json | jq '.results[] | select(.status != \"ok\")'")]
pub struct CheckArguments {
    /// Look at files as this user; for root alone [default: the user of the installed unit]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

/// `viewtail checkpoints ...`
#[derive(Debug, Subcommand)]
pub enum CheckpointsCommand {
    /// Show every generation of a file: its position in Kafka, in the local state, and where they differ
    List,
    /// Show all that is known of one generation
    Show {
        /// Stream, as `list` shows it, or path where the file was last seen
        #[arg(value_name = "STREAM|PATH")]
        name: String,
    },
    /// Move one generation to the start of a line: back sends lines once more, forward leaves some out
    Seek {
        /// Stream, as `list` shows it, or path where the file was last seen
        #[arg(value_name = "STREAM|PATH")]
        name: String,
        /// `beginning`, `end`, or bytes: then the last start of a line that is not behind them
        #[arg(value_name = "POSITION")]
        position: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Forget generations: their files are read anew, as new streams
    Reset {
        /// Streams, as `list` shows them, or paths where the files were last seen
        #[arg(value_name = "STREAM|PATH", required_unless_present = "all", conflicts_with = "all")]
        names: Vec<String>,
        /// All of them, and that their logs were ever seen: `start` counts again
        #[arg(long)]
        all: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Write all positions as JSON, to move the agent to another host, topic or cluster
    Export {
        /// A file that is not there yet, `-` for stdout
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
    },
    /// Take the positions of an export in the place of those that are there
    Import {
        /// An export, `-` for stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `viewtail config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration with every default filled in, where each value comes from, and secrets masked
    Show,
    /// Print the JSON Schema of agent.yaml, for editors
    Schema,
    /// Say what an option means, its default, and why it is that; without KEY, name all options
    Explain(ConfigExplainArguments),
}

/// `viewtail config explain ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Needs no configuration and reads none.

Examples:
  viewtail config explain                          every option with its default
  viewtail config explain kafka.commit_interval
  viewtail config explain commit_interval          the last part is enough where it is the only one")]
pub struct ConfigExplainArguments {
    /// The option's name from the top, as in kafka.flush.bytes or logs.paths
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
}

/// `viewtail init ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Reads the web server's own configuration: formats, includes, who inherits which log. No server is
asked and none needs to run. Says on stderr what it found, and why a log is left out; writes a file
that `viewtail check` accepts, to be read and changed before the first start. Without CONF it looks
in the usual places of nginx, Apache and Caddy, and says where it looked.

It writes to the file that -c names. One that is there already stays, unless it is the agent.yaml
that viewtail is shipped with, or --force is given. Exit 1: no log was found; nothing is written.

Examples:
  viewtail init                                          the servers of this host
  viewtail init --brokers kafka1:9092,kafka2:9092        nothing left to edit
  viewtail init -o - /etc/nginx/nginx.conf               look first, write nothing
  ssh web1 nginx -T | viewtail init - -o web1.yaml       from what nginx itself prints")]
pub struct InitArguments {
    /// The server's main configuration file, `-` for the output of `nginx -T` on stdin
    #[arg(value_name = "CONF")]
    pub conf: Option<PathBuf>,
    /// Whose configuration CONF is [default: told from its name and its text]
    #[arg(long, value_name = "SERVER", value_enum, requires = "conf")]
    pub server: Option<Server>,
    /// Where to write, `-` for stdout [default: the file of -c]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite a file that is there
    #[arg(long)]
    pub force: bool,
    /// Read all paths below this directory: an image, a chroot
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The directory that relative paths of nginx's logs are below [default: as its packages have it]
    #[arg(long, value_name = "DIR")]
    pub prefix: Option<PathBuf>,
    /// Brokers to write down
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', default_value = "localhost:9092")]
    pub brokers: Vec<String>,
    /// Topic to write down
    #[arg(long, value_name = "NAME", default_value = "page-views")]
    pub topic: String,
}

/// A web server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Server {
    Nginx,
    Apache,
    Caddy,
}

/// `viewtail preview ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Prints one event per line as JSON, exactly the bytes of the record; on a terminal, characters that
it would obey are escaped. Without FILE: the last 10 lines of each configured log. The id of an
event carries the stream 0000000000000000, because a stream gets its name from `viewtail run`.

Examples:
  viewtail preview                                        the configured logs
  viewtail preview access.log --format combined           without any configuration
  tail -f access.log | viewtail preview - --format main --site blog.example.com")]
pub struct PreviewArguments {
    /// Log file, plain or compressed; `-` for stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Log format: combined, main, common, vhost_combined, apache_combined, caddy, traefik, traefik_json, or an nginx
    /// log_format string [default: that of the configured log]
    #[arg(long, value_name = "FORMAT", requires = "file")]
    pub format: Option<String>,
    /// Site of the events [default: that of the configured log, or the host of the line]
    #[arg(long, value_name = "NAME", requires = "file")]
    pub site: Option<String>,
}

/// `viewtail explain ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Shows each variable with its place in the line, whose address counts, how the page's key came about,
what the visitor is told by, the bot that matched, all rules in their order, and the event. With a
configuration, the rules are those of the log that --log names, else of the first one whose format
fits the line. Without one, visitor ids are of this call alone.

Examples:
  viewtail explain '192.0.2.7 - - [23/Nov/2026:06:47:00 +0100] \"GET / HTTP/2.0\" 200 5 \"-\" \"-\"'
  tail -1 access.log | viewtail explain - --format combined")]
pub struct ExplainArguments {
    /// The line as it stands in the log, `-` for the lines of stdin
    #[arg(value_name = "LINE")]
    pub line: String,
    /// The log whose format and rules count [default: the first one that fits]
    #[arg(long, value_name = "NAME", conflicts_with = "format")]
    pub log: Option<String>,
    /// Log format, as for `preview`, with the default rules
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Site of the event [default: that of the log, or the host of the line]
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
}

/// `viewtail report ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Counts the events of log files, plain or compressed, in any order, or those of the topic. All numbers are
exact. A visitor and an address count once a day; over several days the report shows sums of days.
Without FILES: the files that match `paths` now. A line that arrived late counts on its own day.

Exit 0: everything was read. Exit 1: something could not be read; the report says what and shows
the rest. From the topic it reads as a read_committed consumer does, up to the end it has now,
counts an event that was delivered twice once, and leaves no group and no offset behind.

Examples:
  viewtail report --last 30d                              the configured logs
  viewtail report access.log access.log.*.gz --format combined --site blog.example.com
  viewtail report access.log* --html report.html          a page to look at, print and send
  viewtail report --from kafka --day 2026-11-23 --json    the same numbers for a program")]
pub struct ReportArguments {
    /// Log files, plain or compressed (gzip, zstd, xz, bzip2); `-` for stdin
    #[arg(value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// Where the events are: in files, or in the configured topic
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = ReportFrom::Files)]
    pub from: ReportFrom,
    /// This day alone, as 2026-11-23
    #[arg(long, value_name = "DAY", conflicts_with = "last")]
    pub day: Option<String>,
    /// The last days of the input, as 30d or 4w
    #[arg(long, value_name = "DAYS")]
    pub last: Option<String>,
    /// One table alone [default: an overview]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub by: Option<ReportBy>,
    /// Rows of each ranking
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Write a page for a browser: one file that needs no network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Log format, as for `preview` [default: that of the configured log]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Site of the events [default: that of the configured log, or the host of the line]
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
    /// Brokers to ask with --from kafka [default: kafka.brokers of the configuration]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub brokers: Vec<String>,
    /// Topic to read with --from kafka, may be repeated [default: the topics of the configuration]
    #[arg(long, value_name = "NAME")]
    pub topic: Vec<String>,
}

/// Where a report's events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFrom {
    /// In log files
    Files,
    /// In the topic
    Kafka,
}

/// What the rows of a report are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportBy {
    /// Pages, over all days
    Page,
    /// Sites, over all days
    Site,
    /// Days
    Day,
    /// Hosts that visitors came from
    Referrer,
    /// Crawlers
    Bot,
}

/// `viewtail verify ...`
#[derive(Args, Debug)]
#[command(after_help = "\
Reads the topic from its beginning to its present end as a read_committed consumer does, without
joining a group or storing offsets. Every event says where its line stands in its log, so that a
missing line is a gap and a repeated one is seen. Exit 0: nothing missing, nothing doubled, all in
order. Exit 1: something is, or the topic holds no event. A gap that the agent or the topic's
retention explains is listed and does not count as missing.

Examples:
  viewtail verify
  viewtail verify --brokers localhost:9092 --topic page-views
  viewtail verify --against /var/log/nginx/access.log*     also compare with the logs on disk")]
pub struct VerifyArguments {
    /// Brokers to ask [default: kafka.brokers of the configuration]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub brokers: Vec<String>,
    /// Topic to read, may be repeated [default: the topics of the configuration]
    #[arg(long, value_name = "NAME")]
    pub topic: Vec<String>,
    /// Logs still on disk that must be in the topic as far as they are committed
    #[arg(long, value_name = "FILES", num_args = 1..)]
    pub against: Vec<PathBuf>,
}

/// `viewtail demo ...`
#[derive(Args, Debug)]
#[command(after_help = "\
The real agent runs as a child process, follows a log that is written and rotated live, and is
restarted on the way; the topic is read back and counted. Everything happens in a temporary
directory and is gone afterwards. The embedded broker shows the job but cannot prove exactly-once;
with --brokers and --kill a real one does: it gets a new topic viewtail-demo-... that stays behind.

Examples:
  viewtail demo
  viewtail demo --brokers localhost:9092 --kill")]
pub struct DemoArguments {
    /// Use this broker instead of the embedded one
    #[arg(long, value_name = "HOST:PORT", requires = "kill")]
    pub brokers: Option<String>,
    /// Kill the agent with SIGKILL every few seconds
    #[arg(long, requires = "brokers")]
    pub kill: bool,
}

/// `viewtail completions ...`
#[derive(Args, Debug)]
#[command(after_help = "\
The packages install them. By hand, for the shell that you use:
  viewtail completions bash > ~/.local/share/bash-completion/completions/viewtail
  viewtail completions zsh > \"${fpath[1]}/_viewtail\"
  viewtail completions fish > ~/.config/fish/completions/viewtail.fish")]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// `viewtail man ...`
#[derive(Args, Debug)]
pub struct ManArguments {
    /// The page
    #[arg(value_name = "PAGE", value_enum, default_value = "viewtail")]
    pub page: ManPage,
}

/// A page of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ManPage {
    /// viewtail(1): the commands
    Viewtail,
    /// viewtail.yaml(5): the configuration
    #[value(name = "viewtail.yaml")]
    ViewtailYaml,
}

/// Shells that are completed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_names_the_default_configuration() {
        let help = Arguments::command().render_help().to_string();
        assert!(help.contains(CONFIG_DEFAULT), "{help}");
    }
}
