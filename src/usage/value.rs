//! Places for values: counts, words, names, amounts and durations.

use std::fmt;
use std::time::Duration;

use arrayvec::ArrayString;
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ServiceTier;
use super::slot::{Slot, skip_list, skip_object, skips};
use crate::json::{self, Name, Raw};
use crate::num::decimal::Decimal;
use crate::num::{Number, Usd};
use crate::text::clip;

/// A place for a count: a whole number, which may be written as `12.0`.
pub(crate) type Count = Option<u64>;

impl Slot for Count {
    #[inline]
    fn read<'de, D: Deserializer<'de>>(&mut self, name: &'static str, value: D) -> Result<(), D::Error> {
        if let Some(count) = value.deserialize_option(CountVisitor(name))? {
            *self = Some(count);
        }
        Ok(())
    }
}

/// The name of the field that makes `serde_json` hand a number on as its digits.
const NUMBER: &str = "$serde_json::private::Number";

struct CountVisitor(&'static str);

impl CountVisitor {
    #[cold]
    fn error<E: de::Error>(&self, found: impl fmt::Display) -> E {
        let name = self.0;
        let separator = if name.is_empty() { "" } else { ": " };
        E::custom(format_args!("{name}{separator}{found} is not a count: a whole number from 0 to 2^64 - 1"))
    }
}

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = if self.0.is_empty() { "" } else { " to be " };
        write!(f, "{}{subject}a count: a whole number from 0 to 2^64 - 1", self.0)
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Option<u64>, D::Error> {
        value.deserialize_any(self)
    }

    #[inline]
    fn visit_u64<E>(self, count: u64) -> Result<Option<u64>, E> {
        Ok(Some(count))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Option<u64>, E> {
        u64::try_from(count).map(Some).map_err(|_| self.error(count))
    }

    fn visit_f64<E: de::Error>(self, count: f64) -> Result<Option<u64>, E> {
        /// Floats below this hold every whole number.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if (0.0..EXACT).contains(&count) && count.fract() == 0.0 {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
            return Ok(Some(count as u64));
        }
        Err(self.error(count))
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    /// Reads a number as `serde_json` hands it on if its feature `arbitrary_precision` is enabled.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<u64>, A::Error> {
        if map.next_key_seed(Name)?.is_none_or(|name| name != NUMBER) {
            return Err(self.error("an object"));
        }
        let digits = map.next_value_seed(Name)?;
        let count = Decimal::parse(&digits).ok().filter(|count| !count.negative || count.digits == 0);
        let count = count.and_then(|count| u64::try_from(count.scaled(0)?).ok());
        count.map(Some).ok_or_else(|| self.error(clip(&digits)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Option<u64>, A::Error> {
        Err(self.error("a list"))
    }

    fn visit_bool<E: de::Error>(self, found: bool) -> Result<Option<u64>, E> {
        Err(self.error(found))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Option<u64>, E> {
        // The text may be anybody's.
        Err(self.error("a string"))
    }
}

/// The longest word or name that is kept, in bytes. A longer one is no name of a model.
const LONGEST_TEXT: usize = 512;

/// A place for a word or a name. Values that are no strings, and very long ones, are skipped.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Text(Option<String>);

impl Text {
    #[inline]
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    pub(crate) fn into_inner(self) -> Option<String> {
        self.0
    }

    #[inline]
    pub(crate) fn set(&mut self, text: &str) {
        if text.len() > LONGEST_TEXT {
            return;
        }
        // In a stream, most events repeat the same names.
        match &mut self.0 {
            Some(known) if known == text => {}
            Some(known) => {
                known.clear();
                known.push_str(text);
            }
            None => self.0 = Some(text.to_owned()),
        }
    }
}

impl Slot for Text {
    #[inline]
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        value.deserialize_any(TextVisitor(|text: &str| self.set(text)))
    }
}

/// The longest word that is kept, in bytes.
const LONGEST_WORD: usize = 63;

/// A place for a word of a provider's, kept inline. Values that are no strings, empty ones and very
/// long ones are skipped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(ArrayString<LONGEST_WORD>);

impl Word {
    #[inline]
    pub(crate) fn get(&self) -> Option<&str> {
        if self.0.is_empty() { None } else { Some(&self.0) }
    }

    pub(crate) fn to_ascii_lowercase(mut self) -> Self {
        self.0.make_ascii_lowercase();
        self
    }

    /// Returns whether the place holds this word.
    #[inline]
    pub(crate) fn is(&self, word: &str) -> bool {
        &*self.0 == word
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    #[inline]
    pub(crate) fn set(&mut self, word: &str) {
        if !word.is_empty() && word.len() <= LONGEST_WORD {
            self.0.clear();
            self.0.push_str(word);
        }
    }
}

impl Slot for Word {
    #[inline]
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        value.deserialize_any(TextVisitor(|word: &str| self.set(word)))
    }
}

/// Hands a string on. Values of other types are skipped.
pub(crate) struct TextVisitor<F>(pub(crate) F);

impl<'de, F: FnOnce(&str)> Visitor<'de> for TextVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    #[inline]
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.0)(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        skip_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        skip_object(map)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }

    skips!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));
}

impl Slot for Option<ServiceTier> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        value.deserialize_any(TextVisitor(|word: &str| *self = Some(ServiceTier::from(word))))
    }
}

impl Slot for Option<bool> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let Raw(json) = Raw::deserialize(value)?;
        *self = json.trim().parse().ok().or(*self);
        Ok(())
    }
}

/// A place for an amount in US dollars: `0.5`, `"0.5"` or `{"total_cost": 0.5}`. An amount that is
/// negative or not a valid [`Usd`] is skipped.
impl Slot for Option<Usd> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let Raw(json) = Raw::deserialize(value)?;
        *self = amount(&json).or(*self);
        Ok(())
    }
}

/// A place for a number: `1.5` or `"1.5"`. Other values are skipped.
impl Slot for Option<Number> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let Raw(json) = Raw::deserialize(value)?;
        let text = json::text(&json);
        *self = text.as_deref().unwrap_or(&json).trim().parse().ok().or(*self);
        Ok(())
    }
}

fn amount(json: &str) -> Option<Usd> {
    let parts = json::fields(json);
    let amount = match &parts {
        Ok(parts) => json::get(parts, "total_cost")?,
        Err(_) => json,
    };
    let amount: Option<Usd> = match json::text(amount) {
        Some(text) => text.trim().parse().ok(),
        None => amount.parse().ok(),
    };
    amount.filter(|cost| *cost >= Usd::ZERO)
}

/// The presence of a field that is not null.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Present(pub(crate) bool);

impl Slot for Present {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let skipped: Option<IgnoredAny> = Deserialize::deserialize(value)?;
        self.0 = skipped.is_some();
        Ok(())
    }
}

/// A place for a duration in seconds: a number, or a string of one. Other values are skipped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) Option<Duration>);

impl Slot for Seconds {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let Raw(json) = Raw::deserialize(value)?;
        let text = json::text(&json);
        let seconds = text.as_deref().unwrap_or(&json).trim();
        // To the nanosecond, exactly; through a float where there are more digits.
        let exact = Decimal::parse(seconds).ok().filter(|seconds| !seconds.negative);
        let exact = exact.and_then(|seconds| u64::try_from(seconds.scaled(9)?).ok());
        let rounded = || Duration::try_from_secs_f64(seconds.parse().ok()?).ok();
        self.0 = exact.map(Duration::from_nanos).or_else(rounded).or(self.0);
        Ok(())
    }
}
