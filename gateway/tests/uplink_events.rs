//! The box's side of the synchronisation: events from the brain into the flash, to the cloud, and off the flash.

mod common;

use common::rig::*;
use common::site;
use gateway::store::{Done, Fault, Op, Reply};
use gateway::uplink::{Change, Memory, Uplink, WAITING};
use shared::hub::{Link, Mac, PhoneModel, PortPower, PowerFault};
use shared::id::IdSet;
use shared::record::Stamp;
use shared::site::Site;
use shared::sync::*;
use sip::Instant;

#[test]
fn an_event_is_in_the_flash_before_it_is_sent_and_until_the_cloud_has_it() {
    let mut memory = Memory::new();
    let mut it = Desk::blank(&mut memory);
    for index in 0..3 {
        assert!(it.uplink.event(it.now, Stamp::default(), event(index)));
    }
    assert_eq!(it.poll(), []);
    assert_eq!(it.ops.len(), 3, "written without a connection");
    let flash = it.off();

    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, flash);
    assert_eq!(it.connect().queued, 3);
    it.uplink.event(it.now, Stamp::default(), event(9));
    assert_eq!(it.poll(), []);
    let mut batch = ids(1, 0..3);
    batch.extend(ids(2, 0..1));
    assert_eq!(it.welcome(), [Did::Events(batch.clone())]);
    // Not answered: again and again.
    let (waited, did) = it.wait().unwrap();
    assert_eq!((waited, did), (5_000, vec![Did::Events(batch.clone())]));
    // Acknowledgements that are not for the end of this batch: late ones, another life's.
    for other in [
        EventId { boot: 1, seq: 2 },
        EventId { boot: 2, seq: 1 },
        EventId {
            boot: u32::MAX,
            seq: 0,
        },
    ] {
        assert_eq!(
            it.message(
                Down::AppAck,
                &AppAck {
                    up_to: Some(other),
                    unix: 0
                }
            ),
            []
        );
    }
    // A new connection: the batch again.
    it.uplink.disconnected(it.now);
    it.connect();
    assert_eq!(it.welcome(), [Did::Events(batch.clone())]);
    it.ops.clear();
    let last = *batch.last().unwrap();
    assert_eq!(
        it.message(
            Down::AppAck,
            &AppAck {
                up_to: Some(last),
                unix: 0
            }
        ),
        []
    );
    assert!(
        matches!(it.ops[..], [Op::DropEvents { count: 4, .. }]),
        "{:?}",
        it.ops
    );
    assert_eq!(it.uplink.queued(), 0);
    // The same acknowledgement again is nobody's.
    assert_eq!(
        it.message(
            Down::AppAck,
            &AppAck {
                up_to: Some(last),
                unix: 0
            }
        ),
        []
    );
    assert_eq!(it.ops.len(), 1);
    let (waited, did) = it.wait().unwrap();
    assert!(
        (540_000..=660_000).contains(&waited),
        "quiet for a while: {waited}"
    );
    assert!(matches!(did[..], [Did::Hello(_)]), "is the cloud still the same?");
    assert_eq!(it.welcome(), []);
    // The next event goes out at once.
    it.uplink.event(it.now, Stamp::default(), event(1));
    assert_eq!(it.poll(), [Did::Events(ids(2, 1..2))]);
}

#[test]
fn a_failing_store_delays_events_and_loses_none() {
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    it.faults = vec![Fault::Flash; 3];
    it.uplink.event(it.now, Stamp::default(), event(0));
    it.uplink.event(it.now, Stamp::default(), event(1));
    assert_eq!(it.poll(), []);
    let mut waits = Vec::new();
    loop {
        let (waited, did) = it.wait().unwrap();
        waits.push(waited);
        if !did.is_empty() {
            assert_eq!(did, [Did::Events(ids(1, 0..2))]);
            break;
        }
    }
    assert_eq!(waits, [1_000, 2_000, 4_000]);
    assert_eq!(it.uplink.counters().faults, 3);
}

#[test]
fn what_finds_no_room_is_refused_counted_and_told() {
    let mut memory = Memory::new();
    let mut it = Desk::blank(&mut memory);
    // More at once than wait in memory.
    // Two bytes of length, two of the stamp, three of what happened.
    let room = WAITING / 7;
    let taken = (0..room as u16 + 5)
        .filter(|index| it.uplink.event(it.now, Stamp::default(), event(*index)))
        .count();
    assert_eq!((taken, it.uplink.counters().refused), (room, 5));
    it.poll();
    // The flash queue fills up.
    let long = EventBody::Panic(PanicNote {
        message: "x".repeat(190).as_str().try_into().unwrap(),
        uptime: 0,
    });
    while it.uplink.counters().refused == 5 {
        it.uplink.event(it.now, Stamp::default(), long.clone());
        it.poll();
    }
    let held = it.uplink.queued();
    assert!(held > 4_000, "{held}");
    assert_eq!(it.uplink.counters().refused, 6);

    // The cloud takes all of them, in order and without gaps, and then learns how many are missing.
    it.connect();
    let mut did = it.welcome();
    let mut seen = Vec::new();
    while let [Did::Events(batch)] = &did[..] {
        seen.extend(batch.clone());
        let up_to = batch.last().copied();
        did = it.message(Down::AppAck, &AppAck { up_to, unix: 0 });
    }
    assert_eq!(seen, ids(1, 0..seen.len() as u32));
    assert!(seen.len() as u32 > held, "and the alarm");
    let told = it.ops.iter().rev().find_map(|op| match op {
        Op::PushEvent(bytes) => match Event::decode(bytes).unwrap().body {
            EventBody::Alarm {
                alarm: Alarm::EventsRefused(count),
                ..
            } => Some(count),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(told, Some(6));
}

#[test]
fn nothing_happens_before_the_store_was_read() {
    let mut memory = Memory::new();
    let mut uplink = Uplink::new(&mut memory, &factory());
    uplink.connected(Instant(0));
    uplink.message(
        Instant(0),
        None,
        &Topic::Down(BOX, Down::Manifest).name(),
        &manifest(&site(3, 1), 1),
    );
    uplink.event(Instant(0), Stamp::default(), event(1));
    assert!(!uplink.poll(Instant(1_000_000)));
    assert_eq!(uplink.next_deadline(), None);
    let foreign = Done {
        token: gateway::store::Token(5),
        result: Ok(Reply::Stored),
    };
    assert_eq!(
        uplink.stored(Instant(0), foreign, &mut Site::default()),
        Change::Nothing
    );
}

/// Four ports with everything there is to say of them, and as many phones that wait as can be listed.
#[test]
fn the_largest_report_of_the_hub_fits() {
    let mac = Mac([0xFF; 6]);
    let text = || "n".repeat(32).as_str().try_into().unwrap();
    let port = PortReport {
        link: Link::Mbps1000,
        power: PortPower::Fault(PowerFault::Controller),
        class: Some(u8::MAX),
        draw: u16::MAX,
        granted: u16::MAX,
        neighbour: Some(Neighbour {
            model: text(),
            firmware: text(),
        }),
        occupant: Occupant::Phone(mac, IdSet(u64::MAX)),
    };
    let waiting = Waiting {
        mac,
        model: Some(PhoneModel::Ht802),
        port: Some(u8::MAX),
    };
    let largest = HubReport {
        at: Stamp {
            mono: u64::MAX,
            unix: Some(u64::MAX),
        },
        uplink: Some(Link::Mbps1000),
        budget: u16::MAX,
        ports: std::iter::repeat_n(port, usize::from(shared::hub::PORTS)).collect(),
        waiting: std::iter::repeat_n(waiting, MAX_WAITING).collect(),
        unlisted: u16::MAX,
    };
    let mut memory = Memory::new();
    let mut it = Desk::welcomed(&mut memory);
    assert!(it.uplink.tell_hub(&largest));
    assert_eq!(it.poll(), [Did::Hub(largest)]);
}
