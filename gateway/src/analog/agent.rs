//! The SIP user agent of one port: it speaks to the box as a desk phone does, over a connection that is a function call.
//!
//! It has room for a call, one on hold and one that only says good-bye. What it wants to say it says message by message in
//! [`Agent::poll`]; a request of the other side is answered at once. The connection loses nothing, so nothing is repeated.

mod dialog;
mod stream;

use core::fmt::Display;
use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;
use shared::dial::ParkSlot;
use shared::record::Party;
use sip::sdp::Sdp;
use sip::write::write_response_lines;
use sip::{Full, Instant, Message, Method, Name, Writer, write_response_head};

use crate::AGENT;
use dialog::{Ack, Dialog, State};
use stream::{MEDIA_MAX, keep};
pub use stream::{Ours, Remote};

/// A call, one on hold, one that is left.
const DIALOGS: usize = 3;
/// What a port calls itself in Via and Contact: it is within the box.
const HOST: &str = "127.0.0.1";
/// What a port understands.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY";
/// Lines of an INVITE that its answer repeats, bytes: two addresses with names and tags (at most 190 each), Via (90), Call-ID and
/// CSeq (48).
const HEAD_MAX: usize = 520;
/// A dialog that is left has ended by then: the longest transaction.
const GOODBYE: Duration = Duration::from_secs(64);
/// A transfer has ended by then: the longest time a telephone rings, and a transaction.
const TRANSFER: Duration = Duration::from_secs(250);
/// A transfer that has succeeded: the box says good-bye within this.
const TRANSFERRED: Duration = Duration::from_secs(10);
/// A re-INVITE that met one of the other side is sent again after this: ours is the later turn where the other side made the
/// Call-ID (RFC 3261 §14.1).
const AGAIN_CALLER: Duration = Duration::from_millis(2_500);
const AGAIN_CALLED: Duration = Duration::from_millis(1_000);

/// Who the port is.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// SIP domain.
    pub realm: &'a str,
    /// User: the direct number of its ID (R10).
    pub user: &'a str,
    /// Index of the port.
    pub line: u8,
    /// Where it hears.
    pub audio: SocketAddr,
}

impl Own<'_> {
    fn contact(&self) -> impl Display {
        core::fmt::from_fn(|f| write!(f, "<sip:line{}@{HOST};transport=tcp>", self.line + 1))
    }
}

/// A dialog of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u8);

/// What happened to a dialog that is not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody calls: [`Agent::ring`] or [`Agent::refuse`].
    Invited(Slot),
    /// The called side has said so much (101 to 199); with a description its sound is heard already.
    Progress(Slot, u16),
    /// The call we made is answered.
    Answered(Slot),
    /// The call we made is refused.
    Failed(Slot, u16),
    /// The other side's description is another one.
    Changed(Slot),
    /// The caller has given up, or the other side has hung up.
    Gone(Slot),
    /// The other side is where it was sent.
    Transferred(Slot),
    /// Nothing came of a transfer: this one, who was to be transferred, is still there.
    NotTransferred(Slot),
}

/// An INVITE that waits for its answer.
#[derive(Clone, Debug)]
struct Waiting {
    /// Whose.
    slot: Option<Slot>,
    head: Vec<u8, HEAD_MAX>,
    media: Vec<u8, MEDIA_MAX>,
    /// The user that was called.
    called: Party,
    /// The next answer, once it is known.
    status: Option<u16>,
}

impl Waiting {
    const NONE: Self = Self {
        slot: None,
        head: Vec::new(),
        media: Vec::new(),
        called: Party::new(),
        status: None,
    };
}

/// The agent.
#[derive(Clone, Debug)]
pub struct Agent {
    dialogs: [Dialog; DIALOGS],
    waiting: Waiting,
}

impl Agent {
    /// An agent without calls.
    pub const fn new() -> Self {
        Self {
            dialogs: [Dialog::FREE; DIALOGS],
            waiting: Waiting::NONE,
        }
    }

    fn get(&self, slot: Slot) -> Option<&Dialog> {
        self.dialogs.get(usize::from(slot.0))
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut Dialog> {
        self.dialogs.get_mut(usize::from(slot.0))
    }

    fn free(&self) -> Option<Slot> {
        let at = self
            .dialogs
            .iter()
            .position(|dialog| dialog.state == State::Free)?;
        u8::try_from(at).ok().map(Slot)
    }

    /// No dialog is left over.
    pub fn is_idle(&self) -> bool {
        self.dialogs.iter().all(|dialog| dialog.state == State::Free)
    }

    /// What the other side of a dialog wants to hear, once that is known.
    pub fn remote(&self, slot: Slot) -> Option<&Remote> {
        self.get(slot)?.remote.as_ref()
    }

    /// Who is at the other side: digits, or what else its address says.
    pub fn peer(&self, slot: Slot) -> &str {
        self.get(slot).map_or("", |dialog| &dialog.peer)
    }

    /// Which of our numbers is called, while it rings.
    pub fn called(&self) -> &str {
        &self.waiting.called
    }

    /// Both sides have agreed.
    pub fn is_up(&self, slot: Slot) -> bool {
        self.get(slot).is_some_and(|dialog| dialog.state == State::Up)
    }

    /// Calls somebody. Nothing if there is no room.
    pub fn call(&mut self, user: &str, random: u64) -> Option<Slot> {
        let slot = self.free()?;
        *self.get_mut(slot)? = Dialog::call(user, random)?;
        Some(slot)
    }

    /// Tells the caller that it rings.
    pub fn ring(&mut self, slot: Slot) {
        self.respond(slot, 180);
    }

    /// Tells the caller that nobody will answer: 486, 480.
    pub fn refuse(&mut self, slot: Slot, status: u16) {
        self.respond(slot, status);
    }

    /// Answers.
    pub fn answer(&mut self, slot: Slot) {
        self.respond(slot, 200);
    }

    fn respond(&mut self, slot: Slot, status: u16) {
        if self.waiting.slot == Some(slot) {
            self.waiting.status = Some(status);
        }
    }

    /// Puts on hold, or takes back.
    pub fn hold(&mut self, slot: Slot, on_hold: bool) {
        if let Some(dialog) = self.get_mut(slot) {
            dialog.hold = on_hold;
        }
    }

    /// Ends a dialog, whatever its state.
    pub fn hang_up(&mut self, now: Instant, slot: Slot) {
        self.respond(slot, 480);
        if let Some(dialog) = self.get_mut(slot) {
            dialog.end(now, GOODBYE);
        }
    }

    /// Connects the other sides of two dialogs, of which the second may still ring. False: there is nobody yet who could be
    /// named.
    pub fn transfer(&mut self, now: Instant, slot: Slot, to: Slot) -> bool {
        let named = self.get(to).is_some_and(|dialog| {
            !dialog.theirs.is_empty() && matches!(dialog.state, State::Calling | State::Up)
        });
        if !named || !self.is_up(slot) {
            return false;
        }
        if let Some(dialog) = self.get_mut(slot) {
            dialog.refer(now, to.0, TRANSFER);
        }
        if let Some(dialog) = self.get_mut(to) {
            dialog.left = true;
            dialog.until = Some(now + TRANSFER);
        }
        true
    }

    /// Parks the other side of a dialog. False: it is not there yet.
    pub fn park(&mut self, slot: Slot, at: ParkSlot) -> bool {
        let is_up = self.is_up(slot);
        if let Some(dialog) = self.get_mut(slot).filter(|_| is_up) {
            dialog.park(at);
        }
        is_up
    }

    /// Leaves a dialog whose other side is being parked. False: it is not.
    pub fn leave_parking(&mut self, now: Instant, slot: Slot) -> bool {
        let Some(dialog) = self.get_mut(slot).filter(|dialog| dialog.parks.is_some()) else {
            return false;
        };
        dialog.left = true;
        dialog.until = Some(now + TRANSFER);
        true
    }

    /// Takes a message of the box. A request is answered in `out` at once, but a new call: the answer's length.
    pub fn receive(
        &mut self,
        now: Instant,
        own: &Own<'_>,
        message: &Message<'_>,
        random: u64,
        out: &mut [u8],
    ) -> (Option<usize>, Option<Event>) {
        let at = self.dialogs.iter().position(|dialog| dialog.owns(message));
        let slot = at.and_then(|at| u8::try_from(at).ok()).map(Slot);
        if !message.is_request() {
            let event = slot.and_then(|slot| self.response(now, slot, message));
            return (None, event);
        }
        let (status, event) = match (message.method(), slot) {
            (Method::Ack, Some(slot)) => return (None, self.acked(slot, message)),
            (Method::Ack, None) => return (None, None),
            (Method::Invite, Some(slot)) => return self.reinvite(own, slot, message, out),
            (Method::Invite, None) => match self.invite(message, random) {
                Ok(event) => return (None, Some(event)),
                Err(status) => (status, None),
            },
            (Method::Cancel, Some(slot)) if self.waiting.slot == Some(slot) => {
                self.waiting.status = Some(487);
                (200, self.gone(slot))
            }
            (Method::Bye, Some(slot)) => {
                let event = self.gone(slot);
                if self.waiting.slot == Some(slot) {
                    self.waiting = Waiting::NONE;
                }
                if let Some(dialog) = self.get_mut(slot) {
                    *dialog = Dialog::FREE;
                }
                (200, event)
            }
            (Method::Notify, Some(slot)) => (200, self.notified(now, slot, message)),
            (Method::Options, _) => (200, None),
            (_, Some(_)) => (405, None),
            (_, None) => (481, None),
        };
        let tag = slot.and_then(|slot| self.get(slot)).map(Dialog::tag);
        let answer = answer(message, status, tag.as_deref(), out);
        (answer.ok(), event)
    }

    /// The event of a dialog that ends, unless it is left.
    fn gone(&mut self, slot: Slot) -> Option<Event> {
        let dialog = self.get_mut(slot)?;
        let left = core::mem::replace(&mut dialog.left, true);
        (!left).then_some(Event::Gone(slot))
    }

    /// A new call.
    fn invite(&mut self, message: &Message<'_>, random: u64) -> Result<Event, u16> {
        if message.to().is_none_or(|to| to.tag().is_some()) {
            return Err(481);
        }
        let slot = self
            .free()
            .filter(|_| self.waiting.slot.is_none())
            .ok_or(486u16)?;
        let mut dialog = Dialog::called(message, random as u32).ok_or(500u16)?;
        let called = message.to().and_then(|to| dialog::text(to.parsed_uri()?.user?));
        let mut waiting = Waiting {
            slot: Some(slot),
            called: called.unwrap_or_default(),
            ..Waiting::NONE
        };
        if !message.body().is_empty() {
            let offer = Sdp::parse(message.body()).ok_or(488u16)?;
            let remote = Remote::read(&offer).ok_or(488u16)?;
            dialog.remote = Some(remote);
            waiting.media = keep(&offer, &remote).ok_or(488u16)?;
        }
        let _ = waiting.head.resize(HEAD_MAX, 0);
        let mut w = Writer::new(&mut waiting.head);
        write_response_lines(&mut w, message, Some(&dialog.tag()), own_peer());
        let len = w.end().map_err(|Full| 500u16)?;
        waiting.head.truncate(len);
        self.waiting = waiting;
        *self.get_mut(slot).ok_or(500u16)? = dialog;
        Ok(Event::Invited(slot))
    }

    /// A change of the other side's.
    fn reinvite(
        &mut self,
        own: &Own<'_>,
        slot: Slot,
        message: &Message<'_>,
        out: &mut [u8],
    ) -> (Option<usize>, Option<Event>) {
        let Some(dialog) = self.get_mut(slot) else {
            return (None, None);
        };
        let tag = dialog.tag();
        if dialog.state != State::Up || dialog.inviting {
            return (answer(message, 491, Some(&tag), out).ok(), None);
        }
        let offer = message.body();
        let remote = Sdp::parse(offer).and_then(|offer| Remote::read(&offer));
        if remote.is_none() && !offer.is_empty() {
            return (answer(message, 488, Some(&tag), out).ok(), None);
        }
        let _ = dialog.learn_target(message);
        let mut w = Writer::new(out);
        write_response_head(&mut w, message, 200, Some(&tag), own_peer());
        w.header(Name::Contact, own.contact());
        w.header(Name::Allow, ALLOW);
        let ours = dialog.next_version(own);
        // What was not said yet is said now.
        dialog.held = dialog.hold;
        let Some(remote) = remote else {
            let written = w.body_display("application/sdp", ours.offer(dialog.hold));
            return (written.ok(), None);
        };
        dialog.remote = Some(remote);
        let mut sdp = [0; 512];
        let written = ours.answer(offer, &remote, dialog.hold, &mut sdp);
        let written = written.and_then(|len| w.body("application/sdp", sdp.get(..len).unwrap_or_default()));
        let event = (!dialog.left).then_some(Event::Changed(slot));
        (written.ok(), event)
    }

    /// Our 200 is acknowledged; with the answer to what we have offered in it.
    fn acked(&mut self, slot: Slot, message: &Message<'_>) -> Option<Event> {
        let dialog = self.get_mut(slot)?;
        let remote = Remote::read(&Sdp::parse(message.body())?)?;
        dialog.remote = Some(remote);
        (!dialog.left).then_some(Event::Changed(slot))
    }

    /// How a transfer goes (RFC 3515 §2.4.4).
    fn notified(&mut self, now: Instant, slot: Slot, message: &Message<'_>) -> Option<Event> {
        let status = message.body().get(8..11)?;
        let status: u16 = core::str::from_utf8(status).ok()?.parse().ok()?;
        if status < 200 {
            return None;
        }
        if status >= 300 {
            return self.not_transferred(now, slot);
        }
        let (dialog, by) = self.transfer_ends(slot)?;
        let left = dialog.left;
        dialog.end(now, TRANSFERRED);
        if let Some(by) = by.and_then(|by| self.get_mut(by)).filter(|by| by.left) {
            by.end(now, TRANSFERRED);
        }
        (!left).then_some(Event::Transferred(slot))
    }

    /// The dialog of a transfer that has come to its end, and the one that was to take its place. Nothing: there was none.
    fn transfer_ends(&mut self, slot: Slot) -> Option<(&mut Dialog, Option<Slot>)> {
        let dialog = self.get_mut(slot)?;
        let (parks, by) = (dialog.parks.take(), dialog.replaced_by.take().map(Slot));
        (parks.is_some() || by.is_some()).then_some((dialog, by))
    }

    fn not_transferred(&mut self, now: Instant, slot: Slot) -> Option<Event> {
        let (dialog, by) = self.transfer_ends(slot)?;
        dialog.left = false;
        dialog.until = None;
        if let Some(by) = by.and_then(|by| self.get_mut(by)).filter(|by| by.left) {
            by.end(now, GOODBYE);
        }
        Some(Event::NotTransferred(slot))
    }

    fn response(&mut self, now: Instant, slot: Slot, message: &Message<'_>) -> Option<Event> {
        let status = message.status()?;
        let dialog = self.get_mut(slot)?;
        if message.method() == Method::Invite {
            return match dialog.is_of_invite(message) {
                true => self.answered(now, slot, status, message),
                false => None,
            };
        }
        match message.method() {
            Method::Bye if status >= 200 => {
                *dialog = Dialog::FREE;
                None
            }
            Method::Refer if status >= 300 => self.not_transferred(now, slot),
            _ => None,
        }
    }

    /// An answer to our INVITE.
    fn answered(&mut self, now: Instant, slot: Slot, status: u16, message: &Message<'_>) -> Option<Event> {
        let replaces = self.is_replacing(slot);
        let dialog = self.get_mut(slot)?;
        let left = dialog.left;
        let first = dialog.state == State::Calling;
        let described = Sdp::parse(message.body()).and_then(|sdp| Remote::read(&sdp));
        if status < 200 {
            if status == 100 || !first {
                return None;
            }
            dialog.learn_tag(message);
            dialog.remote = described.or(dialog.remote);
            return (!left).then_some(Event::Progress(slot, status));
        }
        if first {
            dialog.learn_tag(message);
        }
        dialog.inviting = false;
        if status < 300 {
            dialog.ack = Some(Ack::Accepted);
            let _ = dialog.learn_target(message);
            if dialog.state == State::Over {
                return None;
            }
            dialog.state = State::Up;
            dialog.remote = described.or(dialog.remote);
            // It goes on saying good-bye, unless it is about to be transferred.
            if left && first && !replaces {
                dialog.end(now, GOODBYE);
            }
            return match (left, first) {
                (true, _) => None,
                (false, true) => Some(Event::Answered(slot)),
                (false, false) => Some(Event::Changed(slot)),
            };
        }
        dialog.ack = Some(Ack::Refused);
        match status {
            _ if first => {
                dialog.state = State::Over;
                (!left).then_some(Event::Failed(slot, status))
            }
            // The dialog is not there any more (RFC 3261 §12.2.1.2).
            408 | 481 => {
                dialog.state = State::Over;
                self.gone(slot)
            }
            491 => {
                let wait = if dialog.calls { AGAIN_CALLER } else { AGAIN_CALLED };
                (dialog.held, dialog.again) = (!dialog.hold, now + wait);
                None
            }
            // It stays as it was.
            _ => None,
        }
    }

    /// Does another dialog's transfer wait for this one?
    fn is_replacing(&self, slot: Slot) -> bool {
        self.dialogs
            .iter()
            .any(|dialog| dialog.replaced_by == Some(slot.0))
    }

    /// Writes the next message to the box: its length.
    pub fn poll(&mut self, now: Instant, own: &Own<'_>, out: &mut [u8]) -> Option<usize> {
        if let Some(len) = self.write_answer(own, out) {
            return Some(len);
        }
        for at in 0..DIALOGS {
            let dialog = self.dialogs.get_mut(at)?;
            if let Some(ack) = dialog.ack.take() {
                let written = dialog.write_ack(ack, own, out);
                if dialog.state == State::Over && ack == Ack::Refused {
                    *dialog = Dialog::FREE;
                }
                match written {
                    Ok(len) => return Some(len),
                    Err(Full) => continue,
                }
            }
            if dialog.until.is_some_and(|until| now >= until) {
                self.expire(now, at);
            }
            let dialog = self.dialogs.get_mut(at)?;
            if let Some(ask) = dialog.next_ask(now) {
                let mut dialog = core::mem::replace(dialog, Dialog::FREE);
                let by = dialog.replaced_by.and_then(|by| self.get(Slot(by)));
                let written = dialog.write(ask, own, by, out);
                *self.dialogs.get_mut(at)? = dialog;
                if let Ok(len) = written {
                    return Some(len);
                }
            }
        }
        None
    }

    /// The time of a dialog that is left is over: a transfer that comes to nothing, or a good-bye that nobody returns.
    fn expire(&mut self, now: Instant, at: usize) {
        if let Some(dialog) = self.dialogs.get_mut(at) {
            match dialog.ends {
                false => dialog.end(now, GOODBYE),
                true => *dialog = Dialog::FREE,
            }
        }
    }

    /// The answer to the INVITE that waits.
    fn write_answer(&mut self, own: &Own<'_>, out: &mut [u8]) -> Option<usize> {
        let status = self.waiting.status.take()?;
        let slot = self.waiting.slot?;
        let dialog = self.dialogs.get_mut(usize::from(slot.0))?;
        let mut w = Writer::new(out);
        w.status(status, "").raw(&self.waiting.head);
        w.header(Name::Server, AGENT);
        let mut sdp = [0; 512];
        let written = match status {
            180 => {
                w.header(Name::Contact, own.contact());
                w.finish_empty()
            }
            200 => {
                w.header(Name::Contact, own.contact());
                w.header(Name::Allow, ALLOW);
                dialog.state = State::Up;
                let ours = dialog.next_version(own);
                match dialog.remote {
                    Some(remote) => ours
                        .answer(&self.waiting.media, &remote, false, &mut sdp)
                        .and_then(|len| w.body("application/sdp", sdp.get(..len).unwrap_or_default())),
                    None => w.body_display("application/sdp", ours.offer(false)),
                }
            }
            _ => {
                *dialog = Dialog::FREE;
                w.finish_empty()
            }
        };
        if status >= 200 {
            self.waiting = Waiting::NONE;
        }
        written.ok()
    }

    /// When to poll again.
    pub fn next_deadline(&self) -> Instant {
        let dialogs = self.dialogs.iter().map(Dialog::next_deadline);
        dialogs.min().unwrap_or(Instant::NEVER)
    }
}

/// An answer from the request itself.
fn answer(message: &Message<'_>, status: u16, tag: Option<&str>, out: &mut [u8]) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    write_response_head(&mut w, message, status, tag.or(Some("denwaban")), own_peer());
    w.header(Name::Server, AGENT);
    w.header(Name::Allow, ALLOW);
    w.finish_empty()
}

/// The box, as a port sees it.
fn own_peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], crate::budget::SIP_PORT))
}
