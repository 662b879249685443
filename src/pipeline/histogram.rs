//! How often something took how long: counts below fixed bounds, and the sum of all.

/// A histogram of seconds.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<const N: usize> {
    bounds_s: &'static [f64; N],
    counts: [u64; N],
    beyond: u64,
    sum_s: f64,
}

impl<const N: usize> Histogram<N> {
    /// Nothing counted yet; the bounds are in seconds and rising.
    #[must_use]
    pub fn new(bounds_s: &'static [f64; N]) -> Self {
        Self { bounds_s, counts: [0; N], beyond: 0, sum_s: 0.0 }
    }

    /// `count` things took so long each.
    pub fn add(&mut self, seconds: f64, count: u64) {
        let bucket = self.bounds_s.partition_point(|bound| *bound < seconds);
        *self.counts.get_mut(bucket).unwrap_or(&mut self.beyond) += count;
        #[expect(clippy::cast_precision_loss, reason = "a sum of seconds is a float anyway")]
        let times = count as f64;
        self.sum_s += seconds * times;
    }

    /// Each bucket's upper bound in seconds with how many are in it alone; the last bound is [`f64::INFINITY`].
    #[must_use]
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounded = self.bounds_s.iter().copied().zip(self.counts);
        bounded.chain([(f64::INFINITY, self.beyond)]).collect()
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.beyond
    }

    /// How long all took together, in seconds.
    #[must_use]
    pub fn sum_s(&self) -> f64 {
        self.sum_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        for seconds in [0.0, 0.5, 0.6, 1.0, 7.0] {
            histogram.add(seconds, 2);
        }
        assert_eq!(histogram.buckets(), [(0.5, 4), (1.0, 4), (f64::INFINITY, 2)]);
        assert_eq!((histogram.count(), histogram.sum_s()), (10, 18.2));
    }
}
