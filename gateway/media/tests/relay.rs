//! The relay as tables of (input, verdict), and a property: nobody unsignalled is ever heard after the latch closed.

use std::net::{IpAddr, SocketAddr};

use media::relay::{Guard, Port, Reason, Relay, Remote, Side, Verdict};
use media::rtp::Repr;
use proptest::prelude::*;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn rtp() -> Vec<u8> {
    let mut packet = vec![0; 172];
    Repr {
        marker: false,
        payload_type: 0,
        sequence: 1,
        timestamp: 2,
        ssrc: 3,
    }
    .emit(&mut packet)
    .unwrap();
    packet
}

const RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 3];

/// Private address in SDP, public one on the wire, a carrier, and a stranger.
const PRIVATE: &str = "192.168.1.20:4000";
const PUBLIC: &str = "203.0.113.5:61000";
const CARRIER: &str = "198.51.100.9:20000";
const STRANGER: &str = "198.51.100.66:5004";

fn forward(port: Port, to: &str) -> Verdict {
    Verdict::Forward { port, to: at(to) }
}

fn office_and_carrier() -> Relay {
    let mut relay = Relay::new(Guard::Any, Guard::Sdp);
    relay.set_remote(Side::A, Remote::mux(at(PRIVATE)));
    relay.set_remote(Side::B, Remote::next_port(at(CARRIER)));
    relay
}

#[test]
fn latches_to_the_first_source_and_answers_there() {
    let mut relay = office_and_carrier();
    assert_eq!(relay.destination(Side::A), Some(at(PRIVATE)));
    // Before the latch the SDP address is all that is known.
    assert_eq!(
        relay.receive(1, Side::B, Port::Rtp, at(CARRIER), &rtp()),
        forward(Port::Rtp, PRIVATE)
    );
    assert_eq!(
        relay.receive(2, Side::A, Port::Rtp, at(PUBLIC), &rtp()),
        forward(Port::Rtp, CARRIER)
    );
    assert_eq!(
        relay.receive(3, Side::B, Port::Rtp, at(CARRIER), &rtp()),
        forward(Port::Rtp, PUBLIC)
    );
    assert_eq!(
        (relay.latched(Side::A), relay.destination(Side::A)),
        (Some(at(PUBLIC)), Some(at(PUBLIC)))
    );
    assert_eq!(
        (relay.heard_at(Side::A), relay.heard_at(Side::B)),
        (Some(2), Some(3))
    );
    let b = relay.counters(Side::B);
    assert_eq!((b.forwarded, b.octets, b.foreign, b.latched), (2, 344, 0, 1));
}

#[test]
fn a_stranger_is_not_heard_after_the_latch() {
    let mut relay = office_and_carrier();
    relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), &rtp());
    for (port, octets) in [(Port::Rtp, rtp()), (Port::Rtp, RTCP.to_vec())] {
        assert_eq!(
            relay.receive(1, Side::A, port, at(STRANGER), &octets),
            Verdict::Drop(Reason::Foreign)
        );
    }
    // The same host from another port is a stranger too.
    let other_port = at("203.0.113.5:61002");
    assert_eq!(
        relay.receive(1, Side::A, Port::Rtp, other_port, &rtp()),
        Verdict::Drop(Reason::Foreign)
    );
    assert_eq!(
        (relay.latched(Side::A), relay.counters(Side::A).foreign),
        (Some(at(PUBLIC)), 3)
    );
}

#[test]
fn guards_keep_strangers_from_latching() {
    let ip: IpAddr = "203.0.113.5".parse().unwrap();
    // (guard, source, admitted)
    let table = [
        (Guard::Any, STRANGER, true),
        (Guard::Ip(ip), STRANGER, false),
        (Guard::Ip(ip), PUBLIC, true),
        (Guard::Ip(ip), "203.0.113.5:9", true),
        (Guard::Sdp, STRANGER, false),
        (Guard::Sdp, PRIVATE, true),
        (Guard::Sdp, "192.168.1.20:4001", false),
    ];
    for (guard, source, admitted) in table {
        let mut relay = office_and_carrier();
        relay.set_guard(Side::A, guard);
        let verdict = relay.receive(0, Side::A, Port::Rtp, at(source), &rtp());
        let want = if admitted {
            forward(Port::Rtp, CARRIER)
        } else {
            Verdict::Drop(Reason::Foreign)
        };
        assert_eq!(verdict, want, "{guard:?} {source}");
        assert_eq!(relay.latched(Side::A), admitted.then(|| at(source)));
    }
    // Without SDP its guard admits nobody.
    let mut relay = Relay::new(Guard::Sdp, Guard::Any);
    assert_eq!(
        relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), &rtp()),
        Verdict::Drop(Reason::Foreign)
    );
}

#[test]
fn signalling_opens_the_latch_once() {
    let mut relay = office_and_carrier();
    relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), &rtp());
    // The same description again (a refresh) moves nothing.
    relay.set_remote(Side::A, Remote::mux(at(PRIVATE)));
    assert_eq!(
        relay.receive(1, Side::A, Port::Rtp, at(STRANGER), &rtp()),
        Verdict::Drop(Reason::Foreign)
    );
    // Another one: the old source is still heard, we send to the new address.
    relay.set_remote(Side::A, Remote::mux(at("192.168.1.21:4000")));
    assert_eq!(
        relay.receive(2, Side::A, Port::Rtp, at(PUBLIC), &rtp()),
        forward(Port::Rtp, CARRIER)
    );
    assert_eq!(relay.destination(Side::A), Some(at("192.168.1.21:4000")));
    // The new source latches, and closes.
    let moved = "203.0.113.5:61010";
    assert_eq!(
        relay.receive(3, Side::A, Port::Rtp, at(moved), &rtp()),
        forward(Port::Rtp, CARRIER)
    );
    assert_eq!(relay.destination(Side::A), Some(at(moved)));
    for late in [PUBLIC, STRANGER] {
        assert_eq!(
            relay.receive(4, Side::A, Port::Rtp, at(late), &rtp()),
            Verdict::Drop(Reason::Foreign)
        );
    }
    assert_eq!(relay.counters(Side::A).latched, 2);
}

#[test]
fn rtcp_goes_where_the_other_side_wants_it() {
    let mut relay = office_and_carrier();
    relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), &rtp());
    relay.receive(0, Side::B, Port::Rtp, at(CARRIER), &rtp());
    // From a multiplexed side to a port of its own, and back.
    let carrier_rtcp = "198.51.100.9:20001";
    assert_eq!(
        relay.receive(1, Side::A, Port::Rtp, at(PUBLIC), &RTCP),
        forward(Port::Rtcp, carrier_rtcp)
    );
    assert_eq!(
        relay.receive(2, Side::B, Port::Rtcp, at(carrier_rtcp), &RTCP),
        forward(Port::Rtp, PUBLIC)
    );
    // RTP on the RTCP port is not RTCP; RTCP from another host than RTP's is a stranger's.
    assert_eq!(
        relay.receive(3, Side::B, Port::Rtcp, at(carrier_rtcp), &rtp()),
        Verdict::Drop(Reason::Malformed)
    );
    let mut relay = Relay::new(Guard::Any, Guard::Any);
    relay.set_remote(Side::B, Remote::next_port(at(CARRIER)));
    relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), &rtp());
    assert_eq!(
        relay.receive(1, Side::A, Port::Rtcp, at(STRANGER), &RTCP),
        Verdict::Drop(Reason::Foreign)
    );
    let near = at("203.0.113.5:61001");
    assert_eq!(
        relay.receive(2, Side::A, Port::Rtcp, near, &RTCP),
        forward(Port::Rtcp, carrier_rtcp)
    );
    // And latched: the next one from elsewhere is not.
    let elsewhere = at("203.0.113.5:61003");
    assert_eq!(
        relay.receive(3, Side::A, Port::Rtcp, elsewhere, &RTCP),
        Verdict::Drop(Reason::Foreign)
    );
}

#[test]
fn the_port_after_65535_is_none() {
    assert_eq!(Remote::next_port(at("192.0.2.1:65535")).rtcp, None);
}

#[test]
fn what_has_nowhere_to_go_is_counted() {
    let mut relay = Relay::new(Guard::Any, Guard::Any);
    assert_eq!(
        relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), &rtp()),
        Verdict::Drop(Reason::NoDestination)
    );
    for nowhere in ["0.0.0.0:4000", "192.0.2.1:0"] {
        relay.set_remote(Side::B, Remote::mux(at(nowhere)));
        let verdict = relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), &rtp());
        assert_eq!(verdict, Verdict::Drop(Reason::NoDestination), "{nowhere}");
    }
    for octets in [&b""[..], &[0x80; 4], &[0x40; 40], &[0xBF; 12]] {
        assert_eq!(
            relay.receive(0, Side::A, Port::Rtp, at(PUBLIC), octets),
            Verdict::Drop(Reason::Malformed),
            "{octets:?}"
        );
    }
    let counters = relay.counters(Side::A);
    assert_eq!(
        (counters.no_destination, counters.malformed, counters.forwarded),
        (3, 4, 0)
    );
}

proptest! {
    /// After the first packet of a side, only a change of SDP can let one more source in: heard sources never
    /// outnumber changes of SDP by more than one, and every packet is counted exactly once.
    #[test]
    fn sources_heard_are_bounded_by_signalling(
        steps in proptest::collection::vec((0u8..10, 0u16..4, any::<bool>()), 1..80)
    ) {
        let mut relay = Relay::new(Guard::Any, Guard::Any);
        relay.set_remote(Side::B, Remote::mux(at(CARRIER)));
        let (mut heard, mut last, mut moves, mut sdp, mut packets) = (0, None, 0, None, 0);
        for (what, n, side_b) in steps {
            let address = SocketAddr::new("203.0.113.1".parse().unwrap(), 1_000 + n);
            if what == 0 && !side_b {
                relay.set_remote(Side::A, Remote::mux(address));
                if sdp.is_some_and(|old| old != address) {
                    moves += 1;
                }
                sdp = Some(address);
            } else if !side_b {
                packets += 1;
                if let Verdict::Forward { .. } = relay.receive(0, Side::A, Port::Rtp, address, &rtp())
                    && last != Some(address)
                {
                    heard += 1;
                    last = Some(address);
                }
            } else {
                // The other side's packets never change who is heard on this one.
                let before = relay.latched(Side::A);
                relay.receive(0, Side::B, Port::Rtp, address, &rtp());
                prop_assert_eq!(relay.latched(Side::A), before);
            }
        }
        prop_assert!(heard <= moves + 1, "{} heard, {} moves", heard, moves);
        let c = relay.counters(Side::A);
        prop_assert_eq!(c.forwarded + c.foreign + c.malformed + c.no_destination, packets);
    }
}
