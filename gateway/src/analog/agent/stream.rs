//! Session descriptions of a port: what it can, and what the other side wants of it.

use core::net::SocketAddr;

use heapless::Vec;
use media::g711::Law;
use sip::sdp::{Audio, Codec, Direction, Sdp};
use sip::{Full, Writer};

/// Payload types of our own offers. Dynamic ones, as most phones have them.
const TELEPHONE_EVENT: u8 = 101;
const REDUNDANCY: u8 = 121;

/// Room for the media lines of an offer that waits for its answer, bytes: audio takes 29, a video with ten formats some 45.
pub const MEDIA_MAX: usize = 128;

/// What the other side has said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where it wants to hear us.
    pub to: SocketAddr,
    /// How.
    pub law: Law,
    /// Payload type of telephone events.
    pub telephone_event: Option<u8>,
    /// Payload type of redundancy.
    pub redundancy: Option<u8>,
    /// It wants to hear us.
    pub listens: bool,
    direction: Direction,
    /// The place of this medium in its description.
    place: u8,
}

impl Remote {
    /// The first medium that a port can do: G.711 under its own payload type, without keys.
    pub fn read(sdp: &Sdp<'_>) -> Option<Self> {
        let found = sdp.media().enumerate().find_map(|(place, medium)| {
            let plain = medium.kind == b"audio" && matches!(medium.protocol, b"RTP/AVP" | b"RTP/AVPF");
            let (codec, _) = medium.codecs().find(|(codec, pt)| codec.payload_type() == *pt)?;
            (plain && medium.port != 0).then_some((place, medium, codec))
        });
        let (place, medium, codec) = found?;
        Some(Self {
            to: medium.target()?,
            law: match codec {
                Codec::Pcmu => Law::Pcmu,
                Codec::Pcma => Law::Pcma,
            },
            telephone_event: medium.telephone_event(),
            redundancy: medium.encoding("red/8000"),
            listens: !medium.is_held(),
            direction: medium.direction,
            place: u8::try_from(place).ok()?,
        })
    }

    fn codec(&self) -> Codec {
        match self.law {
            Law::Pcmu => Codec::Pcmu,
            Law::Pcma => Codec::Pcma,
        }
    }
}

/// Whose description it is, and which.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    /// Session id.
    pub session: u32,
    /// Version; grows with each description.
    pub version: u32,
    /// Where this port wants to hear.
    pub at: SocketAddr,
}

impl Ours {
    fn audio<'c>(&self, codecs: &'c [Codec], direction: Direction) -> Audio<'c> {
        Audio {
            session: self.session.into(),
            version: self.version.into(),
            target: self.at,
            codecs,
            telephone_event: None,
            redundancy: None,
            direction,
        }
    }

    /// An offer.
    pub fn offer(&self, on_hold: bool) -> Audio<'static> {
        let direction = match on_hold {
            true => Direction::SendOnly,
            false => Direction::SendRecv,
        };
        Audio {
            telephone_event: Some(TELEPHONE_EVENT),
            redundancy: Some(REDUNDANCY),
            ..self.audio(&[Codec::Pcmu, Codec::Pcma], direction)
        }
    }

    /// The answer to an offer of which [`Remote::read`] has made `remote`; all its other media are refused.
    pub fn answer(
        &self,
        offer: &[u8],
        remote: &Remote,
        on_hold: bool,
        out: &mut [u8],
    ) -> Result<usize, Full> {
        let offer = Sdp::parse(offer).ok_or(Full)?;
        let direction = match remote.direction.mirrored() {
            Direction::SendRecv if on_hold => Direction::SendOnly,
            Direction::RecvOnly if on_hold => Direction::Inactive,
            direction => direction,
        };
        let codecs = [remote.codec()];
        let answer = Audio {
            telephone_event: remote.telephone_event,
            redundancy: remote.redundancy,
            ..self.audio(&codecs, direction)
        };
        answer.answering(offer, remote.place.into()).write(out)
    }
}

/// Keeps of an offer what its answer needs: which media it has, as a description without anything else.
pub fn keep(offer: &Sdp<'_>, taken: &Remote) -> Option<Vec<u8, MEDIA_MAX>> {
    let mut kept = Vec::new();
    let _ = kept.resize(MEDIA_MAX, 0);
    let mut w = Writer::new(&mut kept);
    w.raw(b"v=0\r\n");
    for (place, medium) in offer.media().enumerate() {
        // The formats of the one that is taken are the answer's own; the port is no matter.
        let formats = if place == usize::from(taken.place) {
            b"0"
        } else {
            medium.formats
        };
        w.raw(b"m=").raw(medium.kind).raw(b" 1 ").raw(medium.protocol);
        w.raw(b" ").raw(formats).raw(b"\r\n");
    }
    let len = w.end().ok()?;
    kept.truncate(len);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    const PHONE: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
        m=video 5000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n\
        m=audio 4000 RTP/AVP 9 8 0 100 120\r\na=rtpmap:100 telephone-event/8000\r\na=rtpmap:120 red/8000\r\n\
        m=image 4004 udptl t38\r\n";

    const OURS: Ours = Ours {
        session: 7,
        version: 3,
        at: SocketAddr::new(
            core::net::IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1)),
            16_392,
        ),
    };

    fn answer(offer: &[u8], remote: &Remote, on_hold: bool) -> String {
        let mut out = [0; 512];
        let len = OURS.answer(offer, remote, on_hold, &mut out).unwrap();
        let text = String::from_utf8(out[..len].into()).unwrap();
        let parsed = Sdp::parse(&out[..len]).unwrap();
        parsed.answers(&Sdp::parse(PHONE).unwrap()).unwrap();
        text
    }

    #[test]
    fn an_answer_from_what_is_kept() {
        let offer = Sdp::parse(PHONE).unwrap();
        let remote = Remote::read(&offer).unwrap();
        assert_eq!(
            remote,
            Remote {
                to: "192.0.2.7:4000".parse().unwrap(),
                law: Law::Pcma,
                telephone_event: Some(100),
                redundancy: Some(120),
                listens: true,
                direction: Direction::SendRecv,
                place: 1,
            }
        );
        let kept = keep(&offer, &remote).unwrap();
        let text = answer(&kept, &remote, false);
        assert_eq!(text, answer(PHONE, &remote, false));
        assert_eq!(
            text,
            "v=0\r\no=- 7 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=video 0 RTP/AVP 99\r\n\
             m=audio 16392 RTP/AVP 8 100 120\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:100 telephone-event/8000\r\n\
             a=fmtp:100 0-15\r\na=rtpmap:120 red/8000\r\na=fmtp:120 8/8\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n\
             m=image 0 udptl t38\r\n"
        );
        assert!(answer(PHONE, &remote, true).contains("a=sendonly"));
        // More media than there is room for.
        let long = [PHONE, &b"m=video 1 RTP/AVP 99\r\n".repeat(8)].concat();
        assert_eq!(keep(&Sdp::parse(&long).unwrap(), &remote), None);
    }

    #[test]
    fn our_offer() {
        let text = std::format!("{}", OURS.offer(false));
        assert!(text.contains("m=audio 16392 RTP/AVP 0 8 101 121\r\n"), "{text}");
        assert!(
            text.contains("a=rtpmap:121 red/8000\r\na=fmtp:121 0/0\r\n"),
            "{text}"
        );
        assert!(std::format!("{}", OURS.offer(true)).contains("a=sendonly"));
    }

    #[test]
    fn what_cannot_be_heard() {
        let read = |text: &str| Remote::read(&Sdp::parse(text.as_bytes()).unwrap());
        let with = |media: &str| read(&std::format!("v=0\r\nc=IN IP4 192.0.2.7\r\n{media}"));
        assert!(with("m=audio 4000 RTP/AVP 0\r\n").is_some_and(|remote| remote.listens));
        assert!(with("m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n").is_some_and(|remote| !remote.listens));
        for bad in [
            "m=audio 0 RTP/AVP 0\r\n",
            "m=audio 4000 RTP/SAVP 0\r\n",
            "m=audio 4000 RTP/AVP 9 18\r\n",
            "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\n",
            "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 phone.example\r\n",
            "m=video 4000 RTP/AVP 0\r\n",
        ] {
            assert_eq!(with(bad), None, "{bad}");
        }
    }
}
