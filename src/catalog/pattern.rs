//! What matching a pattern may cost, before it is compiled.
//!
//! The engine of look-around backtracks, and its own limit counts backtracks alone: a repetition of something empty runs as long as its
//! numbers say without one, and references back to a group can make it panic. So a pattern is weighed first. Of the constructs that
//! patterns of model maps need, the steps between two backtracks have a bound that follows from the tree of the pattern; patterns with any
//! other construct, and those with too high a bound, are refused.

use std::sync::Arc;

use fancy_regex::{Assertion, BytesMode, Expr, LookAround, Regex, RegexBuilder};

/// The longest name that is matched, in bytes.
pub(super) const MAX_NAME: usize = 256;

/// The longest pattern, in bytes. The map's own are less than half as long.
const MAX_PATTERN: usize = 512;

/// How often a pattern may backtrack over one name. The map's own need fewer than 3,000 on the worst names.
const MAX_BACKTRACKS: u64 = 4_000;

/// A pattern that may not backtrack as often as this is refused.
const MIN_BACKTRACKS: u64 = 1_200;

/// How many steps a pattern may take on one name: about a quarter of a second.
const MAX_STEPS: u64 = 600_000_000;

/// How many states and transitions the automata of a pattern may have.
const MAX_STATES: u64 = 2_000;

/// How much a compiled pattern may take, in bytes. The map's own take less than a quarter.
const MAX_COMPILED: usize = 32 << 10;

/// How many instructions a compiled pattern may have.
const MAX_PROGRAM: usize = 1_024;

/// What a call of an automaton takes beside its states.
const CALL: u64 = 50;

const LONGEST: u64 = MAX_NAME as u64;

/// A pattern that is searched for in ASCII, ignoring case.
pub(super) struct Pattern {
    regex: Regex,
    /// The most steps that it takes on one name.
    pub(super) steps: u64,
}

impl Pattern {
    /// Compiles a pattern, or says why it is refused.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("its pattern is longer than {MAX_PATTERN} bytes"));
        }
        let bad = |error: fancy_regex::Error| format!("its pattern does not compile: {error}");
        // What is wrong is said of the pattern as it was written; what it costs hangs on what ignores case.
        Expr::parse_tree(pattern).map_err(bad)?;
        let tree = Expr::parse_tree(&format!("(?i){pattern}")).map_err(bad)?;
        let cost = Cost::of_pattern(&tree.expr).ok_or(
            "its pattern has a construct that is not matched here, such as a possessive or atomic group, a reference back, \
             or a condition",
        )?;
        let backtracks = (MAX_STEPS / cost.run().max(1)).min(MAX_BACKTRACKS);
        if backtracks < MIN_BACKTRACKS || cost.states > MAX_STATES {
            return Err("its pattern may take too long: fewer or smaller repetitions would do".to_owned());
        }
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(true)
            .bytes_mode(BytesMode::Ascii)
            .backtrack_limit(usize::try_from(backtracks).unwrap_or(0))
            .delegate_size_limit(MAX_COMPILED)
            .delegate_dfa_size_limit(8 * MAX_COMPILED)
            .max_prog_size(MAX_PROGRAM)
            .build()
            .map_err(bad)?;
        Ok(Self { regex, steps: backtracks * cost.run() })
    }

    /// Returns whether it occurs in a name. One that backtracks too often does not.
    pub(super) fn is_match(&self, name: &str) -> bool {
        self.regex.is_match(name.as_bytes()).unwrap_or(false)
    }
}

/// What an expression costs between two backtracks, in steps. Without look-around a match never goes back in the name, so that what its
/// loops cost by the byte is added up, and not multiplied.
#[derive(Clone, Copy)]
struct Cost {
    /// However little it consumes.
    once: u64,
    /// For every byte that it consumes.
    per_byte: u64,
    /// States and transitions of its automaton, where an automaton matches it.
    states: u64,
    /// How many bytes it consumes at the most.
    longest: u64,
    /// How many groups it captures.
    groups: u64,
    /// Whether it always consumes as many bytes.
    is_fixed: bool,
    /// Whether an automaton can match it.
    is_plain: bool,
}

/// How many values are saved for each capturing group, each loop and each look-around; and for the match as a whole.
fn saved_values(expr: &Expr, own: u64) -> u64 {
    expr.children_iter().fold(own, |sum, child| {
        let own = match child {
            Expr::Group(_) | Expr::Repeat { .. } => 2,
            Expr::LookAround(..) => 3,
            _ => 0,
        };
        sum + saved_values(child, own)
    })
}

/// A look-ahead at the end, which the engine compiles as if it were none, with the rest in a group.
fn without_last_look_ahead(expr: &Expr) -> Option<Expr> {
    let (last, rest) = match expr {
        Expr::Concat(parts) => parts.split_last()?,
        single => (single, [].as_slice()),
    };
    let Expr::LookAround(inner, LookAround::LookAhead) = last else { return None };
    let rest = Expr::Group(Arc::new(Expr::Concat(rest.to_vec())));
    Some(Expr::Concat(vec![rest, (**inner).clone()]))
}

impl Cost {
    const NOTHING: Self = Self::leaf(0, 0);

    const fn leaf(states: u64, longest: u64) -> Self {
        Self { once: 0, per_byte: 0, states, longest, groups: 0, is_fixed: true, is_plain: true }
    }

    /// What a whole pattern costs. `None` where it has a construct that no bound is known for.
    fn of_pattern(expr: &Expr) -> Option<Self> {
        let save = saved_values(expr, 4).div_ceil(4);
        let mut cost = Weighing { save }.weigh(expr, false)?;
        if let Some(rewritten) = without_last_look_ahead(expr) {
            let rewritten = Weighing { save }.weigh(&rewritten, false)?;
            cost = if rewritten.run() > cost.run() { rewritten } else { cost };
        }
        // Going on to the next byte, and the whole match, which is a group too.
        cost.once = cost.once.saturating_add(8 + 4 * save);
        Some(cost)
    }

    /// What one run costs.
    fn run(self) -> u64 {
        self.per_byte.saturating_mul(self.longest.min(LONGEST)).saturating_add(self.once)
    }

    /// What one call of its automaton costs.
    fn call(self, save: u64) -> u64 {
        // With groups, it is matched once more for where they are.
        let passes = 1 + u64::from(self.groups > 0);
        let bytes = self.longest.min(LONGEST) + 1;
        self.states.saturating_mul(passes * bytes).saturating_add(CALL + self.groups.saturating_mul(2 * save))
    }

    fn then(self, next: Self) -> Self {
        Self {
            once: self.once.saturating_add(next.once),
            per_byte: self.per_byte.max(next.per_byte),
            states: self.states.saturating_add(next.states),
            longest: self.longest.saturating_add(next.longest),
            groups: self.groups + next.groups,
            is_fixed: self.is_fixed && next.is_fixed,
            is_plain: self.is_plain && next.is_plain,
        }
    }
}

/// The weighing of one pattern.
#[derive(Clone, Copy)]
struct Weighing {
    /// What it costs to save a value: all that are saved are looked through.
    save: u64,
}

impl Weighing {
    /// Weighs an expression. In the midst of what backtracks, only parts of a fixed length are left to automata.
    fn weigh(self, expr: &Expr, amid: bool) -> Option<Cost> {
        let Self { save } = self;
        let cost = match expr {
            Expr::Empty => Cost::leaf(1, 0),
            Expr::Assertion(
                Assertion::EndTextIgnoreTrailingNewlines { .. }
                | Assertion::LeftWordHalfBoundary
                | Assertion::RightWordHalfBoundary,
            ) => return None,
            Expr::Assertion(_) => Cost { once: 1, ..Cost::leaf(1, 0) },
            Expr::Any { .. } => Cost { once: 1, ..Cost::leaf(4, 1) },
            Expr::Literal { val, .. } => self.automaton(Cost::leaf(2 * val.len() as u64, val.len() as u64)),
            // The ranges of a class are looked through one by one.
            Expr::Delegate { inner, .. } => self.automaton(Cost::leaf(4 + inner.len() as u64, 1)),
            Expr::Concat(parts) => self.concatenation(parts, amid)?,
            Expr::Alt(branches) => self.alternation(branches, amid)?,
            Expr::Group(inner) => {
                let inner = self.weigh(inner, amid)?;
                Cost {
                    once: inner.once.saturating_add(2 * save),
                    states: inner.states.saturating_add(2),
                    groups: inner.groups + 1,
                    ..inner
                }
            }
            Expr::LookAround(inner, kind) => self.look_around(inner, *kind)?,
            Expr::Repeat { child, lo, hi, .. } => {
                self.repetition(self.weigh(child, amid || (*lo, *hi) != (0, 1))?, *lo, *hi)
            }
            // References back, conditions, calls, atomic groups, `\K`, `\G` and others.
            _ => return None,
        };
        Some(match (cost.is_plain, amid) {
            (true, false) => Cost { once: cost.call(save), per_byte: 0, ..cost },
            (true, true) if cost.is_fixed => Cost { once: cost.once.max(cost.call(save)), ..cost },
            _ => cost,
        })
    }

    fn automaton(self, leaf: Cost) -> Cost {
        Cost { once: leaf.call(self.save), ..leaf }
    }

    fn concatenation(self, parts: &[Expr], amid: bool) -> Option<Cost> {
        let parts: Vec<Cost> = parts.iter().map(|part| self.weigh(part, true)).collect::<Option<_>>()?;
        let sum =
            |parts: &mut dyn Iterator<Item = &Cost>| parts.fold(Cost::NOTHING, |sum, part| sum.then(*part));
        // Its beginning and its end are each left to one automaton.
        let starts = parts.iter().take_while(|part| part.is_plain && part.is_fixed).count();
        let behind = || parts.iter().skip(starts);
        let ends = behind().rev().take_while(|part| part.is_plain && (part.is_fixed || !amid)).count();
        let middles = parts.len() - starts - ends;
        let start = sum(&mut parts.iter().take(starts));
        let middle = sum(&mut behind().take(middles));
        let end = sum(&mut behind().skip(middles));
        let once = start.call(self.save).saturating_add(middle.once).saturating_add(end.call(self.save));
        // A loop may be rewritten, which adds a few steps.
        let once = once.saturating_add((4 + 2 * self.save) * parts.len() as u64);
        Some(Cost { once, per_byte: middle.per_byte, ..start.then(middle).then(end) })
    }

    fn alternation(self, branches: &[Expr], amid: bool) -> Option<Cost> {
        let mut any = Cost { states: 1, ..Cost::NOTHING };
        for (position, branch) in branches.iter().enumerate() {
            let branch = self.weigh(branch, amid)?;
            any = Cost {
                once: any.once.max(branch.once.saturating_add(2)),
                per_byte: any.per_byte.max(branch.per_byte),
                states: any.states.saturating_add(branch.states).saturating_add(1),
                longest: any.longest.max(branch.longest),
                groups: any.groups + branch.groups,
                is_fixed: any.is_fixed && branch.is_fixed && (position == 0 || any.longest == branch.longest),
                is_plain: any.is_plain && branch.is_plain,
            };
        }
        Some(any)
    }

    fn look_around(self, inner: &Expr, kind: LookAround) -> Option<Cost> {
        let weighed = self.weigh(inner, false)?;
        let around = 4 + 3 * self.save;
        let once = match kind {
            LookAround::LookAhead | LookAround::LookAheadNeg => weighed.run().saturating_add(around),
            LookAround::LookBehind | LookAround::LookBehindNeg => {
                if !weighed.is_plain || has_word_boundary(inner) {
                    return None;
                }
                // Branches may become look-behinds of their own, one after another.
                let branches = if let Expr::Alt(branches) = inner { branches.len() as u64 } else { 1 };
                let branch = weighed.call(self.save).saturating_add(weighed.longest.min(LONGEST) + around);
                branch.saturating_mul(branches)
            }
        };
        // What it consumed is given back.
        Some(Cost { once, per_byte: 0, longest: 0, is_fixed: true, is_plain: false, ..weighed })
    }

    fn repetition(self, inner: Cost, lo: usize, hi: usize) -> Cost {
        let is_endless = hi == usize::MAX;
        let (lo, hi) = (lo as u64, hi as u64);
        let bookkeeping = 2 + 2 * self.save;
        let round = inner.once.saturating_add(bookkeeping);
        // Rounds may be empty until there are enough of them, and so may one more.
        let rounds = if is_endless { lo.saturating_add(1) } else { hi };
        let longest = inner.longest.saturating_mul(if is_endless { LONGEST } else { hi });
        Cost {
            once: round.saturating_mul(rounds).saturating_add(bookkeeping),
            per_byte: if is_endless { inner.per_byte.saturating_add(round) } else { inner.per_byte },
            states: inner.states.saturating_add(2).saturating_mul(rounds.max(lo).max(1)),
            longest: if is_endless { longest.min(LONGEST) } else { longest },
            is_fixed: inner.is_fixed && lo == hi,
            ..inner
        }
    }
}

fn has_word_boundary(expr: &Expr) -> bool {
    use Assertion::{LeftWordBoundary, NotWordBoundary, RightWordBoundary, WordBoundary};
    let is = |expr: &Expr| {
        matches!(expr, Expr::Assertion(LeftWordBoundary | RightWordBoundary | WordBoundary | NotWordBoundary))
    };
    is(expr) || expr.has_descendant(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pattern: &str) -> Option<String> {
        Pattern::compile(pattern).err()
    }

    #[test]
    fn patterns_that_would_hang_or_panic_are_refused() {
        let long = "its pattern may take too long: fewer or smaller repetitions would do";
        let construct = "its pattern has a construct that is not matched here, such as a possessive or atomic group, a \
                         reference back, or a condition";
        for (pattern, why) in [
            ("((((a*+){999}){999}){999}){999}", construct),
            ("(?:(?:(?:a?){999}){999}){999}", long),
            ("(?:(?:(?:(?:a??){99}){99}){99}){99}(?=b)", long),
            ("((((a?){99}?){99}?){99}?){99}?(?=b)", long),
            ("((?=a*)){999}", long),
            ("((?=)){9999999999,}", long),
            ("(?>(?>a?){999}){999}", construct),
            (r"(\K){99999999999}", construct),
            (r"(\G){9999}", construct),
            (r"(?:(a|b\1)c)+", construct),
            (r"()(\1\1\1\1\1\1\1\1)(\2\2\2\2\2\2\2\2)(\3\3\3\3\3\3\3\3)", construct),
            (r"(a\g<1>?)", construct),
            (r"(a)?(?(1)b|c)", construct),
            (r"^(?:(?=)|){14}(?:(?=.*a.{100})(?=.*b.{101})[ab])*x", long),
        ] {
            assert_eq!(refused(pattern).as_deref(), Some(why), "{pattern}");
        }
        assert_eq!(refused(&"a".repeat(513)).as_deref(), Some("its pattern is longer than 512 bytes"));
        for broken in ["(", "[z-a]"] {
            assert!(
                refused(broken).is_some_and(|why| why.starts_with("its pattern does not compile: ")),
                "{broken}"
            );
        }
    }

    /// What they may backtrack over is bounded, and what they say is not changed by it.
    #[test]
    fn patterns_that_maps_need_are_matched() {
        for (pattern, name, expected) in [
            ("^gpt-4", "GPT-4o", true),
            ("(gpt|codex)-[0-9]+", "my-codex-5", true),
            ("(?<![a-z0-9])gpt-4(?=-|$)", "x-gpt-4-mini", true),
            ("(?<![a-z0-9])gpt-4(?=-|$)", "xgpt-4-mini", false),
            ("(?<=a|bc)d", "bcd", true),
            ("^(?!.*audio).*gpt", "gpt-audio", false),
            ("(a*)*b", &"a".repeat(255), false),
            ("(?:(?:a*)*)*(?=b)", &"a".repeat(255), false),
            ("(?:[a-z]+-?){1,8}$", "claude-opus-nine", true),
        ] {
            let pattern = Pattern::compile(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            assert_eq!(pattern.is_match(name), expected, "{name}");
            assert!(pattern.steps <= MAX_STEPS);
        }
    }
}
