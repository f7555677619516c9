//! Names without an entry that are priced nevertheless: by parameter count, as an older name, by a
//! router's fee, or as free.

use super::{Layers, Lookup, resolve};
use crate::catalog::EntryRef;

/// Providers whose models run on the caller's own machines.
const SELF_HOSTED: [&str; 2] = ["ollama", "lemonade"];

/// The longest name that is considered, in bytes.
const MAX_NAME: usize = 256;

/// Prefixes of older names of Databricks endpoints, and the keys of their current names.
const DATABRICKS: [(&str, &str); 7] = [
    ("dbrx-instruct", "databricks/databricks-dbrx-instruct"),
    ("meta-llama-3.1-70b-instruct", "databricks/databricks-meta-llama-3-1-70b-instruct"),
    ("meta-llama-3.1-405b-instruct", "databricks/databricks-meta-llama-3-1-405b-instruct"),
    ("mixtral-8x7b-instruct-v0.1", "databricks/databricks-mixtral-8x7b-instruct"),
    ("bge-large-en", "databricks/databricks-bge-large-en"),
    ("gte-large-en", "databricks/databricks-gte-large-en"),
    ("llama-2-70b-chat", "databricks/databricks-llama-2-70b-chat"),
];

/// Together AI's size classes: the upper bound in billions of parameters, and the key of the class.
const TOGETHER: [(u64, &str); 6] = [
    (4, "together-ai-up-to-4b"),
    (8, "together-ai-4.1b-8b"),
    (21, "together-ai-8.1b-21b"),
    (41, "together-ai-21.1b-41b"),
    (80, "together-ai-41.1b-80b"),
    (110, "together-ai-81.1b-110b"),
];

/// Fireworks' size classes, like [`TOGETHER`].
const FIREWORKS: [(u64, &str); 3] =
    [(4, "fireworks-ai-up-to-4b"), (16, "fireworks-ai-4.1b-to-16b"), (u64::MAX, "fireworks-ai-above-16b")];

/// Fireworks' size classes for mixtures of experts. The bound is the number of experts times the
/// billions of parameters of each.
const FIREWORKS_EXPERTS: [(u64, &str); 2] =
    [(56, "fireworks-ai-moe-up-to-56b"), (176, "fireworks-ai-56b-to-176b")];

/// The key of the entry that prices Azure's model router: a flat fee on prompt tokens.
const ROUTER: &str = "azure_ai/model_router";

/// Returns the provider asked for, or else the first segment of the name.
pub(super) fn provider_of(lookup: Lookup<'_>) -> Option<&str> {
    lookup.provider.or_else(|| lookup.name.split_once('/').map(|(first, _)| first))
}

/// Returns the entry that prices a model without an entry of its own. Returns `None` if there is no
/// such entry.
pub(super) fn stand_in<'m>(layers: Layers<'m>, lookup: Lookup<'_>) -> Option<EntryRef<'m>> {
    let (name, provider) = (lookup.name, provider_of(lookup)?);
    if name.len() > MAX_NAME {
        return None;
    }
    let rest = name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
    let key = match provider {
        "together_ai" => bucket(&TOGETHER, parameters(rest)?),
        "fireworks_ai" => {
            let experts = mixture(rest).and_then(|total| bucket(&FIREWORKS_EXPERTS, total));
            experts.or_else(|| bucket(&FIREWORKS, parameters(rest)?))
        }
        "databricks" => DATABRICKS.iter().find(|(prefix, _)| rest.starts_with(prefix)).map(|(_, key)| *key),
        "azure_ai" if is_router(rest) => Some(ROUTER),
        _ => None,
    };
    resolve(layers, Lookup::new(key?)).map(|found| found.entry)
}

/// Returns the entry whose input rate a router adds to the cost of the model it chose. Returns
/// `None` if the requested name is not a router's on Azure AI.
pub(crate) fn router_fee<'m>(layers: Layers<'m>, requested: Lookup<'_>) -> Option<EntryRef<'m>> {
    if provider_of(requested)? != "azure_ai" {
        return None;
    }
    let rest = requested.name.strip_prefix("azure_ai/").unwrap_or(requested.name);
    if is_router(rest) { resolve(layers, Lookup::new(ROUTER)).map(|found| found.entry) } else { None }
}

/// Returns whether an entry is the router's own, whose rates are the fee itself.
pub(crate) fn is_router_entry(key: &str) -> bool {
    matches!(key, ROUTER | "azure_ai/model-router")
}

/// Returns whether a model runs on the caller's own machines.
pub(super) fn is_self_hosted(lookup: Lookup<'_>) -> bool {
    provider_of(lookup).is_some_and(|provider| SELF_HOSTED.contains(&provider))
}

fn is_router(name: &str) -> bool {
    let name = name.as_bytes();
    name.windows(12)
        .any(|part| part.eq_ignore_ascii_case(b"model-router") || part.eq_ignore_ascii_case(b"model_router"))
}

fn bucket(sizes: &[(u64, &'static str)], size: u64) -> Option<&'static str> {
    sizes.iter().find(|(up_to, _)| size <= *up_to).map(|(_, key)| *key)
}

/// Returns the parameter count of a name in billions: the first run of digits followed by a `b`. A
/// fraction counts without its integer part: `0.5b` gives 5.
fn parameters(name: &str) -> Option<u64> {
    numbers(name).find(|number| number.unit == Some(b'b')).and_then(|number| number.value)
}

/// Returns the parameter count of a mixture of experts in billions: the product of the numbers in
/// `8x7b`.
fn mixture(name: &str) -> Option<u64> {
    let mut numbers = numbers(name).peekable();
    while let Some(number) = numbers.next() {
        if let (Some(b'x'), Some(next)) = (number.unit, numbers.peek()) {
            if next.start == number.end + 1 && next.unit == Some(b'b') {
                return number.value?.checked_mul(next.value?);
            }
        }
    }
    None
}

/// A run of digits in a name.
struct Number {
    start: usize,
    end: usize,
    /// `None` if the digits do not fit a `u64`.
    value: Option<u64>,
    /// The byte after the digits, in lower case.
    unit: Option<u8>,
}

fn numbers(name: &str) -> impl Iterator<Item = Number> + '_ {
    let bytes = name.as_bytes();
    let mut position = 0;
    std::iter::from_fn(move || {
        let start = position + bytes.get(position..)?.iter().position(u8::is_ascii_digit)?;
        let length = bytes.get(start..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = start + length;
        position = end;
        let value = name.get(start..end).and_then(|digits| digits.parse().ok());
        Some(Number { start, end, value, unit: bytes.get(end).map(u8::to_ascii_lowercase) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_parameter_counts() {
        assert_eq!(parameters("meta-llama/Llama-3.1-70B-Instruct"), Some(70));
        assert_eq!(parameters("qwen2-0.5b"), Some(5));
        assert_eq!(parameters("mixtral-8x7b"), Some(7));
        assert_eq!(parameters("gpt-4o"), None);
        assert_eq!(parameters("99999999999999999999999b"), None);
        assert_eq!(parameters("日本語-13b"), Some(13));
        assert_eq!(mixture("mixtral-8x22b-instruct"), Some(176));
        assert_eq!(mixture("8x-7b"), None);
        assert_eq!(mixture("v2-8x7b"), Some(56));
    }

    #[test]
    fn knows_a_router_by_its_name() {
        for name in ["model-router", "azure-model-router", "Model_Router/gpt-5"] {
            assert!(is_router(name), "{name}");
        }
        assert!(!is_router("router-model") && !is_router(""));
    }
}
