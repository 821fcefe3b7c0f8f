//! Calls of the carrier.

use media::prompt::Prompt;
use shared::channels::Use;
use shared::ring::{Call, To};
use shared::route::{Caller, Cause as Why, Inbound, Route, route};
use sip::transaction::TxId;
use sip::{Flow, Instant, Message, identity};

use super::parties::{Sent, caller, number, presented_from, recorded};
use super::{BARRED, BUSY, NOT_YET, No, Pbx, Relays, UNALLOCATED};
use crate::pbx::{Kind, Meta, Rings};

impl<R: Relays> Pbx<R> {
    pub(super) fn incoming(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
    ) -> Result<(), No> {
        self.screened(message)?;
        let unallocated = No(404, Some(UNALLOCATED));
        let called = message.parsed_request_uri().and_then(number).ok_or(unallocated)?;
        let office = self.directory.office_with(called).ok_or(unallocated)?;
        let contract = office.contract();
        let private = message.privacy().hides_caller();
        let sent = message.diverted().and_then(|by| Sent::before(&by));
        let from = message.from().ok_or(No(400, None))?;
        let calling = from.parsed_uri().and_then(number);
        let recorded = recorded(from.parsed_uri(), private);
        let caller = caller(&recorded, calling, private);
        let withheld = caller == Caller::Withheld;
        let guard = self
            .guards
            .get(&contract)
            .and_then(|guard| guard.caller(now.as_millis(), called));
        let wanted = match guard {
            Some(_) => Use::Emergency(called),
            None => Use::Outside(called),
        };
        let full = self.has_channel(contract, wanted).err();
        let (state, rules) = office.line(called);
        let (route, _) = route(&Inbound {
            called,
            caller,
            at: self.local(now),
            guard,
            state,
            full,
            rules,
            block: office.block(rules),
            schedule: office.schedule(rules),
        });
        let limited = route == Route::Refuse(Why::Full);
        let rings = match route {
            Route::Refuse(_) => None,
            Route::Ring {
                number,
                first,
                unanswered,
            } => Some(Rings {
                call: Call {
                    back_to: first,
                    ..Call::new(To::Number(number))
                },
                user: String::new(),
                told: Vec::new(),
                from: presented_from(&from, calling, withheld, self.directory.realm()),
                unanswered,
                sent: match number == called {
                    true => sent,
                    false => Some(Sent::on(sent, called, identity::Why::TimeOfDay)),
                },
            }),
        };
        let meta = Meta {
            from: recorded,
            presented: calling.filter(|_| !withheld),
            uses: if rings.is_some() { wanted } else { Use::Inside },
            limited,
            rings,
            ..self.meta(now, Kind::Incoming, contract, message)
        };
        let call = self.open(now, tx, flow, message, meta)?;
        match route {
            Route::Ring { .. } => self.ring_terminals(now, call),
            Route::Refuse(Why::NotInUse) => {
                self.announce(now, call, Prompt::NumberNotInUse, 404, UNALLOCATED)
            }
            Route::Refuse(Why::Full) => {
                self.counters.channels += 1;
                self.calls.refuse(now, call, 486, Some(BUSY));
            }
            Route::Refuse(Why::Closed) => self.announce(now, call, Prompt::AfterHours, 486, BUSY),
            Route::Refuse(Why::Rejected) => self.calls.refuse(now, call, 403, Some(BARRED)),
            Route::Refuse(Why::OutOfOrder) => self.calls.refuse(now, call, 480, Some(NOT_YET)),
        }
        Ok(())
    }
}
