//! More generations than one shard, one group's metadata or one answer holds; and no local state.

use std::time::Duration;

use crate::stage::Stage;
use crate::support::access_log::AccessLog;
use crate::support::writer::{lines_in, write_lines};

/// About 65 generations fit a shard, three partitions make three shards a group: so this takes six groups.
const FILES: usize = 1100;
const LINES_EACH: u64 = 5;
/// A thousand files are opened, read and entered one after the other.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn row_39_more_than_a_thousand_generations_come_back_from_kafka_alone() {
    let stage = Stage::shared("generations");
    let logs = stage.scratch.directory("sites");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 11);
    let append_to_all = |source: &mut AccessLog| {
        for number in 0..FILES {
            write_lines(&logs.join(format!("site-{number:04}.log")), source, LINES_EACH, &truth);
        }
    };
    append_to_all(&mut source);
    let mut config = stage.config();
    config.logs = vec![(logs.join("*.log").display().to_string(), "combined".to_owned())];
    let counter = stage.counter();

    let agent = stage.agent(&config);
    counter.wait_for(lines_in(&truth), LIMIT);
    agent.kill9();
    std::fs::remove_dir_all(&config.state_dir).expect("the state directory of a dead agent can be deleted");

    append_to_all(&mut source);
    let agent = stage.agent(&config);
    counter.wait_for(lines_in(&truth), LIMIT);
    // Once more after a quiet stop: what came back from Kafka is also what is written to it.
    agent.stop();
    std::fs::remove_dir_all(&config.state_dir)
        .expect("the state directory of a stopped agent can be deleted");
    append_to_all(&mut source);
    let agent = stage.agent(&config);
    let verdict = stage.finish(agent, &counter, lines_in(&truth), (&[], &[&truth]));
    let files = u64::try_from(FILES).expect("a count of files fits");
    assert_eq!(verdict.streams, files, "each file is one generation for its whole life");
}
