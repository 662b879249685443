//! Short lives in which the agent dies before effect n, for every n.

use crate::plan::{FileRates, KafkaRates, Plan, ReadRates};
use crate::rng::Rng;
use crate::run::{self, Outcome, lived};
use crate::world::{Tally, World};

/// No scenario has more effects before its faults end.
const EFFECTS_MAX: u64 = 3000;

/// Any will do; with this one the agent starts before the faults end in every scenario.
const SEED: u64 = 40;

type Scenario = (&'static str, fn(&mut Plan));

const SCENARIOS: [Scenario; 11] = [
    ("plain appends", |_| {}),
    ("rotation with late writes", |plan| {
        plan.files = FileRates { rename: 300, late_writes: 1000, ..FileRates::default() };
    }),
    ("rotation with archives", |plan| {
        plan.files = FileRates { rename: 250, compress: 1000, late_writes: 300, ..FileRates::default() };
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
];

#[test]
fn row_38_a_crash_at_any_effect_loses_and_doubles_nothing() {
    let _alone = run::alone();
    for (number, (name, change)) in SCENARIOS.into_iter().enumerate() {
        let crash_at = |effect: u64| scenario(number as u64, change, effect);
        let calm = crash_at(0);
        let effects = calm.tally.effects.min(EFFECTS_MAX);
        let (tally, mut failures) = run::seeds(1..effects + 1, 10, crash_at);
        failures.extend(Some(calm).filter(|calm| calm.failure.is_some()));
        let Tally { crashes, .. } = tally;
        run::report(&format!("sim: {name}: {effects} effects, {crashes} crashes"));
        for Outcome { seed, failure, .. } in &failures {
            run::report(&format!("     crash at effect {seed}: {}", failure.as_deref().unwrap_or_default()));
        }
        assert!(failures.is_empty(), "{name}: a crash at some effect was not survived");
    }
}

fn scenario(number: u64, change: fn(&mut Plan), effect: u64) -> Outcome {
    let mut rng = Rng::new(SEED + number);
    let mut plan = Plan::calm(&mut rng);
    plan.lines = 25;
    plan.gap_ms = 200;
    plan.births = true;
    change(&mut plan);
    plan.agent.crash_at = Some(effect);
    lived(effect, World::new(rng, plan), false, |_| {})
}
