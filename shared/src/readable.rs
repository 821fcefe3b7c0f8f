//! How values stand in text that people read (JSON): as they are written, `"0312340001"`. On the wire and in flash
//! (postcard) they are integers.

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::date::{Date, Local};
use crate::hub::Mac;
use crate::id::{IdKey, IdSet};
use crate::number::Number;
use crate::route::Prefix;
use crate::schedule::Hours;

/// Reads a text with [`FromStr`].
struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Text by `Display` and `FromStr`; integers by `From` and `TryFrom`.
macro_rules! readable {
    ($($type:ty, $wire:ty;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    <$wire>::from(*self).serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Text(PhantomData))
                } else {
                    Self::try_from(<$wire>::deserialize(deserializer)?).map_err(D::Error::custom)
                }
            }
        }
    )*};
}

readable! {
    Number, u64;
    Prefix, u64;
    Date, u16;
    Local, (u16, u16);
    Hours, (u16, u16);
    Mac, [u8; 6];
}

impl Serialize for IdSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_seq(self.iter())
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for IdSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = IdSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of keys")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut keys: A) -> Result<IdSet, A::Error> {
                let mut set = IdSet::EMPTY;
                while let Some(key) = keys.next_element::<IdKey>()? {
                    set.insert(key);
                }
                Ok(set)
            }
        }

        if deserializer.is_human_readable() {
            deserializer.deserialize_seq(Keys)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}
