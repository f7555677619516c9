//! Patterns of fallback rules, with a bound on the cost of a match.
//!
//! The engine backtracks for look-around, and its own limit counts only backtracks. A repetition of
//! an empty match runs as often as its numbers say without a single backtrack, and back-references
//! can make the engine panic. A pattern is therefore weighed before it is compiled. For the
//! constructs that model maps need, the number of steps between two backtracks has a bound that
//! follows from the syntax tree. Patterns with any other construct, or with too high a bound, are
//! refused.

use std::sync::Arc;

use fancy_regex::{Assertion, BytesMode, Expr, LookAround, Regex, RegexBuilder};

/// The longest name that is matched, in bytes.
pub(super) const MAX_NAME: usize = 256;

/// The longest pattern, in bytes. The public map's patterns are less than half as long.
const MAX_PATTERN: usize = 512;

/// The largest number of backtracks over one name. The public map's patterns need fewer than 3,000
/// on the worst names.
const MAX_BACKTRACKS: u64 = 4_000;

/// The smallest limit on backtracks. A pattern is refused if its cost allows fewer.
const MIN_BACKTRACKS: u64 = 1_200;

/// The largest number of steps that a pattern may take on one name: about a quarter of a second.
const MAX_STEPS: u64 = 600_000_000;

/// The largest number of states and transitions in the automata of a pattern.
const MAX_STATES: u64 = 2_000;

/// The largest size of a compiled pattern, in bytes. The public map's patterns take less than a
/// quarter of it.
const MAX_COMPILED: usize = 32 << 10;

/// The largest number of instructions in a compiled pattern.
const MAX_PROGRAM: usize = 1_024;

/// The cost of calling an automaton, in steps, apart from its states.
const CALL: u64 = 50;

const LONGEST: u64 = MAX_NAME as u64;

/// A pattern that is searched for in names, as ASCII and ignoring case.
pub(super) struct Pattern {
    regex: Regex,
    /// The largest number of steps that the pattern takes on one name.
    pub(super) steps: u64,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// Returns the reason if the pattern is invalid or refused.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("its pattern is longer than {MAX_PATTERN} bytes"));
        }
        let bad = |error: fancy_regex::Error| format!("its pattern does not compile: {error}");
        // Errors are reported for the pattern as written. The cost is that of the pattern ignoring
        // case.
        Expr::parse_tree(pattern).map_err(bad)?;
        let tree = Expr::parse_tree(&format!("(?i){pattern}")).map_err(bad)?;
        let cost = MatchCost::of_pattern(&tree.expr).ok_or(
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

    /// Returns whether the pattern occurs in a name. A match that exceeds the limit of backtracks
    /// counts as none.
    pub(super) fn is_match(&self, name: &str) -> bool {
        self.regex.is_match(name.as_bytes()).unwrap_or(false)
    }
}

/// The cost of an expression between two backtracks, in steps.
///
/// Outside look-around, a match never moves back in the name. The costs per byte of its loops are
/// therefore added, not multiplied.
#[derive(Clone, Copy)]
struct MatchCost {
    /// The cost that does not depend on the number of bytes consumed.
    once: u64,
    /// The cost of each byte consumed.
    per_byte: u64,
    /// States and transitions of the automaton, if an automaton matches the expression.
    states: u64,
    /// The largest number of bytes that the expression consumes.
    longest: u64,
    /// The number of capturing groups.
    groups: u64,
    /// True if the expression always consumes the same number of bytes.
    is_fixed: bool,
    /// True if an automaton can match the expression.
    is_plain: bool,
}

/// Returns the number of values that the engine saves: some for each capturing group, loop and
/// look-around below `expr`, and `own` for the expression itself.
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

/// Rewrites a pattern that ends in a look-ahead as the engine compiles it: the rest in a group,
/// followed by the inner expression of the look-ahead. Returns `None` for other patterns.
fn without_last_look_ahead(expr: &Expr) -> Option<Expr> {
    let (last, rest) = match expr {
        Expr::Concat(parts) => parts.split_last()?,
        single => (single, [].as_slice()),
    };
    let Expr::LookAround(inner, LookAround::LookAhead) = last else { return None };
    let rest = Expr::Group(Arc::new(Expr::Concat(rest.to_vec())));
    Some(Expr::Concat(vec![rest, (**inner).clone()]))
}

impl MatchCost {
    const NOTHING: Self = Self::leaf(0, 0);

    const fn leaf(states: u64, longest: u64) -> Self {
        Self { once: 0, per_byte: 0, states, longest, groups: 0, is_fixed: true, is_plain: true }
    }

    /// Returns the cost of a whole pattern, or `None` if the pattern has a construct without a
    /// known bound.
    fn of_pattern(expr: &Expr) -> Option<Self> {
        let save = saved_values(expr, 4).div_ceil(4);
        let mut cost = Weighing { save }.weigh(expr, false)?;
        if let Some(rewritten) = without_last_look_ahead(expr) {
            let rewritten = Weighing { save }.weigh(&rewritten, false)?;
            cost = if rewritten.run() > cost.run() { rewritten } else { cost };
        }
        // The cost of advancing to the next byte, and of the whole match, which is a group too.
        cost.once = cost.once.saturating_add(8 + 4 * save);
        Some(cost)
    }

    /// Returns the cost of one run, over as many bytes as the expression can consume.
    fn run(self) -> u64 {
        self.per_byte.saturating_mul(self.longest.min(LONGEST)).saturating_add(self.once)
    }

    /// Returns the cost of one call of the automaton.
    fn call(self, save: u64) -> u64 {
        // Groups take a second pass, which finds their positions.
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

/// The parameters for weighing one pattern.
#[derive(Clone, Copy)]
struct Weighing {
    /// The cost of saving a value: the engine searches all saved values.
    save: u64,
}

impl Weighing {
    /// Weighs an expression. Returns `None` if it has a construct without a known bound.
    ///
    /// If `amid` is set, the expression is surrounded by backtracking, where the engine leaves only
    /// parts of a fixed length to automata.
    fn weigh(self, expr: &Expr, amid: bool) -> Option<MatchCost> {
        let Self { save } = self;
        let cost = match expr {
            Expr::Empty => MatchCost::leaf(1, 0),
            Expr::Assertion(
                Assertion::EndTextIgnoreTrailingNewlines { .. }
                | Assertion::LeftWordHalfBoundary
                | Assertion::RightWordHalfBoundary,
            ) => return None,
            Expr::Assertion(_) => MatchCost { once: 1, ..MatchCost::leaf(1, 0) },
            Expr::Any { .. } => MatchCost { once: 1, ..MatchCost::leaf(4, 1) },
            Expr::Literal { val, .. } => {
                self.automaton(MatchCost::leaf(2 * val.len() as u64, val.len() as u64))
            }
            // The ranges of a class are searched one by one.
            Expr::Delegate { inner, .. } => self.automaton(MatchCost::leaf(4 + inner.len() as u64, 1)),
            Expr::Concat(parts) => self.concatenation(parts, amid)?,
            Expr::Alt(branches) => self.alternation(branches, amid)?,
            Expr::Group(inner) => {
                let inner = self.weigh(inner, amid)?;
                MatchCost {
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
            // Back-references, conditions, calls, atomic groups, `\K`, `\G` and others.
            _ => return None,
        };
        Some(match (cost.is_plain, amid) {
            (true, false) => MatchCost { once: cost.call(save), per_byte: 0, ..cost },
            (true, true) if cost.is_fixed => MatchCost { once: cost.once.max(cost.call(save)), ..cost },
            _ => cost,
        })
    }

    fn automaton(self, leaf: MatchCost) -> MatchCost {
        MatchCost { once: leaf.call(self.save), ..leaf }
    }

    fn concatenation(self, parts: &[Expr], amid: bool) -> Option<MatchCost> {
        let parts: Vec<MatchCost> = parts.iter().map(|part| self.weigh(part, true)).collect::<Option<_>>()?;
        let sum = |parts: &mut dyn Iterator<Item = &MatchCost>| {
            parts.fold(MatchCost::NOTHING, |sum, part| sum.then(*part))
        };
        // The beginning and the end are each left to one automaton.
        let starts = parts.iter().take_while(|part| part.is_plain && part.is_fixed).count();
        let behind = || parts.iter().skip(starts);
        let ends = behind().rev().take_while(|part| part.is_plain && (part.is_fixed || !amid)).count();
        let middles = parts.len() - starts - ends;
        let start = sum(&mut parts.iter().take(starts));
        let middle = sum(&mut behind().take(middles));
        let end = sum(&mut behind().skip(middles));
        let once = start.call(self.save).saturating_add(middle.once).saturating_add(end.call(self.save));
        // The engine may rewrite a loop, which adds a few steps.
        let once = once.saturating_add((4 + 2 * self.save) * parts.len() as u64);
        Some(MatchCost { once, per_byte: middle.per_byte, ..start.then(middle).then(end) })
    }

    fn alternation(self, branches: &[Expr], amid: bool) -> Option<MatchCost> {
        let mut any = MatchCost { states: 1, ..MatchCost::NOTHING };
        for (position, branch) in branches.iter().enumerate() {
            let branch = self.weigh(branch, amid)?;
            any = MatchCost {
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

    fn look_around(self, inner: &Expr, kind: LookAround) -> Option<MatchCost> {
        let weighed = self.weigh(inner, false)?;
        let around = 4 + 3 * self.save;
        let once = match kind {
            LookAround::LookAhead | LookAround::LookAheadNeg => weighed.run().saturating_add(around),
            LookAround::LookBehind | LookAround::LookBehindNeg => {
                if !weighed.is_plain || has_word_boundary(inner) {
                    return None;
                }
                // The engine may compile the branches as separate look-behinds, one after another.
                let branches = if let Expr::Alt(branches) = inner { branches.len() as u64 } else { 1 };
                let branch = weighed.call(self.save).saturating_add(weighed.longest.min(LONGEST) + around);
                branch.saturating_mul(branches)
            }
        };
        // A look-around consumes nothing.
        Some(MatchCost { once, per_byte: 0, longest: 0, is_fixed: true, is_plain: false, ..weighed })
    }

    fn repetition(self, inner: MatchCost, lo: usize, hi: usize) -> MatchCost {
        let is_endless = hi == usize::MAX;
        let (lo, hi) = (lo as u64, hi as u64);
        let bookkeeping = 2 + 2 * self.save;
        let round = inner.once.saturating_add(bookkeeping);
        // All required rounds may be empty, and so may one more.
        let rounds = if is_endless { lo.saturating_add(1) } else { hi };
        let longest = inner.longest.saturating_mul(if is_endless { LONGEST } else { hi });
        MatchCost {
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

    /// The bounds on backtracking do not change the results of these patterns.
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
