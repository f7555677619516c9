//! Removal of what a provider's names carry beside the model: routes, regions, versions, dates.

use std::borrow::Cow;

use super::names::{BEDROCK_GEOS, BEDROCK_REGIONS, BEDROCK_ROUTES, Family};

/// Removes `provider/` from a name. Returns `None` if the name does not begin with it.
pub(super) fn without_provider<'a>(name: &'a str, provider: &str) -> Option<&'a str> {
    name.strip_prefix(provider)?.strip_prefix('/')
}

/// Reduces a repeated provider to one: `openai/openai/x` becomes `openai/x`.
pub(super) fn without_doubled_provider<'a>(mut name: &'a str, provider: &str) -> &'a str {
    while let Some(rest) = without_provider(name, provider) {
        if without_provider(rest, provider).is_none() {
            break;
        }
        name = rest;
    }
    name
}

/// Strips a name down to the model by the rules of a family. Returns `None` if there is nothing to
/// strip.
pub(super) fn stripped(name: &str, family: Family) -> Option<&str> {
    let stripped = match family {
        Family::Bedrock => bedrock_model(name),
        Family::Versioned => without_version(name),
        Family::Mantle | Family::Fireworks | Family::Other if name.contains("ft:") => without_fine_tune(name),
        Family::Mantle | Family::Fireworks | Family::Other => without_date(name),
    };
    (!std::ptr::eq(stripped, name)).then_some(stripped)
}

/// Removes a version made of digits: `gemini-1.5-pro-002` becomes `gemini-1.5-pro`.
fn without_version(name: &str) -> &str {
    let rest = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if rest.len() == name.len() { name } else { rest.strip_suffix('-').unwrap_or(name) }
}

/// Removes the last three fields of a fine-tune: `ft:gpt-4o:my-org:suffix:id` becomes `ft:gpt-4o`.
/// Fields may be empty. A name with fewer fields is kept.
fn without_fine_tune(name: &str) -> &str {
    name.rmatch_indices(':').nth(2).and_then(|(at, _)| name.get(..at)).unwrap_or(name)
}

/// Removes a date: `gpt-4o-2024-08-06` becomes `gpt-4o`. A shorter number is kept, as it is a
/// version with a price of its own.
fn without_date(name: &str) -> &str {
    const DATE: &[u8] = b"-0000-00-00";
    let Some((rest, date)) = name.len().checked_sub(DATE.len()).and_then(|at| name.split_at_checked(at))
    else {
        return name;
    };
    let is_date = date.bytes().zip(DATE).all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        like => byte == *like,
    });
    if is_date { rest } else { name }
}

/// Removes the prefixes that choose a route on Bedrock, each once, in the order of the list.
fn without_routes(name: &str) -> &str {
    BEDROCK_ROUTES.iter().fold(name, |name, route| name.strip_prefix(route).unwrap_or(name))
}

/// Removes a region from the beginning of a path.
pub(crate) fn without_region_path(name: &str) -> &str {
    match name.split_once('/') {
        Some((region, rest)) if BEDROCK_REGIONS.contains(&region) => rest,
        _ => name,
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// Removes the route from a Bedrock id. A region is kept, unless an ARN follows it: of an ARN, only
/// the last segment is kept, which is the model.
pub(super) fn without_bedrock_route(name: &str) -> &str {
    let name = without_routes(name);
    let resource = without_region_path(name);
    if resource.starts_with("arn:") { last_segment(resource) } else { name }
}

/// Returns the model of a Bedrock id.
fn bedrock_model(name: &str) -> &str {
    let behind =
        ["bedrock/converse/", "bedrock/", "converse/"].iter().find_map(|route| name.strip_prefix(route));
    match behind.unwrap_or(name) {
        custom if custom.starts_with("nova-2/") => return "amazon.nova-2-custom",
        custom if custom.starts_with("nova/") => return "amazon.nova-custom",
        _ => {}
    }
    let name = without_routes(name);
    let name = if name.contains("arn:") || name.contains("ARN:") { last_segment(name) } else { name };
    let name = without_bracket(without_throughput(name));
    match name.split_once('.') {
        Some((geo, rest)) if BEDROCK_GEOS.contains(&geo) => rest,
        _ => without_region_path(name),
    }
}

/// Removes a throughput suffix: `model:0:51k` becomes `model:0`.
fn without_throughput(name: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let kept = name.rsplit_once(':').filter(|(rest, size)| {
        size.strip_suffix('k').is_some_and(is_number)
            && rest.rsplit_once(':').is_some_and(|(_, version)| is_number(version))
    });
    kept.map_or(name, |(rest, _)| rest)
}

/// Removes a suffix in brackets: `model[1m]` becomes `model`.
fn without_bracket(name: &str) -> &str {
    let kept = name.strip_suffix(']').and_then(|open| open.rsplit_once('['));
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    kept.filter(|(_, window)| is_word(window)).map_or(name, |(rest, _)| rest)
}

/// Returns the resource name of a Fireworks model, by which the map lists its entries.
pub(super) fn fireworks_resource(name: &str) -> Cow<'_, str> {
    const ROUTERS: [&str; 3] = ["firerouter", "auto", "auto-instant"];
    let name = without_provider(name, "fireworks_ai").unwrap_or(name);
    let folder = if name.starts_with("accounts/") || name.starts_with("FW-") || name.contains('#') {
        return Cow::Borrowed(name);
    } else if name.starts_with("routers/") || name.starts_with("models/") {
        ""
    } else if name.ends_with("-fast") || ROUTERS.contains(&name) || name.starts_with("firerouter/") {
        "routers/"
    } else {
        "models/"
    };
    Cow::Owned(format!("accounts/fireworks/{folder}{name}"))
}

/// Returns the ids that Bedrock may have for a model of Anthropic's, whose responses have Anthropic's
/// own name. Names of other models have none.
pub(super) fn bedrock_ids(name: &str) -> impl Iterator<Item = String> {
    let is_claude = name.starts_with("claude-");
    let ids = ["-v1:0", "-v2:0", ""].map(|version| format!("anthropic.{name}{version}"));
    ids.into_iter().filter(move |_| is_claude)
}

/// Returns the shorter forms of a name that a response has for its model, the longest first.
pub(super) fn served_forms(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(without_path(name).or_else(|| without_tag(name)), |name| without_tag(name))
}

/// Removes the path of a model: `models/gemini-2.5-pro`, `google/gemini-2.5-pro` and
/// `publishers/google/models/gemini-2.5-pro` become `gemini-2.5-pro`, and of the ARN of a model or a profile the last segment is left. Other
/// resources have names that their owners chose.
fn without_path(name: &str) -> Option<&str> {
    let published = || {
        let (path, model) = name.rsplit_once("/models/")?;
        let (path, _) = path.rsplit_once('/')?;
        (path == "publishers" || path.ends_with("/publishers")).then_some(model)
    };
    let of_arn = || {
        let (kind, model) = name.strip_prefix("arn:")?.rsplit_once('/')?;
        (kind.ends_with(":foundation-model") || kind.ends_with(":inference-profile")).then_some(model)
    };
    let prefixed = name.strip_prefix("models/").or_else(|| name.strip_prefix("google/"));
    let model = prefixed.or_else(published).or_else(of_arn);
    model.filter(|model| !model.is_empty())
}

/// Removes one tag, date or version of three digits from the end of a name. Other numbers are kept:
/// they are versions with prices of their own.
fn without_tag(name: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = |version: &str| matches!(version.len(), 3 | 8) && is_number(version);
    let is_tag = |tag: &str| tag == "latest" || tag == "default";
    let dated = Some(without_date(name)).filter(|rest| rest.len() < name.len());
    let versioned =
        || Some(name.rsplit_once('-').filter(|(_, tail)| *tail == "latest" || is_version(tail))?.0);
    let tagged =
        || Some(name.rsplit_once(['@', ':']).filter(|(_, tail)| is_tag(tail) || is_version(tail))?.0);
    dated.or_else(versioned).or_else(tagged).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip<'a>(name: &'a str, provider: &str) -> &'a str {
        stripped(name, Family::of(provider)).unwrap_or(name)
    }

    #[test]
    fn strips_dates_and_nothing_shorter() {
        assert_eq!(strip("gpt-4o-2024-08-06", "openai"), "gpt-4o");
        assert_eq!(strip("gpt-4o-2024-08-06-2024-08-06", "openai"), "gpt-4o-2024-08-06");
        for kept in
            ["mistral-large-2407", "gpt-4-0613", "x-20240806", "x-2024-08-6", "-日本語日本", "2024-08-06", ""]
        {
            assert_eq!(strip(kept, "openai"), kept);
        }
    }

    #[test]
    fn strips_one_version_where_versions_are_digits() {
        assert_eq!(strip("gemini-1.5-pro-002", "gemini"), "gemini-1.5-pro");
        assert_eq!(strip("gemini-1.5-pro-002-003", "vertex_ai"), "gemini-1.5-pro-002");
        assert_eq!(strip("gemini-1.5-pro002", "vertex_ai"), "gemini-1.5-pro002");
        assert_eq!(strip("123", "databricks"), "123");
        assert_eq!(strip("-1", "databricks"), "");
    }

    #[test]
    fn strips_three_fields_of_a_fine_tune() {
        assert_eq!(strip("ft:gpt-4o:my-org:suffix:id", "openai"), "ft:gpt-4o");
        assert_eq!(strip("ft:gpt-4o-2024-08-06:my-org::id", "openai"), "ft:gpt-4o-2024-08-06");
        assert_eq!(strip("ft:gpt-4o:id", "openai"), "ft:gpt-4o:id");
        // The date of a fine-tune's base model is kept.
        assert_eq!(strip("ft:gpt-4o-2024-08-06", "openai"), "ft:gpt-4o-2024-08-06");
    }

    #[test]
    fn strips_what_bedrock_ids_carry() {
        for (name, model) in [
            ("us.anthropic.claude-v2:1", "anthropic.claude-v2:1"),
            ("bedrock/us-west-2/anthropic.claude-v2", "anthropic.claude-v2"),
            ("bedrock/converse/us.meta.llama3", "meta.llama3"),
            ("anthropic.claude-v2:1:51k", "anthropic.claude-v2:1"),
            ("anthropic.claude-v2:51k", "anthropic.claude-v2:51k"),
            ("us.anthropic.claude-opus-4-6-v1[1m]", "anthropic.claude-opus-4-6-v1"),
            ("anthropic.claude[]", "anthropic.claude[]"),
            ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
            ("nova-2/arn:aws:bedrock:us-east-1:1:custom-model/x", "amazon.nova-2-custom"),
            ("bedrock/converse/nova/arn:aws:x", "amazon.nova-custom"),
            // Either a geography or a region is removed, not both.
            ("us.us-west-2/anthropic.claude-v2", "us-west-2/anthropic.claude-v2"),
            ("ap.anthropic.claude-v2", "ap.anthropic.claude-v2"),
        ] {
            assert_eq!(strip(name, "bedrock"), model, "{name}");
        }
        assert_eq!(without_bedrock_route("bedrock/converse/us-west-2/m"), "us-west-2/m");
        assert_eq!(without_bedrock_route("us-west-2/arn:aws:bedrock:x/m"), "m");
        assert_eq!(without_bedrock_route("converse/bedrock/m"), "bedrock/m");
    }

    #[test]
    fn knows_what_a_resource_on_fireworks_is_called() {
        for (name, resource) in [
            ("llama-v3", "accounts/fireworks/models/llama-v3"),
            ("fireworks_ai/llama-v3", "accounts/fireworks/models/llama-v3"),
            ("models/llama-v3", "accounts/fireworks/models/llama-v3"),
            ("accounts/me/models/x", "accounts/me/models/x"),
            ("FW-GLM-5", "FW-GLM-5"),
            ("m#deployment", "m#deployment"),
            ("glm-5-fast", "accounts/fireworks/routers/glm-5-fast"),
            ("auto", "accounts/fireworks/routers/auto"),
            ("firerouter/x", "accounts/fireworks/routers/firerouter/x"),
        ] {
            assert_eq!(fireworks_resource(name), resource, "{name}");
        }
    }

    #[test]
    fn counts_a_doubled_provider_once() {
        assert_eq!(without_doubled_provider("openai/openai/openai/x", "openai"), "openai/x");
        assert_eq!(without_doubled_provider("openai/x", "openai"), "openai/x");
        assert_eq!(without_doubled_provider("openai/openai", "openai"), "openai/openai");
    }
}
