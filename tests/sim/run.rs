//! Running one seed, and many on all cores.

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use viewtail::planted::{self, Bug};

use crate::pinned::Pinned;
use crate::world::{Tally, World};

/// What came of one seed.
pub struct Outcome {
    pub seed: u64,
    pub tally: Tally,
    pub fingerprint: u64,
    /// What went wrong.
    pub failure: Option<String>,
}

/// Runs one life and takes a panic of the machine for a failure.
pub fn life(seed: u64, trace: bool, adjust: impl FnOnce(&mut World)) -> Outcome {
    let (rng, plan) = Pinned::of_seed(seed).parts();
    lived(seed, World::new(rng, plan), trace, adjust)
}

/// The faults without which a seed does not fail: each is left out in turn. Leaving one out shifts all chance behind it,
/// so this is a hint, not a proof.
fn needed(seed: u64) -> Vec<&'static str> {
    let (_, mut plan) = Pinned::of_seed(seed).parts();
    let mut left_out: Vec<&'static str> = Vec::new();
    let names: Vec<_> =
        plan.rates().into_iter().filter(|(_, rate)| **rate > 0).map(|(name, _)| name).collect();
    for name in &names {
        left_out.push(name);
        let without = |world: &mut World| {
            let rates = world.plan.rates().into_iter().filter(|(name, _)| left_out.contains(name));
            rates.for_each(|(_, rate)| *rate = 0);
        };
        if life(seed, false, without).failure.is_none() {
            left_out.pop();
        }
    }
    names.into_iter().filter(|name| !left_out.contains(name)).collect()
}

/// Runs a world that is already made.
pub fn lived(seed: u64, mut world: World, trace: bool, adjust: impl FnOnce(&mut World)) -> Outcome {
    world.trace = trace;
    adjust(&mut world);
    world.say(|| format!("{:?}", world.plan));
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let failure = match result {
        Ok(result) => result.err(),
        Err(panic) => Some(format!("PANIC: {}", text_of(panic.as_ref()))),
    };
    let at = world.now.0;
    Outcome {
        seed,
        tally: world.tally,
        fingerprint: world.fingerprint,
        failure: failure.map(|failure| format!("at {at}: {failure}")),
    }
}

/// Runs seeds on all cores until they are done or `enough` failed; the failures in the order of seeds.
pub fn seeds(
    range: std::ops::Range<u64>,
    enough: usize,
    run: impl Fn(u64) -> Outcome + Sync,
) -> (Tally, Vec<Outcome>) {
    let next = AtomicU64::new(range.start);
    let total = Mutex::new((Tally::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut mine = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= range.end {
                        break;
                    }
                    let outcome = run(seed);
                    mine.add(&outcome.tally);
                    if outcome.failure.is_some() {
                        let mut total = lock(&total);
                        total.1.push(outcome);
                        if total.1.len() >= enough {
                            next.store(range.end, Ordering::Relaxed);
                        }
                    }
                }
                lock(&total).0.add(&mine);
            });
        }
    });
    let (tally, mut failures) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|outcome| outcome.seed);
    (tally, failures)
}

/// Plants a bug for the seeds of this thread.
pub fn with_bug<T>(bug: Option<Bug>, run: impl FnOnce() -> T) -> T {
    planted::plant(bug);
    let result = run();
    planted::plant(None);
    result
}

/// Tests of the simulator use all cores, so one runs after the other; panics of the machine are reported by seed.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name().is_some() {
                usual(panic);
            }
        }));
    });
    lock(&ALONE)
}

/// A line that is shown even if the test passes: what was covered is part of the result.
pub fn report(line: &str) {
    let mut out = std::io::stderr().lock();
    writeln!(out, "{line}").expect("standard error is there");
}

/// What to do about failures.
pub fn verdict(failures: &[Outcome]) {
    for Outcome { seed, failure, .. } in failures {
        let failure = failure.as_deref().unwrap_or_default();
        report(&format!("sim: seed {seed} {failure}\n     replay: VIEWTAIL_SIM_SEED={seed} make sim"));
        report(&format!("     needs {}", needed(*seed).join(", ")));
        report(&format!("     keep it (tests/sim/pinned.txt): {}", Pinned::of_seed(*seed).line()));
    }
    assert!(failures.is_empty(), "{} seeds failed", failures.len());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}
