//! Ports with power and the phones at them: what orders may cut, and a phone that is silent.

use core::num::NonZeroU8;

use super::office::files::{claim, mac, p, with_password};
use super::office::*;
use gateway::Input;
use gateway::lldp::lldpdu::{Id, Lldpdu};
use gateway::power::{Class, Cut, Feed, Found, PortOrder, PortReading, Reading, SILENT, STRANDED};
use gateway::provision::HttpEvent;
use sha2::{Digest, Sha256};
use shared::hub::{Mac, PhoneFirmware, PhoneModel, PortPower, PowerFault};
use shared::sync::{Alarm, EventBody, HubOrder, PowerOrder};

pub const FED: PortReading = PortReading {
    searches: true,
    feed: Feed::On,
    found: Found::Device(Class::Two),
    cut: None,
    milliwatts: 3_000,
};
const EMPTY: PortReading = PortReading {
    feed: Feed::Off,
    found: Found::Nothing,
    milliwatts: 0,
    ..FED
};

/// Phone 0 belongs to port 1, phone 1 to none; both are registered.
fn hub() -> Office {
    let mut site = site(2, 8);
    site.ids[0].phone = Some(shared::hub::Phone {
        mac: Mac([0, 0x0b, 0x82, 1, 2, 3]),
        model: PhoneModel::Gxp1628,
        line: 1,
        port: NonZeroU8::new(1),
        claim: 1,
    });
    site.validate().unwrap();
    let mut o = Office::new(&site);
    for index in 0..2 {
        o.register(&Phone::new(index));
    }
    o.subscribe();
    o.reads([FED, EMPTY, EMPTY, EMPTY]);
    o.events.clear();
    o
}

impl Office {
    pub fn reads(&mut self, ports: [PortReading; 4]) {
        let reading = Reading {
            ports,
            supply_mv: 54_000,
            celsius: 40,
            was_too_hot: false,
        };
        self.handle(Input::Power(Some(reading)));
    }

    fn orders(&mut self) -> Vec<(u8, PortOrder)> {
        self.power.drain(..).collect()
    }
}

#[test]
fn a_phone_in_a_call_is_cut_off_by_force_only() {
    let mut o = hub();
    let cycle = |port, force| HubOrder::Power {
        port,
        order: PowerOrder::Cycle,
        force,
    };
    let [a, b] = [0, 1].map(Phone::new);
    let caller = o.dial(&b, "200", "c1");
    let invite = o.expect(a.address, "INVITE");
    // It only rings.
    let callee = o.take(&invite);
    let mut caller = o.connected(caller);
    o.hub_order(cycle(1, false));
    assert_eq!((o.orders(), o.gateway.counters().power), (vec![], 1));
    o.hub_order(cycle(1, true));
    assert_eq!(o.orders(), [(0, PortOrder::Off)]);
    o.hang_up(&mut caller, &callee);
    o.reads([FED, FED, EMPTY, EMPTY]);
    o.hub_order(cycle(2, false));
    assert_eq!(o.orders(), [(1, PortOrder::Off)]);
    // Ports that there are not.
    for port in [0, 5, 255] {
        o.hub_order(cycle(port, true));
    }
    assert_eq!((o.orders(), o.gateway.counters().power), (vec![], 4));
}

/// The controller forgets an order with its supply, the box does not: off until it is told on.
#[test]
fn a_port_that_is_off_is_off_after_a_power_cut() {
    let order = |port, order| HubOrder::Power {
        port,
        order,
        force: false,
    };
    let found = PortReading {
        found: Found::Device(Class::Two),
        ..EMPTY
    };
    let denied = PortReading {
        searches: false,
        found: Found::Unknown,
        ..EMPTY
    };
    let feed = |port| (port, PortOrder::On(Class::Two));
    let deny = |port| (port, PortOrder::Disable);
    // The controller searches everywhere at first, and obeys.
    let after_a_cut = |o: Office, off: [bool; 4]| {
        let mut o = o.restart();
        let mut ports = [found; 4];
        let mut orders = Vec::new();
        for _ in 0..20 {
            o.reads(ports);
            for (port, order) in o.orders() {
                ports[usize::from(port)] = match order {
                    PortOrder::On(_) => FED,
                    PortOrder::Disable => denied,
                    _ => panic!("{order:?}"),
                };
                orders.push((port, order));
            }
            o.wait(500);
        }
        orders.sort_by_key(|(port, _)| *port);
        let expected = [0, 1, 2, 3].map(|port| match off[usize::from(port)] {
            true => deny(port),
            false => feed(port),
        });
        assert_eq!(orders, expected);
        o.subscribe();
        o
    };
    let mut o = hub();
    o.reads([FED, FED, FED, EMPTY]);
    // No order waits for the flash, which takes one thing at a time.
    o.slow = true;
    o.hub_order(order(2, PowerOrder::Off));
    assert_eq!(o.orders(), [deny(1)]);
    o.hub_order(order(3, PowerOrder::Off));
    assert_eq!(o.orders(), [deny(2)]);
    assert!(o.gateway.is_writing() && o.flash() && o.flash());
    assert!(!o.gateway.is_writing() && !o.flash());
    let mut o = after_a_cut(o, [false, true, true, false]);
    o.hub_order(order(2, PowerOrder::On));
    o.hub_order(order(3, PowerOrder::On));
    assert_eq!(o.orders(), [(1, PortOrder::Enable), (2, PortOrder::Enable)]);
    let mut o = after_a_cut(o, [false; 4]);
    // The flash fails, and is well again.
    o.broken = true;
    o.hub_order(order(4, PowerOrder::Off));
    assert_eq!((o.orders(), o.gateway.counters().unstored), (vec![deny(3)], 1));
    o.broken = false;
    o.wait(10_000);
    let mut o = after_a_cut(o, [false, false, false, true]);
    // The processor alone starts again before it is written: the controller knows.
    o.slow = true;
    o.hub_order(order(1, PowerOrder::Off));
    assert_eq!(o.orders(), [deny(0)]);
    let mut o = o.restart();
    o.reads([denied, FED, FED, denied]);
    assert_eq!(o.orders(), []);
    after_a_cut(o, [true, false, false, true]);
}

#[test]
fn faults_are_told() {
    let mut o = hub();
    let cut = PortReading {
        cut: Some(Cut::Short),
        ..EMPTY
    };
    o.reads([FED, EMPTY, EMPTY, EMPTY]);
    assert_eq!(o.gateway.port_power(o.instant(), 0).unwrap().power, PortPower::On);
    o.reads([cut, EMPTY, EMPTY, EMPTY]);
    let alarm = |raised| EventBody::Alarm {
        alarm: Alarm::Power(1, PowerFault::Short),
        raised,
    };
    assert_eq!(core::mem::take(&mut o.events), [alarm(true)]);
    let shown = o.gateway.port_power(o.instant(), 0).unwrap();
    assert_eq!(shown.power, PortPower::Fault(PowerFault::Short));
    o.wait(1_000);
    o.reads([EMPTY; 4]);
    assert_eq!(core::mem::take(&mut o.events), [alarm(false)]);
}

/// Its SIP hangs; that its LLDP goes on makes it no telephone. It starts, speaks LLDP, and hangs again: once is enough.
#[test]
fn a_silent_phone_is_switched_off_and_on() {
    let mut o = hub();
    o.handle(Input::Hub { mac: [2; 6] });
    let id = |kind| Id {
        kind,
        value: b"\x00\x0b\x82\x01\x02\x03",
    };
    let mut room = [0; 256];
    let length = Lldpdu::new(id(Id::CHASSIS_MAC), id(Id::PORT_MAC), 120).write(&mut room);
    let said = &room[..length.unwrap()];
    let speaks = |o: &mut Office| {
        o.wait(30_000);
        o.handle(Input::Lldp { port: 0, bytes: said });
        o.reads([FED, FED, EMPTY, EMPTY]);
    };
    let silent = SILENT.as_millis() as u64;
    // While it is registered it is not silent; the registration of both is over at some time.
    let mut registered = 0;
    while o.gateway.bindings() > 0 {
        speaks(&mut o);
        assert_eq!(o.orders(), []);
        registered = o.now;
    }
    while o.now < registered + silent - 60_000 {
        speaks(&mut o);
        assert_eq!(o.orders(), [], "after {} ms", o.now - registered);
    }
    o.events.clear();
    while o.power.is_empty() && o.now < registered + silent + 60_000 {
        speaks(&mut o);
    }
    assert_eq!(
        o.orders(),
        [(0, PortOrder::Off)],
        "nobody knows of a phone at the other port"
    );
    assert_eq!(o.events, [EventBody::PortCycled { port: 1 }]);
    o.reads([EMPTY, FED, EMPTY, EMPTY]);
    o.wait(5_000);
    let found = PortReading {
        found: Found::Device(Class::Two),
        ..EMPTY
    };
    o.reads([found, FED, EMPTY, EMPTY]);
    assert_eq!(o.orders(), [(0, PortOrder::On(Class::Two))]);
    for _ in 0..100 {
        speaks(&mut o);
        assert_eq!(o.orders(), []);
    }
}

/// A phone that takes its firmware slowly does nothing else for as long as that lasts: it is not silent, and not cut off in it.
#[test]
fn a_phone_that_takes_firmware_is_not_silent() {
    let bytes = "x".repeat(70_000);
    let mut site = site(2, 8);
    claim(&mut site, 0, PhoneModel::Gxp1628, Some(1), 1);
    claim(&mut site, 1, PhoneModel::Gxp1628, Some(2), 1);
    let firmware = PhoneFirmware {
        model: PhoneModel::Gxp1628,
        name: "gxp1600fw.bin".try_into().unwrap(),
        version: "1.0.7.76".try_into().unwrap(),
        size: bytes.len() as u32,
        hash: Sha256::digest(&bytes).into(),
    };
    site.sys.firmware.push(firmware).unwrap();
    let own = Phone::new(0).address.ip();
    let silent = SILENT.as_millis() as u64;
    // By whom it is fetched: by the phone, or by one that is plugged into it.
    for (index, lives) in [(0, true), (1, false)] {
        let mut o = Office::new(&site);
        o.subscribe();
        o.give_firmware(&[&bytes], usize::MAX);
        o.plug(own, mac(0), Some(1));
        let file = o.get(own, "/cfg000b82000000.xml");
        o.register(&with_password(0, p(&file, 34).unwrap()));
        let other = std::net::IpAddr::from([192, 168, 1, 99]);
        o.plug(other, mac(index), Some(1));
        while o.gateway.bindings() > 0 {
            o.reads([FED, EMPTY, EMPTY, EMPTY]);
            o.wait(1_000);
        }
        o.slow_download = true;
        assert_eq!(o.request(other, "GET", "/gxp1600fw.bin", "test"), None);
        let pass = |o: &mut Office, ms: u64| {
            let until = o.now + ms;
            while o.now < until {
                o.reads([FED, EMPTY, EMPTY, EMPTY]);
                o.wait(1_000);
            }
            o.events.contains(&EventBody::PortCycled { port: 1 })
        };
        assert!(!pass(&mut o, silent - 10_000));
        // It is over, and nothing more is heard of the phone.
        o.handle(Input::Http {
            connection: 0,
            event: HttpEvent::Closed,
        });
        if lives {
            assert!(!pass(&mut o, silent - 10_000));
        }
        assert!(pass(&mut o, 20_000));
    }
}

/// The router gives the box another address: phones look for it at the one before. Who does not find it within the time of a
/// registration is switched off and on, once.
#[test]
fn a_phone_that_does_not_find_the_box_is_switched_off_and_on() {
    for comes in [false, true] {
        let mut o = hub();
        let ports = [FED, FED, EMPTY, EMPTY];
        let pass = |o: &mut Office, seconds: u64| {
            for _ in 0..seconds {
                o.wait(1_000);
                o.reads(ports);
            }
            o.seen.clear();
            o.orders()
        };
        o.renumber("192.168.1.77");
        assert_eq!(pass(&mut o, STRANDED.as_secs() - 1), []);
        if comes {
            o.register(&Phone::new(0));
        }
        let orders = pass(&mut o, 2);
        match comes {
            true => assert_eq!(orders, []),
            false => {
                // Nobody knows of a phone at the other port.
                assert_eq!(orders, [(0, PortOrder::Off)]);
                assert!(o.events.contains(&EventBody::PortCycled { port: 1 }));
                let off = [EMPTY, FED, EMPTY, EMPTY];
                o.reads(off);
                o.wait(5_000);
                let back = PortReading {
                    found: Found::Device(Class::Two),
                    ..EMPTY
                };
                o.reads([back, FED, EMPTY, EMPTY]);
                assert_eq!(o.orders(), [(0, PortOrder::On(Class::Two))]);
            }
        }
        assert_eq!(pass(&mut o, 580), []);
    }
}
