//! The media relay of each call, put between the two sides by what they are told of each other.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use media::g711::Law;
use media::prompt::Prompt;
use media::relay::{Remote, Side as End};
use sip::b2bua::{Media, SDP_MAX, Side};
use sip::pool::Key;
use sip::sdp::{self, Edit, Role, Sdp};

/// The media relays, which the engine's owner runs: real sockets, or a simulation's.
pub trait Relays {
    /// Opens the relay of a call; `call` is its number until [`Relays::close`]. Gives the address and even port at which
    /// each side (A: the caller's) is to send its RTP, RTCP on the next one. `None`: no port is free.
    fn open(&mut self, call: u32) -> Option<[SocketAddr; 2]>;

    /// Takes where a side receives, from its session description. It may be heard from there, and from the address that
    /// its signalling comes from.
    fn remote(&mut self, call: u32, side: End, remote: Remote, signalling: IpAddr);

    /// Plays an announcement to the caller; [`super::Input::Played`] tells its end. False: it cannot be played.
    fn play(&mut self, _call: u32, _prompt: Prompt, _law: Law) -> bool {
        false
    }

    /// The call is over.
    fn close(&mut self, call: u32);
}

/// What rewrites session descriptions.
#[derive(Debug)]
pub(super) struct Bridge<R> {
    pub relays: R,
    sessions: HashMap<Key, [SocketAddr; 2]>,
    /// Where a side wants its media from now on, until the other one agrees (RFC 3261 §14.1).
    offered: HashMap<Key, (End, Remote, IpAddr)>,
    /// Where the message at hand came from.
    source: IpAddr,
    /// The last refusal was for want of ports.
    pub exhausted: bool,
}

impl<R: Relays> Bridge<R> {
    pub fn new(relays: R) -> Self {
        Self {
            relays,
            sessions: HashMap::new(),
            offered: HashMap::new(),
            source: IpAddr::from([0; 4]),
            exhausted: false,
        }
    }

    /// A message is at hand: where it came from.
    pub fn hear(&mut self, source: IpAddr) {
        self.source = source;
    }

    /// Forgets what was offered and never agreed to: these calls no longer wait for an answer.
    pub fn settle(&mut self, waits: impl Fn(Key) -> bool) {
        self.offered.retain(|call, _| waits(*call));
    }

    pub fn close(&mut self, call: Key) {
        self.offered.remove(&call);
        if self.sessions.remove(&call).is_some() {
            self.relays.close(call.to_bits());
        }
    }

    /// Closes what belongs to no call: one that was not taken after all.
    pub fn keep(&mut self, exists: impl Fn(Key) -> bool) {
        let gone: Vec<Key> = self
            .sessions
            .keys()
            .copied()
            .filter(|call| !exists(*call))
            .collect();
        gone.into_iter().for_each(|call| self.close(call));
    }

    /// Where the caller of a call is to send its audio.
    pub fn caller_end(&self, call: Key) -> Option<SocketAddr> {
        let [caller, _] = *self.sessions.get(&call)?;
        Some(caller)
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }
}

impl<R: Relays> Media for Bridge<R> {
    fn relay(
        &mut self,
        call: Key,
        from: Side,
        role: Role,
        sdp: &[u8],
        out: &mut [u8; SDP_MAX],
    ) -> Option<usize> {
        let own = match from {
            Side::Caller => End::A,
            Side::Callee => End::B,
        };
        if role == Role::Answer
            && let Some((side, remote, source)) = self.offered.remove(&call)
            && side != own
        {
            // The other side agrees.
            self.relays.remote(call.to_bits(), side, remote, source);
        }
        let sdp = Sdp::parse(sdp)?;
        let is_voice =
            |medium: &sdp::Media<'_>| medium.kind == b"audio" && medium.protocol.starts_with(b"RTP/");
        let (voice, medium) = sdp
            .media()
            .enumerate()
            .find(|(_, medium)| medium.port != 0 && is_voice(medium))?;
        // What an offer changes of a session waits for the answer; the first begins one.
        let waits = role == Role::Offer && self.sessions.contains_key(&call);
        let ends = match self.sessions.get(&call) {
            Some(ends) => *ends,
            None => match self.relays.open(call.to_bits()) {
                Some(ends) => *self.sessions.entry(call).or_insert(ends),
                None => {
                    self.exhausted = true;
                    return None;
                }
            },
        };
        let told = match own {
            End::A => ends[End::B as usize],
            End::B => ends[End::A as usize],
        };
        if let Some(target) = medium.target().filter(|target| !target.ip().is_unspecified()) {
            let mux = medium.attributes("rtcp-mux").next().is_some();
            let rtcp = medium
                .attributes("rtcp")
                .next()
                .and_then(|value| sip::fields::number(value.split(|b| *b == b' ').next()?))
                .and_then(|port| u16::try_from(port).ok())
                .map(|port| SocketAddr::new(target.ip(), port));
            let remote = match (mux, rtcp) {
                (true, _) => Remote::mux(target),
                (false, Some(_)) => Remote { rtp: target, rtcp },
                (false, None) => Remote::next_port(target),
            };
            if waits {
                self.offered.insert(call, (own, remote, self.source));
            } else {
                self.relays.remote(call.to_bits(), own, remote, self.source);
            }
        }
        let written = sdp::rewrite(&sdp, out, Some(told.ip()), |index, medium| {
            Edit::at(match medium.address {
                // One voice stream is relayed; others are not offered on.
                _ if index != voice => SocketAddr::new(told.ip(), 0),
                // The old way to hold (RFC 3264 §8.4) stays one.
                Some(address) if address.is_unspecified() => SocketAddr::new(address, told.port()),
                _ => told,
            })
        });
        written.ok()
    }
}
