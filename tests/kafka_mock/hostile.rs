//! The real agent in a directory in which somebody else may write: he swaps files for links to a secret as fast as he can.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::fs::{CWD, RenameFlags};
use viewtail::io::clock;
use viewtail::io::kafka::embedded::EmbeddedBroker;
use viewtail::io::kafka::topic::TopicReader;

use crate::support::TOPIC;

/// How long he tries.
const DURATION: Duration = Duration::from_secs(12);

/// An agent that ships a secret at all does so well within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Long enough for everything that was listed at the end to be delivered.
const SETTLING: Duration = Duration::from_secs(2);

/// A round of one kind of swaps.
type Attack = fn(&mut Scene);

/// A directory of logs, and a secret beside it.
struct Scene {
    scratch: tempfile::TempDir,
    broker: EmbeddedBroker,
    swaps: u64,
}

/// Ends with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Scene {
    fn new() -> Self {
        // On the disk that the sources are on: hard links do not cross file systems.
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let scene = Self { scratch, broker: EmbeddedBroker::start(TOPIC, 1).unwrap(), swaps: 0 };
        for directory in ["logs/site", "secret", "state"] {
            fs::create_dir_all(scene.path(directory)).unwrap();
        }
        fs::write(scene.path("secret/access.log"), line("SECRET")).unwrap();
        fs::write(scene.path("logs/site/access.log"), line("public")).unwrap();
        symlink(scene.path("secret"), scene.path("logs/spare")).unwrap();
        scene
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scratch.path().join(path)
    }

    fn agent(&self, options: &str) -> Agent {
        let (root, address) = (self.scratch.path().display(), self.broker.address());
        let yaml = format!(
            "agent: {{id: hostile, state_dir: {root}/state}}\n\
             logs: [{{paths: ['{root}/logs/*.log', '{root}/logs/site/*.log', '{root}/logs/*/access.log'], site: x{options}}}]\n\
             kafka: {{brokers: ['{address}'], topic: {TOPIC}, delivery: at_least_once, commit_interval: 50ms}}\n"
        );
        fs::write(self.path("agent.yaml"), yaml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_viewtail"));
        command.arg("run").arg("-c").arg(self.path("agent.yaml"));
        Agent(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// One round of everything that whoever may write in the directory can do.
    fn swap(&mut self) {
        self.swap_file_and_symbolic_link();
        self.swap_file_and_hard_link();
        self.swap_directory_and_symbolic_link();
    }

    fn swap_file_and_symbolic_link(&mut self) {
        self.replace("logs/soft.log", |scene, spare| fs::write(spare, scene.public("soft")));
        self.replace("logs/soft.log", |scene, spare| symlink(scene.path("secret/access.log"), spare));
    }

    fn swap_file_and_hard_link(&mut self) {
        self.replace("logs/hard.log", |scene, spare| fs::write(spare, scene.public("hard")));
        self.replace("logs/hard.log", |scene, spare| fs::hard_link(scene.path("secret/access.log"), spare));
        // The rename of one name of a file onto another of its names does nothing, and leaves both.
        let _ = fs::remove_file(self.path("spare"));
    }

    fn swap_directory_and_symbolic_link(&mut self) {
        let (site, other) = (self.path("logs/site2"), self.path("logs/spare"));
        if !site.exists() {
            fs::create_dir(&site).unwrap();
        }
        let real = if site.is_symlink() { "logs/spare/access.log" } else { "logs/site2/access.log" };
        self.replace(real, |scene, spare| fs::write(spare, scene.public("site")));
        rustix::fs::renameat_with(CWD, &site, CWD, &other, RenameFlags::EXCHANGE).unwrap();
    }

    /// Makes something beside the logs and puts it in a file's place.
    fn replace(&mut self, name: &str, make: impl FnOnce(&Self, &Path) -> io::Result<()>) {
        self.swaps += 1;
        let spare = self.path("spare");
        make(self, &spare).unwrap();
        fs::rename(&spare, self.path(name)).unwrap();
    }

    /// A line that no other file holds: equal files would count as copies.
    fn public(&self, place: &str) -> String {
        line(&format!("public/{place}/{}", self.swaps))
    }

    /// How many events of the secret and of the public files are in the topic.
    fn shipped(&self) -> (usize, usize) {
        let properties = [("bootstrap.servers".to_owned(), self.broker.address())];
        let reader = TopicReader::open(&properties, TOPIC).unwrap();
        let (mut secret, mut public) = (0, 0);
        reader
            .read_to_end(&mut |record| {
                let text = String::from_utf8_lossy(record.value);
                secret += usize::from(text.contains("SECRET"));
                public += usize::from(text.contains("public"));
            })
            .unwrap();
        (secret, public)
    }
}

fn line(page: &str) -> String {
    format!("192.0.2.7 - - [23/Nov/2026:06:28:00 +0000] \"GET /{page} HTTP/1.1\" 200 5 \"-\" \"curl\"\n")
}

fn now() -> Instant {
    clock::now()
}

fn wait_until(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let end = now() + limit;
    while !done() {
        assert!(now() < end, "{what}: not within {limit:?}");
    }
}

#[test]
fn row_50_a_secret_is_never_shipped_however_files_are_swapped_for_links_to_it() {
    let mut scene = Scene::new();
    let mut agent = scene.agent("");
    let end = now() + DURATION;
    while now() < end {
        scene.swap();
    }
    let (_, before) = scene.shipped();
    let after = scene.public("last").repeat(3);
    fs::write(scene.path("logs/last.log"), after).unwrap();
    wait_until(PATIENCE, "the agent goes on afterwards", || scene.shipped().1 >= before + 3);
    let settled = now() + SETTLING;
    wait_until(SETTLING * 2, "the clock goes on", || now() >= settled);
    assert!(agent.0.try_wait().unwrap().is_none(), "the agent ended");
    let (secret, public) = scene.shipped();
    println!("{} swaps, {public} public events", scene.swaps);
    assert_eq!(secret, 0, "the secret was shipped after {} swaps", scene.swaps);
    assert!(public > 3 && scene.swaps > 5000, "{} swaps, {public} public events", scene.swaps);
}

#[test]
fn each_attack_succeeds_where_its_kind_of_link_is_allowed() {
    let attacks: [(&str, Attack); 3] = [
        (", follow_symlinks: true", Scene::swap_file_and_symbolic_link),
        (", follow_symlinks: true", Scene::swap_directory_and_symbolic_link),
        (", allow_hard_links: true", Scene::swap_file_and_hard_link),
    ];
    for (option, attack) in attacks {
        let mut scene = Scene::new();
        let _agent = scene.agent(option);
        let mut rounds = 0_u32;
        wait_until(PATIENCE, option, || {
            attack(&mut scene);
            rounds += 1;
            rounds.is_multiple_of(500) && scene.shipped().0 > 0
        });
    }
}
