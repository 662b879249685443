//! `viewtail init`: agent.yaml from the web server's own configuration.

mod document;
mod host;
mod search;
mod show;

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::arguments::InitArguments;
use super::context::Output;
use super::{Context, Exit, Failure};
use crate::config::{self, Style};
use crate::io::terminal;
use search::Search;

/// What the packages put where `init` writes: nothing of anybody's is lost with it.
const SHIPPED: &[u8] = include_bytes!("../../../agent.yaml");
/// Where the packages put the service, which reads the configuration of the usual name.
const UNIT: &str = "/usr/lib/systemd/system/viewtail.service";
/// The service's user reads it, and it holds no secret.
const FILE_MODE: u32 = 0o644;

/// Finds the logs, says what it found, and writes the file.
pub fn run(context: &Context, arguments: &InitArguments) -> anyhow::Result<Exit> {
    let target = arguments.output.as_deref().unwrap_or(context.config());
    let is_stdout = target == Path::new("-");
    if !is_stdout {
        refuse_to_overwrite(target, arguments)?;
    }
    let search = search::search(arguments)?;
    context.say(show::text(&search).trim_end());
    if search.sources.iter().all(|source| source.found.logs.is_empty()) {
        if context.output == Output::Json {
            print(&show::json(&search, None, None)?)?;
        }
        return Err(Failure::new(Exit::Runtime, nothing(&search, arguments)).into());
    }
    let text = document::document(&search, &arguments.brokers, &arguments.topic);
    let name = if is_stdout { "agent.yaml".to_owned() } else { target.display().to_string() };
    config::parse(&text, &name)
        .map_err(|errors| Failure::Rendered { exit: Exit::Usage, text: errors.render(Style::Coloured) })?;
    if !is_stdout {
        write(target, &text).map_err(|error| not_written(target, error))?;
    }
    match (context.output, is_stdout) {
        (Output::Json, true) => print(&show::json(&search, None, Some(&text))?)?,
        (Output::Json, false) => print(&show::json(&search, Some(target), None)?)?,
        (Output::Text, true) => print(&text)?,
        (Output::Text, false) => {}
    }
    if !is_stdout {
        context.say(&next_steps(target, arguments, &text));
    }
    Ok(Exit::Ok)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Before anything is read, so that nobody waits for a refusal.
fn refuse_to_overwrite(target: &Path, arguments: &InitArguments) -> anyhow::Result<()> {
    match std::fs::read(target) {
        _ if arguments.force => Ok(()),
        Ok(present) if present == SHIPPED => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) | Err(_) => {
            let name = target.display();
            let text = format!(
                "{name} is there already: write elsewhere with -o FILE, look first with -o -, or overwrite it with --force"
            );
            Err(Failure::new(Exit::Runtime, text).into())
        }
    }
}

fn nothing(search: &Search, arguments: &InitArguments) -> String {
    let remedy = "name the main configuration file (`viewtail init /path/to/nginx.conf`), or write the paths into a copy of \
                  the agent.yaml that viewtail is shipped with";
    if search.sources.is_empty() {
        let whose = arguments.root.as_deref().map_or("this host", |_| "that directory");
        return format!(
            "no configuration of nginx, Apache or Caddy is in the usual places of {whose}: {remedy}"
        );
    }
    format!("no access log that can be followed was found; nothing is written: {remedy}")
}

/// A reader sees the old file or the new one, and nothing that is there is harmed when the disk is full.
fn write(target: &Path, text: &str) -> io::Result<()> {
    // A link to a configuration stays one.
    let real = std::fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let directory = real.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(FILE_MODE))?;
    file.as_file().sync_all()?;
    file.persist(&real).map_err(|error| error.error)?;
    Ok(())
}

fn not_written(target: &Path, error: io::Error) -> anyhow::Error {
    let name = target.display();
    if error.kind() == io::ErrorKind::PermissionDenied {
        let text =
            format!("{name} cannot be written: {error}: run this as root, or write elsewhere: -o agent.yaml");
        return Failure::new(Exit::Permission, text).into();
    }
    anyhow::Error::new(error).context(format!("write {name}"))
}

fn next_steps(target: &Path, arguments: &InitArguments, text: &str) -> String {
    let name = terminal::escape(&target.display().to_string()).into_owned();
    let option = if target == Path::new(super::arguments::CONFIG_DEFAULT) {
        String::new()
    } else {
        format!(" -c {name}")
    };
    let line =
        text.lines().position(|line| line.trim_start().starts_with("brokers:")).map_or(0, |line| line + 1);
    let brokers = terminal::escape(&arguments.brokers.join(", ")).into_owned();
    // Run by root himself, the agent would leave a state that the service's user cannot write.
    let start = if option.is_empty() && Path::new(UNIT).exists() {
        "systemctl enable --now viewtail".to_owned()
    } else {
        format!("viewtail run{option}")
    };
    format!(
        "\nwrote {name}\nnext:  is {brokers} your broker? ({name}:{line})\n       viewtail check{option}\n       {start}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_link_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let (file, link) = (scratch.path().join("new/agent.yaml"), scratch.path().join("link.yaml"));
        write(&file, "one").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, FILE_MODE);
    }
}
