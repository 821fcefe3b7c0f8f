//! One dialog of a port, and the requests within it (RFC 3261 §12).

use core::fmt::Write as _;
use core::time::Duration;

use heapless::String;
use shared::dial::ParkSlot;
use shared::record::Party;
use sip::{Full, Instant, Message, Method, Name, Writer};

use super::stream::{Ours, Remote};
use super::{ALLOW, Own};
use crate::AGENT;

/// Longest Call-ID, tag and remote target that are kept. The box's own are shorter.
const NAME_MAX: usize = 24;
const TARGET_MAX: usize = 48;

/// Where a dialog stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// There is none.
    #[default]
    Free,
    /// We call; no final answer yet.
    Calling,
    /// We are called, and have not answered.
    Called,
    /// Both sides have agreed.
    Up,
    /// Nothing but the answer to our BYE is awaited, or an ACK of ours is to be written.
    Over,
}

/// What acknowledges a final answer to our INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// A 2xx: in a transaction of its own.
    Accepted,
    /// Anything else: in the INVITE's (RFC 3261 §17.1.1.3).
    Refused,
}

/// A request that waits to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Invite,
    Cancel,
    Refer,
    Bye,
}

/// A dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub state: State,
    /// We have made it.
    pub calls: bool,
    /// It was told to end.
    pub ends: bool,
    /// Nobody at the telephone has to do with it any more: it ends as soon as it can.
    pub left: bool,
    pub call_id: String<NAME_MAX>,
    /// Our tag.
    pub ours: u32,
    /// The other side's.
    pub theirs: String<NAME_MAX>,
    target: String<TARGET_MAX>,
    /// Whom we called, or who calls: the user of its address.
    pub peer: Party,
    /// CSeq of our last request, and of our last INVITE.
    cseq: u32,
    invite: u32,
    pub ack: Option<Ack>,
    /// Our INVITE is out.
    pub inviting: bool,
    cancel: bool,
    bye: bool,
    /// The dialog that takes this one's place (RFC 3891), once it is to be said.
    pub replaced_by: Option<u8>,
    /// Where the other side is to be parked.
    pub parks: Option<ParkSlot>,
    refer: bool,
    /// On hold: as it is to be, and as we have said.
    pub hold: bool,
    pub held: bool,
    /// A re-INVITE that met one of the other side is sent again then (RFC 3261 §14.1).
    pub again: Instant,
    /// A dialog that is left ends by then, whatever the other side does.
    pub until: Option<Instant>,
    pub remote: Option<Remote>,
    version: u32,
}

impl Dialog {
    /// Room for one.
    pub const FREE: Self = Self {
        state: State::Free,
        calls: false,
        ends: false,
        left: false,
        call_id: String::new(),
        ours: 0,
        theirs: String::new(),
        target: String::new(),
        peer: Party::new(),
        cseq: 0,
        invite: 0,
        ack: None,
        inviting: false,
        cancel: false,
        bye: false,
        replaced_by: None,
        parks: None,
        refer: false,
        hold: false,
        held: false,
        again: Instant::ZERO,
        until: None,
        remote: None,
        version: 0,
    };

    /// A call to `peer`.
    pub fn call(peer: &str, random: u64) -> Option<Self> {
        let mut call_id = String::new();
        write!(call_id, "{random:016x}").ok()?;
        Some(Self {
            state: State::Calling,
            calls: true,
            call_id,
            ours: (random >> 32) as u32 ^ random as u32,
            peer: Party::try_from(peer).ok()?,
            ..Self::FREE
        })
    }

    /// The dialog of an INVITE that has come.
    pub fn called(invite: &Message<'_>, ours: u32) -> Option<Self> {
        let from = invite.from()?;
        let user = from.parsed_uri()?.user.unwrap_or_default();
        let mut dialog = Self {
            state: State::Called,
            call_id: text(invite.call_id()?)?,
            ours,
            theirs: text(from.tag()?)?,
            // A user that is longer is none that could be shown.
            peer: text(user).unwrap_or_default(),
            ..Self::FREE
        };
        dialog.learn_target(invite)?;
        Some(dialog)
    }

    /// Is this message one of this dialog?
    pub fn owns(&self, message: &Message<'_>) -> bool {
        let (own, other) = match message.is_request() {
            true => (message.to(), message.from()),
            false => (message.from(), message.to()),
        };
        let tag =
            |address: Option<sip::NameAddr<'_>>| address.and_then(|address| text::<NAME_MAX>(address.tag()?));
        let ours = tag(own).is_some_and(|tag| tag == self.tag());
        // A CANCEL has no tag of ours yet.
        let cancels = message.method() == Method::Cancel && message.is_request();
        let theirs =
            self.theirs.is_empty() || !message.is_request() || tag(other).as_ref() == Some(&self.theirs);
        self.state != State::Free
            && message.call_id() == Some(self.call_id.as_bytes())
            && (ours || cancels && self.state == State::Called)
            && theirs
    }

    /// Our tag as text.
    pub fn tag(&self) -> String<NAME_MAX> {
        let mut tag = String::new();
        // Eight digits fit.
        let _ = write!(tag, "{:08x}", self.ours);
        tag
    }

    /// Where our requests go from now on.
    pub fn learn_target(&mut self, message: &Message<'_>) -> Option<()> {
        self.target = text(message.remote_target()?)?;
        Some(())
    }

    /// The other side's tag, of an answer to our INVITE.
    pub fn learn_tag(&mut self, message: &Message<'_>) {
        if let Some(tag) = message.to().and_then(|to| text(to.tag()?)) {
            self.theirs = tag;
        }
    }

    /// Is this an answer to our last INVITE?
    pub fn is_of_invite(&self, message: &Message<'_>) -> bool {
        message
            .cseq()
            .is_some_and(|cseq| cseq.method == Method::Invite && cseq.seq == self.invite)
    }

    /// The next description of ours.
    pub fn next_version(&mut self, own: &Own<'_>) -> Ours {
        self.version = self.version.wrapping_add(1);
        Ours {
            session: self.ours >> 1,
            version: self.version,
            at: own.audio,
        }
    }

    /// It is to end, as soon as it can.
    pub fn end(&mut self, now: Instant, patience: Duration) {
        (self.left, self.ends) = (true, true);
        self.until = Some(now + patience);
        match self.state {
            State::Calling => self.cancel = true,
            State::Up => self.bye = true,
            State::Free | State::Called | State::Over => {}
        }
    }

    /// It takes another dialog's place, of the same port, in the other one's call: by REFER.
    pub fn refer(&mut self, now: Instant, by: u8, patience: Duration) {
        self.left = true;
        self.until = Some(now + patience);
        self.replaced_by = Some(by);
        self.refer = true;
    }

    /// Its other side is to be parked: by REFER.
    pub fn park(&mut self, at: ParkSlot) {
        (self.parks, self.refer) = (Some(at), true);
    }

    /// What is to be asked next.
    pub fn next_ask(&mut self, now: Instant) -> Option<Ask> {
        match self.state {
            State::Calling if self.invite == 0 => Some(Ask::Invite),
            State::Calling if core::mem::take(&mut self.cancel) => Some(Ask::Cancel),
            State::Up if core::mem::take(&mut self.refer) => Some(Ask::Refer),
            State::Up if core::mem::take(&mut self.bye) => {
                self.state = State::Over;
                Some(Ask::Bye)
            }
            State::Up if !self.left && !self.inviting && self.hold != self.held && now >= self.again => {
                Some(Ask::Invite)
            }
            _ => None,
        }
    }

    /// When there is something to ask that is not asked yet.
    pub fn next_deadline(&self) -> Instant {
        let again = match self.state {
            State::Up if !self.left && !self.inviting && self.hold != self.held => self.again,
            _ => Instant::NEVER,
        };
        self.until.map_or(again, |until| until.min(again))
    }

    /// Writes a request.
    pub fn write(
        &mut self,
        ask: Ask,
        own: &Own<'_>,
        by: Option<&Dialog>,
        out: &mut [u8],
    ) -> Result<usize, Full> {
        let (method, cseq) = match ask {
            Ask::Invite => (Method::Invite, self.cseq + 1),
            Ask::Cancel => (Method::Cancel, self.invite),
            Ask::Refer => (Method::Refer, self.cseq + 1),
            Ask::Bye => (Method::Bye, self.cseq + 1),
        };
        self.cseq = self.cseq.max(cseq);
        let mut w = Writer::new(out);
        // A CANCEL has the branch of what it cancels.
        self.write_head(&mut w, own, method, cseq, cseq);
        match ask {
            Ask::Invite => {
                let on_hold = self.hold;
                (self.invite, self.inviting, self.held) = (cseq, true, self.hold);
                w.header(Name::Contact, own.contact());
                w.header(Name::Allow, ALLOW);
                let ours = self.next_version(own);
                w.body_display("application/sdp", ours.offer(on_hold))
            }
            Ask::Refer => {
                w.raw(b"Refer-To: <");
                if let Some(slot) = self.parks {
                    let _ = write!(w, "sip:{slot}@{}", own.realm);
                } else if let Some(by) = by {
                    write_uri(&mut w, &by.peer, own.realm);
                    // RFC 3891 §3: as the box sees that dialog.
                    let (call, theirs, ours) = (&by.call_id, &by.theirs, by.tag());
                    let _ = write!(w, "?Replaces={call}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}");
                }
                w.raw(b">\r\n");
                w.header(Name::Contact, own.contact());
                w.finish_empty()
            }
            Ask::Cancel | Ask::Bye => w.finish_empty(),
        }
    }

    /// Writes the acknowledgement of a final answer.
    pub fn write_ack(&self, ack: Ack, own: &Own<'_>, out: &mut [u8]) -> Result<usize, Full> {
        let branch = match ack {
            Ack::Refused => self.invite,
            Ack::Accepted => self.invite | 1 << 31,
        };
        let mut w = Writer::new(out);
        self.write_head(&mut w, own, Method::Ack, self.invite, branch);
        w.finish_empty()
    }

    fn write_head(&self, w: &mut Writer<'_>, own: &Own<'_>, method: Method<'_>, cseq: u32, branch: u32) {
        let Own { realm, user, .. } = *own;
        let first =
            self.theirs.is_empty() || matches!(method, Method::Cancel) && self.state == State::Calling;
        // What belongs to the first INVITE goes where that went (RFC 3261 §9.1, §17.1.1.3).
        let refused = method == Method::Ack && self.state != State::Up && branch == cseq;
        w.raw(method.as_bytes()).raw(b" ");
        match first || refused || self.target.is_empty() {
            true => write_uri(w, &self.peer, realm),
            false => _ = w.raw(self.target.as_bytes()),
        }
        w.raw(b" SIP/2.0\r\n");
        let ours = self.ours;
        w.header(
            Name::Via,
            format_args!(
                "SIP/2.0/TCP {};branch=z9hG4bK{ours:08x}{branch:x};rport",
                super::HOST
            ),
        );
        w.header(Name::MaxForwards, 70);
        w.raw(b"From: <");
        write_uri(w, user, realm);
        let _ = write!(w, ">;tag={ours:08x}\r\nTo: <");
        write_uri(w, &self.peer, realm);
        w.raw(b">");
        if !first {
            w.raw(b";tag=").raw(self.theirs.as_bytes());
        }
        w.raw(b"\r\n");
        w.header(Name::CallId, &self.call_id);
        w.header(Name::CSeq, format_args!("{cseq} {}", Text(method.as_bytes())));
        w.header(Name::UserAgent, AGENT);
    }
}

/// An address of somebody at the realm. What is no character of a user is escaped (RFC 3261 §25.1).
fn write_uri(w: &mut Writer<'_>, user: &str, realm: &str) {
    w.raw(b"sip:");
    for byte in user.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'*' | b'+' | b'-' | b'_' | b'.' => _ = w.raw(&[byte]),
            _ => _ = write!(w, "%{byte:02X}"),
        }
    }
    if !user.is_empty() {
        w.raw(b"@");
    }
    w.raw(realm.as_bytes());
}

struct Text<'a>(&'a [u8]);

impl core::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(core::str::from_utf8(self.0).unwrap_or_default())
    }
}

/// A text that fits.
pub fn text<const N: usize>(bytes: &[u8]) -> Option<String<N>> {
    String::try_from(core::str::from_utf8(bytes).ok()?).ok()
}
