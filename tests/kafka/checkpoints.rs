//! Positions in the hands of an operator, on a real broker: what is moved is moved once, whoever dies meanwhile.

use std::path::Path;
use std::process::{Command, Output};

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::access_log::AccessLog;
use crate::support::agent::{Config, binary};
use crate::support::writer::{lines_in, write_lines};

/// Calls `viewtail checkpoints` with the configuration of an agent.
fn checkpoints(stage: &Stage, config: &Config, arguments: &[&str]) -> Output {
    let path = stage.scratch.join("checkpoints.yaml");
    std::fs::write(&path, config.yaml()).expect("a configuration can be written");
    let mut command = Command::new(binary());
    command.arg("-c").arg(&path).arg("checkpoints").args(arguments);
    command.output().expect("the binary starts")
}

/// The same, and it has to succeed; stdout.
fn done(stage: &Stage, config: &Config, arguments: &[&str]) -> String {
    let output = checkpoints(stage, config, arguments);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {:?}: {talk}", output.status.code());
    println!("{arguments:?}: {talk}");
    String::from_utf8(output.stdout).expect("data is UTF-8")
}

fn list(stage: &Stage, config: &Config) -> serde_json::Value {
    serde_json::from_str(&done(stage, config, &["list", "--json"])).expect("one object")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("scratch paths are UTF-8")
}

#[test]
fn a_seek_sends_lines_once_more_or_leaves_them_out_and_says_so() {
    let stage = Stage::shared("checkpoints-seek");
    let config = stage.config();
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 3);
    write_lines(&stage.log(), &mut source, 200, &truth);
    let counter = stage.counter();
    let agent = stage.agent(&config);
    counter.wait_for(200, CATCH_UP_LIMIT);

    let running = checkpoints(&stage, &config, &["seek", text(&stage.log()), "beginning", "--yes"]);
    assert_eq!(running.status.code(), Some(75), "{}", String::from_utf8_lossy(&running.stderr));
    assert_eq!(list(&stage, &config)["generations"].as_array().map(Vec::len), Some(1), "looking is allowed");
    agent.stop();

    let known = list(&stage, &config);
    assert_eq!(known["verdict"], "Kafka and the local state agree");
    let size = std::fs::metadata(stage.log()).expect("the log is there").len();
    assert_eq!(
        (&known["generations"][0]["kafka"], &known["generations"][0]["local"]),
        (&size.into(), &size.into())
    );

    // In the middle of a line: the line that it is in comes again.
    let half = size / 2;
    done(&stage, &config, &["seek", text(&stage.log()), &half.to_string(), "--yes"]);
    let moved = list(&stage, &config)["generations"][0]["kafka"].as_u64().expect("a position");
    let bytes = std::fs::read(stage.log()).expect("the log can be read");
    assert!(
        moved <= half && bytes[usize::try_from(moved).expect("it fits") - 1] == b'\n',
        "{moved} is no line's start"
    );
    let again =
        bytes[usize::try_from(moved).expect("it fits")..].iter().filter(|byte| **byte == b'\n').count()
            as u64;
    let agent = stage.agent(&config);
    counter.wait_for(200 + again, CATCH_UP_LIMIT);
    agent.stop();
    assert_eq!(counter.count(), 200 + again);

    // Forward over lines that nobody wants: nothing of them is sent, and the next event tells of them.
    write_lines(&stage.log(), &mut source, 50, &stage.scratch.join("unwanted"));
    done(&stage, &config, &["seek", text(&stage.log()), "end", "--yes"]);
    write_lines(&stage.log(), &mut source, 10, &truth);
    let agent = stage.agent(&config);
    counter.wait_for(200 + again + 10, CATCH_UP_LIMIT);
    agent.stop();
    assert_eq!(counter.count(), 200 + again + 10, "what was left out is not sent");
    let mut verify = Command::new(binary());
    verify.args(["verify", "--json", "--brokers", &stage.kafka.brokers(), "--topic", &stage.topic]);
    let verdict: serde_json::Value =
        serde_json::from_slice(&verify.output().expect("the binary starts").stdout).expect("one object");
    assert_eq!((&verdict["missing_bytes"], &verdict["doubled"]), (&0.into(), &again.into()), "{verdict}");
}

#[test]
fn a_move_to_another_topic_and_host_goes_on_where_it_was() {
    let stage = Stage::shared("checkpoints-old");
    let next = Stage::shared("checkpoints-new");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 4);
    write_lines(&stage.log(), &mut source, 300, &truth);
    let counter = stage.counter();
    let agent = stage.agent(&stage.config());
    counter.wait_for(300, CATCH_UP_LIMIT);
    agent.kill9();
    let file = stage.scratch.join("positions.json");
    done(&stage, &stage.config(), &["export", text(&file)]);

    // Another agent, without any local state, on copies of the logs, which have other inodes.
    std::fs::copy(stage.log(), next.log()).expect("a log can be copied");
    write_lines(&next.log(), &mut source, 40, &truth);
    done(&next, &next.config(), &["import", text(&file), "--yes"]);
    std::fs::remove_dir_all(&next.config().state_dir).expect("Kafka has all of it");
    let counter = next.counter();
    let agent = next.agent(&next.config());
    counter.wait_for(40, CATCH_UP_LIMIT);
    agent.stop();
    assert_eq!(counter.count(), 40, "of {} lines only the new ones", lines_in(&truth));

    // And forgotten: all of it comes, as from the first start.
    done(&next, &next.config(), &["reset", "--all", "--yes"]);
    let agent = next.agent(&next.config());
    counter.wait_for(40 + 340, CATCH_UP_LIMIT);
    agent.stop();
    assert_eq!(counter.count(), 380);
}
