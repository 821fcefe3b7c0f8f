use super::*;
use std::vec::Vec as StdVec;

extern crate std;

const MAC: Mac = [2, 0, 0, 0, 0, 7];
const BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 7);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 1);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ALL: Ipv4Addr = Ipv4Addr::BROADCAST;
const HOUR: u32 = 3_600;

fn lease() -> Lease {
    let dns = [ROUTER].into_iter().collect();
    Lease {
        address: BOX,
        prefix: 24,
        router: Some(ROUTER),
        dns,
        times: [BOX].into_iter().collect(),
        server: ROUTER,
        seconds: HOUR,
    }
}

/// A server's message with the client's transaction id, by hand.
fn server(client: &Dhcp, kind: u8, address: Ipv4Addr) -> StdVec<u8> {
    let mut m = std::vec![0; OPTIONS];
    m[0] = 2;
    m[4..8].copy_from_slice(&client.xid.to_be_bytes());
    m[16..20].copy_from_slice(&address.octets());
    m[28..34].copy_from_slice(&MAC);
    m[236..240].copy_from_slice(&COOKIE);
    m.extend([53, 1, kind, 0, 54, 4]);
    m.extend(ROUTER.octets());
    m.extend([51, 4]);
    m.extend(HOUR.to_be_bytes());
    m.extend([1, 4, 255, 255, 255, 0, 3, 4]);
    m.extend(ROUTER.octets());
    m.extend([6, 4]);
    m.extend(ROUTER.octets());
    m.extend([42, 4]);
    m.extend(BOX.octets());
    m.push(255);
    m
}

/// Message type of what is sent at `now`, from whom and to whom.
fn sends(client: &mut Dhcp, now: u64) -> Option<(u8, Ipv4Addr, Ipv4Addr)> {
    let mut message = [0; MESSAGE];
    match client.due(now, &mut message) {
        Some(Action::Send { from, to, .. }) => Some((message[OPTIONS + 2], from, to)),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

fn uses(client: &mut Dhcp, now: u64) -> (Lease, bool) {
    match client.due(now, &mut [0; MESSAGE]) {
        Some(Action::Use { lease, fresh }) => (lease, fresh),
        other => panic!("{other:?}"),
    }
}

fn bound() -> Dhcp {
    let mut client = Dhcp::new(MAC, None, 1);
    client.link_up(0);
    sends(&mut client, 0);
    client.receive(0, &server(&client, OFFER, BOX));
    sends(&mut client, 0);
    assert_eq!(
        client.receive(0, &server(&client, ACK, BOX)),
        Some(Answer::Granted(lease()))
    );
    client
}

#[test]
fn discover_offer_request_ack() {
    let mut client = Dhcp::new(MAC, None, 1);
    assert_eq!(client.next_deadline(), None);
    client.link_up(0);
    assert_eq!(sends(&mut client, 0), Some((1, NOBODY, ALL)));
    assert_eq!(sends(&mut client, 0), None);
    assert_eq!(client.receive(2, &server(&client, OFFER, BOX)), None);
    assert_eq!(sends(&mut client, 2), Some((3, NOBODY, ALL)));
    assert_eq!(client.address(), None);
    assert_eq!(
        client.receive(3, &server(&client, ACK, BOX)),
        Some(Answer::Granted(lease()))
    );
    assert_eq!(client.address(), Some(&lease()));
    assert_eq!(client.next_deadline(), Some(3 + 1_800_000));
}

#[test]
fn without_a_server_it_asks_for_ever_at_growing_distance() {
    let mut client = Dhcp::new(MAC, None, 1);
    client.link_up(0);
    let mut last = 0;
    for n in 0..20 {
        let now = client.next_deadline().unwrap();
        assert_eq!(sends(&mut client, now), Some((1, NOBODY, ALL)));
        let wait = if n == 0 {
            0
        } else {
            (1_000 << (n - 1).min(5)).min(MAX_WAIT)
        };
        let gap = now - last;
        assert!(n == 0 || (gap >= wait && gap < wait * 2 + 256), "{n}: {gap}");
        last = now;
    }
}

#[test]
fn the_last_lease_is_confirmed_in_one_round_trip() {
    let mut client = Dhcp::new(MAC, Some(lease()), 1);
    client.link_up(0);
    assert_eq!(sends(&mut client, 0), Some((3, NOBODY, ALL)));
    assert_eq!(
        client.receive(1, &server(&client, ACK, BOX)),
        Some(Answer::Granted(lease()))
    );
}

#[test]
fn the_last_lease_is_used_when_no_server_answers_at_start() {
    let mut client = Dhcp::new(MAC, Some(lease()), 1);
    client.link_up(0);
    assert_eq!(client.address(), None);
    let mut used_at = None;
    for now in 0..10_000 {
        match client.due(now, &mut [0; MESSAGE]) {
            Some(Action::Use {
                lease: used,
                fresh: false,
            }) if used == lease() => used_at = Some(now),
            Some(Action::Send {
                from: NOBODY,
                to: ALL,
                ..
            })
            | None => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(used_at, Some(USE_LAST_AFTER));
    assert_eq!(client.address(), Some(&lease()));
    // And it is still sought: the server that comes back grants it.
    let now = client.next_deadline().unwrap();
    assert_eq!(sends(&mut client, now), Some((1, NOBODY, ALL)));
    client.receive(now, &server(&client, OFFER, BOX));
    sends(&mut client, now);
    assert_eq!(
        client.receive(now, &server(&client, ACK, BOX)),
        Some(Answer::Granted(lease()))
    );
}

#[test]
fn a_lease_that_runs_out_stays_in_use() {
    let mut client = bound();
    let (t1, t2, end) = (1_800_000, 3_150_000, 3_600_000);
    let mut seen = StdVec::new();
    while let Some(now) = client.next_deadline().filter(|now| *now < 2 * end) {
        let (kind, from, to) = sends(&mut client, now).unwrap();
        seen.push((now, kind, from, to));
        assert_eq!(client.address(), Some(&lease()), "at {now}");
    }
    let among = |from: u64, to: u64| seen.iter().filter(move |(now, ..)| (from..to).contains(now));
    assert!(among(0, t1).next().is_none());
    assert!(among(t1, t2).count() > 2 && among(t1, t2).all(|&(_, k, f, t)| (k, f, t) == (3, BOX, ROUTER)));
    assert!(among(t2, end).count() > 2 && among(t2, end).all(|&(_, k, f, t)| (k, f, t) == (3, BOX, ALL)));
    assert!(
        among(end, 2 * end).count() > 2
            && among(end, 2 * end).all(|&(_, k, f, t)| (k, f, t) == (1, NOBODY, ALL))
    );
    let gap = seen
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .filter(|&gap| gap < 1_000)
        .count();
    assert_eq!(gap, 0, "never more than one message a second");
}

#[test]
fn a_nak_takes_the_address_away() {
    let mut client = bound();
    sends(&mut client, 1_800_000);
    assert_eq!(
        client.receive(1_800_000, &server(&client, NAK, NOBODY)),
        Some(Answer::Refused)
    );
    assert_eq!(client.address(), None);
    assert_eq!(sends(&mut client, 1_800_000), Some((1, NOBODY, ALL)));
}

#[test]
fn a_link_that_flaps_does_not_cost_the_address() {
    let mut client = bound();
    client.link_down();
    assert_eq!(client.next_deadline(), None);
    client.link_up(9_000);
    assert_eq!(client.address(), Some(&lease()));
    assert_eq!(sends(&mut client, 9_000), Some((3, NOBODY, ALL)));
}

#[test]
fn messages_for_others_and_damaged_ones_change_nothing() {
    let mut client = Dhcp::new(MAC, Some(lease()), 1);
    client.link_up(0);
    sends(&mut client, 0);
    let good = server(&client, ACK, BOX);
    let spoil = |at: usize, value: u8| {
        let mut bad = good.clone();
        bad[at] = value;
        bad
    };
    for (what, message) in [
        ("a request", spoil(0, 1)),
        ("another transaction", spoil(4, good[4] ^ 1)),
        ("another client", spoil(33, 9)),
        ("no cookie", spoil(236, 0)),
        ("an option longer than the message", spoil(OPTIONS + 5, 250)),
        ("no address", server(&client, ACK, NOBODY)),
        (
            "a group's address",
            server(&client, ACK, Ipv4Addr::new(224, 0, 0, 1)),
        ),
        ("a mask with a hole", spoil(OPTIONS + 19, 0xF0)),
    ] {
        assert_eq!(client.receive(1, &message), None, "{what}");
    }
    // An end that is cut off loses options at most; whatever is left must be a lease or nothing.
    for cut in 0..good.len() {
        let mut client = Dhcp::new(MAC, Some(lease()), 1);
        client.link_up(0);
        sends(&mut client, 0);
        if let Some(Answer::Granted(got)) = client.receive(1, &good[..cut]) {
            assert_eq!((got.address, got.seconds), (BOX, HOUR), "cut at {cut}");
        }
    }
    assert_eq!(client.receive(1, &good), Some(Answer::Granted(lease())));
    assert_eq!(
        uses(
            &mut {
                let mut c = Dhcp::new(MAC, Some(lease()), 1);
                c.link_up(0);
                c
            },
            3_000
        ),
        (lease(), false)
    );
}

/// What we write, read by smoltcp's parser.
#[test]
fn smoltcp_reads_the_discover_and_the_request() {
    use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr};
    for (last, kind) in [
        (None, DhcpMessageType::Discover),
        (Some(lease()), DhcpMessageType::Request),
    ] {
        let mut client = Dhcp::new(MAC, last.clone(), 1);
        client.link_up(0);
        let mut message = [0; MESSAGE];
        client.due(0, &mut message);
        let packet = DhcpPacket::new_checked(&message[..]).unwrap();
        let repr = DhcpRepr::parse(&packet).unwrap();
        assert_eq!(repr.message_type, kind);
        assert_eq!(repr.client_hardware_address.0, MAC);
        assert_eq!(repr.requested_ip, last.map(|lease| lease.address));
        assert!(repr.broadcast);
        assert_eq!(repr.parameter_request_list, Some(&[1, 3, 6, 42, 51, 58, 59][..]));
    }
}
