//! A real nginx that logs each request in every format under test and in a reference, under hostile requests.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use viewtail::format::{Escape, Format};

use crate::compare::{Dialect, assert_equal, reference};
use crate::requests::{assert_hostile, send_until};
use crate::support::nginx::program;
use crate::support::process::{Process, command};
use crate::support::scratch::Scratch;
use crate::support::wait::{free_port, wait_until};

/// Requests that each format is tried with, at least.
const REQUESTS: usize = 6000;

/// The variables of the reference, in its order.
const NAMES: [&str; 20] = [
    "request_id",
    "remote_addr",
    "remote_user",
    "time_local",
    "time_iso8601",
    "msec",
    "request",
    "status",
    "body_bytes_sent",
    "http_referer",
    "http_user_agent",
    "http_x_forwarded_for",
    "http_cookie",
    "http_x_odd",
    "host",
    "request_method",
    "request_uri",
    "server_protocol",
    "request_time",
    "args",
];

const JSON: &str = concat!(
    r#"{"time":"$time_iso8601","msec":$msec,"address":"$remote_addr","user":"$remote_user","request":"$request","#,
    r#""method":"$request_method","uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,"#,
    r#""referrer":"$http_referer","agent":"$http_user_agent","cookie":"$http_cookie","odd":"$http_x_odd","#,
    r#""forwarded":"$http_x_forwarded_for","duration":$request_time,"id":"$request_id"}"#
);
const TABS: &str = "$msec\t$remote_addr\t$http_x_forwarded_for\t$host\t$request_method\t$request_uri\t\
                    $server_protocol\t$status\t$body_bytes_sent\t$request_time\t$http_referer\t\
                    $http_user_agent\t$http_cookie\t$request_id";
const CUSTOM: &str = concat!(
    r#"<$request_id> $remote_addr [$remote_user] "$args" $status/$body_bytes_sent ($time_local) "$http_x_odd" "#,
    r#""$http_cookie" ${request_time}s "$request" "$http_user_agent""#
);

/// The formats by the names of their files.
fn formats() -> Vec<(&'static str, Format)> {
    let own = |template, escape| Format::nginx(template, escape).expect("the format is valid");
    vec![
        ("combined", Format::combined()),
        ("main", Format::main()),
        ("json", own(JSON, Escape::Json)),
        ("tabs", own(TABS, Escape::Default)),
        ("custom", own(CUSTOM, Escape::Default)),
    ]
}

/// What `escape=json` writes. It cannot tell an empty value from none.
const JSON_ESCAPES: Dialect = Dialect { hex_mark: b'u', hex_digits: 4, absent: &[b""] };

#[test]
fn every_field_of_a_real_nginx_is_read_as_it_was() {
    let scratch = Scratch::new("proof-nginx");
    let addresses = loopbacks();
    let text = configuration_text(scratch.path(), &addresses);
    let mut server = Server::start(scratch.path(), &text, addresses);
    let reference_log = scratch.join("reference.log");
    send_until(REQUESTS, 1, &server.addresses, &reference_log);
    server.stop();
    let truths = reference(&reference_log, &NAMES, &JSON_ESCAPES);
    println!("nginx: {} requests over {:?}", truths.len(), server.addresses);
    for (name, format) in formats() {
        assert_equal(&scratch.join(&format!("{name}.log")), &format, &truths, &NAMES);
    }
    assert_hostile(&truths);
}

/// One worker: it writes the lines of a request into all logs before it turns to the next.
pub struct Server {
    process: Process,
    pub addresses: Vec<SocketAddr>,
}

impl Server {
    /// Starts it with this nginx.conf, which listens on these addresses.
    pub fn start(directory: &Path, text: &str, addresses: Vec<SocketAddr>) -> Self {
        let configuration = directory.join("nginx.conf");
        std::fs::write(&configuration, text).expect("nginx.conf can be written");
        let mut nginx = command(&program("nginx"));
        nginx.arg("-p").arg(directory).arg("-c").arg(&configuration).args(["-g", "daemon off;"]);
        let mut process = Process::start("nginx", directory, nginx);
        wait_until(Duration::from_secs(20), "nginx listens", || {
            assert!(process.exited().is_none(), "nginx ended: {}", process.last_words());
            TcpStream::connect(addresses[0]).is_ok()
        });
        Self { process, addresses }
    }

    /// Ends it gracefully: all answers are sent and logged.
    pub fn stop(&mut self) {
        self.process.signal(rustix::process::Signal::QUIT);
        self.process.wait(Duration::from_secs(20));
    }
}

/// A port on the IPv4 loopback, and on that of IPv6 where the machine has it.
pub fn loopbacks() -> Vec<SocketAddr> {
    let port = free_port();
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    addresses.extend(TcpListener::bind(six).is_ok().then_some(six));
    addresses
}

fn configuration_text(directory: &Path, addresses: &[SocketAddr]) -> String {
    let at = directory.display();
    // As root, nginx's workers would change to a user that may not enter a private scratch directory.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let listen: String = addresses.iter().map(|address| format!("listen {address};\n    ")).collect();
    let reference: String = NAMES.iter().map(|name| format!("${{{name}}}")).collect::<Vec<_>>().join("\\t");
    let main = concat!(
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "#,
        r#""$http_referer" "$http_user_agent" "$http_x_forwarded_for""#
    );
    let tabs = TABS.replace('\t', "\\t");
    let logs: String = ["combined", "main", "json", "tabs", "custom", "reference"]
        .iter()
        .map(|name| {
            let log: PathBuf = directory.join(format!("{name}.log"));
            format!("access_log {} {name};\n    ", log.display())
        })
        .collect();
    format!(
        "{user}
worker_processes 1;
pid {at}/nginx.pid;
error_log {at}/nginx-error.log crit;
events {{ worker_connections 256; }}
http {{
  log_format main '{main}';
  log_format json escape=json '{JSON}';
  log_format tabs '{tabs}';
  log_format custom '{CUSTOM}';
  log_format reference escape=json '{reference}';
  client_body_temp_path {at}/body;
  proxy_temp_path {at}/proxy;
  fastcgi_temp_path {at}/fastcgi;
  uwsgi_temp_path {at}/uwsgi;
  scgi_temp_path {at}/scgi;
  large_client_header_buffers 8 128k;
  keepalive_requests 1000000;
  underscores_in_headers on;
  ignore_invalid_headers off;
  server {{
    {listen}{logs}
    location / {{ return 200 'ok'; }}
    location /gone/ {{ return 404; }}
    location /old/ {{ return 301 /; }}
  }}
}}
"
    )
}
