//! How phones find the box with nothing set anywhere: SIP Plug and Play. A phone that starts subscribes to its profile by
//! multicast (`Event: ua-profile`, RFC 6080 §5.1, at the group of SIP, 224.0.1.75), and the first NOTIFY says where it is
//! (`Content-Type: application/url`).
//!
//! Nothing is kept: each SUBSCRIBE that comes is answered and notified. A phone whose NOTIFY was lost goes on to its next way to
//! find a server, and asks again when it starts the next time.

use core::net::{IpAddr, Ipv4Addr};

use sip::fields::{Item, unquote};
use sip::{Flow, Message, Method, Name, Writer};

use super::name::Maker;
use crate::AGENT;

/// The group that phones ask (IANA: sip.mcast.net).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);
/// The event package.
pub const PACKAGE: &str = "ua-profile";
/// Most bytes of a NOTIFY. What a request makes longer gets none.
pub const NOTIFY_MAX: usize = 640;
/// The tag of our side: the Call-ID tells the dialogs apart.
const TAG: &str = "denwaban";

/// Who makes the phone that asks for its profile with this SUBSCRIBE. `None`: it is about something else, or of a maker whose files
/// there are not; the one who has them may answer.
pub fn maker(message: &Message<'_>) -> Option<Maker> {
    let Item { value, params } = Item::parse(message.header(Name::Event)?)?;
    if value != PACKAGE.as_bytes() {
        return None;
    }
    let vendor = unquote(params.get("vendor")?);
    let is = |name: &str| {
        let start = vendor.get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    };
    let makers = [
        ("grandstream", Maker::Grandstream),
        ("panasonic", Maker::Panasonic),
    ];
    let known = makers.into_iter().find(|(name, _)| is(name));
    known.map(|(_, maker)| maker)
}

/// Writes the NOTIFY to a SUBSCRIBE that came by this flow; its length, if there is room and all that it needs. `branch` is
/// unique.
pub fn notify(
    maker: Maker,
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
    let written = match maker {
        // What stands for the model is the phone's own to fill in.
        Maker::Panasonic => core::fmt::write(&mut url, format_args!("http://{address}/{{MODEL}}.cfg")),
        // The server alone: names are put behind it.
        Maker::Grandstream => core::fmt::write(&mut url, format_args!("http://{address}/")),
    };
    written.ok()?;
    w.body("application/url", url.as_bytes()).ok()
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
        let maker = maker(&message)?;
        let mut buffer = [0; NOTIFY_MAX];
        let len = notify(maker, &flow(), &message, [192, 168, 1, 1].into(), 7, &mut buffer)?;
        Some(String::from_utf8(buffer[..len].to_vec()).unwrap())
    }

    #[test]
    fn a_grandstream_phone_is_told_the_server() {
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
}
