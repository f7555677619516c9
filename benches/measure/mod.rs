//! Measures cases in turn: a round runs each case once, and the median of the rounds counts. Noise
//! of the machine affects all cases of a round alike, so that ratios are more reliable than times.
//!
//! `cargo bench --bench NAME -- --only CASE --passes N` runs one case N times and times nothing.
//! The difference of two instruction counts, at two numbers of passes, is what the calls between
//! them take.
#![allow(dead_code, reason = "no bench uses all of it")]

use std::time::Instant;

/// Cases that are measured together.
#[derive(Default)]
pub(crate) struct Suite<'a> {
    cases: Vec<Case<'a>>,
}

struct Case<'a> {
    name: &'static str,
    /// The case that this one is compared with, and the wanted ratio.
    beside: Option<(&'static str, Goal)>,
    run: Box<dyn FnMut() -> f64 + 'a>,
    times: Vec<f64>,
}

/// The wanted bound of a ratio.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl<'a> Suite<'a> {
    /// Adds a case. `run` returns the time of one call, in seconds.
    pub(crate) fn add(&mut self, name: &'static str, run: impl FnMut() -> f64 + 'a) -> &mut Self {
        self.cases.push(Case { name, beside: None, run: Box::new(run), times: Vec::new() });
        self
    }

    /// Compares the last case with another one.
    pub(crate) fn beside(&mut self, other: &'static str, goal: Goal) -> &mut Self {
        if let Some(case) = self.cases.last_mut() {
            case.beside = Some((other, goal));
        }
        self
    }

    /// Runs all cases `rounds` times and prints the median time of each. If `--only` is given, runs
    /// that case alone and times nothing.
    pub(crate) fn run(mut self, title: &str, rounds: usize) {
        if let Some((only, passes)) = asked() {
            for case in self.cases.iter_mut().filter(|case| case.name == only) {
                for _ in 0..passes {
                    (case.run)();
                }
            }
            return;
        }
        for _ in 0..rounds {
            for case in &mut self.cases {
                case.times.push((case.run)());
            }
        }
        println!("\n{title}; medians of {rounds} rounds");
        let medians: Vec<_> =
            self.cases.iter_mut().map(|case| (case.name, median(&mut case.times))).collect();
        for (case, (_, time)) in self.cases.iter().zip(&medians) {
            case.show(*time, &medians);
        }
    }
}

impl Case<'_> {
    fn show(&self, time: f64, medians: &[(&str, f64)]) {
        print!("  {:<44}{:>12}", self.name, shown(time));
        let Some((name, goal)) = self.beside else { return println!() };
        let other = medians.iter().find(|(other, _)| *other == name);
        let ratio = other.map_or(f64::NAN, |(_, other)| time / other);
        let (sign, wanted, met) = match goal {
            Goal::AtMost(most) => ("<=", most, ratio <= most),
            Goal::AtLeast(least) => (">=", least, ratio >= least),
            Goal::None => return println!("   x {ratio:<8.2} of {name}"),
        };
        let missed = if met { "" } else { "  MISSED" };
        println!("   x {ratio:<8.2} of {name} (goal {sign} {wanted}){missed}");
    }
}

/// Sorts a list and returns its middle element.
pub(crate) fn median(list: &mut [f64]) -> f64 {
    list.sort_by(f64::total_cmp);
    list.get(list.len() / 2).copied().unwrap_or_default()
}

fn shown(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-5 => format!("{:.1} ns", seconds * 1e9),
        seconds if seconds < 1e-3 => format!("{:.1} us", seconds * 1e6),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}

/// Returns the values of `--only CASE --passes N`, or `None` if one of them is missing.
fn asked() -> Option<(String, usize)> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    Some((value("--only")?.clone(), value("--passes")?.parse().ok()?))
}

/// Returns a case that calls `call` once for each item and returns the mean time of a call.
pub(crate) fn each<T>(items: &[T], mut call: impl FnMut(&T)) -> impl FnMut() -> f64 {
    move || {
        let start = Instant::now();
        items.iter().for_each(&mut call);
        start.elapsed().as_secs_f64() / items.len() as f64
    }
}

/// Returns the time of one call. The result is dropped after the clock has stopped.
pub(crate) fn once<T>(call: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    let result = call();
    let took = start.elapsed().as_secs_f64();
    drop(std::hint::black_box(result));
    took
}

/// A generator of pseudo-random numbers, which are the same in every run.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `end`, by `SplitMix64`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        usize::try_from(word % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// Returns `count` items of a list, drawn with repetition.
    pub(crate) fn picks<'a, T>(&mut self, list: &'a [T], count: usize) -> Vec<&'a T> {
        (0..count).filter_map(|_| list.get(self.below(list.len()))).collect()
    }

    /// Returns `count` items of a list, or all if it has fewer, drawn without repetition.
    pub(crate) fn sample<T: Clone>(&mut self, list: &[T], count: usize) -> Vec<T> {
        let mut rest = list.to_vec();
        (0..count.min(list.len())).map(|_| rest.swap_remove(self.below(rest.len()))).collect()
    }
}
