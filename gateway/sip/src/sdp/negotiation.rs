//! Offer and answer (RFC 3264): whose turn it is, and whether an answer answers its offer.
use super::Sdp;

/// What a description is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asks.
    Offer,
    /// It answers the other side's.
    Answer,
}

/// A description that comes while it must not; the answer is [`Glare::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glare {
    /// Its side has an offer that waits for its answer.
    Unanswered,
    /// The other side has one.
    Pending,
}

impl Glare {
    /// 500 to who asks twice, 491 where both ask (RFC 3311 §5.2, RFC 3261 §14.2).
    pub const fn status(self) -> u16 {
        match self {
            Self::Unanswered => 500,
            Self::Pending => 491,
        }
    }
}

/// Where the two sides of a session stand, seen from one of them or from between. `S` names a side.
///
/// What carries a description does not matter (RFC 6337 §2.2): an offer in an INVITE is answered in a 1xx, PRACK's or 2xx, one in
/// a 2xx in the ACK, one in an UPDATE in its 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiation<S> {
    offerer: Option<S>,
}

impl<S> Default for Negotiation<S> {
    fn default() -> Self {
        Self { offerer: None }
    }
}

impl<S: Copy + PartialEq> Negotiation<S> {
    /// A request of this side asks for another session.
    pub fn offer(&mut self, from: S) -> Result<(), Glare> {
        match self.offerer {
            None => {
                self.offerer = Some(from);
                Ok(())
            }
            Some(open) if open == from => Err(Glare::Unanswered),
            Some(_) => Err(Glare::Pending),
        }
    }

    /// A description in an answer or an ACK of this side: an offer where none is open, and the answer to the other side's,
    /// of which there may be several until it is [`Negotiation::settle`]d, as branches of a call answer one offer.
    pub fn respond(&mut self, from: S) -> Result<Role, Glare> {
        match self.offerer {
            None => self.offer(from).map(|()| Role::Offer),
            Some(open) if open == from => Err(Glare::Unanswered),
            Some(_) => Ok(Role::Answer),
        }
    }

    /// Whose offer waits for its final answer.
    pub fn offerer(&self) -> Option<S> {
        self.offerer
    }

    /// The answer was final, or the offer is refused or taken back, which leaves the session as it was (RFC 3261 §14.1).
    pub fn settle(&mut self) {
        self.offerer = None;
    }
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
