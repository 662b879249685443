//! nginx itself as the oracle of what `viewtail init` reads: what it accepts is read, the texts of formats are those that it
//! writes, and the lines that it writes fit the configuration that was made for them.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use viewtail::config;
use viewtail::format::Spans;
use viewtail::servers::{ConfError, Loader, Scopes, nginx};

use crate::nginx::{Server, loopbacks};
use crate::requests::send_until;
use crate::support::nginx::program;
use crate::support::scratch::Scratch;

/// Configurations that nginx is asked about.
const CONFIGURATIONS: usize = 150;
/// Formats whose text is compared with what nginx writes.
const FORMATS: usize = 60;

/// As Knuth's MMIX: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn pieces(&mut self, from: &[&str], count: usize) -> String {
        (0..=self.below(count)).map(|_| self.pick(from)).collect()
    }
}

fn read(main: &Path, prefix: &Path) -> Result<Scopes, ConfError> {
    let load = |path: &Path| std::fs::read(path);
    let expand = |_: &str| -> io::Result<Vec<PathBuf>> { Ok(Vec::new()) };
    nginx::read(main, Some(prefix), Loader { read: &load, expand: &expand })
}

/// What nginx makes of a configuration: what it says against it, if it does.
fn refusal(directory: &Path, text: &str) -> Option<String> {
    let conf = directory.join("nginx.conf");
    std::fs::write(&conf, text).expect("nginx.conf can be written");
    let mut nginx = Command::new(program("nginx"));
    nginx.arg("-t").arg("-p").arg(directory).arg("-c").arg(&conf);
    let output = nginx.output().expect("nginx can be run");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What every configuration of a test needs to run anywhere, as anybody.
fn frame(directory: &Path, http: &str) -> String {
    let at = directory.display();
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "{user}\nworker_processes 1;\npid {at}/nginx.pid;\nerror_log {at}/error.log crit;\nevents {{ }}\nhttp {{\n\
         client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
         uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n{http}\n}}\n"
    )
}

/// What may stand in a server, written in every way.
const RIGHT: [&str; 16] = [
    "access_log a.log;",
    "access_log\t'b.log'\n\"combined\" ;",
    "access_log off;",
    "# a comment with } and ; and '\n",
    " ",
    "\n",
    "set $a \"b\\\"c;{\";",
    "set $b 'it\\'s';",
    "set $c \\;;",
    "set $d a\\ b#c;",
    "return 200 'a;b';",
    "location ~ \"^/a{2}$\" { }",
    "if ($uri = \"a\") { set $e 1; }",
    "add_header X ${uri}_$host;",
    "error_page 404 /n\\'f.html;",
    "rewrite ^/x}y$ '/z' ;",
];

/// What breaks it, and what may.
const BROKEN: [&str; 14] = [
    "{",
    "}",
    ";",
    "'",
    "\"",
    "\\",
    "$",
    "${",
    "''x",
    "\"a\"b;",
    "server",
    "x { y z; }",
    "map $uri $m { a b; }",
    "#",
];

#[test]
fn what_nginx_accepts_is_read_and_what_it_cannot_split_is_refused() {
    let scratch = Scratch::new("proof-init-accepts");
    let mut random = Random(7);
    let (mut accepted, mut split) = (0, 0);
    for number in 0..CONFIGURATIONS {
        let mut body = random.pieces(&RIGHT, 8);
        if number % 2 == 0 {
            body += random.pick(&BROKEN);
            body += &random.pieces(&RIGHT, 3);
        }
        let text = frame(scratch.path(), &format!("server {{ {body} }}"));
        let refused = refusal(scratch.path(), &text);
        let ours = read(&scratch.join("nginx.conf"), scratch.path());
        match (refused, ours) {
            (None, ours) => {
                ours.unwrap_or_else(|error| panic!("nginx accepts\n{text}\nbut {error}"));
                accepted += 1;
            }
            (Some(reason), ours) if is_about_words(&reason) => {
                assert!(ours.is_err(), "{text}\nnginx: {reason}");
                split += 1;
            }
            // A directive that is unknown or out of place is none of our business.
            (Some(_), _) => {}
        }
    }
    println!("{accepted} of {CONFIGURATIONS} configurations accepted, {split} could not be split");
    assert!(accepted >= CONFIGURATIONS / 3, "nginx accepts no more than {accepted}");
    assert!(split >= CONFIGURATIONS / 10, "only {split} could not be split");
}

/// Whether nginx could not tell words and blocks, whatever they mean. A block where its directive takes none is about
/// meaning, and told in the same words.
fn is_about_words(reason: &str) -> bool {
    let last = reason.lines().find(|line| line.contains("[emerg]")).unwrap_or_default();
    !last.contains("unexpected \"{\"")
        && ["unexpected end of file, expecting \";\" or \"}\"", "unexpected \""]
            .iter()
            .any(|words| last.contains(words))
}

#[test]
fn texts_of_formats_are_what_nginx_writes() {
    const PIECES: [&str; 20] = [
        "a",
        "b c",
        "\\t",
        "\\\\",
        "\\\"",
        "\\'",
        "\\d",
        "\\x41",
        "{",
        "}",
        ";",
        "#",
        "é",
        "%",
        "[x]",
        " ",
        ",",
        "\\r",
        "${status} ",
        "/${status}/",
    ];
    let scratch = Scratch::new("proof-init-formats");
    let mut random = Random(11);
    let (mut formats, mut logs) = (String::new(), String::new());
    for number in 0..FORMATS {
        let words: Vec<String> = (0..=random.below(3))
            .map(|_| {
                let quote = random.pick(&["'", "\""]);
                format!("{quote}{}{quote}", random.pieces(&PIECES, 8))
            })
            .collect();
        let _ = writeln!(formats, "log_format f{number} '|$status|' {};", words.join(" "));
        let _ = writeln!(logs, "access_log {}/{number}.log F{number};", scratch.path().display());
    }
    let addresses = loopbacks();
    let listen: String = addresses.iter().map(|address| format!("listen {address};\n")).collect();
    let text =
        frame(scratch.path(), &format!("{formats}server {{ {listen}{logs} location / {{ return 200; }} }}"));
    let mut server = Server::start(scratch.path(), &text, addresses);
    send_until(1, 5, &server.addresses, &scratch.join("0.log"));
    server.stop();

    let scopes = read(&scratch.join("nginx.conf"), scratch.path()).expect("nginx reads it too").scopes;
    assert_eq!((scopes.len(), scopes[0].outputs.len()), (1, FORMATS));
    for (number, output) in scopes[0].outputs.iter().enumerate() {
        let format = output.format.compile().unwrap_or_else(|error| panic!("{output:?}: {error}"));
        let log =
            std::fs::read(scratch.join(&format!("{number}.log"))).expect("each request is in every log");
        let line = log.split(|byte| *byte == b'\n').next().expect("there is a line");
        let fits = format.split(line, &mut Spans::default()).is_some();
        assert!(fits, "{:?} is not {:?}", String::from_utf8_lossy(line), output.format);
    }
}

#[test]
fn lines_of_a_real_nginx_fit_what_was_written_for_them() {
    let scratch = Scratch::new("proof-init-lines");
    let mut ports = [loopbacks(), Vec::new(), Vec::new()];
    for number in 1..ports.len() {
        while ports[number].is_empty() || ports[..number].contains(&ports[number]) {
            ports[number] = loopbacks();
        }
    }
    let text = frame(scratch.path(), &sites(scratch.path(), &ports));
    let mut server = Server::start(scratch.path(), &text, ports.concat());
    send_until(400, 3, &server.addresses, &scratch.join("all.log"));
    server.stop();

    let written = init(&scratch.join("nginx.conf"), None);
    let dump = Command::new(program("nginx"))
        .arg("-T")
        .arg("-p")
        .arg(scratch.path())
        .arg("-c")
        .arg(scratch.join("nginx.conf"))
        .output()
        .expect("nginx can be run");
    let from_dump = init(Path::new("-"), Some(&dump.stdout));
    let body = |text: &str| {
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(body(&written), body(&from_dump), "both ways lead to the same configuration");

    let (config, _) =
        config::parse(&written, "agent.yaml").unwrap_or_else(|errors| panic!("{written}\n{errors}"));
    assert_eq!(config.logs.len(), 3, "{written}");
    for log in &config.logs {
        let files: Vec<PathBuf> = std::fs::read_dir(scratch.path())
            .expect("the scratch directory can be listed")
            .map(|entry| entry.expect("so can its entries").path())
            .filter(|path| log.matches(path))
            .collect();
        assert!(!files.is_empty(), "nothing matches {:?}", log.paths);
        for file in files {
            let bytes = std::fs::read(&file).expect("a log can be read");
            let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).peekable();
            assert!(lines.peek().is_some(), "{} is empty", file.display());
            for line in lines {
                let fits = log.format.split(line, &mut Spans::default()).is_some();
                assert!(fits, "{}: {}", file.display(), String::from_utf8_lossy(line));
            }
        }
    }
}

/// Three sites: one that inherits a log whose format is of several strings, one with JSON and a condition in a file that is
/// included, one with variables in the path.
fn sites(directory: &Path, ports: &[Vec<SocketAddr>; 3]) -> String {
    let at = directory.display();
    let [plain, json, many] = ports.each_ref().map(|addresses| -> String {
        addresses.iter().map(|address| format!("listen {address};\n")).collect()
    });
    let included = format!(
        "server {{ {json} server_name json.example; access_log {at}/json.log json if=$always;\n\
           location / {{ return 200 x; }} }}\n\
         server {{ {many} server_name ~^(?<name>[a-z]+)$; root {at}; access_log {at}/site-$server_port.log TABS;\n\
           location / {{ return 200 x; }} }}\n"
    );
    std::fs::write(directory.join("rest.conf"), included).expect("a file can be included");
    format!(
        "log_format json escape=json '{{\"t\":\"$time_iso8601\",\"a\":\"$remote_addr\",\"h\":\"$host\",\"r\":\"$request\",'\n\
         '\"s\":$status,\"b\":$body_bytes_sent,\"u\":\"$http_user_agent\"}}';\n\
         log_format Tabs \"$msec\\t$remote_addr\\t$request\\t$status\\t\\\"$http_user_agent\\\"\\t$host\";\n\
         map $uri $always {{ default 1; }}\nlarge_client_header_buffers 8 128k;\n\
         log_format own '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent '\n\
         \"\\\"$http_referer\\\" \\\"$http_user_agent\\\" $request_time\";\n\
         access_log {at}/all.log own;\n\
         server {{ {plain} location / {{ return 200 x; }} }}\ninclude rest.conf;\n"
    )
}

/// What `viewtail init` writes.
fn init(conf: &Path, stdin: Option<&[u8]>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewtail"));
    command
        .args(["init", "-o", "-"])
        .arg(conf)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut pipe = child.stdin.take().expect("stdin is a pipe");
    io::Write::write_all(&mut pipe, stdin.unwrap_or_default()).expect("it reads its stdin");
    drop(pipe);
    let output = child.wait_with_output().expect("its end can be waited for");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("data is UTF-8")
}
