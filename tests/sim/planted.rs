//! Bugs planted on purpose: a simulator that misses one of them proves nothing about the others.

use viewtail::planted::Bug;

use crate::run::{self, life, with_bug};
use crate::world::World;

/// A bug that is not found within so many seeds counts as missed.
const SEEDS_MAX: u64 = 20_000;

const BUGS: [Bug; 35] = [
    Bug::OffsetsFirst,
    Bug::FetchBeforeInit,
    Bug::NoEpochHygiene,
    Bug::ResendAfterDoubt,
    Bug::ShardForgotten,
    Bug::InodeOnly,
    Bug::PartialAsWhole,
    Bug::PersistBeforeCommit,
    Bug::NoRewind,
    Bug::RemoteLossIgnored,
    Bug::NoVerifyAfterRead,
    Bug::FinishedAtFirstEof,
    Bug::QuietAgainstProof,
    Bug::NoReadAfterProof,
    Bug::ProofOfActiveFile,
    Bug::HardLinkRead,
    Bug::CopyReadOnItsOwn,
    Bug::DescriptorGivenBack,
    Bug::RewriteUnnoticed,
    Bug::DroppedWithItsName,
    Bug::PartialWhenRotated,
    Bug::HintsTrusted,
    Bug::UnfinishedLineForgotten,
    Bug::LocalStateTrusted,
    Bug::RivalTakenForOurselves,
    Bug::ForgottenAtOnce,
    Bug::BirthIgnored,
    Bug::HeadKept,
    Bug::NotFlushed,
    Bug::CommittedOnAbort,
    Bug::ListingErrorAsEmpty,
    Bug::ErrorEndsReading,
    Bug::FirstShardFirst,
    Bug::AdvanceOnProduce,
    Bug::LossForgotten,
];

#[test]
fn every_planted_bug_is_caught() {
    let _alone = run::alone();
    let found = BUGS.map(|bug| (bug, first_failure(bug, false), first_failure(bug, true)));
    run::report(
        "sim: seeds to detection of each planted bug, by lines lost or doubled alone and by the rules too",
    );
    run::report(&format!("     {:<26}{:>10}{:>10}", "bug", "by lines", "by rules"));
    for (bug, by_lines, by_rules) in &found {
        let shown = |seed: &Option<u64>| seed.map_or_else(|| "-".to_owned(), |seed| (seed + 1).to_string());
        run::report(&format!(
            "     {:<26}{:>10}{:>10}",
            format!("{bug:?}"),
            shown(by_lines),
            shown(by_rules)
        ));
    }
    let is_missed = |by_lines: &Option<u64>, by_rules: &Option<u64>| by_lines.or(*by_rules).is_none();
    let missed: Vec<Bug> =
        found.iter().filter(|(_, lines, rules)| is_missed(lines, rules)).map(|(bug, ..)| *bug).collect();
    run::report(&format!("sim: {} of {} planted bugs caught", BUGS.len() - missed.len(), BUGS.len()));
    assert!(missed.is_empty(), "not caught within {SEEDS_MAX} seeds: {missed:?}");
}

/// The first seed that the bug makes fail.
fn first_failure(bug: Bug, holds_to_protocol: bool) -> Option<u64> {
    let adjust = |world: &mut World| world.oracle.holds_to_protocol = holds_to_protocol;
    let run = |seed| {
        let mut outcome = with_bug(Some(bug), || life(seed, false, adjust));
        // What fails without the bug too says nothing about it.
        if outcome.failure.is_some() && life(seed, false, adjust).failure.is_some() {
            outcome.failure = None;
        }
        outcome
    };
    let (_, failures) = run::seeds(0..SEEDS_MAX, 1, run);
    failures.first().map(|outcome| outcome.seed)
}
