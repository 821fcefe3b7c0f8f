//! Contracts as `show contracts` prints them.

use std::collections::{BTreeMap, HashMap};

use contract::Contract;
use contract::device::{Device, DeviceState};
use contract::model::{Direction, Id, Line, Rep, RepRequest, Site};
use serde::Serialize;
use shared::id::{IdKey, IdSet};
use shared::route::{BlockRule, NumberRules, Treatment};
use shared::schedule::{Day, Exception, Hours, Override, Schedule, State};
use shared::site::TerminalKind;

use super::extension;
use crate::db::Stored;

/// Days of the week as people type them.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A contract with its numbers.
#[derive(Clone, Debug, Serialize)]
pub struct ContractRow {
    /// Its number.
    pub contract: u32,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Calls with the outside that may exist at once (R15).
    pub channels: u32,
    /// Its IDs.
    pub ids: Vec<IdRow>,
    /// Its representative numbers.
    pub reps: Vec<RepRow>,
    /// Its sites.
    pub sites: Vec<SiteRow>,
    /// Representative numbers that wait for their review (R14).
    pub requests: Vec<RequestRow>,
    /// Why all of it is suspended.
    pub suspended: Vec<String>,
    /// The day it ended.
    pub ended: Option<String>,
    /// What happens to calls to its numbers, where that is out of the ordinary.
    pub rules: Vec<RulesRow>,
    /// Its business hours by their number, in words.
    pub hours: BTreeMap<u8, String>,
    /// Its lists of callers that are refused by their number, in words.
    pub blocks: BTreeMap<u8, String>,
    /// Its devices.
    pub devices: Vec<DeviceRow>,
}

/// What happens to calls to a number.
#[derive(Clone, Debug, Serialize)]
pub struct RulesRow {
    /// The number.
    pub number: String,
    /// The business hours it follows.
    pub hours: Option<u8>,
    /// The list of callers it refuses.
    pub block: Option<u8>,
    /// The number that rings after hours.
    pub closed: Option<String>,
    /// The number that rings if nobody answers.
    pub unanswered: Option<String>,
}

/// A device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceRow {
    /// Key within the contract.
    pub device: u32,
    /// What it is.
    pub model: String,
    /// How far it is, and since when.
    pub state: String,
    /// Its site.
    pub site: u32,
    /// Extension at each of its ports.
    pub ports: Vec<Option<String>>,
    /// Its hardware address.
    pub mac: Option<String>,
}

/// A request for a representative number.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRow {
    /// Its key within the contract.
    pub request: u32,
    /// The number.
    pub number: String,
    /// What it shall be used for.
    pub usage: String,
}

/// An ID.
#[derive(Clone, Debug, Serialize)]
pub struct IdRow {
    /// Key within the contract.
    pub key: u32,
    /// `basic` or `additional` (R16).
    pub role: String,
    /// Direct number, which is the login name (R10).
    pub direct: String,
    /// Extension.
    pub extension: String,
    /// Name.
    pub label: String,
    /// Kind of terminal.
    pub kind: String,
    /// Number its calls present.
    pub outgoing: String,
    /// Its site.
    pub site: u32,
    /// The port of its site's box it is plugged into.
    pub port: Option<u8>,
    /// Hardware address of the phone it is claimed for.
    pub phone: Option<String>,
    /// What is out of the ordinary about its number.
    pub state: String,
}

/// A representative number.
#[derive(Clone, Debug, Serialize)]
pub struct RepRow {
    /// The number.
    pub number: String,
    /// Name.
    pub label: String,
    /// Extensions of the members.
    pub members: String,
    /// Extensions of those that ring.
    pub ring: String,
    /// What is out of the ordinary about the number.
    pub state: String,
}

/// A site.
#[derive(Clone, Debug, Serialize)]
pub struct SiteRow {
    /// Its number.
    pub site: u32,
    /// Its name.
    pub name: String,
    /// The last epoch issued.
    pub epoch: i64,
    /// Its box.
    pub r#box: Option<String>,
}

/// A contract with all that belongs to it.
pub(super) fn row(stored: &Stored, issued: &HashMap<u32, (Option<String>, i64)>) -> ContractRow {
    let Stored { contract, version } = stored;
    let extensions = |set: IdSet| {
        let members = set
            .iter()
            .filter_map(|key| extension(contract, key.index() as u16));
        members.collect::<Vec<_>>().join(",")
    };
    let basic = contract.basic().map(|id| id.key);
    let id = |id: &Id| IdRow {
        key: id.key.index() as u32,
        role: if basic == Some(id.key) {
            "basic"
        } else {
            "additional"
        }
        .into(),
        direct: id.direct.number.digits().to_string(),
        extension: id.extension.to_string(),
        label: id.label.clone(),
        kind: match id.kind {
            TerminalKind::App => "app",
            TerminalKind::Fixed => "fixed",
            TerminalKind::Adapter => "adapter",
        }
        .into(),
        outgoing: id.outgoing.digits().to_string(),
        site: id.site.0,
        port: id.port.map(|port| port.number),
        phone: id.phone.map(|phone| phone.mac.to_string()),
        state: line_state(&id.direct),
    };
    let mut ids: Vec<_> = contract.ids.iter().map(id).collect();
    ids.sort_by_key(|id| id.key);
    let rep = |rep: &Rep| RepRow {
        number: rep.line.number.digits().to_string(),
        label: rep.label.clone(),
        members: extensions(rep.members),
        ring: extensions(rep.ring),
        state: line_state(&rep.line),
    };
    let site = |site: &Site| {
        let (r#box, epoch) = issued.get(&site.id.0).cloned().unwrap_or_default();
        SiteRow {
            site: site.id.0,
            name: site.name.clone(),
            epoch,
            r#box,
        }
    };
    let request = |request: &RepRequest| RequestRow {
        request: request.id,
        number: request.rep.number.digits().to_string(),
        usage: request.usage.clone(),
    };
    ContractRow {
        contract: contract.id.0,
        version: *version,
        name: contract.name.clone(),
        channels: contract.channels() as u32,
        ids,
        reps: contract.reps.iter().map(rep).collect(),
        sites: contract.sites.iter().map(site).collect(),
        requests: contract.pending().map(request).collect(),
        suspended: contract.suspended.iter().map(|one| one.reason.clone()).collect(),
        ended: contract.ended.map(|day| day.to_string()),
        rules: contract.lines().filter_map(|(line, _)| rules(line)).collect(),
        hours: contract
            .schedules
            .iter()
            .map(|(key, one)| (*key, hours(one)))
            .collect(),
        blocks: contract
            .blocks
            .iter()
            .map(|(key, list)| (*key, callers(list)))
            .collect(),
        devices: contract.devices.iter().map(|one| device(contract, one)).collect(),
    }
}

fn rules(line: &Line) -> Option<RulesRow> {
    let rules = line.rules;
    let to = |treatment| match treatment {
        Treatment::Forward(number) => Some(number.digits().to_string()),
        Treatment::End => None,
    };
    (rules != NumberRules::default()).then(|| RulesRow {
        number: line.number.digits().to_string(),
        hours: rules.schedule,
        block: rules.block,
        closed: to(rules.closed),
        unanswered: to(rules.unanswered),
    })
}

/// The week as `hours set --week` reads it, and what else there is.
fn hours(schedule: &Schedule) -> String {
    let words = |day: &Day| day.iter().map(Hours::to_string).collect::<Vec<_>>().join(" ");
    let mut groups: Vec<(usize, usize, String)> = Vec::new();
    for (index, day) in schedule.weekly.iter().enumerate() {
        let hours = words(day);
        match groups.last_mut() {
            Some((_, last, same)) if *same == hours => *last = index,
            _ => groups.push((index, index, hours)),
        }
    }
    let name = |index: usize| DAYS.get(index).copied().unwrap_or_default();
    let mut parts: Vec<String> = groups
        .iter()
        .filter(|(.., hours)| !hours.is_empty())
        .map(|(first, last, hours)| match first == last {
            true => format!("{} {hours}", name(*first)),
            false => format!("{}-{} {hours}", name(*first), name(*last)),
        })
        .collect();
    if parts.is_empty() {
        parts.push("closed".into());
    }
    match &schedule.holidays {
        Some(day) if day.is_empty() => parts.push("holidays closed".into()),
        Some(day) => parts.push(format!("holidays {}", words(day))),
        None => {}
    }
    for Exception { date, hours } in &schedule.exceptions {
        match hours.is_empty() {
            true => parts.push(format!("{date} closed")),
            false => parts.push(format!("{date} {}", words(hours))),
        }
    }
    if let Some(Override { state, until }) = schedule.manual {
        let state = match state {
            State::Open => "open",
            State::Closed => "closed",
        };
        parts.push(match until {
            Some(until) => format!("{state} by hand until {until}"),
            None => format!("{state} by hand"),
        });
    }
    parts.join(", ")
}

/// Callers as `block set --callers` reads them.
fn callers(list: &[BlockRule]) -> String {
    let word = |rule: &BlockRule| match rule {
        BlockRule::Number(number) => number.digits().to_string(),
        BlockRule::Prefix(prefix) => format!("{prefix}*"),
        BlockRule::Withheld => "withheld".into(),
    };
    list.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn device(contract: &Contract, device: &Device) -> DeviceRow {
    let (DeviceState::Ordered(since)
    | DeviceState::Configured(since)
    | DeviceState::Shipped(since)
    | DeviceState::Online(since)
    | DeviceState::Returned(since)
    | DeviceState::Purchased(since)) = device.state;
    let port = |key: &Option<IdKey>| {
        let id = contract.id((*key)?)?;
        Some(id.extension.to_string())
    };
    DeviceRow {
        device: device.id.0,
        model: device.model.name().into(),
        state: format!("{} {since}", device.state.name()),
        site: device.site.0,
        ports: device.ports.iter().map(port).collect(),
        mac: device.mac.map(|mac| mac.to_string()),
    }
}

/// Suspended, or on its way from or to another carrier.
fn line_state(line: &Line) -> String {
    if !line.suspended.is_empty() {
        return "suspended".into();
    }
    match line.porting {
        None => String::new(),
        Some(porting) => match (porting.direction, porting.next) {
            (Direction::In, Some(next)) => format!("becomes {next}"),
            (Direction::In, None) => "porting in".into(),
            (Direction::Out, _) => "porting out".into(),
        },
    }
}
