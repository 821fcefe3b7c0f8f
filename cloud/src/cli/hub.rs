//! The hub of a box: its ports with power, and the phones there.

use std::time::Duration;

use clap::ValueEnum;
use shared::id::BoxId;
use shared::sync::{HubOrder, PowerOrder};

use super::print::{ago, or_dash, table};
use crate::control;
use crate::db::{Db, FirmwareRow, HubRow, PhoneRow, PortRow, unix_ms};
use crate::refusal::{Refusal, Result};

/// How long a box may take for the report it was asked for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to do with the power of a port.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PowerAction {
    /// Feed what wants it.
    On,
    /// Off until it is told on.
    Off,
    /// Off and on again.
    Cycle,
}

impl From<PowerAction> for PowerOrder {
    fn from(action: PowerAction) -> Self {
        match action {
            PowerAction::On => Self::On,
            PowerAction::Off => Self::Off,
            PowerAction::Cycle => Self::Cycle,
        }
    }
}

/// Has the running server tell a box; refused, and nothing told, if the box cannot hear it as far as is known.
pub async fn tell(db: &Db, id: BoxId, order: HubOrder) -> Result<()> {
    if db.hub(id).await?.online == Some(true) && control::hub(db, id, order).await?.is_some() {
        return Ok(());
    }
    Err(away(id).into())
}

/// Has a port switched. Refused if the box does not do it because of a call; of a box that says nothing to it nothing is known.
pub async fn switch(db: &Db, id: BoxId, port: u8, order: PowerOrder, force: bool) -> Result<()> {
    tell(db, id, HubOrder::Power { port, order, force }).await?;
    if force || order == PowerOrder::On {
        return Ok(());
    }
    // It does it at once or never. A report that was on its way says how it was before.
    let feeds = |hub: &HubRow| {
        let mut ports = hub.ports.iter();
        ports.any(|row| row.port == usize::from(port) && row.power == "on")
    };
    let asked = unix_ms() as i64;
    let hub = ask(db, id, |hub| !feeds(hub)).await?;
    match hub.reported.is_some_and(|at| at >= asked) && feeds(&hub) {
        true => Err(Refusal::new(
            "port",
            format!("port {port} of box {id} still feeds: its phone is in a call"),
            "Wait, or cut it off by --force.",
        )
        .into()),
        false => Ok(()),
    }
}

/// The box cannot be told anything.
pub fn away(id: BoxId) -> Refusal {
    Refusal::new(
        "server",
        format!("box {id} is not connected to a running server"),
        "See `show boxes`, and start the server with `serve`.",
    )
}

/// What is at the ports of a box: as it says now, or as it said last if it is away.
pub async fn look(db: &Db, id: BoxId) -> Result<HubRow> {
    ask(db, id, |_| true).await
}

/// Asks a box what is at its ports, and waits for a report in which this is so; after a while the last one does.
async fn ask(db: &Db, id: BoxId, is_so: impl Fn(&HubRow) -> bool) -> Result<HubRow> {
    let asked = unix_ms() as i64;
    let mut hub = db.hub(id).await?;
    if control::hub(db, id, HubOrder::Report).await?.is_none() {
        hub.online = None;
        return Ok(hub);
    }
    let until = tokio::time::Instant::now() + PATIENCE;
    while hub.online == Some(true) && (hub.reported.is_none_or(|at| at < asked) || !is_so(&hub)) {
        if tokio::time::Instant::now() >= until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        hub = db.hub(id).await?;
    }
    Ok(hub)
}

/// `box show`
pub fn show(hub: &HubRow) -> String {
    let state = match hub.online {
        Some(true) => "online",
        Some(false) => "offline",
        None => "no server",
    };
    let mut text = format!("box {}  site {}  {state}  ", hub.r#box, hub.site);
    if hub.reported.is_none() {
        return text + "no report yet\n" + &wanted(hub);
    }
    text += &format!("as of {}\n", ago(hub.reported));
    if let Some(uplink) = hub.uplink {
        text += &format!("uplink {}\n", link(uplink));
    }
    text += &format!("power {:.1} W of {:.1} W\n", hub.draw_w, hub.budget_w);
    let heads = [
        "port",
        "link",
        "power",
        "class",
        "draw",
        "granted",
        "neighbour",
        "phone",
        "number",
        "registered",
    ];
    let ports: Vec<_> = hub.ports.iter().map(port).collect();
    text += &table(&heads, &ports);
    let waiting: Vec<_> = hub
        .waiting
        .iter()
        .map(|phone| {
            let at = phone.port.map_or_else(|| "-".into(), |port| port.to_string());
            vec![phone.mac.to_string(), or_dash(phone.model), at]
        })
        .collect();
    if !waiting.is_empty() {
        text += &table(&["waits for a claim", "model", "port"], &waiting);
    }
    if hub.unlisted > 0 {
        text += &format!("and {} more\n", hub.unlisted);
    }
    text + &wanted(hub)
}

/// What its phones shall run, and whether it has that for them.
fn wanted(hub: &HubRow) -> String {
    let rows = hub.phone_firmware.iter();
    let cells: Vec<_> = rows
        .map(|row| {
            vec![
                row.model.into(),
                row.version.clone(),
                row.file.clone(),
                row.size.to_string(),
                row.state.clone(),
            ]
        })
        .collect();
    match cells.is_empty() {
        true => String::new(),
        false => table(
            &["firmware for", "version", "file", "bytes", "in the box"],
            &cells,
        ),
    }
}

fn link(mbps: u16) -> String {
    match mbps {
        0 => "-".into(),
        mbps => format!("{mbps} Mbit/s"),
    }
}

fn port(row: &PortRow) -> Vec<String> {
    let watts = |watts: f64| match row.power {
        "on" => format!("{watts:.1} W"),
        _ => "-".into(),
    };
    let neighbour = [&row.neighbour, &row.firmware].map(|part| part.as_deref().unwrap_or(""));
    let phone = row.mac.map_or_else(|| "-".into(), |mac| mac.to_string());
    let every = |text: fn(&crate::db::PortId) -> String| {
        let all: Vec<_> = row.ids.iter().map(text).collect();
        or_dash(Some(&all.join(", ")))
    };
    vec![
        row.port.to_string(),
        link(row.link),
        row.power.into(),
        row.class.map_or_else(|| "-".into(), |class| class.to_string()),
        watts(row.draw_w),
        watts(row.granted_w),
        or_dash(Some(neighbour.join(" ").trim())),
        if row.quarantined {
            format!("{phone} (quarantine)")
        } else {
            phone
        },
        every(|id| format!("{} ({})", id.number, id.extension)),
        every(|id| at(id.registered, id.sheltered)),
    ]
}

/// Where a phone is registered.
fn at(registered: bool, sheltered: bool) -> String {
    match (registered, sheltered) {
        (_, true) => "at the cloud",
        (true, false) => "yes",
        (false, false) => "no",
    }
    .into()
}

/// `phone list`
pub fn phones(rows: &[PhoneRow]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.number.clone(),
                row.extension.clone(),
                row.site.to_string(),
                row.mac.to_string(),
                row.model.into(),
                row.line.to_string(),
                row.port.map_or_else(|| "-".into(), |port| port.to_string()),
                row.claim.to_string(),
                if row.passwords > 0 { "yes" } else { "no" }.into(),
                at(row.registered, row.sheltered),
            ]
        })
        .collect();
    let heads = [
        "phone of",
        "extension",
        "site",
        "address",
        "model",
        "line",
        "port",
        "claim",
        "password",
        "registered",
    ];
    table(&heads, &cells)
}

/// `phone firmware list`
pub fn firmware(rows: &[FirmwareRow]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let sites = row.sites.iter();
            let sites: Vec<_> = sites.map(|at| format!("{} {}", at.site, at.state)).collect();
            vec![
                row.model.into(),
                row.version.clone(),
                row.file.clone(),
                row.size.to_string(),
                or_dash(Some(&sites.join(", "))),
                row.sha256.clone(),
            ]
        })
        .collect();
    table(
        &["firmware for", "version", "file", "bytes", "sites", "SHA-256"],
        &cells,
    )
}
