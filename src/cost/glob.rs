//! Patterns of models in the scopes of discounts and margins, as Python's `fnmatch` reads them.

use std::fmt::Write;

use fancy_regex::Regex;

/// A pattern with `*`, `?` and `[...]`, which matches a whole name, case-sensitively.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    regex: Regex,
    /// The number of characters that stand for themselves.
    pub(super) literal_length: usize,
}

/// A piece of a pattern.
enum Token<'a> {
    Literal(char),
    AnyOne,
    AnyNumber,
    /// A set of characters, without its brackets.
    Set(&'a str),
}

impl Glob {
    /// Compiles a pattern. Returns `None` if every character of it stands for itself.
    ///
    /// # Errors
    ///
    /// Returns the reason if the pattern is too large.
    pub(super) fn new(pattern: &str) -> Result<Option<Self>, String> {
        if !pattern.contains(['*', '?', '[']) {
            return Ok(None);
        }
        let (mut text, mut literal_length) = (String::from(r"(?s)\A"), 0);
        let mut rest = pattern;
        while let Some((token, after)) = next_token(rest) {
            match token {
                Token::Literal(letter) => {
                    literal_length += 1;
                    text.push_str(&fancy_regex::escape(letter.encode_utf8(&mut [0; 4])));
                }
                Token::AnyOne => text.push('.'),
                Token::AnyNumber => text.push_str(".*"),
                Token::Set(set) => push_set(&mut text, set),
            }
            rest = after;
        }
        text.push_str(r"\z");
        let regex = Regex::new(&text).map_err(|_| "the pattern is too large".to_owned())?;
        Ok(Some(Self { regex, literal_length }))
    }

    /// Returns whether the pattern matches a name, in time that is linear in the length of the name.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name).unwrap_or(false)
    }
}

/// Returns the first token of a pattern, and the rest of the pattern.
fn next_token(pattern: &str) -> Option<(Token<'_>, &str)> {
    let first = pattern.chars().next()?;
    let rest = pattern.strip_prefix(first)?;
    let token = match first {
        '*' => Token::AnyNumber,
        '?' => Token::AnyOne,
        '[' => {
            // A bracket that closes at once belongs to the set, behind an exclamation mark too.
            let begin = rest.strip_prefix('!').unwrap_or(rest);
            let begin = begin.strip_prefix(']').unwrap_or(begin);
            let set = begin.split_once(']').and_then(|(_, after)| {
                let set = rest.strip_suffix(after)?.strip_suffix(']')?;
                Some((Token::Set(set), after))
            });
            return set.or(Some((Token::Literal('['), rest)));
        }
        letter => Token::Literal(letter),
    };
    Some((token, rest))
}

/// Writes a set of characters and of ranges such as `a-z`. An empty set matches nothing.
fn push_set(text: &mut String, set: &str) {
    let (is_negated, set) = set.strip_prefix('!').map_or((false, set), |set| (true, set));
    let letters: Vec<char> = set.chars().collect();
    let mut ranges = String::new();
    let mut rest = letters.as_slice();
    loop {
        let (low, high, after) = match rest {
            [low, '-', high, after @ ..] => (*low, *high, after),
            [letter, after @ ..] => (*letter, *letter, after),
            [] => break,
        };
        if low <= high {
            let [low, high] = [low, high].map(u32::from);
            // Writing to a string does not fail.
            let _ = write!(ranges, r"\x{{{low:x}}}-\x{{{high:x}}}");
        }
        rest = after;
    }
    match (ranges.is_empty(), is_negated) {
        (false, negated) => text.extend(["[", if negated { "^" } else { "" }, &ranges, "]"]),
        (true, true) => text.push('.'),
        (true, false) => text.push_str(r"[^\x{0}-\x{10ffff}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_python_does() {
        for (pattern, name, expected) in [
            ("gpt-4*", "gpt-4o", true),
            ("gpt-4*", "gpt-4", true),
            ("gpt-4*", "my-gpt-4", false),
            ("*claude*", "us.anthropic.claude-3/x", true),
            ("gpt-4?", "gpt-4o", true),
            ("gpt-4?", "gpt-4", false),
            ("gpt-[345]*", "gpt-5-mini", true),
            ("gpt-[!345]*", "gpt-5-mini", false),
            ("gpt-[3-5]", "gpt-4", true),
            ("gpt-[5-3]", "gpt-4", false),
            ("gpt-[!5-3]", "gpt-4", true),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[!]]", "x", true),
            ("[", "[", true),
            ("a[b", "a[b", true),
            ("a.[*]c", "a.*c", true),
            ("a.*c", "axbc", false),
            ("(a|b)*", "(a|b)x", true),
            ("[a^]*", "^x", true),
            ("*", "", true),
            ("**", "line\nbreak", true),
            ("GPT*", "gpt-4", false),
            ("[é]?", "éü", true),
        ] {
            let glob = Glob::new(pattern).unwrap().unwrap();
            assert_eq!(glob.matches(name), expected, "{pattern} {name:?}");
        }
        assert!(Glob::new("gpt-4o").unwrap().is_none());
    }

    #[test]
    fn counts_the_characters_that_stand_for_themselves() {
        for (pattern, length) in [("gpt-4*", 5), ("*", 0), ("[abc]d?", 1), ("[a", 2), ("é*", 1)] {
            let glob = Glob::new(pattern).unwrap();
            let is_glob = pattern.contains(['*', '?', '[']);
            assert_eq!(glob.map(|glob| glob.literal_length), is_glob.then_some(length), "{pattern}");
        }
    }

    /// Many stars cost no more than linear time in the length of a name.
    #[test]
    fn long_names_are_matched_at_once() {
        let glob = Glob::new(&"*a".repeat(40)).unwrap().unwrap();
        assert!(!glob.matches(&"a".repeat(100_000).replace("aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaab")));
        assert!(glob.matches(&"a".repeat(100_000)));
    }
}
