//! Bugs planted on purpose: a simulator that misses one of them proves nothing about the others.

use viewtail::planted::Bug;

use crate::run::{self, life, with_bug};
use crate::world::World;

/// A bug that is not found within so many seeds counts as missed.
const SEEDS_MAX: u64 = 20_000;

/// How long its effect on lines alone is looked for: a breach of the rules shows sooner, and this is told, not demanded.
const SEEDS_BY_LINES_MAX: u64 = 2_000;

const BUGS: [Bug; 39] = [
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
    Bug::ArchiveReadOnItsOwn,
    Bug::EveryArchiveIsNew,
    Bug::ForeignCopyAdopted,
    Bug::RewriteUnnoticed,
    Bug::DroppedWithItsName,
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
    Bug::ReloadWithoutRewind,
    Bug::ReloadInTransaction,
    Bug::ReloadWithoutDoubt,
];

#[test]
fn every_planted_bug_is_caught() {
    let _alone = run::alone();
    let found = BUGS.map(|bug| (bug, first_failure(bug, Sight::Lines), first_failure(bug, Sight::Rules)));
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
    let missed = found.iter().filter(|(_, by_lines, by_rules)| by_lines.or(*by_rules).is_none());
    let missed: Vec<Bug> = missed.map(|(bug, ..)| *bug).collect();
    run::report(&format!("sim: {} of {} planted bugs caught", BUGS.len() - missed.len(), BUGS.len()));
    assert!(missed.is_empty(), "not caught within {SEEDS_MAX} seeds: {missed:?}");
}

/// What a bug is seen by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Lines lost or doubled alone.
    Lines,
    /// The rules of the protocol as well.
    Rules,
}

/// The first seed that the bug makes fail.
fn first_failure(bug: Bug, sight: Sight) -> Option<u64> {
    let seeds = match sight {
        Sight::Lines => SEEDS_BY_LINES_MAX,
        Sight::Rules => SEEDS_MAX,
    };
    let is_of_reload =
        matches!(bug, Bug::ReloadWithoutRewind | Bug::ReloadInTransaction | Bug::ReloadWithoutDoubt);
    let adjust = |world: &mut World| {
        world.oracle.holds_to_protocol = sight == Sight::Rules;
        // Where no reload comes in between, one event more often follows another.
        if !is_of_reload {
            world.plan.agent.reload = 0;
        }
        // What takes its place has to begin alike, and to come often: a busy file is read less often than it is rewritten here.
        if bug == Bug::RewriteUnnoticed {
            world.plan.equal_heads = true;
            world.plan.files.copytruncate = 60;
        }
    };
    let run = |seed| {
        let mut outcome = with_bug(Some(bug), || life(seed, false, adjust));
        // What fails without the bug too says nothing about it.
        if outcome.failure.is_some() && life(seed, false, adjust).failure.is_some() {
            outcome.failure = None;
        }
        outcome
    };
    let (_, failures) = run::seeds(0..seeds, 1, run);
    failures.first().map(|outcome| outcome.seed)
}
