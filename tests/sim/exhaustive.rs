//! Short lives in which one fault strikes at effect n, for every n and every fault: on files, on Kafka, on the process.

use crate::edge::Fate;
use crate::plan::{Blow, FileRates, KafkaRates, Plan, ReadRates};
use crate::rng::Rng;
use crate::run::{self, Outcome, lived};
use crate::world::{Tally, World};

/// No scenario has more effects before its faults end.
const EFFECTS_MAX: u64 = 3000;

/// Any will do; with this one the agent starts before the faults end in every scenario.
const SEED: u64 = 40;

type Scenario = (&'static str, fn(&mut Plan));

/// What strikes besides a crash. What became of an EndTxn that failed for good is chance: each of the three is met.
const BLOWS: [Blow; 8] = [
    Blow::Pause,
    Blow::File,
    Blow::Kafka(Fate::Retriable),
    Blow::Kafka(Fate::Abortable),
    Blow::Kafka(Fate::Fatal),
    Blow::Kafka(Fate::LostReply),
    Blow::Kafka(Fate::Delayed),
    Blow::Kafka(Fate::Unreachable),
];

const SCENARIOS: [Scenario; 12] = [
    ("plain appends", |_| {}),
    ("page views alone", |plan| {
        plan.page_views = true;
        plan.files = FileRates { rename: 100, garbage: 200, ..FileRates::default() };
    }),
    ("rotation with late writes", |plan| {
        plan.files = FileRates { rename: 300, late_writes: 1000, ..FileRates::default() };
    }),
    ("copytruncate", |plan| {
        plan.files = FileRates { copytruncate: 150, ..FileRates::default() };
    }),
    ("copies beside the log, in its paths", |plan| {
        plan.glob_takes_rotated = true;
        plan.files = FileRates { copytruncate: 250, partial: 100, ..FileRates::default() };
    }),
    ("truncated and grown again", |plan| {
        plan.files = FileRates { regrow: 200, truncate: 50, ..FileRates::default() };
    }),
    ("tails cut off", |plan| {
        plan.files = FileRates { tail_cut: 150, ..FileRates::default() };
    }),
    ("failed and torn reads", |plan| {
        plan.files = FileRates { rename: 150, ..FileRates::default() };
        plan.reads =
            ReadRates { error: 100, short: 200, torn: 200, listing_error: 100, ..ReadRates::default() };
    }),
    ("delete and recreate", |plan| {
        plan.files = FileRates { recreate: 200, delete: 100, ..FileRates::default() };
    }),
    ("partial lines", |plan| {
        plan.files = FileRates { partial: 600, rename: 100, ..FileRates::default() };
    }),
    ("lost replies and late requests", |plan| {
        plan.kafka = KafkaRates { lost_reply: 150, delayed: 150, fatal: 50, ..KafkaRates::default() };
    }),
    ("rotation with archives", |plan| {
        plan.files = FileRates { rename: 250, compress: 1000, late_writes: 300, ..FileRates::default() };
    }),
];

#[test]
fn row_38_a_crash_at_any_effect_loses_and_doubles_nothing() {
    survives(&[Blow::Crash]);
}

#[test]
fn any_fault_at_any_effect_loses_and_doubles_nothing() {
    survives(&BLOWS);
}

/// Lives every scenario with each fault at each effect.
fn survives(blows: &[Blow]) {
    let _alone = run::alone();
    for (number, (name, change)) in SCENARIOS.into_iter().enumerate() {
        let calm = scenario(number as u64, change, None, false);
        assert!(calm.failure.is_none(), "{name}, without a fault of its own: {:?}", calm.failure);
        let effects = calm.tally.effects.min(EFFECTS_MAX);
        let mut total = Tally::default();
        for blow in blows {
            let at = |effect| scenario(number as u64, change, Some((effect, *blow)), false);
            let (tally, failures) = run::seeds(1..effects + 1, 10, at);
            for Outcome { seed, failure, .. } in &failures {
                let failure = failure.as_deref().unwrap_or_default();
                run::report(&format!("sim: {name}: {blow:?} at effect {seed}: {failure}"));
            }
            if let Some(Outcome { seed, .. }) = failures.first() {
                scenario(number as u64, change, Some((*seed, *blow)), true);
            }
            assert!(failures.is_empty(), "{name}: {blow:?} at some effect was not survived");
            total.add(&tally);
        }
        let Tally { seeds, crashes, long_pauses, read_errors, .. } = total;
        let kafka =
            total.kafka.retriable + total.kafka.abortable + total.kafka.fatal + total.kafka.lost_replies;
        run::report(&format!(
            "sim: {name}: {effects} effects, {seeds} lives: {crashes} crashes, {long_pauses} pauses beyond the \
             transaction timeout, {read_errors} failed looks, {kafka} failed requests"
        ));
    }
}

/// One life; with `trace` it is told, as the first that failed is.
fn scenario(number: u64, change: fn(&mut Plan), blow: Option<(u64, Blow)>, trace: bool) -> Outcome {
    let mut rng = Rng::new(SEED + number);
    let mut plan = Plan::calm(&mut rng);
    plan.lines = 25;
    plan.gap_ms = 200;
    plan.births = true;
    change(&mut plan);
    plan.agent.blow = blow;
    lived(blow.map_or(0, |(effect, _)| effect), World::new(rng, plan), trace, |_| {})
}
