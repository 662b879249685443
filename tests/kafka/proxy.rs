//! A proxy that understands Kafka's protocol, in front of a broker of its own: tests/tools/proxy.py.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::kafka::Kafka;
use crate::support::process::{Process, command};
use crate::support::scratch::Scratch;
use crate::support::wait::{free_port, wait_until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/proxy.py");

/// An attack waits for two transactions, of which the first may have to wait for a request to time out.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A broker, and the proxy that all agents have to pass.
pub struct Proxied {
    pub kafka: Kafka,
    port: u16,
    control: BufReader<TcpStream>,
    _process: Process,
    _scratch: Scratch,
}

impl Proxied {
    /// Starts both.
    pub fn start() -> Self {
        let scratch = Scratch::new("proxy");
        let [plain, controller, behind, port, orders] = std::array::from_fn(|_| free_port());
        let properties = scratch.join("further.properties");
        let further = format!(
            "listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},PROXIED://127.0.0.1:{behind}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{plain},PROXIED://127.0.0.1:{port}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT\n"
        );
        std::fs::write(&properties, further).expect("the properties can be written");
        let ports = [plain, controller].map(|port| port.to_string());
        let kafka = Kafka::formatted(
            Scratch::new("kafka"),
            ports.each_ref().map(String::as_str),
            &[&properties.display().to_string()],
        );
        kafka.restart();
        let mut python = command("python3");
        python.arg(SCRIPT).args([port, behind, orders].map(|port| port.to_string()));
        let mut process = Process::start("proxy", scratch.path(), python);
        let mut control = None;
        wait_until(ANSWER_LIMIT, "the proxy listens", || {
            assert!(process.exited().is_none(), "the proxy ended: {}", process.last_words());
            control = TcpStream::connect(("127.0.0.1", orders)).ok();
            control.is_some()
        });
        let control = control.expect("it was waited for");
        control.set_read_timeout(Some(ANSWER_LIMIT)).expect("a timeout can be set");
        Self { kafka, port, control: BufReader::new(control), _process: process, _scratch: scratch }
    }

    /// Where agents find the broker.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Gives an order.
    pub fn order(&mut self, order: &str) {
        writeln!(self.control.get_mut(), "{order}").expect("the proxy takes orders");
    }

    /// What came of it.
    pub fn answer(&mut self) -> String {
        let mut line = String::new();
        self.control.read_line(&mut line).expect("the proxy answers in time");
        line.trim().to_owned()
    }
}
