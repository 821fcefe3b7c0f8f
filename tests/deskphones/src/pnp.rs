//! SIP PnP: a phone asks the network for the address of its profile (RFC 6080 §5.1.1 in the form that vendors ship: multicast,
//! `Event: ua-profile`, a NOTIFY with `application/url`).
//!
//! The request is the one that a GRP2612W sends, as captured in github.com/brucemwalker/gs_tools
//! (plugnplay/gspnp_responder.py/fake_grp2612.py), with this model's name; that a Panasonic phone sends the same is assumed (its
//! guide, KX-HDV230 Administrator Guide p. 37, tells only the messages and the NOTIFY's body).

use std::net::{Ipv4Addr, SocketAddrV4};

use rsip::SipMessage;
use rsip::headers::UntypedHeader;
use rsip::prelude::{HasHeaders, HeadersExt};

use crate::assumed::{PNP_PORT, PNP_WAIT};
use crate::model::{Model, Vendor};
use crate::rng::Rng;
use crate::{Mac, Millis};

/// Where a phone asks.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 1, 75), 5_060);

/// The question, until it is answered or given up.
pub struct Search {
    request: Vec<u8>,
    call_id: String,
    next: Millis,
    interval: Millis,
    until: Millis,
    /// A server said that the NOTIFY is coming.
    promised: bool,
    /// When it began.
    pub since: Millis,
}

/// What came of a datagram.
pub enum Heard {
    /// Nothing for this search.
    Nothing,
    /// It is to be answered with this.
    Answer(Vec<u8>),
    /// The same, and this is the profile's address.
    Found(Vec<u8>, String),
}

impl Search {
    /// Asks at once.
    pub fn new(now: Millis, model: &Model, mac: Mac, address: Ipv4Addr, rng: &mut Rng) -> Self {
        let (name, firmware) = (model.name, model.firmware);
        let vendor = match model.vendor {
            Vendor::Grandstream => "Grandstream",
            Vendor::Panasonic => "Panasonic",
        };
        let user = format!("MAC%3A{}", mac.upper());
        let call_id = format!("{}-{PNP_PORT}-1@{address}", rng.next() as u32);
        let (branch, tag) = (rng.next() as u32, rng.next() as u32);
        let agent = match model.vendor {
            Vendor::Grandstream => format!("Grandstream {name} {firmware}"),
            Vendor::Panasonic => model.sip_user_agent(mac),
        };
        let lines = [
            format!("SUBSCRIBE sip:{user}@224.0.1.75 SIP/2.0"),
            format!("Via: SIP/2.0/UDP {address}:{PNP_PORT};branch=z9hG4bK{branch};rport"),
            format!("From: <sip:{user}@224.0.1.75>;tag={tag}"),
            format!("To: <sip:{user}@224.0.1.75>"),
            format!("Call-ID: {call_id}"),
            "CSeq: 20000 SUBSCRIBE".into(),
            format!("Contact: <sip:{address}:{PNP_PORT}>"),
            "Max-Forwards: 70".into(),
            format!("User-Agent: {agent}"),
            "Expires: 0".into(),
            "Supported: replaces, path".into(),
            format!(
                "Event: ua-profile;profile-type=\"device\";vendor=\"{vendor}\";model=\"{name}\";version=\"{firmware}\""
            ),
            "Accept: application/url".into(),
            "Allow: INVITE, ACK, OPTIONS, CANCEL, BYE, SUBSCRIBE, NOTIFY, INFO, REFER, UPDATE, MESSAGE"
                .into(),
            "Content-Length: 0".into(),
        ];
        Search {
            request: format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes(),
            call_id,
            next: now,
            interval: 500,
            until: now + PNP_WAIT,
            promised: false,
            since: now,
        }
    }

    /// Is there no hope left?
    pub fn is_over(&self, now: Millis) -> bool {
        now >= self.until
    }

    /// When something is to be sent, or it is over.
    pub fn next_deadline(&self) -> Millis {
        self.next.min(self.until)
    }

    /// The request, when it is due: every 0.5, 1, 2, 4 seconds (RFC 3261 §17.1.2.2) until somebody answers.
    pub fn poll(&mut self, now: Millis) -> Option<&[u8]> {
        if now < self.next || self.promised {
            return None;
        }
        self.next = now + self.interval;
        self.interval = (self.interval * 2).min(4_000);
        Some(&self.request)
    }

    /// A datagram for port 5080.
    pub fn receive(&mut self, bytes: &[u8]) -> Heard {
        let Ok(message) = SipMessage::try_from(bytes) else {
            return Heard::Nothing;
        };
        let ours = message
            .call_id_header()
            .is_ok_and(|id| id.value() == self.call_id);
        match message {
            SipMessage::Response(response) if ours => {
                if response.status_code.code() / 100 == 2 {
                    (self.promised, self.next) = (true, Millis::MAX);
                }
                Heard::Nothing
            }
            SipMessage::Request(request) if ours && request.method == rsip::Method::Notify => {
                let event = header(&request, "event").unwrap_or_default();
                let kind = header(&request, "content-type").unwrap_or_default();
                let known = event.split(';').next().map(str::trim) == Some("ua-profile");
                if !known || !kind.eq_ignore_ascii_case("application/url") {
                    return Heard::Answer(answer(&request, "489 Bad Event"));
                }
                let url = String::from_utf8_lossy(&request.body).trim().to_owned();
                Heard::Found(answer(&request, "200 OK"), url)
            }
            _ => Heard::Nothing,
        }
    }
}

fn header(request: &rsip::Request, name: &str) -> Option<String> {
    let mut fields = request.headers().iter().map(ToString::to_string);
    fields.find_map(|field| {
        let (field, value) = field.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// The response, with what RFC 3261 §8.2.6.2 has copied.
fn answer(request: &rsip::Request, status: &str) -> Vec<u8> {
    let mut out = format!("SIP/2.0 {status}\r\n");
    for field in request.headers().iter().map(ToString::to_string) {
        let name = field.split(':').next().unwrap_or_default();
        if ["via", "from", "to", "call-id", "cseq"]
            .iter()
            .any(|copied| name.eq_ignore_ascii_case(copied))
        {
            out += &format!("{field}\r\n");
        }
    }
    out += "Content-Length: 0\r\n\r\n";
    out.into_bytes()
}
