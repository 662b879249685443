//! When the lines of a batch were written, coarse enough to stay small whatever the lines say.
//!
//! Lines that follow each other mostly have the same time, so they are kept as runs. A log that is far behind, or whose
//! times are nonsense, has many: then the steps in which time is counted are doubled until the runs are few again.

/// The first step: a sixteenth of a second, finer than what a latency is read for.
const STEP_MS: i64 = 64;
/// So many runs are kept at most; 16 bytes each.
const RUNS_MAX: usize = 256;

/// How many lines were written when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    step_ms: i64,
    /// The number of the step since the epoch, and its lines.
    runs: Vec<(i64, u64)>,
}

impl Default for Times {
    fn default() -> Self {
        Self { step_ms: STEP_MS, runs: Vec::new() }
    }
}

impl Times {
    /// So many lines were written at this time, in milliseconds since the epoch.
    pub fn add(&mut self, time_ms: i64, lines: u64) {
        let step = time_ms.div_euclid(self.step_ms);
        match self.runs.last_mut() {
            Some((last, count)) if *last == step => *count += lines,
            Some(_) | None => {
                self.runs.push((step, lines));
                self.coarsen();
            }
        }
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        for (time_ms, lines) in other.iter() {
            self.add(time_ms, lines);
        }
    }

    /// Each run's time in milliseconds since the epoch, at the start of its step, and its lines.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u64)> {
        self.runs.iter().map(|(step, lines)| (step.saturating_mul(self.step_ms), *lines))
    }

    fn coarsen(&mut self) {
        if self.runs.len() <= RUNS_MAX {
            return;
        }
        self.runs.sort_unstable_by_key(|(step, _)| *step);
        self.unite();
        // Half of what is kept at most, so that the next sort is as many lines away.
        while self.runs.len() > RUNS_MAX / 2 {
            self.step_ms *= 2;
            for (step, _) in &mut self.runs {
                *step = step.div_euclid(2);
            }
            self.unite();
        }
    }

    /// Makes one run of neighbours with the same step.
    fn unite(&mut self) {
        self.runs.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 += next.1;
            }
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_second_are_one_run() {
        let mut times = Times::default();
        (0..1000).for_each(|_| times.add(1_700_000_000_000, 1));
        assert_eq!(times.iter().collect::<Vec<_>>(), [(1_700_000_000_000, 1000)]);
    }

    #[test]
    fn any_times_stay_few_and_none_is_forgotten() {
        for spread_ms in [1_i64, 1000, 86_400_000, i64::MAX / 100_000] {
            let mut times = Times::default();
            for line in 0..5000_i64 {
                times.add((line * 7919 % 5000 - 2500).saturating_mul(spread_ms), 1);
            }
            let runs: Vec<(i64, u64)> = times.iter().collect();
            assert!(runs.len() <= RUNS_MAX, "{spread_ms}: {} runs", runs.len());
            assert_eq!(runs.iter().map(|(_, lines)| lines).sum::<u64>(), 5000, "{spread_ms}");
        }
        let mut extremes = Times::default();
        (0..RUNS_MAX as i64).for_each(|line| extremes.add(line * 64, 1));
        extremes.add(i64::MAX, 1);
        extremes.add(i64::MIN, 1);
        assert_eq!(extremes.iter().map(|(_, lines)| lines).sum::<u64>(), 258);
    }

    #[test]
    fn a_coarser_step_is_off_by_less_than_itself() {
        let mut times = Times::default();
        (0..600).for_each(|second| times.add(second * 1000, 1));
        let step_ms = times.step_ms;
        assert!(step_ms <= 8192, "{step_ms}");
        let mut lines: Vec<i64> = Vec::new();
        times.iter().for_each(|(time_ms, count)| (0..count).for_each(|_| lines.push(time_ms)));
        lines.sort_unstable();
        for (second, told) in lines.into_iter().enumerate() {
            assert!((second as i64 * 1000 - told) < step_ms, "{second}: {told}");
        }
    }
}
