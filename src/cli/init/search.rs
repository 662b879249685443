//! The configurations of web servers that are looked at, and what they say.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::arguments::{InitArguments, Server};
use super::super::{Exit, Failure};
use super::host::Host;
use crate::servers::nginx::Dump;
use crate::servers::{
    self, ConfError, ErrorKind, Found, LeftOut, Loader, LogPath, Place, Scopes, apache, caddy, nginx,
};

/// Where packages and builds of the servers have their configuration.
const USUAL: [(Server, &str); 9] = [
    (Server::Nginx, "/etc/nginx/nginx.conf"),
    (Server::Nginx, "/usr/local/nginx/conf/nginx.conf"),
    (Server::Nginx, "/usr/local/etc/nginx/nginx.conf"),
    (Server::Nginx, "/usr/local/openresty/nginx/conf/nginx.conf"),
    (Server::Nginx, "/opt/nginx/conf/nginx.conf"),
    (Server::Apache, "/etc/apache2/apache2.conf"),
    (Server::Apache, "/etc/httpd/conf/httpd.conf"),
    (Server::Apache, "/usr/local/apache2/conf/httpd.conf"),
    (Server::Caddy, "/etc/caddy/Caddyfile"),
];
/// As large as all files of a configuration may be, with the lines that `nginx -T` adds.
const DUMP_BYTES_MAX: u64 = 33 << 20;

/// What was looked at, and what was found there.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Configurations that were read.
    pub sources: Vec<Source>,
    /// Places where none is.
    pub absent: Vec<PathBuf>,
}

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Whose it is.
    pub server: Server,
    /// Where it begins; `-` for what came on stdin.
    pub name: PathBuf,
    /// Its logs.
    pub found: Found,
}

/// Reads what the arguments name, or what is in the usual places.
///
/// # Errors
/// A configuration is wrong or cannot be read: a [`Failure`] with exit 77 or 78.
pub fn search(arguments: &InitArguments) -> anyhow::Result<Search> {
    let host = Host::new(arguments.root.as_deref());
    let mut search = Search::default();
    match &arguments.conf {
        Some(conf) if conf == Path::new("-") => search.sources.push(from_stdin(arguments)?),
        Some(conf) => {
            let main = std::path::absolute(conf).context("find the current directory")?;
            let server = match arguments.server {
                Some(server) => server,
                None => told(
                    &main,
                    &host.read(&main).map_err(|error| {
                        refused(&ConfError::unreadable(&main, &Place::of_file(&main), &error))
                    })?,
                ),
            };
            search.sources.push(from_host(&host, (server, &main), arguments)?);
        }
        None => {
            for (server, path) in USUAL {
                let main = Path::new(path);
                if host.exists(main) {
                    search.sources.push(from_host(&host, (server, main), arguments)?);
                } else {
                    search.absent.push(main.to_owned());
                }
            }
        }
    }
    Ok(search)
}

fn from_stdin(arguments: &InitArguments) -> anyhow::Result<Source> {
    if arguments.server.is_some_and(|server| server != Server::Nginx) {
        return Err(Failure::new(
            Exit::Usage,
            "only nginx prints its configuration (`nginx -T`); name a file",
        )
        .into());
    }
    let mut text = Vec::new();
    std::io::stdin().take(DUMP_BYTES_MAX).read_to_end(&mut text).context("read stdin")?;
    let Some(dump) = Dump::of(&text) else {
        let fact = "stdin: no line `# configuration file PATH:` in it: pipe in what `nginx -T` prints, or name nginx.conf";
        return Err(Failure::new(Exit::Configuration, fact).into());
    };
    let loader = Loader { read: &|path| dump.read(path), expand: &|glob| Ok(dump.expand(glob)) };
    let scopes =
        nginx::read(dump.main(), arguments.prefix.as_deref(), loader).map_err(|error| refused(&error))?;
    Ok(Source { server: Server::Nginx, name: "-".into(), found: servers::choose(&scopes) })
}

fn from_host(
    host: &Host,
    (server, main): (Server, &Path),
    arguments: &InitArguments,
) -> anyhow::Result<Source> {
    let loader = Loader { read: &|path| host.read(path), expand: &|glob| host.expand(glob) };
    let scopes = match server {
        Server::Nginx => nginx::read(main, arguments.prefix.as_deref(), loader),
        Server::Apache => apache::read(main, loader),
        Server::Caddy => caddy::read(main, loader),
    };
    let scopes: Scopes = scopes.map_err(|error| refused(&error))?;
    let mut found = servers::choose(&scopes);
    look(host, &mut found);
    Ok(Source { server, name: main.to_owned(), found })
}

/// Whose configuration a file is.
fn told(main: &Path, text: &[u8]) -> Server {
    let name = main.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if name.contains("caddy") {
        return Server::Caddy;
    }
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let mut lines = text.lines().map(str::trim_start);
    let apaches = ["<virtualhost", "<ifmodule", "customlog ", "logformat ", "serverroot ", "loadmodule "];
    if lines.any(|line| apaches.iter().any(|word| line.starts_with(word))) {
        return Server::Apache;
    }
    Server::Nginx
}

/// What the host itself says of the logs: links, and files that are not there yet.
fn look(host: &Host, found: &mut Found) {
    for mut log in std::mem::take(&mut found.logs) {
        let Some(path) = log.path.literal.clone() else {
            found.logs.push(log);
            continue;
        };
        match host.resolve(Path::new(&path)) {
            Ok(real) if real.starts_with("/dev") || real.starts_with("/proc") => {
                let reason = format!(
                    "it is a symbolic link to {}, which is no file that can be followed: let the server write to a file",
                    real.display()
                );
                found.left_out.push(LeftOut { shown: path, place: log.place, reason });
                continue;
            }
            Ok(real) if real != Path::new(&path) => {
                log.remarks.push(format!("{path} leads here by a symbolic link, and links are not followed"));
                log.path =
                    LogPath { rotated: log.path.rotated.take(), ..LogPath::literal(&real.to_string_lossy()) };
            }
            Ok(_) => {}
            Err(error) => log.remarks.push(error.to_string()),
        }
        if !host.exists(Path::new(log.path.literal.as_deref().unwrap_or(&path))) {
            log.remarks.push("it does not exist yet, or cannot be seen by this user".to_owned());
        }
        found.logs.push(log);
    }
}

fn refused(error: &ConfError) -> Failure {
    let exit = match error.kind {
        ErrorKind::Permission => Exit::Permission,
        ErrorKind::Wrong | ErrorKind::Missing => Exit::Configuration,
    };
    Failure::new(exit, error.to_string())
}
