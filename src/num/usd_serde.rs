//! Forms of [`Usd`](crate::Usd) for serde's `with`: a decimal string, a number, an integer of
//! nanodollars.
//!
//! `Usd` serialises as a string of decimal digits, which keeps them all. Where a schema asks for
//! another form, name a module of this one in `#[serde(with = "...")]`. Each takes a `Usd` or an
//! `Option<Usd>`; with the latter, add `#[serde(default)]` if the field may be absent.
//!
//! # Examples
//!
//! ```
//! use llm_costmap::Usd;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Row {
//!     #[serde(with = "llm_costmap::cost::usd::nanos")]
//!     spend_nanos: Usd,
//!     #[serde(with = "llm_costmap::cost::usd::number")]
//!     spend: Usd,
//!     #[serde(with = "llm_costmap::cost::usd::string")]
//!     limit: Option<Usd>,
//! }
//!
//! let amount: Usd = "0.0075".parse()?;
//! let row = Row { spend_nanos: amount, spend: amount, limit: Some(amount) };
//! let json = serde_json::to_string(&row)?;
//! assert_eq!(json, r#"{"spend_nanos":7500000,"spend":0.0075,"limit":"0.0075"}"#);
//! let read: Row = serde_json::from_str(&json)?;
//! assert_eq!((read.spend_nanos, read.spend, read.limit), (amount, amount, Some(amount)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::sealed::{Amount, Form};
use super::Usd;

mod sealed {
    use serde::{Deserialize, Serialize};

    use crate::num::Usd;

    /// A `Usd` or an `Option<Usd>`.
    pub trait Amount: Sized + Copy {
        fn to_form<F: Form>(self) -> impl Serialize;
        fn from_form<'de, F: Form, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
    }

    /// A form of an amount, which it is written as and read from.
    pub trait Form: Serialize + for<'de> Deserialize<'de> {
        fn of(amount: Usd) -> Self;
        fn amount(self) -> Usd;
    }
}

impl Amount for Usd {
    fn to_form<F: Form>(self) -> impl Serialize {
        F::of(self)
    }

    fn from_form<'de, F: Form, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        F::deserialize(deserializer).map(F::amount)
    }
}

impl Amount for Option<Usd> {
    fn to_form<F: Form>(self) -> impl Serialize {
        self.map(F::of)
    }

    fn from_form<'de, F: Form, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<F>::deserialize(deserializer)?.map(F::amount))
    }
}

/// Defines a form, and its module for serde's `with`.
macro_rules! form {
    ($(#[$about:meta])* $module:ident as $form:ident) => {
        struct $form(Usd);

        impl Form for $form {
            fn of(amount: Usd) -> Self {
                Self(amount)
            }

            fn amount(self) -> Usd {
                self.0
            }
        }

        $(#[$about])*
        pub mod $module {
            use serde::{Deserializer, Serialize, Serializer};

            /// Writes an amount.
            ///
            /// # Errors
            ///
            /// The serializer's, and one for an amount that the form has no room for.
            pub fn serialize<A: super::Amount, S: Serializer>(amount: &A, serializer: S) -> Result<S::Ok, S::Error> {
                amount.to_form::<super::$form>().serialize(serializer)
            }

            /// Reads an amount.
            ///
            /// # Errors
            ///
            /// The deserializer's, and one for a value that is no amount.
            pub fn deserialize<'de, A: super::Amount, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<A, D::Error> {
                A::from_form::<super::$form, D>(deserializer)
            }
        }
    };
}

form! {
    /// A string of decimal digits, such as `"0.0075"`: exact. Numbers are read as well.
    string as Digits
}

form! {
    /// A number, such as `0.0075`: the nearest 64-bit float. Amounts of up to 15 significant digits are
    /// read back exactly.
    number as Float
}

form! {
    /// An integer of nanodollars (10^-9 dollars), such as `7500000`, rounded half to even. Amounts
    /// beyond the range of an `i64`, which is 9.2 billion dollars, are an error.
    nanos as Nanos
}

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Usd::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_f64())
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Usd::deserialize(deserializer).map(Self);
        }
        Usd::from_f64(f64::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanos = self.0.to_nanos().ok_or_else(|| {
            S::Error::custom(format_args!("{} USD does not fit an i64 of nanodollars", self.0))
        })?;
        serializer.serialize_i64(nanos)
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Usd::from_nanos).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        #[serde(with = "string")]
        string: Usd,
        #[serde(with = "number")]
        number: Usd,
        #[serde(with = "nanos")]
        nanos: Usd,
        #[serde(with = "nanos", default)]
        maybe: Option<Usd>,
    }

    fn usd(text: &str) -> Usd {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn each_form_is_written_and_read_back() {
        let all = All { string: usd("1e-28"), number: usd("2.5e-6"), nanos: usd("1.5"), maybe: None };
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(
            json,
            r#"{"string":"0.0000000000000000000000000001","number":2.5e-6,"nanos":1500000000,"maybe":null}"#
        );
        assert_eq!(serde_json::from_str::<All>(&json).unwrap(), all);
        let read: All = serde_json::from_str(r#"{"string": 0.1, "number": "0.1", "nanos": -5}"#).unwrap();
        assert_eq!((read.string, read.number, read.nanos), (usd("0.1"), usd("0.1"), usd("-5e-9")));
    }

    #[test]
    fn amounts_without_room_are_errors() {
        let all = All { string: Usd::ZERO, number: Usd::ZERO, nanos: Usd::MAX, maybe: None };
        assert_eq!(
            serde_json::to_string(&all).map_err(|error| error.to_string()),
            Err("17000000000 USD does not fit an i64 of nanodollars".to_owned())
        );
        for json in [r#""5""#, "1.5", "9223372036854775808"] {
            assert!(nanos::deserialize::<Usd, _>(&mut serde_json::Deserializer::from_str(json)).is_err());
        }
    }
}
