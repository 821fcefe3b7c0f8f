//! Pick-up (代理応答): a phone takes a call that rings elsewhere, by its name, which the lamp of the line that rings says (RFC 3891),
//! or by `**` and the extension.

use sip::Instant;
use sip::b2bua::{Refusal, SDP_MAX, Side};
use sip::pool::Key;
use sip::refer::Replaces;
use sip::sdp::Direction;

use shared::id::IdKey;
use shared::site::TerminalKind;

use super::announce::answer_of_ours;
use super::{BARRED, Kind, No, Start, terminal};
use crate::Gateway;

/// Where media would come from if there were any: nothing is sent until the two have heard of each other.
const NO_PORT: u16 = 9;

impl Gateway<'_> {
    /// The call that a phone's INVITE with this Replaces takes over.
    pub(super) fn pick_up(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        phone: IdKey,
        replaces: &[u8],
    ) -> Result<(), No> {
        let replaces = Replaces::parse(replaces).ok_or(No(400, None))?;
        let Replaces {
            call_id,
            to_tag,
            from_tag,
            early_only,
        } = replaces;
        let ringing = |tag| self.calls.find_ringing(call_id, tag);
        // Phones differ in which tag they call whose; the name holds ours only.
        let Some((other, user)) = ringing(from_tag).or_else(|| ringing(to_tag)) else {
            // RFC 3891 §3: an answered one is for who talks in it.
            let talks = self.calls.find(call_id, to_tag, from_tag).is_some();
            return Err(No(
                if !talks {
                    481
                } else if early_only {
                    486
                } else {
                    603
                },
                None,
            ));
        };
        self.take_over(now, start, phone, other, user)
    }

    /// The call that rings the phone of this ID is taken over, by who has dialled so.
    pub(super) fn pick_up_at(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        phone: IdKey,
        at: IdKey,
    ) -> Result<(), No> {
        // Nobody is transferred to a call that rings elsewhere.
        start.message().ok_or(No(403, Some(BARRED)))?;
        let user = u32::from(u16::from(at));
        let ringing = |call: &Key| self.calls.ringing(*call, user).is_some();
        let other = self.calls.iter().map(|(call, ..)| call).find(ringing);
        let other = other.ok_or(No(481, None))?;
        self.take_over(now, start, phone, other, user)
    }

    /// The `other` call, which rings the terminal of `user`.
    fn take_over(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        phone: IdKey,
        other: Key,
        user: u32,
    ) -> Result<(), No> {
        let theirs = self.calls.meta(other).ok_or(No(481, None))?;
        // R28: what rings an app is for its owner.
        let id = terminal(user).and_then(|key| self.site.id(key));
        let personal = id.is_none_or(|id| id.kind == TerminalKind::App);
        if theirs.caller == Some(phone) || personal {
            return Err(No(403, Some(BARRED)));
        }
        let mut meta = self.meta(now, Kind::Inside, start, Some(phone));
        self.goes_on_from(other, &mut meta, Side::Caller);
        meta.picks = true;
        let call = self.open(now, start, meta)?;
        let random = self.random() & 0x7FFF_FFFF;
        let ours = self.address.map(|address| (address, NO_PORT).into());
        let mut offer = [0; SDP_MAX];
        let offer = self.calls.sdp(call, Side::Callee, &mut offer).unwrap_or_default();
        let answer = ours.and_then(|ours| answer_of_ours(offer, random, ours, Some(Direction::Inactive)));
        let taken = match answer {
            Some((.., sdp)) => self.calls.pick_up(now, call, other, &sdp),
            None => Err(Refusal::Media),
        };
        if let Err(refusal) = taken {
            self.calls.refuse(now, call, refusal.status(), None);
        }
        Ok(())
    }
}
