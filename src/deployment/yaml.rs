//! A `config.yaml` as JSON, its keys in their order.

use serde::de::{Deserialize, Deserializer, Error as _};

struct Json(Vec<u8>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut json);
        serde_transcode::transcode(deserializer, &mut serializer).map_err(D::Error::custom)?;
        Ok(Self(json))
    }
}

/// The reason names the line.
pub(super) fn to_json(yaml: &str) -> Result<String, String> {
    // The lines below the first show the text itself, secrets and all.
    let said = |error: serde_saphyr::Error| {
        let said = error.to_string();
        format!("no YAML: {}", said.lines().next().unwrap_or_default())
    };
    let Json(json) = serde_saphyr::from_str(yaml).map_err(said)?;
    String::from_utf8(json).map_err(|error| error.to_string())
}
