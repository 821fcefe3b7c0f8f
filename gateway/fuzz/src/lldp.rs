//! LLDP: whatever comes in at a port.

use crate::script::Script;
use gateway::lldp::lldpdu::Lldpdu;
use gateway::lldp::{Lldp, Local, MESSAGE_MAX, TEXT_MAX};
use sip::Instant;

/// What can be read is the same when it is written again, and whatever neighbours say, there is one a port at the most, what is
/// shown of it is short and printable, what we say can be read, and there is an end to it.
pub fn lldp(bytes: &[u8]) {
    if let Ok(said) = Lldpdu::parse(bytes) {
        let mut room = [0; 4096];
        // Texts of a whole TLV leave no room for the organisation's number.
        if let Some(length) = said.write(&mut room) {
            assert_eq!(Lldpdu::parse(&room[..length]), Ok(said));
        }
    }

    let mut script = Script(bytes);
    let mut lldp = Lldp::new();
    let mut now = Instant(1_000);
    while !script.is_over() {
        let port = script.byte() % 7;
        match script.below(8) {
            0 => drop(lldp.link(now, port, script.byte() & 1 == 0)),
            1 => lldp.grant(now, port, script.byte().into()),
            2 => lldp.changed(now),
            3 => now.0 += u64::from(script.byte()) * 500,
            _ => {
                let length = script.byte();
                let heard = lldp.heard(now, port, script.bytes(length.into()));
                lldp.grant(now, port, heard.wanted.unwrap_or(0));
            }
        }
        while let Some(port) = lldp.age(now) {
            assert!(lldp.neighbour(port).is_none());
        }
        while let Some(port) = lldp.due(now) {
            let local = Local {
                mac: [2; 6],
                name: "denwaban",
                address: None,
                voice: Some(100),
                class: Some(3),
            };
            let mut room = [0; MESSAGE_MAX];
            let length = lldp.say(now, port, &local, &mut room).expect("it fits");
            assert!(Lldpdu::parse(&room[..length]).is_ok());
        }
        assert!(lldp.next_deadline().is_none_or(|next| next > now));
        for neighbour in (0..7).filter_map(|port| lldp.neighbour(port)) {
            for text in [&neighbour.model, &neighbour.firmware] {
                assert!(text.len() <= TEXT_MAX && !text.chars().any(char::is_control));
            }
        }
    }
}
