//! The agent in a pod, as packaging/kubernetes/sidecar.yaml runs it: no service manager, no machine id that stays, an
//! empty state directory each time; only the id is the same, from the environment.

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::access_log::AccessLog;
use crate::support::agent::{Agent, binary};
use crate::support::process::command;
use crate::support::writer::{lines_in, write_lines};

const LINES_EACH: u64 = 500;

#[test]
fn a_pod_goes_on_where_the_one_before_it_stopped() {
    let stage = Stage::shared("pod");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 3);
    let counter = stage.counter();
    let run = |number: u32| {
        let mut config = stage.config();
        config.id = "${POD_NAME}".to_owned();
        config.state_dir = stage.scratch.join(&format!("state-{number}"));
        Agent::spawn_with(stage.scratch.path(), &config, command(&binary().to_string_lossy()), |run| {
            run.env("POD_NAME", "blog-0");
        })
    };
    // Deleted as Kubernetes does it, then evicted without a warning.
    let deleted = |agent: Agent| {
        agent.stop();
    };
    let ends: [(u32, fn(Agent)); 2] = [(0, deleted), (1, Agent::kill9)];
    for (number, end) in ends {
        let agent = run(number);
        write_lines(&stage.log(), &mut source, LINES_EACH, &truth);
        counter.wait_for(lines_in(&truth), CATCH_UP_LIMIT);
        end(agent);
        // Nobody runs now, and the web server writes on.
        write_lines(&stage.log(), &mut source, LINES_EACH, &truth);
    }
    let verdict = stage.finish(run(2), &counter, lines_in(&truth), (&[], &[&truth]));
    assert_eq!(verdict.streams, 1, "one log, one stream, three pods");
}
