//! Keys of encrypted media within a description (SDES, RFC 4568).
use super::Media;
use crate::fields::number;
use crate::scan::split_once;
use crate::write::Writer;
use core::fmt::Write;

/// How media are encrypted and authenticated (RFC 4568 §6.2, RFC 6188, RFC 7714).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`, which everybody has.
    AesCm128Sha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128Sha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    AesCm256Sha1_80,
    /// `AEAD_AES_128_GCM`.
    AesGcm128,
    /// `AEAD_AES_256_GCM`.
    AesGcm256,
}

impl Suite {
    const ALL: [Suite; 5] = [
        Suite::AesCm128Sha1_80,
        Suite::AesCm128Sha1_32,
        Suite::AesCm256Sha1_80,
        Suite::AesGcm128,
        Suite::AesGcm256,
    ];

    /// The name: `AES_CM_128_HMAC_SHA1_80`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Suite::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::AesGcm128 => "AEAD_AES_128_GCM",
            Suite::AesGcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// Bytes of master key and salt together.
    pub const fn key_len(self) -> usize {
        match self {
            Suite::AesCm128Sha1_80 | Suite::AesCm128Sha1_32 => 16 + 14,
            Suite::AesCm256Sha1_80 => 32 + 14,
            Suite::AesGcm128 => 16 + 12,
            Suite::AesGcm256 => 32 + 12,
        }
    }
}

/// The value of a `crypto` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto<'a> {
    /// Its number among the medium's, which the answer repeats; at most nine digits.
    pub tag: u32,
    /// How; unknown suites are not read.
    pub suite: Suite,
    /// Key and salt in base64.
    pub key: &'a [u8],
    /// What may follow the key, each with what parts it: `|2^20|1:4` (lifetime, key identifier), ` UNENCRYPTED_SRTP`.
    pub params: &'a [u8],
}

impl<'a> Crypto<'a> {
    /// Reads `1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4`. `None` for an unknown suite,
    /// a key that is not of its length, or more than one key.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (tag, rest) = split_once(value, b' ')?;
        let (suite, rest) = split_once(rest, b' ')?;
        let suite = Suite::ALL
            .into_iter()
            .find(|known| known.as_str().as_bytes() == suite)?;
        let keys = rest.strip_prefix(b"inline:")?;
        let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
        let len = keys.iter().take_while(|b| is_base64(b)).count();
        let (key, params) = keys.split_at(len);
        let padding = key.iter().rev().take_while(|&&b| b == b'=').count();
        let plain = key.get(..len - padding)?;
        // Some leave out the padding.
        let whole = padding == 0 || len.is_multiple_of(4);
        let fits = whole && padding <= 2 && !plain.contains(&b'=') && plain.len() * 6 / 8 == suite.key_len();
        let follows = matches!(params.first(), None | Some(b'|' | b' ')) && !params.contains(&b';');
        (fits && follows && tag.len() <= 9).then_some(())?;
        Some(Crypto {
            tag: number(tag)?,
            suite,
            key,
            params,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let _ = write!(w, "{} {} inline:", self.tag, self.suite.as_str());
        w.raw(self.key).raw(self.params);
    }
}

/// The first of a medium's keys whose suite is among `supported`, in the order of the medium (RFC 4568 §5.1.2). `None`: it
/// is to be refused if it insists on encryption (`RTP/SAVP`).
pub fn choose<'a>(medium: &Media<'a>, supported: &[Suite]) -> Option<Crypto<'a>> {
    medium
        .attributes("crypto")
        .filter_map(Crypto::parse)
        .find(|key| supported.contains(&key.suite))
}
