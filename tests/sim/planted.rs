//! Bugs planted on purpose: a simulator that misses one of them proves nothing about the others.

use viewtail::planted::Bug;

use crate::run::{self, life, with_bug};
use crate::world::World;

/// A bug that is not found within so many seeds counts as missed.
const SEEDS_MAX: u64 = 20_000;

const BUGS: [Bug; 38] = [
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
    Bug::ReloadWithoutRewind,
    Bug::ReloadInTransaction,
    Bug::ReloadWithoutDoubt,
];

#[test]
fn every_planted_bug_is_caught() {
    let _alone = run::alone();
    let missed: Vec<Bug> = BUGS.into_iter().filter(|bug| !is_caught(*bug)).collect();
    assert!(missed.is_empty(), "not caught within {SEEDS_MAX} seeds: {missed:?}");
}

/// Tries to see it by its effect on lines alone first, then also by the rules of the protocol.
fn is_caught(bug: Bug) -> bool {
    let by_effect = first_failure(bug, false);
    let by_rule = first_failure(bug, true);
    let say = |found: &Option<(u64, String)>| match found {
        Some((seed, failure)) => format!("seed {seed}: {}", failure.chars().take(90).collect::<String>()),
        None => "not within the seeds tried".to_owned(),
    };
    run::report(&format!(
        "sim: planted {bug:?}\n     by effect {}\n     by rule   {}",
        say(&by_effect),
        say(&by_rule)
    ));
    by_effect.is_some() || by_rule.is_some()
}

fn first_failure(bug: Bug, holds_to_protocol: bool) -> Option<(u64, String)> {
    let is_of_reload =
        matches!(bug, Bug::ReloadWithoutRewind | Bug::ReloadInTransaction | Bug::ReloadWithoutDoubt);
    let adjust = |world: &mut World| {
        world.oracle.holds_to_protocol = holds_to_protocol;
        // Where no reload comes in between, one event more often follows another.
        if !is_of_reload {
            world.plan.agent.reload = 0;
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
    let (_, failures) = run::seeds(0..SEEDS_MAX, 1, run);
    failures.into_iter().next().map(|outcome| (outcome.seed, outcome.failure.unwrap_or_default()))
}
