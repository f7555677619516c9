//! Places that the fields of providers' objects are read into.
//!
//! A place may already hold a value, as in a stream: a field that is present replaces it, and a
//! field that is absent or null keeps it. Of repeated fields the last one counts.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::Name;

/// A place for the value of a field.
pub(crate) trait Slot {
    /// Reads a value into the place. `name` is the name of the field, for errors.
    fn read<'de, D: Deserializer<'de>>(&mut self, name: &'static str, value: D) -> Result<(), D::Error>;
}

/// Reads a value into a place.
pub(crate) struct Place<'a, S> {
    pub(crate) slot: &'a mut S,
    pub(crate) name: &'static str,
}

impl<'de, S: Slot> DeserializeSeed<'de> for Place<'_, S> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        self.slot.read(self.name, value)
    }
}

/// An object whose fields are places.
pub(crate) trait Object {
    /// Reads the value of a field. Returns `false` if the object has no place for the field, whose
    /// value is then left to be skipped.
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// A list that is read element by element.
pub(crate) trait List {
    type Element: Slot + Default;

    /// Begins a list, which replaces the previous one.
    fn begin(&mut self);

    /// Adds an element.
    fn add(&mut self, element: Self::Element);
}

/// Defines an object whose fields are places. Several names may lead to one place.
macro_rules! object {
    (
        $(#[$about:meta])*
        struct $object:ident {
            $($(#[$doc:meta])* $field:ident: $slot:ty = $($name:literal)|+,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Default, Clone)]
        pub(crate) struct $object {
            $($(#[$doc])* pub(crate) $field: $slot,)+
        }

        impl $crate::usage::Object for $object {
            #[inline]
            fn read_field<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                map: &mut A,
            ) -> Result<bool, A::Error> {
                match name {
                    $($($name)|+ => map.next_value_seed($crate::usage::Place {
                        slot: &mut self.$field,
                        name: stringify!($field),
                    })?,)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }

        impl $crate::usage::Slot for $object {
            #[inline]
            fn read<'de, D: serde::Deserializer<'de>>(
                &mut self,
                _: &'static str,
                value: D,
            ) -> Result<(), D::Error> {
                $crate::usage::read_object(self, value)
            }
        }
    };
}
pub(crate) use object;

/// Implements [`Slot`] for types that a function of this module reads.
macro_rules! slots_by {
    ($read:ident: $($slot:ty),+) => {
        $(
            impl $crate::usage::Slot for $slot {
                fn read<'de, D: serde::Deserializer<'de>>(
                    &mut self,
                    _: &'static str,
                    value: D,
                ) -> Result<(), D::Error> {
                    $crate::usage::$read(self, value)
                }
            }
        )+
    };
}
pub(crate) use slots_by;

/// Reads an object into its places. Values of other types are skipped.
#[inline]
pub(crate) fn read_object<'de, O: Object, D: Deserializer<'de>>(
    object: &mut O,
    value: D,
) -> Result<(), D::Error> {
    value.deserialize_any(ObjectVisitor(object))
}

/// Reads a list. Values of other types are skipped.
pub(crate) fn read_list<'de, L: List, D: Deserializer<'de>>(list: &mut L, value: D) -> Result<(), D::Error> {
    value.deserialize_any(ListVisitor(list))
}

/// Reads an object, or each object of a list, into the same places. Values of other types are
/// skipped.
pub(crate) fn read_each<'de, O: Object, D: Deserializer<'de>>(
    object: &mut O,
    value: D,
) -> Result<(), D::Error> {
    value.deserialize_any(EachVisitor(object))
}

/// Reads a list, or an object into its places. Values of other types are skipped.
pub(crate) fn read_list_or_object<'de, T: List + Object, D: Deserializer<'de>>(
    either: &mut T,
    value: D,
) -> Result<(), D::Error> {
    value.deserialize_any(EitherVisitor(either))
}

/// Methods of a visitor that skip values of other types than the one that is expected.
macro_rules! skips {
    ($($method:ident($type:ty)),+) => {
        $(
            #[inline]
            fn $method<E>(self, _: $type) -> Result<(), E> {
                Ok(())
            }
        )+

        #[inline]
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }

        #[inline]
        fn visit_none<E>(self) -> Result<(), E> {
            Ok(())
        }
    };
}
pub(super) use skips;

pub(super) fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

pub(super) fn skip_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<(), A::Error> {
    while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

struct ObjectVisitor<'a, O>(&'a mut O);

impl<'de, O: Object> Visitor<'de> for ObjectVisitor<'_, O> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            if !self.0.read_field(&name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        skip_list(list)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }

    skips!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
}

struct EachVisitor<'a, O>(&'a mut O);

impl<'de, O: Object> Visitor<'de> for EachVisitor<'_, O> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        ObjectVisitor(self.0).visit_map(map)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(ObjectSeed(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }

    skips!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
}

struct EitherVisitor<'a, T>(&'a mut T);

impl<'de, T: List + Object> Visitor<'de> for EitherVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        ObjectVisitor(self.0).visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        ListVisitor(self.0).visit_seq(list)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }

    skips!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
}

struct ObjectSeed<'a, O>(&'a mut O);

impl<'de, O: Object> DeserializeSeed<'de> for ObjectSeed<'_, O> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        read_object(self.0, value)
    }
}

struct ListVisitor<'a, L>(&'a mut L);

impl<'de, L: List> Visitor<'de> for ListVisitor<'_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.begin();
        loop {
            let mut element = L::Element::default();
            if list.next_element_seed(Place { slot: &mut element, name: "" })?.is_none() {
                return Ok(());
            }
            self.0.add(element);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        skip_object(map)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }

    skips!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
}
