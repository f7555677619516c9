//! The currency of prices: US dollars, and no other.

use crate::json;

/// Returns whether a field names the currency of prices.
pub(crate) fn is_named(name: &str) -> bool {
    matches!(name, "currency" | "pricing_currency" | "billing_currency")
}

/// Returns the reason why a field of an entry or a deployment is refused, if it names a currency other
/// than US dollars. Prices in roubles must not be read as prices in dollars.
pub(crate) fn refusal(name: &str, json: &str) -> Option<String> {
    if !is_named(name) || json == "null" {
        return None;
    }
    let named = json::text(json);
    if named.as_deref().is_some_and(|named| named.trim().eq_ignore_ascii_case("USD")) {
        return None;
    }
    // A longer text is not repeated: it may be a misplaced secret.
    let is_code =
        |named: &&str| (1..=8).contains(&named.len()) && named.bytes().all(|byte| byte.is_ascii_alphabetic());
    let named = named.as_deref().filter(is_code).map_or_else(String::new, |named| format!("{named} "));
    Some(format!("{named}is not USD: all prices are US dollars, so convert them and leave the field out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_alone_are_accepted() {
        for (name, json) in [
            ("currency", "\"USD\""),
            ("currency", "\" usd \""),
            ("pricing_currency", "\"USD\""),
            ("currency", "null"),
            ("mode", "\"RUB\""),
            ("currency_note", "\"RUB\""),
            ("team_currency", "\"EUR\""),
            ("supports_multi_currency", "true"),
        ] {
            assert_eq!(refusal(name, json), None, "{name}: {json}");
        }
        let advice = "is not USD: all prices are US dollars, so convert them and leave the field out";
        assert_eq!(refusal("currency", "\"RUB\""), Some(format!("RUB {advice}")));
        assert_eq!(refusal("billing_currency", "\"EUR\""), Some(format!("EUR {advice}")));
        for json in ["\"sk-abc\"", "\"\"", "5", "[\"USD\"]", "\"ROUBLES AND KOPECKS\""] {
            let reason = refusal("currency", json);
            assert!(reason.as_deref().is_some_and(|reason| reason.ends_with(advice)), "{json}: {reason:?}");
            assert!(!reason.is_some_and(|reason| reason.contains("sk-") || reason.contains("  ")), "{json}");
        }
    }
}
