//! Calls of boxes: to the outside, or to the contract's other boxes.

use media::prompt::Prompt;
use shared::channels::Use;
use shared::dial::Privacy;
use shared::ring::{Call, To};
use shared::route::{NumberState, Treatment};
use shared::site::Id;
use shared::{BoxId, ContractId, Extension, IdKey, Number, caller_id};
use sip::b2bua::{Cause, Target};
use sip::pool::Key;
use sip::transaction::{Priority, TxId};
use sip::{Flow, Instant, Message, Name, NameAddr};

use super::parties::{ANONYMOUS, asks_for_privacy, number, user_of};
use super::{BARRED, FIRST_ANSWER, NOT_YOURS, No, Pbx, Relays, UNALLOCATED};
use crate::pbx::directory::Office;
use crate::pbx::{Kind, Meta, Rings};

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Called {
    /// Terminals of the contract (A20, R30).
    Inside(To),
    /// 110, 118 or 119.
    Emergency(Number),
    /// Another number.
    Outside(Number),
}

/// What a request of a box asks for.
struct Wish {
    contract: ContractId,
    called: Called,
    /// The number to be presented; none that the caller may present.
    presented: Option<Number>,
    caller: Option<IdKey>,
    withheld: bool,
    /// Not allowed there.
    barred: bool,
}

impl<R: Relays> Pbx<R> {
    pub(super) fn outgoing(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        id: BoxId,
        message: &Message<'_>,
    ) -> Result<(), No> {
        self.screened(message)?;
        let wish = self.wish(id, message)?;
        let uses = match (wish.called, wish.presented) {
            (Called::Emergency(_), Some(number)) => Use::Emergency(number),
            (Called::Outside(_), Some(number)) => Use::Outside(number),
            _ => Use::Inside,
        };
        let permitted = wish.presented.is_some() && !wish.barred;
        let limited = permitted && self.has_channel(wish.contract, uses).is_err();
        let kind = match wish.called {
            Called::Inside(_) => Kind::Internal,
            _ => Kind::Outgoing,
        };
        let meta = Meta {
            presented: wish.presented.filter(|_| !wish.withheld),
            uses: if permitted && !limited { uses } else { Use::Inside },
            caller: wish.caller,
            limited,
            rings: self.inside(id, &wish, message),
            ..self.meta(now, kind, wish.contract, message)
        };
        let call = self.open(now, tx, flow, message, meta)?;
        let Some(presented) = wish.presented else {
            self.calls.refuse(now, call, 403, Some(NOT_YOURS));
            return Ok(());
        };
        if wish.barred {
            self.calls.refuse(now, call, 403, Some(BARRED));
        } else if limited {
            self.counters.channels += 1;
            self.announce(now, call, Prompt::ChannelsBusy, 486, Cause::NO_CHANNEL);
        } else {
            match wish.called {
                Called::Inside(_) => self.ring_boxes(now, call),
                Called::Outside(number) => {
                    self.ring_carrier(now, call, number, presented, wish.withheld, false)
                }
                Called::Emergency(number) => {
                    self.guard(now, call);
                    self.ring_carrier(now, call, number, presented, false, true);
                }
            }
        }
        Ok(())
    }

    /// Whose terminals a call inside the contract rings.
    fn inside(&self, id: BoxId, wish: &Wish, message: &Message<'_>) -> Option<Rings> {
        let Called::Inside(to) = wish.called else {
            return None;
        };
        let realm = self.directory.realm();
        let from = match (wish.withheld, wish.presented) {
            (false, Some(number)) => format!("<sip:{}@{realm}>", number.digits()),
            _ => ANONYMOUS.to_string(),
        };
        Some(Rings {
            call: Call {
                from: wish.caller,
                ..Call::new(to)
            },
            user: message.parsed_request_uri().and_then(user_of).unwrap_or_default(),
            // Its phones it rings itself.
            but: Some(id),
            from,
            unanswered: Treatment::End,
        })
    }

    /// What a box's INVITE asks for, and whether it may.
    fn wish(&self, id: BoxId, message: &Message<'_>) -> Result<Wish, No> {
        let account = self.directory.account(id).ok_or(No(403, None))?;
        let office = self.directory.office(account.contract).ok_or(No(403, None))?;
        let called = called(office, message).ok_or(No(404, Some(UNALLOCATED)))?;
        let address = |value: &[u8]| {
            NameAddr::parse(value)
                .and_then(|address| address.parsed_uri())
                .and_then(number)
        };
        let asked = match message.header(Name::PAssertedIdentity) {
            Some(_) => message
                .asserted_identity()
                .and_then(|address| address.parsed_uri())
                .and_then(number),
            None => message.header(Name::From).and_then(address),
        };
        // Whose phone calls: P-Served-User names it (RFC 5502); without it, the one whose direct number is presented.
        let direct = match message.other("P-Served-User") {
            Some(value) => address(value),
            None => asked,
        };
        let here = |one: &&Id| one.site == account.site;
        let caller = office
            .site
            .ids
            .iter()
            .filter(here)
            .find(|one| Some(one.direct) == direct);
        let privacy = match asks_for_privacy(message) {
            true => Privacy::Withhold,
            false => Privacy::Default,
        };
        let presented = match called {
            // Never refused: of a caller that is not known, the authority sees a number of the site all the same.
            Called::Emergency(_) => caller
                .or_else(|| office.site.ids.iter().find(here))
                .map(|one| caller_id::emergency(&office.site, one)),
            _ => caller
                .zip(asked)
                .and_then(|(one, asked)| caller_id::present(&office.site, one, Some(asked), privacy).ok())
                .map(|presented| presented.number),
        };
        let barred = match called {
            Called::Outside(number) => {
                !number.is_japanese() && !office.site.sys.international
                    || presented.is_some_and(|own| office.line(own).0 == NumberState::Suspended)
            }
            Called::Inside(_) | Called::Emergency(_) => false,
        };
        Ok(Wish {
            contract: account.contract,
            called,
            presented,
            caller: caller.map(|one| one.key),
            withheld: privacy == Privacy::Withhold,
            barred,
        })
    }

    /// The authority may call back to the terminal of this call from now on.
    pub(super) fn guard(&mut self, now: Instant, call: Key) {
        let Some(meta) = self.calls.meta(call) else { return };
        if let (Kind::Outgoing, Use::Emergency(presented), Some(key)) = (meta.kind, meta.uses, meta.caller) {
            self.guards
                .entry(meta.contract)
                .or_default()
                .called(now.as_millis(), key, presented);
        }
    }

    fn ring_carrier(
        &mut self,
        now: Instant,
        call: Key,
        called: Number,
        presented: Number,
        withheld: bool,
        emergency: bool,
    ) {
        let flow = self.carrier_flow();
        let carrier = flow.peer;
        let (called, own) = (called.e164(), flow.local.ip());
        let from = match withheld {
            true => ANONYMOUS.to_string(),
            false => format!("<sip:{}@{own}>", presented.e164()),
        };
        let to = format!("<sip:{called}@{carrier}>");
        let mut extra = format!("P-Asserted-Identity: <sip:{}@{own}>\r\n", presented.e164());
        if withheld {
            extra.push_str("Privacy: id\r\n");
        }
        let uri = format!("sip:{called}@{carrier}");
        let target = Target {
            flow,
            uri: uri.as_bytes(),
            priority: if emergency {
                Priority::Reserved
            } else {
                Priority::Normal
            },
            user: 0,
        };
        let dialled = self
            .calls
            .present(call, from.as_bytes(), to.as_bytes(), extra.as_bytes())
            .and_then(|()| self.calls.dial(now, call, target));
        match dialled {
            Ok(_) => {
                let stamp = self.stamp(now);
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.dialled = Some(stamp);
                }
                self.calls.set_deadline(call, Some(now + FIRST_ANSWER));
            }
            Err(refusal) => self.calls.refuse(now, call, refusal.status(), None),
        }
    }
}

fn called(office: &Office, message: &Message<'_>) -> Option<Called> {
    let uri = message.parsed_request_uri()?;
    if let Some(number) = number(uri) {
        return Some(match office.site.by_number(number) {
            _ if number.is_emergency() => Called::Emergency(number),
            Some(_) => Called::Inside(To::Number(number)),
            None => Called::Outside(number),
        });
    }
    let extension: Extension = user_of(uri)?.parse().ok()?;
    let id = office.site.by_extension(extension)?;
    Some(Called::Inside(To::Extension(id.key)))
}
