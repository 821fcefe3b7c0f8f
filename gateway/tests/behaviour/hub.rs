//! What the box says and hears at the ports of its hub.

use super::office::files::{claim, mac, p};
use super::office::*;
use gateway::hub::PACE;
use gateway::lldp::UPLINK;
use gateway::lldp::lldpdu::{Id, Inventory, Lldpdu, Med, MedPower};
use gateway::office::Subnet;
use gateway::power::{Class, Feed, Found, PortReading, Reading};
use gateway::{Input, Network};
use shared::BoxId;
use shared::hub::{Link, Mac, PhoneModel, PortPower, Voice};
use shared::id::{IdKey, IdSet};
use shared::sync::{AppAck, Down, HubOrder, HubReport, Message as _, Occupant, Topic, Up, Waiting};

const HUB: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// What a telephone says.
fn telephone() -> Vec<u8> {
    let id = |kind| Id {
        kind,
        value: b"\x00\x0b\x82\x01\x02\x03",
    };
    let mut said = Lldpdu::new(id(Id::CHASSIS_MAC), id(Id::PORT_MAC), 60);
    said.med = Some(Med {
        capabilities: 3,
        class: 3,
        policies: [None; 8],
        power: None,
        inventory: Inventory {
            model: b"GXP1628",
            ..Inventory::default()
        },
    });
    let mut room = [0; 256];
    let length = said.write(&mut room).unwrap();
    room[..length].to_vec()
}

fn office(voice: Option<Voice>) -> Office {
    let mut site = site(1, 8);
    site.sys.voice = voice;
    let mut o = Office::new(&site);
    o.handle(Input::Hub { mac: HUB });
    o
}

#[test]
fn without_a_hub_nothing_is_said() {
    let mut o = Office::new(&site(1, 8));
    o.handle(Input::Link {
        port: 0,
        link: Link::Mbps100,
    });
    o.handle(Input::Lldp {
        port: 0,
        bytes: &telephone(),
    });
    o.wait(60_000);
    assert!(o.lldp.is_empty() && o.gateway.neighbour(0).is_none());
}

/// Who is plugged in is known while its link is up and it speaks, and is told the site's voice network; the box's address as
/// soon as that is another one.
#[test]
fn a_telephone_is_told_the_voice_network_of_the_site() {
    let voice = Voice {
        vlan: 300,
        address: "10.9.0.1".parse().unwrap(),
        prefix: 24,
    };
    for voice in [None, Some(voice)] {
        let mut o = office(voice);
        for port in [0, UPLINK] {
            o.handle(Input::Link {
                port,
                link: Link::Mbps100,
            });
        }
        let ports = |o: &Office| o.lldp.iter().map(|(port, _)| *port).collect::<Vec<_>>();
        o.wait(34_999);
        assert_eq!(ports(&o), []);
        o.wait(1);
        assert_eq!(ports(&o), [0, UPLINK]);
        o.lldp.clear();
        o.handle(Input::Lldp {
            port: 0,
            bytes: &telephone(),
        });
        assert_eq!(
            o.gateway.neighbour(0).map(|neighbour| &neighbour.model[..]),
            Some("GXP1628")
        );
        o.wait(1_000);
        let (port, said) = o.lldp.pop().unwrap();
        let said = Lldpdu::parse(&said).unwrap();
        assert_eq!(
            (port, said.chassis.value, said.port.value),
            (0, &HUB[..], &b"1"[..])
        );
        // In a voice network the box has the address of the configuration, whatever becomes of the office's.
        let own = voice.map(|voice| voice.address);
        assert_eq!(said.address, Some(own.unwrap_or([192, 168, 1, 1].into()).into()));
        let policy = said.med.unwrap().policy(Med::VOICE).unwrap();
        let vlan = policy.is_tagged.then_some(policy.vlan);
        assert_eq!((vlan, policy.dscp), (voice.map(|voice| voice.vlan), 46));

        o.wait(10_000);
        o.lldp.clear();
        o.handle(Input::Network(Network::Up(Subnet::host([192, 168, 2, 9].into()))));
        match own {
            Some(_) => assert_eq!(ports(&o), []),
            None => {
                assert_eq!(ports(&o), [0, UPLINK]);
                let said = Lldpdu::parse(&o.lldp[0].1).unwrap();
                assert_eq!(said.address, Some([192, 168, 2, 9].into()));
            }
        }

        // It says 60 s, and said so 11 s ago.
        o.wait(48_000);
        assert!(o.gateway.neighbour(0).is_some());
        o.wait(1_100);
        assert!(o.gateway.neighbour(0).is_none());
        o.handle(Input::Lldp {
            port: 0,
            bytes: &telephone(),
        });
        assert!(o.gateway.neighbour(0).is_some());
        o.handle(Input::Link {
            port: 0,
            link: Link::Down,
        });
        assert!(o.gateway.neighbour(0).is_none());
        o.lldp.clear();
        o.wait(60_000);
        assert!(ports(&o).iter().all(|port| *port == UPLINK));
    }
}

impl Office {
    /// What the box has told of its ports since the last time.
    pub fn reports(&mut self) -> Vec<HubReport> {
        let published = self.published(Up::Hub);
        published
            .iter()
            .map(|bytes| HubReport::decode(bytes).unwrap())
            .collect()
    }

    fn draws(&mut self, milliwatts: u32) {
        let port = PortReading {
            searches: true,
            feed: Feed::Off,
            found: Found::Nothing,
            cut: None,
            milliwatts: 0,
        };
        let fed = PortReading {
            feed: Feed::On,
            found: Found::Device(Class::Two),
            milliwatts,
            ..port
        };
        self.handle(Input::Power(Some(Reading {
            ports: [fed, port, port, port],
            supply_mv: 54_000,
            celsius: 40,
            was_too_hot: false,
        })));
    }
}

#[test]
fn a_box_without_a_hub_tells_nothing_but_when_asked() {
    let mut o = Office::new(&site(1, 8));
    o.subscribe();
    o.wait(60_000);
    assert_eq!(o.reports(), []);
    o.hub_order(HubOrder::Report);
    let [report] = &o.reports()[..] else { panic!() };
    assert!(report.ports.is_empty() && report.waiting.is_empty() && report.uplink.is_none());
    o.wait(60_000);
    assert_eq!(o.reports(), []);
}

/// The ports are told on a connection, on a change at most every few seconds, and when the cloud asks.
#[test]
fn the_cloud_is_told_what_is_at_the_ports() {
    let mut o = office(None);
    let link = |port, link| Input::Link { port, link };
    o.handle(link(UPLINK, Link::Mbps1000));
    o.draws(2_300);
    o.wait(60_000);
    assert_eq!(o.reports(), [], "nobody listens");
    o.subscribe();
    let [report] = &o.reports()[..] else { panic!() };
    assert_eq!((report.uplink, report.budget), (Some(Link::Mbps1000), 600));
    assert_eq!(report.ports.len(), 4);
    let port = &report.ports[0];
    assert_eq!(
        (port.link, port.power, port.class),
        (Link::Down, PortPower::On, Some(2))
    );
    assert_eq!(
        (port.draw, port.neighbour.is_none(), port.occupant),
        (23, true, Occupant::Nobody)
    );
    assert_eq!(report.ports[1].power, PortPower::Searching);

    // Changes are told together, and not before their time.
    let pace = PACE.as_millis() as u64;
    o.handle(link(0, Link::Mbps100));
    o.handle(Input::Lldp {
        port: 0,
        bytes: &telephone(),
    });
    o.wait(pace - 1);
    assert_eq!(o.reports(), []);
    o.wait(1);
    let [report] = &o.reports()[..] else { panic!() };
    let port = &report.ports[0];
    let neighbour = port.neighbour.as_ref().unwrap();
    assert_eq!((port.link, neighbour.model.as_str()), (Link::Mbps100, "GXP1628"));
    assert_eq!(port.occupant, Occupant::Other(Mac([0, 0x0b, 0x82, 1, 2, 3])));

    // What a device draws is never quite the same; what is kept for it is measured once it has settled.
    o.draws(2_300);
    o.wait(60_000);
    o.draws(2_300);
    o.wait(2 * pace);
    assert!(
        o.reports()
            .last()
            .is_none_or(|report| report.ports[0].granted < 50)
    );
    for milliwatts in [2_400, 2_700, 2_000, 1_900] {
        o.draws(milliwatts);
        o.wait(2 * pace);
        assert_eq!(o.reports(), [], "{milliwatts}");
    }
    o.draws(2_800);
    o.wait(2 * pace);
    let [report] = &o.reports()[..] else { panic!() };
    assert_eq!(report.ports[0].draw, 28);
    // Asked, it says what it is now, at once.
    o.draws(2_900);
    o.hub_order(HubOrder::Report);
    let [report] = &o.reports()[..] else { panic!() };
    assert_eq!(report.ports[0].draw, 29);
    // The host had no room for it: it is told again, not before its time.
    o.handle(Input::Uplink(gateway::UplinkInput::Dropped));
    o.wait(pace - 1);
    assert_eq!(o.reports(), []);
    o.wait(1);
    let [report] = &o.reports()[..] else { panic!() };
    assert_eq!(report.ports[0].draw, 29);
    // It may have been lost: told again on the next connection.
    o.handle(Input::Uplink(gateway::UplinkInput::Disconnected));
    o.handle(link(0, Link::Down));
    o.wait(pace);
    assert_eq!(o.reports(), []);
    o.subscribe();
    let [report] = &o.reports()[..] else { panic!() };
    assert_eq!(report.ports[0].link, Link::Down);
}

/// Whatever is heard, a report is made at most every few seconds: one that was no news delays the next.
#[test]
fn reports_are_made_in_their_time() {
    let mut o = office(None);
    let link = |port, link| Input::Link { port, link };
    o.subscribe();
    assert_eq!(o.reports().len(), 1);
    o.wait(60_000);
    // Nothing is another by this.
    o.handle(link(0, Link::Down));
    o.wait(1_000);
    o.handle(link(0, Link::Mbps100));
    let pace = PACE.as_millis() as u64;
    o.wait(pace - 1_001);
    assert_eq!(o.reports(), []);
    o.wait(1);
    let [report] = &o.reports()[..] else { panic!() };
    assert_eq!(report.ports[0].link, Link::Mbps100);
}

/// What was lost nobody knows where is told with the next hello; and who went silent is told, though nothing was heard.
#[test]
fn what_is_lost_is_told_again() {
    let mut o = office(None);
    o.subscribe();
    o.reports();
    o.handle(Input::Lldp {
        port: 0,
        bytes: &telephone(),
    });
    o.wait(50_000);
    let told = o.reports();
    assert!(told.last().unwrap().ports[0].neighbour.is_some());
    // It says 60 s.
    o.wait(20_000);
    let [report] = &o.reports()[..] else { panic!() };
    assert!(report.ports[0].neighbour.is_none());
    o.until(700_000, |o| {
        o.published
            .iter()
            .any(|(topic, _)| topic.ends_with(&Topic::Up(BoxId(77), Up::Hello).name()[..]))
    });
    assert_eq!(o.reports(), []);
    let unix = 1_800_000_600_000;
    o.mqtt(Down::AppAck, &AppAck { up_to: None, unix });
    assert_eq!(o.reports().len(), 1);
}

/// Whose phone is at a port, and which are nobody's.
#[test]
fn phones_are_told_by_their_ids() {
    let mut site = site(3, 8);
    claim(&mut site, 0, PhoneModel::Gxp1628, Some(1), 1);
    claim(&mut site, 1, PhoneModel::KxHdv230n, Some(2), 1);
    let mut o = Office::new(&site);
    o.handle(Input::Hub { mac: HUB });
    o.subscribe();
    let key = |index| IdSet::one(IdKey::new(index).unwrap());
    let ip = |index| Phone::new(index).address.ip();
    let said = |who: Mac| {
        let id = |kind| Id { kind, value: &who.0 };
        let mut room = [0; 256];
        let said = Lldpdu::new(id(Id::CHASSIS_MAC), id(Id::PORT_MAC), 3_600);
        let length = said.write(&mut room).unwrap();
        room[..length].to_vec()
    };
    // Phone 0 is at home, phone 1 at another's port, a third is nobody's, and one says nothing of itself.
    for (port, who) in [(0, mac(0)), (2, mac(1)), (3, mac(7))] {
        o.handle(Input::Lldp {
            port,
            bytes: &said(who),
        });
    }
    o.plug(ip(2), mac(7), Some(4));
    o.request(
        ip(2),
        "GET",
        "/cfg000b82000007.xml",
        "Grandstream Model HW GXP1628 SW 1.0.7.13",
    );
    o.wait(10_000);
    let report = o.reports().pop().unwrap();
    let occupants: Vec<Occupant> = report.ports.iter().map(|port| port.occupant).collect();
    assert_eq!(
        occupants,
        [
            Occupant::Phone(mac(0), key(0)),
            Occupant::Nobody,
            Occupant::Quarantined(mac(1)),
            Occupant::Quarantined(mac(7)),
        ]
    );
    let waiting = Waiting {
        mac: mac(7),
        model: Some(PhoneModel::Gxp1628),
        port: Some(4),
    };
    assert_eq!((&report.waiting[..], report.unlisted), (&[waiting][..], 0));
    // A phone that does not speak LLDP is known by its registration.
    o.plug(ip(1), mac(1), Some(2));
    o.register(&Phone::new(1));
    o.wait(10_000);
    let report = o.reports().pop().unwrap();
    assert_eq!(report.ports[1].occupant, Occupant::Phone(mac(1), key(1)));
    // Claimed, it waits no longer.
    let mut site = o.gateway.site().clone();
    claim(&mut site, 2, PhoneModel::Gxp1628, None, 1);
    site.ids[2].phone.as_mut().unwrap().mac = mac(7);
    o.configure(&site, 2);
    o.wait(10_000);
    let report = o.reports().pop().unwrap();
    assert_eq!(report.ports[3].occupant, Occupant::Phone(mac(7), key(2)));
    assert!(report.waiting.is_empty());
}

/// Sockets and VLANs are those of the start: until the next one, a voice network that the cloud has just named is not told to phones, nor
/// are they told of an address in it.
#[test]
fn another_voice_network_is_not_announced_before_the_box_is_in_it() {
    let mut site = site(1, 8);
    claim(&mut site, 0, PhoneModel::Gxp1628, Some(1), 1);
    let mut o = Office::new(&site);
    o.handle(Input::Hub { mac: HUB });
    o.subscribe();
    let ip = Phone::new(0).address.ip();
    site.sys.voice = Some(Voice {
        vlan: 300,
        address: "10.9.0.1".parse().unwrap(),
        prefix: 24,
    });
    o.configure(&site, 2);
    let seen = |o: &mut Office| {
        o.handle(Input::Link {
            port: 0,
            link: Link::Mbps100,
        });
        o.handle(Input::Lldp {
            port: 0,
            bytes: &telephone(),
        });
        o.wait(1_000);
        o.plug(ip, mac(0), Some(1));
        let (_, said) = o.lldp.pop().unwrap();
        let policy = Lldpdu::parse(&said)
            .unwrap()
            .med
            .unwrap()
            .policy(Med::VOICE)
            .unwrap();
        let file = o.get(ip, "/cfg000b82000000.xml");
        (policy.is_tagged, p(&file, 48).unwrap().to_string())
    };
    assert_eq!(seen(&mut o), (false, "192.168.1.1:5060".into()));
    let mut o = o.restart();
    o.handle(Input::Hub { mac: HUB });
    assert_eq!(seen(&mut o), (true, "10.9.0.1:5060".into()));
}

/// A fed device that asks for power by LLDP-MED is told what it is granted; one that is not fed is told nothing of power.
#[test]
fn power_is_asked_for_and_granted() {
    let mut o = office(None);
    let fed = PortReading {
        searches: true,
        feed: Feed::On,
        found: Found::Device(Class::Two),
        cut: None,
        milliwatts: 3_000,
    };
    let empty = PortReading {
        feed: Feed::Off,
        found: Found::Nothing,
        milliwatts: 0,
        ..fed
    };
    o.handle(Input::Power(Some(Reading {
        ports: [fed, empty, empty, empty],
        supply_mv: 54_000,
        celsius: 40,
        was_too_hot: false,
    })));
    let heard = telephone();
    let mut asks = Lldpdu::parse(&heard).unwrap();
    if let Some(med) = &mut asks.med {
        med.power = Some(MedPower { how: 0x52, value: 50 });
    }
    let mut room = [0; 256];
    let length = asks.write(&mut room).unwrap();
    for (port, granted) in [(0, Some(50)), (1, None)] {
        o.lldp.clear();
        o.handle(Input::Lldp {
            port,
            bytes: &room[..length],
        });
        o.wait(1_000);
        let (at, said) = o.lldp.pop().unwrap();
        let said = Lldpdu::parse(&said).unwrap();
        let told = said.med.unwrap().power.map(|power| power.value);
        assert_eq!((at, told), (port, granted));
        let agreed = said
            .power
            .and_then(|power| power.agreed)
            .map(|agreed| agreed.allocated);
        assert_eq!(agreed, granted);
        assert_eq!(said.power.map(|power| power.class), granted.map(|_| 3));
    }
}
