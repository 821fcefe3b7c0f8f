//! Calls of boxes: to the outside, or to the contract's other boxes.

use media::prompt::Prompt;
use shared::caller_id::{self, Presented};
use shared::channels::Use;
use shared::dial::{self, Privacy};
use shared::ring::{Call, To};
use shared::route::{NumberState, Treatment};
use shared::site::Id;
use shared::{BoxId, Date, Extension, Number};
use sip::b2bua::{Cause, Target};
use sip::pool::Key;
use sip::transaction::{Priority, TxId};
use sip::{Flow, Instant, Message, Name, NameAddr};

use super::parties::{ANONYMOUS, number, quoted, user_of};
use super::{BARRED, FIRST_ANSWER, NOT_YOURS, No, Pbx, Relays, UNALLOCATED};
use crate::pbx::directory::Office;
use crate::pbx::{Kind, Meta, Rings};

/// What a request of a box asks for.
enum Wish {
    /// Terminals of the contract ring (A20, R30).
    Inside(Rings),
    /// The carrier is called.
    Outside {
        called: Number,
        presented: Presented,
        uses: Use,
    },
    /// It is not the caller's to make, or nobody has the number.
    Refused(u16, Cause),
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
        let account = self.directory.account(id).ok_or(No(403, None))?;
        let office = self.directory.office(account.contract).ok_or(No(403, None))?;
        let here = |one: &&Id| one.site == account.site;
        let caller = caller(office, message).filter(here);
        let wish = match called(office, message).ok_or(No(404, Some(UNALLOCATED)))? {
            Called::Inside(to) => self.inside(id, caller, to, message),
            Called::Emergency(called) => {
                // Never refused: of a caller that is not known, the authority sees a number of the site all the same.
                let one = caller.or_else(|| office.site.ids.iter().find(here));
                let number = one.map(|one| caller_id::emergency(&office.site, one));
                number.map_or(Wish::Refused(403, NOT_YOURS), |number| Wish::Outside {
                    called,
                    presented: Presented {
                        number,
                        withheld: false,
                    },
                    uses: Use::Emergency(number),
                })
            }
            Called::Outside(called) => {
                let today = self.local(now).map(|at| at.date);
                outside(office, caller, called, message, today)
            }
        };
        let contract = account.contract;
        let (kind, presented, wanted) = match &wish {
            Wish::Inside(_) => (Kind::Internal, None, Use::Inside),
            Wish::Outside { presented, uses, .. } => {
                let shown = Some(presented.number).filter(|_| !presented.withheld);
                (Kind::Outgoing, shown, *uses)
            }
            Wish::Refused(..) => (Kind::Outgoing, None, Use::Inside),
        };
        let limited = self.has_channel(contract, wanted).is_err();
        let meta = Meta {
            presented,
            uses: if limited { Use::Inside } else { wanted },
            caller: caller.map(|one| one.key),
            limited,
            ..self.meta(now, kind, contract, message)
        };
        let call = self.open(now, tx, flow, message, meta)?;
        match wish {
            Wish::Refused(status, cause) => self.calls.refuse(now, call, status, Some(cause)),
            Wish::Outside { .. } if limited => {
                self.counters.channels += 1;
                self.announce(now, call, Prompt::ChannelsBusy, 486, Cause::NO_CHANNEL);
            }
            Wish::Outside {
                called, presented, ..
            } => {
                self.guard(now, call);
                self.ring_carrier(now, call, called, presented);
            }
            Wish::Inside(rings) => {
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.rings = Some(rings);
                }
                self.ring_boxes(now, call);
            }
        }
        Ok(())
    }

    fn inside(&self, id: BoxId, caller: Option<&Id>, to: To, message: &Message<'_>) -> Wish {
        let Some(one) = caller else {
            return Wish::Refused(403, NOT_YOURS);
        };
        let realm = self.directory.realm();
        let name = quoted(one.label.as_bytes()).map_or(String::new(), |name| name + " ");
        Wish::Inside(Rings {
            call: Call {
                from: Some(one.key),
                ..Call::new(to)
            },
            user: message.parsed_request_uri().and_then(user_of).unwrap_or_default(),
            // Its phones it rings itself.
            told: vec![id],
            from: format!("{name}<sip:{}@{realm}>", one.extension),
            unanswered: Treatment::End,
            sent: None,
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
        Presented { number, withheld }: Presented,
    ) {
        let emergency = called.is_emergency();
        let flow = self.carrier_flow();
        let carrier = flow.peer;
        let (called, own) = (called.e164(), flow.local.ip());
        let from = match withheld {
            true => ANONYMOUS.to_string(),
            false => format!("<sip:{}@{own}>", number.e164()),
        };
        let to = format!("<sip:{called}@{carrier}>");
        let mut extra = format!("P-Asserted-Identity: <sip:{}@{own}>\r\n", number.e164());
        if withheld {
            extra.push_str("Privacy: id\r\n");
        }
        let uri = format!("sip:{called}@{carrier}");
        let target = Target {
            flow,
            uri: uri.as_bytes(),
            route: b"",
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

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Called {
    Inside(To),
    Emergency(Number),
    Outside(Number),
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

/// Whose phone calls: P-Served-User names it (RFC 5502); without it, the one whose direct number is presented.
fn caller<'o>(office: &'o Office, message: &Message<'_>) -> Option<&'o Id> {
    let direct = match message.other("P-Served-User") {
        Some(value) => address(value),
        None => asked(message),
    }?;
    office.site.ids.iter().find(|one| one.direct == direct)
}

/// The number a call asks to present.
fn asked(message: &Message<'_>) -> Option<Number> {
    match message.header(Name::PAssertedIdentity) {
        Some(_) => message
            .asserted_identity()
            .and_then(|address| address.parsed_uri())
            .and_then(number),
        None => message.header(Name::From).and_then(address),
    }
}

fn address(value: &[u8]) -> Option<Number> {
    NameAddr::parse(value)
        .and_then(|address| address.parsed_uri())
        .and_then(number)
}

/// A call to the carrier, if the caller may make it and present what it asks for (R9, R22).
fn outside(
    office: &Office,
    caller: Option<&Id>,
    called: Number,
    message: &Message<'_>,
    today: Option<Date>,
) -> Wish {
    let privacy = match message.privacy().hides_caller() {
        true => Privacy::Withhold,
        false => Privacy::Default,
    };
    let Some((one, number)) = caller.zip(asked(message)) else {
        return Wish::Refused(403, NOT_YOURS);
    };
    let presented = match caller_id::present(&office.site, one, Some(number), privacy) {
        Ok(presented) => presented,
        Err(why) => {
            let text = why.english();
            return Wish::Refused(403, Cause { text, ..NOT_YOURS });
        }
    };
    if office.line(presented.number).0 == NumberState::Suspended {
        return Wish::Refused(403, BARRED);
    }
    if let Err(why) = dial::allowed(&office.site, called, today) {
        let (status, cause) = match why.q850() {
            1 => (404, UNALLOCATED),
            _ => (403, BARRED),
        };
        let text = why.short();
        return Wish::Refused(status, Cause { text, ..cause });
    }
    Wish::Outside {
        called,
        presented,
        uses: Use::Outside(presented.number),
    }
}
