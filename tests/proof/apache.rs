//! A real Apache that logs each request in every format under test and in a reference, under hostile requests.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use viewtail::format::Format;

use crate::compare::{Dialect, assert_equal, reference};
use crate::nginx::loopbacks;
use crate::requests::{assert_hostile, send_until};
use crate::support::nginx::program;
use crate::support::process::{Process, command};
use crate::support::scratch::Scratch;
use crate::support::wait::wait_until;

/// Requests that each format is tried with, at least.
const REQUESTS: usize = 5500;
/// Where Debian keeps Apache's modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// What the reference has, by viewtail's names.
const REFERENCE: [(&str, &str); 17] = [
    ("env_unique_id", "%{UNIQUE_ID}e"),
    ("remote_addr", "%h"),
    ("remote_logname", "%l"),
    ("remote_user", "%u"),
    ("time_local", "%{%d/%b/%Y:%H:%M:%S %z}t"),
    ("request", "%r"),
    ("status", "%>s"),
    ("body_bytes_sent", "%b"),
    ("bytes_sent", "%O"),
    ("http_referer", "%{Referer}i"),
    ("http_user_agent", "%{User-Agent}i"),
    ("http_cookie", "%{Cookie}i"),
    ("http_x_odd", "%{X-Odd}i"),
    ("server_name", "%v"),
    ("server_port", "%p"),
    ("request_method", "%m"),
    ("request_time", "%D"),
];
const COMMON: &str = r#"%h %l %u %t \"%r\" %>s %b"#;
const COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#;
const VHOST: &str = r#"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#;
const CUSTOM: &str =
    r#"%{UNIQUE_ID}e %h [%u] \"%{Cookie}i\" %Dus \"%r\" %t %>s/%b \"%m\" \"%{X-Odd}i\" <%{User-Agent}i>"#;

/// C's escapes, and `\xhh` for what else is not printable. Quotes of a value are escaped: two that are not stand for
/// an empty user name.
const APACHE: Dialect = Dialect { hex_mark: b'x', hex_digits: 2, absent: &[b"", b"-", b"\"\""] };

#[test]
fn every_field_of_a_real_apache_is_read_as_it_was() {
    let scratch = Scratch::new("proof-apache");
    let mut server = Server::start(scratch.path());
    let reference_log = scratch.join("reference.log");
    send_until(REQUESTS, 2, &server.addresses, &reference_log);
    server.stop();
    let names = REFERENCE.map(|(name, _)| name);
    let truths = reference(&reference_log, &names, &APACHE);
    println!("Apache: {} requests over {:?}", truths.len(), server.addresses);
    for (name, template) in FORMATS {
        let format = Format::apache(template).expect("the format is valid");
        assert_equal(&scratch.join(&format!("{name}.log")), &format, &truths, &names);
    }
    assert_hostile(&truths);
}

const FORMATS: [(&str, &str); 4] =
    [("common", COMMON), ("combined", COMBINED), ("vhost_combined", VHOST), ("custom", CUSTOM)];

/// Its logs have the requests in one order: whoever sends waits until the connection is closed, and with it logged.
struct Server {
    process: Process,
    addresses: Vec<SocketAddr>,
}

impl Server {
    fn start(directory: &Path) -> Self {
        let addresses = loopbacks();
        let configuration = directory.join("httpd.conf");
        // As root, Apache becomes a user who must be able to enter the scratch directory; it opens its logs before.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory, open).expect("the scratch directory can be opened");
        std::fs::create_dir_all(directory.join("htdocs")).expect("a directory can be made");
        std::fs::write(directory.join("htdocs/index.html"), "ok").expect("a page can be written");
        std::fs::write(directory.join("passwords"), "").expect("a file can be written");
        std::fs::write(&configuration, configuration_text(directory, &addresses))
            .expect("httpd.conf can be written");
        let mut apache = command(&program("apache2"));
        apache.arg("-d").arg(directory).arg("-f").arg(&configuration).arg("-DFOREGROUND");
        let mut process = Process::start("apache", directory, apache);
        wait_until(Duration::from_secs(20), "Apache listens", || {
            assert!(process.exited().is_none(), "Apache ended: {}", process.last_words());
            TcpStream::connect(addresses[0]).is_ok()
        });
        Self { process, addresses }
    }

    fn stop(&mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        self.process.wait(Duration::from_secs(20));
    }
}

fn configuration_text(directory: &Path, addresses: &[SocketAddr]) -> String {
    let at = directory.display();
    let modules: String = [
        "mpm_event",
        "authz_core",
        "authz_user",
        "authn_core",
        "authn_file",
        "auth_basic",
        "unique_id",
        "alias",
    ]
    .iter()
    .map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n"))
    .collect();
    let listen: String = addresses.iter().map(|address| format!("Listen {address}\n")).collect();
    let reference = REFERENCE.map(|(_, directive)| directive).join("\\t");
    let logs: String = FORMATS
        .into_iter()
        .chain([("reference", reference.as_str())])
        .map(|(name, template)| {
            format!("LogFormat \"{template}\" {name}\nCustomLog {at}/{name}.log {name}\n")
        })
        .collect();
    format!(
        "{modules}{listen}
ServerName blog.example.com
PidFile {at}/apache.pid
DefaultRuntimeDir {at}
ErrorLog {at}/apache-error.log
LogLevel emerg
User nobody
Group nogroup
ServerLimit 1
StartServers 1
# Threads to spare: the event MPM keeps one on a connection that lingers while it closes.
ThreadsPerChild 8
ThreadLimit 8
MaxRequestWorkers 8
MinSpareThreads 8
MaxSpareThreads 8
MaxConnectionsPerChild 0
AsyncRequestWorkerFactor 4
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 1
HostnameLookups Off
LimitRequestLine 60000
LimitRequestFieldSize 131072
HttpProtocolOptions Unsafe LenientMethods Allow0.9
DocumentRoot {at}/htdocs
Redirect /old /
<Location />
  AuthType Basic
  AuthName proof
  AuthUserFile {at}/passwords
  Require expr \"%{{HTTP:Authorization}} == ''\"
  Require valid-user
</Location>
{logs}"
    )
}
