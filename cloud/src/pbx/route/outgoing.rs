//! Calls of boxes and of phones: to the outside, or to others of the contract.
//!
//! A box says what its phone wants in headers, a phone dials digits: both come to what is [`Asked`], and from there on it is
//! the same call.

use media::prompt::Prompt;
use shared::caller_id::{self, Presented};
use shared::channels::Use;
use shared::dial::{self, Dialled, Privacy, dial};
use shared::ring::{Call, To};
use shared::route::{NumberState, Treatment};
use shared::site::Id;
use shared::{Date, Extension, Number};
use sip::b2bua::{Cause, Target};
use sip::pool::Key;
use sip::transaction::{Priority, TxId};
use sip::{Flow, Instant, Message, Name, NameAddr};

use super::parties::{ANONYMOUS, dialled, number, quoted, user_of};
use super::{AT_THE_BOX, BARRED, FIRST_ANSWER, NOT_YOURS, No, Pbx, Relays, UNALLOCATED};
use crate::pbx::directory::Office;
use crate::pbx::{Kind, Meta, Peer, Rings};

/// What somebody wants.
struct Asked<'o> {
    /// The ID whose terminal calls, if it is one there.
    caller: Option<&'o Id>,
    called: Called,
    /// The number to present; the usual one if none.
    present: Option<Number>,
    privacy: Privacy,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Called {
    /// With the user part as it was dialled.
    Inside(To, String),
    Emergency(Number),
    Outside(Number),
    /// Nobody has the number any more, or ever had it.
    NotInUse(Cause),
}

/// What becomes of it.
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
    /// The same, said with words.
    NotInUse(Cause),
}

impl<R: Relays> Pbx<R> {
    pub(super) fn outgoing(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        by: Peer,
        message: &Message<'_>,
    ) -> Result<(), No> {
        self.screened(message)?;
        let today = self.local(now).map(|at| at.date);
        let (office, site, asked) = match by {
            Peer::Box(id) => {
                let account = self.directory.account(id).ok_or(No(403, None))?;
                let office = self.directory.office(account.contract).ok_or(No(403, None))?;
                let mut asked = of_box(office, message).ok_or(No(404, Some(UNALLOCATED)))?;
                asked.caller = asked.caller.filter(|one| one.site == account.site);
                (office, account.site, asked)
            }
            Peer::Phone(line) => {
                let (office, id) = self.directory.line(line).ok_or(No(403, None))?;
                (office, id.site, of_phone(office, id, message, today)?)
            }
        };
        let contract = office.contract();
        let caller = asked.caller;
        let wish = match asked.called {
            Called::Inside(to, ref user) => self.inside(by, caller, to, user),
            Called::Emergency(called) => {
                // Never refused: of a caller that is not known, the authority sees a number of the site all the same.
                let one = caller.or_else(|| office.site.ids.iter().find(|one| one.site == site));
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
            Called::Outside(called) => outside(office, &asked, called, today),
            Called::NotInUse(cause) => Wish::NotInUse(cause),
        };
        let (kind, presented, wanted) = match &wish {
            Wish::Inside(_) => (Kind::Internal, None, Use::Inside),
            Wish::Outside { presented, uses, .. } => {
                let shown = Some(presented.number).filter(|_| !presented.withheld);
                (Kind::Outgoing, shown, *uses)
            }
            Wish::Refused(..) | Wish::NotInUse(_) => (Kind::Outgoing, None, Use::Inside),
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
            Wish::NotInUse(cause) => self.announce(now, call, Prompt::NumberNotInUse, 404, cause),
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
                self.ring_terminals(now, call);
            }
        }
        Ok(())
    }

    fn inside(&self, by: Peer, caller: Option<&Id>, to: To, user: &str) -> Wish {
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
            user: user.to_string(),
            // Its phones a box rings itself.
            told: Vec::from_iter(Some(by).filter(|by| matches!(by, Peer::Box(_)))),
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

/// What a box says of a call of one of its phones.
fn of_box<'o>(office: &'o Office, message: &Message<'_>) -> Option<Asked<'o>> {
    let uri = message.parsed_request_uri()?;
    let called = match number(uri) {
        Some(number) => match office.site.by_number(number) {
            _ if number.is_emergency() => Called::Emergency(number),
            Some(_) => Called::Inside(To::Number(number), String::new()),
            None => Called::Outside(number),
        },
        None => {
            let user = user_of(uri)?;
            let extension: Extension = user.parse().ok()?;
            let id = office.site.by_extension(extension)?;
            Called::Inside(To::Extension(id.key), user)
        }
    };
    let (caller, present) = (caller(office, message), asked(message));
    Some(Asked {
        // Outside nobody calls without saying as whom.
        caller: caller.filter(|_| present.is_some() || !matches!(called, Called::Outside(_))),
        called,
        present,
        privacy: match message.privacy().hides_caller() {
            true => Privacy::Withhold,
            false => Privacy::Default,
        },
    })
}

/// What the phone of an ID has dialled. Calls are picked up and parked at the box, which is not there.
fn of_phone<'o>(
    office: &Office,
    id: &'o Id,
    message: &Message<'_>,
    today: Option<Date>,
) -> Result<Asked<'o>, No> {
    let site = &office.site;
    let because = |why: dial::Refusal| Cause {
        cause: why.q850().into(),
        text: why.short(),
        ..UNALLOCATED
    };
    let user = dialled(message).ok_or(No(484, Some(UNALLOCATED)))?;
    let (mut present, mut privacy) = (None, Privacy::Default);
    let called = match dial(site, &user, today) {
        Ok(Dialled::Emergency(number)) => Called::Emergency(number),
        Ok(Dialled::Extension(key)) => {
            let one = site.id(key).ok_or(No(404, Some(UNALLOCATED)))?;
            // Its direct number may be off for calls in (R25), its extension is not; `#` says that it was all.
            match user.trim_end_matches('#').parse::<Extension>() {
                Ok(extension) => Called::Inside(To::Extension(key), extension.to_string()),
                Err(_) => Called::Inside(To::Number(one.direct), String::new()),
            }
        }
        Ok(Dialled::Rep(index)) => {
            let rep = site.reps.get(index).ok_or(No(404, Some(UNALLOCATED)))?;
            Called::Inside(To::Number(rep.number), String::new())
        }
        Ok(Dialled::Outside {
            number,
            privacy: prefix,
            present: wish,
        }) => {
            present = match wish.number(site, id) {
                Ok(wish) => wish.or_else(|| preferred(message)),
                Err(why) => return Err(No(403, Some(because(why)))),
            };
            privacy = said(prefix, message);
            Called::Outside(number)
        }
        Ok(Dialled::PickUp(_) | Dialled::Park(_)) => return Err(No(404, Some(AT_THE_BOX))),
        Err(why @ (dial::Refusal::Ended | dial::Refusal::Unassigned)) => Called::NotInUse(because(why)),
        Err(why) => {
            let status = match why.q850() {
                1 => 404,
                28 => 484,
                _ => 403,
            };
            return Err(No(status, Some(because(why))));
        }
    };
    Ok(Asked {
        caller: Some(id),
        called,
        present,
        privacy,
    })
}

/// The number that a phone says it would like to present (RFC 3325 §9.2).
fn preferred(message: &Message<'_>) -> Option<Number> {
    message
        .addresses(Name::PPreferredIdentity)
        .find_map(|address| number(address.parsed_uri()?))
}

/// What 184 or 186 says; without them, what the phone itself says (RFC 3323 §4.2), which may have a key for it.
fn said(dialled: Privacy, message: &Message<'_>) -> Privacy {
    let phone = message.privacy();
    match dialled {
        Privacy::Default if phone.hides_caller() => Privacy::Withhold,
        Privacy::Default if phone.none => Privacy::Show,
        said => said,
    }
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
fn outside(office: &Office, asked: &Asked<'_>, called: Number, today: Option<Date>) -> Wish {
    let Some(one) = asked.caller else {
        return Wish::Refused(403, NOT_YOURS);
    };
    let presented = match caller_id::present(&office.site, one, asked.present, asked.privacy) {
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
