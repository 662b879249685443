//! Many seeds, each with faults of its own choice.

use std::time::Instant;

use crate::pinned::Pinned;
use crate::run::{self, Outcome, life, lived};
use crate::world::{Tally, World};

/// As many as a release needs at the least on every change; `make sim SEEDS=n` runs more.
const SEEDS: u64 = 20_000;

/// Failures shown before the run is given up.
const ENOUGH: usize = 40;

#[test]
fn every_line_is_delivered_exactly_once_whatever_fails() {
    let _alone = run::alone();
    if let Some(seed) = number("VIEWTAIL_SIM_SEED") {
        run::report(&format!("sim: {}", Pinned::of_seed(seed).line()));
        let outcome = life(seed, true, |_| {});
        let failed = outcome.failure.is_some();
        return run::verdict(&Some(outcome).filter(|_| failed).into_iter().collect::<Vec<_>>());
    }
    let first = number("VIEWTAIL_SIM_FIRST").unwrap_or(0);
    let count = number("VIEWTAIL_SIM_SEEDS").unwrap_or(SEEDS);
    let (tally, failures) =
        timed(|| run::seeds(first..first + count, ENOUGH, |seed| life(seed, false, |_| {})));
    run::verdict(&failures);
    if count >= SEEDS {
        covers(&tally);
    }
}

/// What failed once is lived again for ever; one of them, by its line in the file, with a trace of all that happens.
#[test]
fn no_life_that_failed_once_fails_again() {
    let _alone = run::alone();
    let pinned = Pinned::all();
    let traced = number("VIEWTAIL_SIM_PINNED");
    let live = |line: u64| {
        let life = usize::try_from(line - 1).expect("few are kept");
        let (rng, plan) = pinned[life].clone().parts();
        lived(line, World::new(rng, plan), traced.is_some(), |_| {})
    };
    let lines = traced.map_or(1..pinned.len() as u64 + 1, |line| line..line + 1);
    let (tally, failures) = run::seeds(lines, pinned.len(), live);
    run::report(&format!("sim: {} lives that failed once", tally.seeds));
    for Outcome { seed, failure, .. } in &failures {
        let found = usize::try_from(*seed - 1).ok().and_then(|life| pinned.get(life)).map(|life| &life.found);
        let failure = failure.as_deref().unwrap_or_default();
        run::report(&format!(
            "     tests/sim/pinned.txt:{seed}: {failure} (it had found: {found:?})\n     replay: VIEWTAIL_SIM_PINNED={seed} make sim"
        ));
    }
    assert!(failures.is_empty(), "{} lives that failed once fail again", failures.len());
}

#[test]
fn a_seed_always_gives_the_same_life() {
    let _alone = run::alone();
    for seed in 0..50 {
        assert_eq!(
            life(seed, false, |_| {}).fingerprint,
            life(seed, false, |_| {}).fingerprint,
            "seed {seed}"
        );
    }
}

/// A simulator whose faults do not happen proves nothing.
fn covers(tally: &Tally) {
    let Tally { crashes, pauses, long_pauses, stops, reloads, seconds, refused, torn_reads, .. } = tally;
    let Tally { state_lost, state_stale, offsets_lost, rotations, copytruncates, truncates, .. } = tally;
    let Tally { deletes, archives, proofs, committed, aborted, aborted_records, timed_out, .. } = tally;
    let Tally { read_errors, met_later, page_view_lives, kafka, .. } = tally;
    let counts = [
        ("crashes", crashes),
        ("pauses", pauses),
        ("pauses beyond the transaction timeout", long_pauses),
        ("stops", stops),
        ("reloads", reloads),
        ("double starts", seconds),
        ("rivals that gave way", refused),
        ("torn reads", torn_reads),
        ("read errors", read_errors),
        ("lost states", state_lost),
        ("stale states", state_stale),
        ("lost group offsets", offsets_lost),
        ("rotations", rotations),
        ("copytruncates", copytruncates),
        ("truncations", truncates),
        ("deletions", deletes),
        ("archives", archives),
        ("proofs that a writer is gone", proofs),
        ("commits", committed),
        ("aborts", aborted),
        ("aborted records", aborted_records),
        ("coordinator time-outs", timed_out),
        ("late requests that met a later transaction", met_later),
        ("lives with page views alone", page_view_lives),
        ("late InitProducerId", &kafka.late_inits),
        ("retriable errors", &kafka.retriable),
        ("abortable errors", &kafka.abortable),
        ("fatal errors", &kafka.fatal),
        ("fatal errors of an applied commit", &kafka.fatal_applied),
        ("fenced requests", &kafka.fenced),
        ("lost replies", &kafka.lost_replies),
        ("delayed EndTxn", &kafka.delayed_end),
        ("delayed TxnOffsetCommit", &kafka.delayed_offsets),
        ("unreachable brokers", &kafka.unreachable),
        ("missing topics", &kafka.topic_missing),
    ];
    for (name, count) in counts {
        assert!(*count > 0, "no {name} in the whole run");
    }
}

fn timed(run: impl FnOnce() -> (Tally, Vec<Outcome>)) -> (Tally, Vec<Outcome>) {
    // Real time is only reported here, it decides nothing.
    #[expect(clippy::disallowed_methods, reason = "the length of the run is reported")]
    let start = Instant::now();
    let (tally, failures) = run();
    let seconds = start.elapsed().as_secs_f64();
    let Tally { seeds, lines, events, effects, crashes, pauses, seconds: doubles, .. } = &tally;
    let Tally {
        committed,
        aborted,
        timed_out,
        rotations,
        copytruncates,
        truncates,
        deletes,
        torn_reads,
        kafka,
        ..
    } = &tally;
    run::report(&format!(
        "sim: {seeds} seeds, {lines} lines, {events} events, {effects} effects, {crashes} crashes, {pauses} pauses, \
         {doubles} double starts, {committed} commits, {aborted} aborted transactions ({timed_out} by the coordinator), \
         {} delayed EndTxn, {} lost replies, {} fenced, {} commits of unknown outcome, {rotations} rotations, \
         {copytruncates} copytruncates, {truncates} truncations, {deletes} deletions, {torn_reads} torn reads in {seconds:.1} s",
        kafka.delayed_end, kafka.lost_replies, kafka.fenced, kafka.fatal_applied,
    ));
    (tally, failures)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}
