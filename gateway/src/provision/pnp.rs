//! How phones find the box with nothing set anywhere: SIP Plug and Play. A phone that starts subscribes to its profile by
//! multicast (`Event: ua-profile`, RFC 6080 §5.1, at the group of SIP, 224.0.1.75), and the first NOTIFY says where it is
//! (`Content-Type: application/url`).
//!
//! Nothing is kept: each SUBSCRIBE that comes is answered and notified. A phone whose NOTIFY was lost goes on to its next way to
//! find a server, and asks again when it starts the next time.

use core::net::{IpAddr, Ipv4Addr};

use shared::hub::{Mac, PhoneModel};
use sip::fields::{Item, unquote};
use sip::{Flow, Message, Method, Name, Writer};

use super::name::{self, Maker};
use crate::AGENT;

/// The group that phones ask (IANA: sip.mcast.net).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);
/// The event package.
pub const PACKAGE: &str = "ua-profile";
/// Most bytes of a NOTIFY. What a request makes longer gets none.
pub const NOTIFY_MAX: usize = 640;
/// The tag of our side: the Call-ID tells the dialogs apart.
const TAG: &str = "denwaban";

/// A phone that asks for its profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Who makes it.
    pub maker: Maker,
    /// What it says it is.
    pub model: &'a str,
    /// Version of its firmware.
    pub version: &'a str,
}

impl<'a> Request<'a> {
    /// Reads a SUBSCRIBE. `None`: about something else, or of a maker whose files there are not; the one who has them may answer.
    pub fn parse(message: &Message<'a>) -> Option<Self> {
        let Item { value, params } = Item::parse(message.header(Name::Event)?)?;
        if value != PACKAGE.as_bytes() {
            return None;
        }
        let param = |name| {
            let value = unquote(params.get(name)?);
            core::str::from_utf8(value).ok()
        };
        let is = |vendor: &str, text: &str| {
            let start = text.get(..vendor.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(vendor))
        };
        let vendor = param("vendor")?;
        let maker = match vendor {
            vendor if is("grandstream", vendor) => Maker::Grandstream,
            vendor if is("panasonic", vendor) => Maker::Panasonic,
            _ => return None,
        };
        let user = |uri: sip::Uri<'a>| mac_of(uri.user?);
        let by_request = message.parsed_request_uri().and_then(user);
        let by_from = || message.from().and_then(|from| from.parsed_uri()).and_then(user);
        Some(Self {
            mac: by_request.or_else(by_from),
            maker,
            model: param("model").unwrap_or_default(),
            version: param("version").unwrap_or_default(),
        })
    }

    /// Which of the models that can be claimed it is.
    pub fn known(&self) -> Option<PhoneModel> {
        name::model_in(self.model)
    }

    /// Writes the NOTIFY to a SUBSCRIBE that came by this flow; its length, if there is room and all that it needs. `branch` is
    /// unique.
    pub fn notify(
        &self,
        flow: &Flow,
        message: &Message<'_>,
        address: IpAddr,
        branch: u64,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let to = message.header(Name::From)?;
        let from = message.header(Name::To)?;
        let mut w = Writer::new(buffer);
        w.request(Method::Notify, message.remote_target()?);
        w.header(
            Name::Via,
            format_args!(
                "SIP/2.0/{} {};branch=z9hG4bK{branch:016x};rport",
                flow.transport, flow.local
            ),
        );
        w.header(Name::MaxForwards, 70);
        w.raw(b"From: ").unfolded(from);
        if message.to().is_none_or(|to| to.tag().is_none()) {
            w.raw(b";tag=").raw(TAG.as_bytes());
        }
        w.raw(b"\r\n");
        w.header_bytes(Name::To, to);
        w.copy(message, Name::CallId);
        w.header(Name::CSeq, "1 NOTIFY");
        w.header(Name::Contact, format_args!("<sip:{}>", flow.local));
        // As it was asked: some phones compare it.
        w.copy(message, Name::Event);
        w.header(Name::SubscriptionState, "terminated;reason=timeout");
        w.header(Name::UserAgent, AGENT);
        let mut url = heapless::String::<64>::new();
        let written = match self.maker {
            // What stands for the model is the phone's own to fill in.
            Maker::Panasonic => core::fmt::write(&mut url, format_args!("http://{address}/{{MODEL}}.cfg")),
            // The server alone: names are put behind it.
            Maker::Grandstream => core::fmt::write(&mut url, format_args!("http://{address}/")),
        };
        written.ok()?;
        w.body("application/url", url.as_bytes()).ok()
    }
}

/// The hardware address in a user part: `MAC%3a000B82123456`, `MAC:000b82123456`, `MAC000b82123456`.
fn mac_of(user: &[u8]) -> Option<Mac> {
    let mut buffer = [0; 32];
    let user = sip::uri::unescape(user, &mut buffer)?;
    let user = core::str::from_utf8(user).ok()?;
    let (head, rest) = user.split_at_checked(3)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    name::mac(rest).filter(|_| head.eq_ignore_ascii_case("mac"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::SocketAddr;
    use sip::Transport;
    use std::string::String;

    /// As a GRP2612W sends it (a capture in a public repository), with the model of a GXP1628.
    const GRANDSTREAM: &str = "SUBSCRIBE sip:MAC%3AC074AD112233@224.0.1.75 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.168.1.2:5080;branch=z9hG4bK1611133778;rport\r\n\
        From: <sip:MAC%3AC074AD112233@224.0.1.75>;tag=395400190\r\n\
        To: <sip:MAC%3AC074AD112233@224.0.1.75>\r\n\
        Call-ID: 490431573-5080-1@BJC.BGI.IG.DA\r\n\
        CSeq: 20000 SUBSCRIBE\r\n\
        Contact: <sip:192.168.1.2:5080>\r\n\
        Max-Forwards: 70\r\n\
        User-Agent: Grandstream GXP1628 1.0.4.138\r\n\
        Expires: 0\r\n\
        Supported: replaces, path\r\n\
        Event: ua-profile;profile-type=\"device\";vendor=\"Grandstream\";model=\"GXP1628\";version=\"1.0.4.138\"\r\n\
        Accept: application/url\r\n\
        Content-Length: 0\r\n\r\n";

    fn flow() -> Flow {
        Flow {
            transport: Transport::Udp,
            interface: 0,
            stream: 0,
            peer: SocketAddr::from(([192, 168, 1, 2], 5080)),
            local: SocketAddr::from(([192, 168, 1, 1], 5060)),
        }
    }

    fn notified(text: &str) -> Option<String> {
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        let request = Request::parse(&message)?;
        let mut buffer = [0; NOTIFY_MAX];
        let len = request.notify(&flow(), &message, [192, 168, 1, 1].into(), 7, &mut buffer)?;
        Some(String::from_utf8(buffer[..len].to_vec()).unwrap())
    }

    #[test]
    fn a_grandstream_phone_is_told_the_server() {
        let message = Message::parse_datagram(GRANDSTREAM.as_bytes()).unwrap();
        let request = Request::parse(&message).unwrap();
        assert_eq!(request.mac, Some(Mac([0xc0, 0x74, 0xad, 0x11, 0x22, 0x33])));
        assert_eq!(
            (request.known(), request.version),
            (Some(PhoneModel::Gxp1628), "1.0.4.138")
        );
        assert_eq!(
            notified(GRANDSTREAM).unwrap(),
            "NOTIFY sip:192.168.1.2:5080 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.168.1.1:5060;branch=z9hG4bK0000000000000007;rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:MAC%3AC074AD112233@224.0.1.75>;tag=denwaban\r\n\
             To: <sip:MAC%3AC074AD112233@224.0.1.75>;tag=395400190\r\n\
             Call-ID: 490431573-5080-1@BJC.BGI.IG.DA\r\n\
             CSeq: 1 NOTIFY\r\n\
             Contact: <sip:192.168.1.1:5060>\r\n\
             Event: ua-profile;profile-type=\"device\";vendor=\"Grandstream\";model=\"GXP1628\";version=\"1.0.4.138\"\r\n\
             Subscription-State: terminated;reason=timeout\r\n\
             User-Agent: Denwaban\r\n\
             Content-Type: application/url\r\n\
             Content-Length: 19\r\n\r\n\
             http://192.168.1.1/"
        );
    }

    #[test]
    fn a_panasonic_phone_is_told_the_first_file() {
        let text = GRANDSTREAM
            .replace(
                "vendor=\"Grandstream\";model=\"GXP1628\"",
                "vendor=\"Panasonic\";model=\"KX-HDV230N\"",
            )
            .replace("MAC%3AC074AD112233", "MAC%3a0080f0123456");
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        let request = Request::parse(&message).unwrap();
        assert_eq!(request.known(), Some(PhoneModel::KxHdv230n));
        assert_eq!(request.mac, Some(Mac([0x00, 0x80, 0xf0, 0x12, 0x34, 0x56])));
        assert!(
            notified(&text)
                .unwrap()
                .ends_with("\r\n\r\nhttp://192.168.1.1/{MODEL}.cfg")
        );
    }

    #[test]
    fn others_get_nothing() {
        for (from, to) in [
            ("vendor=\"Grandstream\"", "vendor=\"snom\""),
            ("vendor=\"Grandstream\";", ""),
            ("Event: ua-profile", "Event: dialog"),
            ("Event: ua-profile", "X-Event: ua-profile"),
            ("Contact: <sip:192.168.1.2:5080>\r\n", ""),
        ] {
            assert_eq!(notified(&GRANDSTREAM.replace(from, to)), None, "{to}");
        }
        // Too long.
        let long = "x".repeat(NOTIFY_MAX);
        assert_eq!(notified(&GRANDSTREAM.replace("490431573", &long)), None);
    }

    #[test]
    fn hardware_addresses_in_users() {
        let mac = Some(Mac([0, 0x0b, 0x82, 0x12, 0x34, 0x56]));
        for (user, found) in [
            ("MAC%3a000B82123456", mac),
            ("MAC%3A000b82123456", mac),
            ("mac:000b82123456", mac),
            ("MAC000b82123456", mac),
            ("000b82123456", None),
            ("MAC%3a000b8212345", None),
            ("MAC%3a000b8212345600000000000000000000000000", None),
            ("MA", None),
        ] {
            assert_eq!(mac_of(user.as_bytes()), found, "{user}");
        }
    }
}
