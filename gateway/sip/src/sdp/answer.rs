//! Offer and answer (RFC 3264): whether an answer answers its offer.
use super::Sdp;

/// What a description is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asks.
    Offer,
    /// It answers the other side's.
    Answer,
}

/// Why a description is no answer to its offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// It has more or fewer media (RFC 3264 §6).
    Count,
    /// A medium is of another kind or protocol than the one offered in its place.
    Medium,
    /// A medium is taken that was offered as refused.
    Refused,
    /// An encrypted medium names none of the offered keys, or more than one (RFC 4568 §5.1.3).
    Keys,
}

impl Sdp<'_> {
    /// Is this an answer to `offer`? Directions and formats are not looked at: what phones write there is often not what they
    /// do, and each side still hears what it can.
    pub fn answers(&self, offer: &Sdp<'_>) -> Result<(), Breach> {
        let mut answers = self.media();
        for asked in offer.media() {
            let given = answers.next().ok_or(Breach::Count)?;
            if !given.kind.eq_ignore_ascii_case(asked.kind)
                || !given.protocol.eq_ignore_ascii_case(asked.protocol)
            {
                return Err(Breach::Medium);
            }
            if given.port == 0 {
                continue;
            }
            if asked.port == 0 {
                return Err(Breach::Refused);
            }
            let insists =
                asked.protocol.starts_with(b"RTP/SAVP") && asked.attributes("crypto").next().is_some();
            if insists {
                let mut keys = given.attributes("crypto").map(key_name);
                let (Some(key), None) = (keys.next(), keys.next()) else {
                    return Err(Breach::Keys);
                };
                if !asked.attributes("crypto").any(|offered| key_name(offered) == key) {
                    return Err(Breach::Keys);
                }
            }
        }
        match answers.next() {
            None => Ok(()),
            Some(_) => Err(Breach::Count),
        }
    }
}

/// Tag and suite of a `crypto` attribute, whether the suite is known here or not.
fn key_name(value: &[u8]) -> &[u8] {
    let end = value
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b' ')
        .nth(1)
        .map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or_default()
}
