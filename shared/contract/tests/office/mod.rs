//! An office with its contract, and the example price list.
#![allow(dead_code, reason = "not every test needs all of it")]

use contract::Contract;
use contract::device::{Acquisition, Device, DeviceId, DeviceState, Model};
use contract::model::{Customer, Former, Id, Line, Rep};
use contract::plan::PlanVersion;
use contract::tariff::{Month, PriceList};
use shared::{ContractId, Date, IdKey, IdSet, Number, SiteId, TerminalKind};

pub fn prices() -> PriceList {
    PriceList::from_json(include_str!("../prices.json")).unwrap()
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn month(text: &str) -> Month {
    text.parse().unwrap()
}

pub fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

pub fn key(index: u16) -> IdKey {
    IdKey::new(index).unwrap()
}

pub fn line(digits: &str, since: &str) -> Line {
    Line {
        number: number(digits),
        since: day(since),
        porting: None,
        suspended: Vec::new(),
        rules: Default::default(),
    }
}

pub fn signed(on: &str) -> Contract {
    Contract::sign(
        ContractId(7),
        "○○会社",
        Customer::Corporate,
        PlanVersion::From2021,
        day(on),
    )
}

pub fn add_id(contract: &mut Contract, index: u16, direct: &str, since: &str) {
    contract.ids.push(Id {
        key: key(index),
        since: day(since),
        site: SiteId(1),
        direct: line(direct, since),
        extension: format!("2{:02}", index + 1).parse().unwrap(),
        label: String::new(),
        kind: TerminalKind::Fixed,
        direct_in: true,
        direct_out: true,
        outgoing: number(direct),
        lease: None,
        epoch: 0,
        port: None,
        phone: None,
        claim: 0,
    });
}

pub fn add_rep(contract: &mut Contract, digits: &str, since: &str) {
    contract.reps.push(Rep {
        line: line(digits, since),
        label: String::new(),
        members: IdSet::EMPTY,
        ring: IdSet::EMPTY,
        sub_cap: None,
    });
}

pub fn add_former(contract: &mut Contract, index: Option<u16>, digits: &str, since: &str, until: &str) {
    contract.former.push(Former {
        number: number(digits),
        id: index.map(key),
        since: day(since),
        until: day(until),
        next: None,
        ported: false,
    });
}

/// A device that was ordered and shipped on the same day.
pub fn add_device(contract: &mut Contract, model: Model, acquisition: Acquisition, since: &str) {
    contract.devices.push(Device {
        id: DeviceId(contract.devices.len() as u32 + 1),
        model,
        acquisition,
        site: SiteId(1),
        ports: Vec::new(),
        mac: None,
        ordered: day(since),
        shipped: Some(day(since)),
        state: DeviceState::Online(day(since)),
    });
}
