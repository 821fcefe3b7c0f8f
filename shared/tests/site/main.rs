//! The site configuration: its rules one by one, its sections.

#[path = "../common/mod.rs"]
mod common;
mod rules;
mod sections;

use sha2::{Digest, Sha256};
use shared::hub::{PhoneFirmware, PhoneModel, Voice};

const VOICE: Voice = Voice {
    vlan: 4094,
    address: std::net::Ipv4Addr::new(192, 168, 20, 1),
    prefix: 24,
};

/// Firmware with a hash that its name makes.
fn file(model: PhoneModel, name: &str, size: u32) -> PhoneFirmware {
    PhoneFirmware {
        model,
        name: name.try_into().unwrap(),
        version: "1.0.7.76".try_into().unwrap(),
        size,
        hash: Sha256::digest(name).into(),
    }
}
