//! Calls of phones: what was dialled, and the way it goes.

use core::fmt::Write;

use heapless::String;
use media::prompt::Prompt;
use shared::caller_id;
use shared::channels::{self, Use};
use shared::date::{Date, Local};
use shared::dial::{Dialled, Present, Privacy, Refusal as DialRefusal, dial};
use shared::id::{Extension, IdKey};
use shared::number::Number;
use shared::ring::{Call, To};
use sip::b2bua::{Cause, EXTRA_MAX, Protocol, Refusal, Target};
use sip::pool::Key;
use sip::transaction::Priority;
use sip::{Flow, Instant, Message, Name};

use super::{BARRED, Kind, No, Start, TRUNK, UNALLOCATED, address, dialled, unescape};
use crate::Gateway;
use crate::link::FIRST_ANSWER;

/// The user part of what the called side sees: an extension, or the digits of a number.
type User = String<24>;

impl Gateway<'_> {
    pub(super) fn call_from_phone(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        caller: IdKey,
    ) -> Result<(), No> {
        let mut buffer = [0; 40];
        let dialled = match start {
            Start::Invite { message, .. } => dialled(message, &mut buffer),
            Start::Transfer { dialled, .. } => Some(dialled),
        };
        let dialled = dialled.ok_or(No(484, Some(UNALLOCATED)))?;
        let meaning = match dial(&self.site, dialled, self.today(now)) {
            Ok(meaning) => meaning,
            Err(why @ (DialRefusal::Ended | DialRefusal::Unassigned)) => {
                return self.not_in_use(now, start, caller, why);
            }
            Err(why) => return Err(refused(why)),
        };
        let (number, privacy, present, emergency) = match meaning {
            Dialled::Emergency(number) => (number, Privacy::Show, Present::Usual, true),
            Dialled::Outside {
                number,
                privacy,
                present,
            } => (
                number,
                start.message().map_or(privacy, |message| said(privacy, message)),
                present,
                false,
            ),
            Dialled::Extension(key) => {
                let id = self.site.id(key).ok_or(No(404, Some(UNALLOCATED)))?;
                // Its direct number may be off for calls in (R25), its extension is not; `#` says that it was all.
                let (to, called) = match dialled.trim_end_matches('#').parse::<Extension>() {
                    Ok(extension) => (To::Extension(key), user(extension)),
                    Err(_) => (To::Number(id.direct), user(id.direct.digits())),
                };
                return self.inside(now, start, caller, to, &called);
            }
            Dialled::PickUp(key) => return self.pick_up_at(now, start, caller, key),
            Dialled::Park(slot) => return self.at_slot(now, start, caller, slot),
            Dialled::Rep(index) => {
                let rep = self.site.reps.get(index).ok_or(No(404, None))?;
                let (to, called) = (To::Number(rep.number), user(rep.number.digits()));
                return self.inside(now, start, caller, to, &called);
            }
        };
        self.outside(now, start, caller, number, privacy, present, emergency)
    }

    /// The day in Japan, once the clock is set.
    pub(crate) fn today(&self, now: Instant) -> Option<Date> {
        let unix_ms = self.stamp(now).unix?;
        Some(Local::from_unix(unix_ms / 1_000).date)
    }

    /// Nobody has this number any more, or ever had it: said with words, as the network does.
    fn not_in_use(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        caller: IdKey,
        why: DialRefusal,
    ) -> Result<(), No> {
        let meta = self.meta(now, Kind::Outgoing, start, Some(caller));
        let call = self.open(now, start, meta)?;
        self.announce(now, call, Prompt::NumberNotInUse, 404, because(why));
        Ok(())
    }

    /// To terminals of the contract: the phones here, and through the cloud those that are not.
    fn inside(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        caller: IdKey,
        to: To,
        called: &User,
    ) -> Result<(), No> {
        let what = Call {
            from: Some(caller),
            ..Call::new(to)
        };
        let (here, beyond) = self.reach(what);
        let kind = if here { Kind::Inside } else { Kind::Outgoing };
        let id = self.site.id(caller).ok_or(No(403, Some(BARRED)))?;
        let realm = &self.site.sys.realm;
        let mut extra: String<EXTRA_MAX> = String::new();
        if beyond {
            // It fits for every realm.
            let _ = write!(extra, "P-Served-User: <sip:{}@{realm}>\r\n", id.direct.digits());
        }
        let from = match start {
            Start::Invite { .. } => address(&id.label, id.extension, realm),
            Start::Transfer { from, .. } => {
                // RFC 3892. It fits beside the other line.
                let _ = write!(extra, "Referred-By: <sip:{}@{realm}>\r\n", id.extension);
                address(self.label(from), from, realm)
            }
        };
        let to = address("", called, realm);
        let meta = self.meta(now, kind, start, Some(caller));
        let call = self.open(now, start, meta)?;
        if !self.present(now, call, &from, &to, &extra) {
            return Ok(());
        }
        if here || !beyond {
            self.ring(now, call, what);
        }
        match self.way_out() {
            // Without them it rings here all the same.
            Some(trunk) if here && beyond => _ = self.dial_cloud(now, call, trunk, called, Priority::Normal),
            _ if beyond && !here => self.over_trunk(now, call, called),
            _ => {}
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what an INVITE is and what was made of it"
    )]
    fn outside(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        caller: IdKey,
        number: Number,
        privacy: Privacy,
        present: Present,
        emergency: bool,
    ) -> Result<(), No> {
        let id = self.site.id(caller).ok_or(No(403, Some(BARRED)))?;
        let direct = id.direct;
        let (presented, withheld) = if emergency {
            (caller_id::emergency(&self.site, id), false)
        } else {
            let wish = present.number(&self.site, id).map_err(refused)?;
            let wish = wish.or_else(|| wished(start.message()?));
            let presented = caller_id::present(&self.site, id, wish, privacy);
            let presented = presented.map_err(|why| {
                let text = why.english();
                No(403, Some(Cause { text, ..BARRED }))
            })?;
            (presented.number, presented.withheld)
        };
        let realm = self.site.sys.realm.clone();
        let from = match withheld {
            true => address("Anonymous", "anonymous", "anonymous.invalid"),
            false => address(&id.label, presented.digits(), &realm),
        };
        let to = address("", number.digits(), &realm);
        let mut extra: String<EXTRA_MAX> = String::new();
        // Both lines fit for every realm.
        let _ = write!(
            extra,
            "P-Asserted-Identity: <sip:{}@{realm}>\r\nP-Served-User: <sip:{}@{realm}>\r\n",
            presented.e164(),
            direct.digits()
        );
        if withheld {
            let _ = extra.push_str("Privacy: id\r\n");
        }
        let uses = match emergency {
            true => Use::Emergency(presented),
            false => Use::Outside(presented),
        };
        // While the line is up the cloud counts: it knows of the other sites' and the apps' calls too.
        let full = self.way_out().is_none() && channels::admit(&self.site, uses, self.uses()).is_err();
        let mut meta = self.meta(now, Kind::Outgoing, start, Some(caller));
        meta.presented = (!withheld).then_some(presented);
        meta.emergency = emergency;
        meta.uses = uses;
        let call = self.open(now, start, meta)?;
        if !self.present(now, call, &from, &to, &extra) {
            return Ok(());
        }
        if full {
            // R15: with a spoken reason.
            self.announce(now, call, Prompt::ChannelsBusy, 486, Cause::NO_CHANNEL);
            return Ok(());
        }
        self.over_trunk(now, call, &user(number.digits()));
        Ok(())
    }

    /// The trunk, while calls over it are tried.
    fn way_out(&self) -> Option<Flow> {
        self.trunk.flow().filter(|_| self.link.is_tried())
    }

    /// Sends a call to the cloud and nowhere else; says so if there is no way.
    fn over_trunk(&mut self, now: Instant, call: Key, called: &User) {
        let Some(trunk) = self.way_out() else {
            return self.no_way_out(now, call);
        };
        let emergency = self.calls.meta(call).is_some_and(|meta| meta.emergency);
        let priority = match emergency {
            true => Priority::Reserved,
            false => Priority::Normal,
        };
        match self.dial_cloud(now, call, trunk, called, priority) {
            Ok(_) => {
                self.guard(now, call);
                self.calls.set_deadline(call, Some(now + FIRST_ANSWER));
            }
            Err(refusal) => self.calls.refuse(now, call, refusal.status(), None),
        }
    }

    fn dial_cloud(
        &mut self,
        now: Instant,
        call: Key,
        trunk: Flow,
        called: &User,
        priority: Priority,
    ) -> Result<Key, Refusal> {
        let mut uri: String<128> = String::new();
        // The longest user and realm fit.
        let _ = write!(uri, "sip:{called}@{}", self.site.sys.realm);
        let target = Target {
            flow: trunk,
            uri: uri.as_bytes(),
            route: self.trunk.route(),
            priority,
            user: TRUNK,
        };
        self.calls.dial(now, call, target)
    }

    /// The authority may call back from now on, if this is an emergency call.
    pub(super) fn guard(&mut self, now: Instant, call: Key) {
        if let Some(meta) = self.calls.meta(call)
            && let (Use::Emergency(presented), Some(caller)) = (meta.uses, meta.caller)
        {
            self.guard.called(now.as_millis(), caller, presented);
        }
    }
}

/// The number a phone asks to present in this call (R23; RFC 3325 §9.2): of several addresses, the first that is a number.
fn wished(message: &Message<'_>) -> Option<Number> {
    let mut buffer = [0; 40];
    message
        .addresses(Name::PPreferredIdentity)
        .find_map(|address| Number::parse(unescape(address.parsed_uri()?.user?, &mut buffer)?).ok())
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

fn user(digits: impl core::fmt::Display) -> User {
    let mut user = User::new();
    // An extension or a telephone number is shorter.
    let _ = write!(user, "{digits}");
    user
}

fn refused(why: DialRefusal) -> No {
    let status = match why.q850() {
        1 => 404,
        28 => 484,
        _ => 403,
    };
    No(status, Some(because(why)))
}

/// The refusal as a phone's log shows it.
fn because(why: DialRefusal) -> Cause {
    Cause {
        protocol: Protocol::Q850,
        cause: why.q850().into(),
        text: why.short(),
    }
}
