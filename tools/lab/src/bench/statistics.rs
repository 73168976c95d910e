//! The little statistics that the tables need.

use std::fmt;

/// How often samples are drawn anew for an interval.
const RESAMPLES: usize = 4000;

/// The middle of `values`; of an even number of them, of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    median_of_sorted(&sorted(values))
}

/// The least of `values` that is not exceeded by `percent` of them.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let values = sorted(values);
    // At least one and at most all.
    let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
    match rank.clamp(1, values.len().max(1)) {
        rank if rank <= values.len() => values[rank - 1],
        _ => f64::NAN,
    }
}

/// A ratio, and where it would lie in 95 of 100 repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ratio that was measured.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl fmt::Display for Ratio {
    /// Nothing where there is none, because the other side has nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, low, high } = self;
        if value.is_finite() {
            write!(f, "{value:.3} ({low:.3}–{high:.3})")?;
        }
        Ok(())
    }
}

/// The ratio of the medians of `ours` and `theirs`, whose samples were taken in
/// pairs, with the interval of the percentile bootstrap: pairs are drawn with
/// replacement, as many as there are, and what the ratio is of those is noted.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Ratio {
    let pairs: Vec<_> = ours.iter().copied().zip(theirs.iter().copied()).collect();
    let of = |pairs: &[(f64, f64)]| {
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        median(&ours) / median(&theirs)
    };
    let mut numbers = Numbers(0x5eed);
    let drawn: Vec<_> = (0..RESAMPLES)
        .map(|_| {
            let again: Vec<_> = pairs
                .iter()
                .map(|_| pairs[numbers.below(pairs.len())])
                .collect();
            of(&again)
        })
        .collect();
    Ratio {
        value: of(&pairs),
        low: percentile(&drawn, 2.5),
        high: percentile(&drawn, 97.5),
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

fn median_of_sorted(values: &[f64]) -> f64 {
    match values.len() {
        0 => f64::NAN,
        count => (values[(count - 1) / 2] + values[count / 2]) / 2.0,
    }
}

/// Random enough, and the same every time: SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_counts() {
        assert_eq!(median(&[30.0, 10.0, 20.0]), 20.0);
        assert_eq!(median(&[30.0, 10.0, 40.0, 20.0]), 25.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 99.0), 198.0);
        assert_eq!(percentile(&values, 100.0), 200.0);
        assert_eq!(percentile(&values, 0.0), 1.0);
        assert_eq!(percentile(&[7.0], 99.0), 7.0);
        assert!(percentile(&[], 99.0).is_nan());
    }

    #[test]
    fn a_ratio_of_constants_has_no_width() {
        let ratio = ratio(&[3.0; 40], &[2.0; 40]);
        assert_eq!((ratio.low, ratio.value, ratio.high), (1.5, 1.5, 1.5));
        assert_eq!(ratio.to_string(), "1.500 (1.500–1.500)");
    }

    #[test]
    fn nothing_has_no_ratio() {
        assert_eq!(ratio(&[16.0; 5], &[0.0; 5]).to_string(), "");
        assert_eq!(ratio(&[0.0; 5], &[0.0; 5]).to_string(), "");
    }

    #[test]
    fn an_interval_is_about_its_ratio_and_narrows_with_more_samples() {
        let noisy = |count: usize, base: f64| -> Vec<f64> {
            let mut numbers = Numbers(base as u64);
            (0..count)
                .map(|_| base + numbers.below(1000) as f64 / 100.0)
                .collect()
        };
        let width = |count| {
            let ratio = ratio(&noisy(count, 110.0), &noisy(count, 100.0));
            assert!(ratio.low <= ratio.value && ratio.value <= ratio.high);
            assert!(ratio.low > 1.0 && ratio.high < 1.2, "{ratio:?}");
            ratio.high - ratio.low
        };
        assert!(width(400) < width(10));
    }
}
