//! Rows of the tailing matrix that need a world which no test machine has: lives by a script, in many shapes of the same.

use viewtail::planted::Bug;

use crate::plan::{AgentRates, KafkaRates, Plan, ReadRates};
use crate::rng::Rng;
use crate::run::{self, Outcome, lived, with_bug};
use crate::workload::Step;
use crate::world::World;

/// Each seed has other lines, other gaps and, where the row says so, another instant at which the agent dies.
const SEEDS: u64 = 300;

/// A network file system whose server is started anew again and again, with rotations, late writes and a torn line.
const FILE_SERVER: [(u64, Step); 20] = [
    (0, Step::Reopen),
    (500, Step::Append),
    (2000, Step::Append),
    (3000, Step::FileServerRestarts),
    (10, Step::Append),
    (70_000, Step::Append),
    (0, Step::FileServerRestarts),
    (0, Step::Rotate),
    (3000, Step::Append),
    (10, Step::FileServerRestarts),
    (3000, Step::Append),
    (10, Step::Reopen),
    (100, Step::Append),
    (3000, Step::AppendLate),
    (3000, Step::FileServerRestarts),
    (10, Step::CloseOld),
    (500, Step::Partial),
    (3000, Step::FileServerRestarts),
    (10, Step::Finish),
    (10, Step::Append),
];

/// Kafka is away, and one log after the other is deleted.
const DELETED_MEANWHILE: [(u64, Step); 17] = [
    (500, Step::Reopen),
    (3000, Step::Append),
    (2000, Step::KafkaLeaves),
    (500, Step::Append),
    (500, Step::Append),
    (3000, Step::Append),
    (3000, Step::Unlink),
    (10, Step::Reopen),
    (3000, Step::CloseOld),
    (500, Step::Append),
    (500, Step::Append),
    (3000, Step::Append),
    (3000, Step::Unlink),
    (10, Step::Reopen),
    (3000, Step::CloseOld),
    (300_000, Step::Append),
    (10, Step::Append),
];

/// A log is rotated after it was listed and before it is opened, and what was opened in its place is deleted at once.
const ANOTHER_WHEN_OPENED: [(u64, Step); 24] = [
    (0, Step::Reopen),
    (300, Step::Append),
    (0, Step::Rotate),
    (0, Step::Reopen),
    (300, Step::Append),
    (0, Step::Unlink),
    (0, Step::Reopen),
    (300, Step::Append),
    (0, Step::Rotate),
    (0, Step::Reopen),
    (100, Step::Append),
    (0, Step::Unlink),
    (0, Step::Reopen),
    (100, Step::Append),
    (0, Step::Rotate),
    (0, Step::Reopen),
    (50, Step::Append),
    (0, Step::Unlink),
    (0, Step::Reopen),
    (50, Step::Append),
    (0, Step::Rotate),
    (0, Step::Reopen),
    (300, Step::Append),
    (0, Step::Unlink),
];

#[test]
fn row_20_a_log_that_is_another_one_when_it_is_opened_is_read_by_that_descriptor() {
    let _alone = run::alone();
    let slow_disk = |plan: &mut Plan| {
        plan.births = true;
        plan.reads = ReadRates { slow: 700, ..ReadRates::default() };
    };
    holds(&ANOTHER_WHEN_OPENED, slow_disk);
    let given_back = failures(&ANOTHER_WHEN_OPENED, slow_disk, Some(Bug::DescriptorGivenBack));
    assert!(!given_back.is_empty(), "nothing depends on keeping the descriptor");
}

/// A log goes on behind what its archive holds, and its descriptor is lost before what was read of it is committed.
const READ_BEYOND_ITS_ARCHIVE: [(u64, Step); 13] = [
    (0, Step::Reopen),
    (12_000, Step::Append),
    (0, Step::Append),
    (100, Step::Append),
    (0, Step::Rotate),
    (0, Step::Reopen),
    (30, Step::Append),
    (0, Step::Compress),
    (100, Step::CompressRest),
    (1500, Step::AppendLate),
    (20_000, Step::FileServerRestarts),
    (0, Step::CloseOld),
    (3000, Step::Append),
];

#[test]
fn row_06_an_archive_is_looked_at_again_when_what_was_read_beyond_it_is_given_up() {
    let _alone = run::alone();
    let troubled = |plan: &mut Plan| {
        plan.births = true;
        plan.commit_interval_ms = 8000;
        plan.batch_events_max = 1000;
        plan.kafka = KafkaRates { abortable: 250, ..KafkaRates::default() };
    };
    holds(&READ_BEYOND_ITS_ARCHIVE, troubled);
    let set_aside = failures(&READ_BEYOND_ITS_ARCHIVE, troubled, Some(Bug::SetAsideForGood));
    assert!(!set_aside.is_empty(), "nothing depends on looking at it again");
}

#[test]
fn row_19_deleted_files_hold_no_more_than_they_may_while_kafka_is_away() {
    let _alone = run::alone();
    let small_disk = |plan: &mut Plan| plan.deleted_bytes_max = Some(500);
    holds(&DELETED_MEANWHILE, small_disk);
    let held = failures(&DELETED_MEANWHILE, small_disk, Some(Bug::DeletedHeld));
    assert!(!held.is_empty(), "nothing depends on the limit");
    let forgotten = failures(&DELETED_MEANWHILE, small_disk, Some(Bug::LossForgotten));
    assert!(!forgotten.is_empty(), "nobody counts what is given up");
}

/// Blocks of a log that the disk does not give any more, one behind the other, and a rotation.
const BLOCKS_LOST: [(u64, Step); 17] = [
    (0, Step::Reopen),
    (0, Step::AppendBlocks),
    (0, Step::BlocksFail),
    (3000, Step::BlocksAreLost),
    (60_000, Step::Append),
    (330_000, Step::Append),
    (3000, Step::Append),
    (0, Step::AppendBlocks),
    (0, Step::BlocksFail),
    (10, Step::BlocksAreLost),
    (100, Step::Append),
    (0, Step::Rotate),
    (0, Step::Reopen),
    (3000, Step::AppendLate),
    (10, Step::CloseOld),
    (500, Step::Append),
    (10, Step::Append),
];

#[test]
fn row_35_blocks_that_cannot_be_read_are_passed_over_and_counted_where_the_log_says_so() {
    let _alone = run::alone();
    let skips = |plan: &mut Plan| plan.skips_unreadable = true;
    holds(&BLOCKS_LOST, skips);
    let troubled = |plan: &mut Plan| {
        skips(plan);
        plan.agent = AgentRates { crash: 5, reload: 5, ..AgentRates::default() };
        plan.kafka = KafkaRates { abortable: 250, lost_reply: 100, ..KafkaRates::default() };
    };
    holds(&BLOCKS_LOST, troubled);
    let uncounted = failures(&BLOCKS_LOST, skips, Some(Bug::PassedOverUncounted));
    assert!(!uncounted.is_empty(), "nobody counts what is passed over");
    let waits = failures(&BLOCKS_LOST, |_| (), None);
    assert!(!waits.is_empty(), "they are passed over wherever they are");
}

/// A disk that is away for almost as long as it is waited for.
const BLOCKS_AWAY: [(u64, Step); 7] = [
    (0, Step::Reopen),
    (0, Step::AppendBlocks),
    (60_000, Step::BlocksFail),
    (190_000, Step::Append),
    (0, Step::BlocksRecover),
    (3000, Step::Append),
    (10, Step::Append),
];

#[test]
fn row_35_blocks_that_can_be_read_again_in_time_are_not_passed_over() {
    let _alone = run::alone();
    let skips = |plan: &mut Plan| plan.skips_unreadable = true;
    holds(&BLOCKS_AWAY, skips);
    let at_once = failures(&BLOCKS_AWAY, skips, Some(Bug::PassedOverAtOnce));
    assert!(!at_once.is_empty(), "nothing depends on waiting for the disk");
}

/// A line is begun, its log is renamed, and the rest of the line comes minutes later.
const LINE_ACROSS_A_ROTATION: [(u64, Step); 15] = [
    (0, Step::Reopen),
    (500, Step::Append),
    (10, Step::Partial),
    (3000, Step::Rotate),
    (200_000, Step::Finish),
    (500, Step::Append),
    (2000, Step::Partial),
    (10, Step::Reopen),
    (3000, Step::Append),
    (90_000, Step::AppendLate),
    (3000, Step::Partial),
    (0, Step::Rotate),
    (10, Step::Reopen),
    (40_000, Step::CloseOld),
    (500, Step::Append),
];

#[test]
fn row_42_a_line_that_is_begun_before_a_rotation_and_finished_after_it_is_one() {
    let _alone = run::alone();
    let with_proof = |plan: &mut Plan| plan.leases = true;
    holds(&LINE_ACROSS_A_ROTATION, with_proof);
    let troubled = |plan: &mut Plan| {
        with_proof(plan);
        plan.agent = AgentRates { crash: 5, reload: 5, ..AgentRates::default() };
        plan.reads = ReadRates { short: 500, hint_lost: 500, ..ReadRates::default() };
    };
    holds(&LINE_ACROSS_A_ROTATION, troubled);
    let cut = failures(&LINE_ACROSS_A_ROTATION, with_proof, Some(Bug::PartialWhenRotated));
    assert!(!cut.is_empty(), "nothing depends on waiting for the rest of a line");
}

#[test]
fn row_29_a_file_server_that_forgets_descriptors_and_tells_nothing_costs_no_line() {
    let _alone = run::alone();
    let network = |plan: &mut Plan| {
        plan.births = false;
        plan.leases = false;
        plan.reads = ReadRates { hint_lost: 1000, ..ReadRates::default() };
        plan.agent = AgentRates { crash: 5, ..AgentRates::default() };
    };
    holds(&FILE_SERVER, network);
    let stays_stale = failures(&FILE_SERVER, network, Some(Bug::StaleKept));
    assert!(!stays_stale.is_empty(), "nothing depends on opening a file anew");
    let inode_only = failures(&FILE_SERVER, network, Some(Bug::InodeOnly));
    assert!(!inode_only.is_empty(), "nothing depends on what is in a file");
}

fn holds(script: &'static [(u64, Step)], change: impl Fn(&mut Plan) + Sync) {
    let failures = failures(script, change, None);
    for Outcome { seed, failure, .. } in &failures {
        run::report(&format!("sim: script with seed {seed}: {}", failure.as_deref().unwrap_or_default()));
    }
    assert!(failures.is_empty(), "the script was not survived");
}

fn failures(
    script: &'static [(u64, Step)],
    change: impl Fn(&mut Plan) + Sync,
    bug: Option<Bug>,
) -> Vec<Outcome> {
    let life = |seed| {
        let mut rng = Rng::new(seed);
        let mut plan = Plan::calm(&mut rng);
        change(&mut plan);
        let play = |world: &mut World| world.script(script);
        with_bug(bug, || lived(seed, World::new(rng, plan), false, play))
    };
    run::seeds(1..SEEDS + 1, 5, life).1
}
