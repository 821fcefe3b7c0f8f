//! What the box says and hears at the ports of its hub.

use super::office::*;
use gateway::lldp::UPLINK;
use gateway::lldp::lldpdu::{Id, Inventory, Lldpdu, Med};
use gateway::office::Subnet;
use gateway::{Input, Network};
use shared::hub::{Link, Voice};

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
        assert_eq!(said.address, Some(own.unwrap_or([192, 168, 1, 1].into())));
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
