//! Places for values of responses that are written in more than one way.

use serde::de::{DeserializeSeed, MapAccess};
use serde::{Deserialize, Deserializer};

use crate::json::{self, Raw};
use crate::usage::{Object, Place, ServiceTier, Slot, Text, TextVisitor, Word, read_object, slots_by};

slots_by!(read_object: IncompleteDetails<'_>);

/// Reads a value into a place.
pub(super) fn read<'de, S: Slot, A: MapAccess<'de>>(slot: &mut S, map: &mut A) -> Result<bool, A::Error> {
    map.next_value_seed(Place { slot, name: "" })?;
    Ok(true)
}

/// Hands a word on.
pub(super) struct WordSeed<F>(pub(super) F);

impl<'de, F: FnOnce(&str)> DeserializeSeed<'de> for WordSeed<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(TextVisitor(self.0))
    }
}

/// The error that a provider responds with. Its message is not kept, since it may quote the request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct ProviderError {
    pub(super) kind: Text,
    pub(super) code: Text,
}

impl Object for ProviderError {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "type" | "status" | "__type" => read(&mut self.kind, map),
            "code" => read(&mut Code(&mut self.code), map),
            _ => Ok(false),
        }
    }
}

/// A place for an error. Null is none.
pub(super) struct ErrorPlace<'a>(pub(super) &'a mut Option<ProviderError>);

impl Slot for ErrorPlace<'_> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        if let Some(error) = value.deserialize_option(ErrorVisitor)? {
            *self.0 = Some(error);
        }
        Ok(())
    }
}

struct ErrorVisitor;

impl<'de> serde::de::Visitor<'de> for ErrorVisitor {
    type Value = Option<ProviderError>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        let mut error = ProviderError::default();
        read_object(&mut error, value)?;
        Ok(Some(error))
    }
}

/// Bedrock's service tier: an object with the word, or the word.
pub(super) struct TierObject<'a>(pub(super) &'a mut Option<ServiceTier>);

impl Slot for TierObject<'_> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let Raw(json) = Raw::deserialize(value)?;
        let fields = json::fields(&json).unwrap_or_default();
        if let Some(word) = json::text(json::get(&fields, "type").unwrap_or(&json)) {
            *self.0 = Some(ServiceTier::from(&*word));
        }
        Ok(())
    }
}

/// A name of a response. The last event of a stream may have empty ones.
pub(super) struct Named<'a>(pub(super) &'a mut Text);

impl Slot for Named<'_> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        value.deserialize_any(TextVisitor(|name: &str| {
            if !name.is_empty() {
                self.0.set(name);
            }
        }))
    }
}

/// The code of an error: a word or a number.
pub(super) struct Code<'a>(pub(super) &'a mut Text);

impl Slot for Code<'_> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let Raw(json) = Raw::deserialize(value)?;
        match json::text(&json) {
            Some(word) => self.0.set(&word),
            None if json::is_number(&json) => self.0.set(&json),
            None => {}
        }
        Ok(())
    }
}

/// The reason for which a response of OpenAI's is incomplete.
pub(super) struct IncompleteDetails<'a>(pub(super) &'a mut Word);

impl Object for IncompleteDetails<'_> {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name == "reason" { read(self.0, map) } else { Ok(false) }
    }
}
