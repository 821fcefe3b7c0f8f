//! The hubs of boxes: what is at their ports, the phones there, and the passwords that boxes made for them.

use contract::Contract;
use serde::Serialize;
use shared::hub::{Link, Mac, PhoneModel, PortPower, PowerFault};
use shared::id::{BoxId, ContractId, IdKey, IdSet, SiteId};
use shared::sync::{HubReport, Message as _, Occupant, PhoneSecret, PortReport};
use sqlx::FromRow;

use super::contract::{load, load_all};
use super::events::CLOUD;
use super::firmware::WantedRow;
use super::{Change, Db};
use crate::refusal::{Refusal, Result};

/// A box and what is at its ports.
#[derive(Clone, Debug, Serialize)]
pub struct HubRow {
    /// Box id.
    pub r#box: String,
    /// Its site.
    pub site: u32,
    /// Its contract.
    pub contract: u32,
    /// Connected to the broker; unknown where no server runs.
    pub online: Option<bool>,
    /// When its last report arrived (ms since 1970); there may be none.
    pub reported: Option<i64>,
    /// Speed of its link to the office's network, Mbit/s; 0 without a link, nothing without a switch of its own.
    pub uplink: Option<u16>,
    /// What its supply has for all ports, W.
    pub budget_w: f64,
    /// What all ports draw, W.
    pub draw_w: f64,
    /// Its ports with power.
    pub ports: Vec<PortRow>,
    /// Phones that wait to be claimed.
    pub waiting: Vec<WaitingRow>,
    /// More of them than it could list.
    pub unlisted: u16,
    /// The firmware that the phones of its site shall run.
    pub phone_firmware: Vec<WantedRow>,
}

/// A port with power.
#[derive(Clone, Debug, Serialize)]
pub struct PortRow {
    /// Its number.
    pub port: usize,
    /// Speed of its link, Mbit/s; 0 without one.
    pub link: u16,
    /// `off`, `searching`, `waiting`, `on`, or why a device is not fed: `overload`, `short`, `thermal`, `budget`, `controller`.
    pub power: &'static str,
    /// Class of the device.
    pub class: Option<u8>,
    /// What it draws, W.
    pub draw_w: f64,
    /// What it was granted, W.
    pub granted_w: f64,
    /// What the device says it is.
    pub neighbour: Option<String>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// It waits in quarantine: claimed for no ID, or for another port.
    pub quarantined: bool,
    /// The IDs whose phone it is.
    pub ids: Vec<PortId>,
}

/// The ID of a phone at a port.
#[derive(Clone, Debug, Serialize)]
pub struct PortId {
    /// Its direct number.
    pub number: String,
    /// Its extension.
    pub extension: String,
    /// Its phone is registered at the box.
    pub registered: bool,
    /// Its phone is registered at the cloud, as the box is away.
    pub sheltered: bool,
}

/// A phone that waits to be claimed.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingRow {
    /// Its hardware address.
    pub mac: Mac,
    /// What it says it is.
    pub model: Option<&'static str>,
    /// The port with power it is at.
    pub port: Option<u8>,
}

/// A phone that is claimed for an ID.
#[derive(Clone, Debug, Serialize)]
pub struct PhoneRow {
    /// Contract.
    pub contract: u32,
    /// Direct number of the ID.
    pub number: String,
    /// Its extension.
    pub extension: String,
    /// Its site.
    pub site: u32,
    /// The phone.
    pub mac: Mac,
    /// What it is.
    pub model: &'static str,
    /// Which of its lines.
    pub line: u8,
    /// The port with power it belongs to.
    pub port: Option<u8>,
    /// Number of the claim.
    pub claim: u16,
    /// How many passwords its box made on this claim; 0: it has not fetched one.
    pub passwords: u32,
    /// It is registered at the box.
    pub registered: bool,
    /// It is registered at the cloud, as its box is away.
    pub sheltered: bool,
}

#[derive(FromRow)]
struct Stored {
    site: u32,
    contract: u32,
    online: bool,
    bytes: Option<Vec<u8>>,
    received: Option<i64>,
}

impl Db {
    /// A box and what it told last of its ports.
    pub async fn hub(&self, id: BoxId) -> Result<HubRow> {
        let stored: Option<Stored> = sqlx::query_as(
            "SELECT box.site, site.contract, box.online, hub.bytes, hub.received
               FROM box JOIN site ON site.id = box.site LEFT JOIN hub ON hub.box = box.id WHERE box.id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&self.pool)
        .await?;
        let stored = stored
            .ok_or_else(|| Refusal::new("box", format!("there is no box {id}"), "See `show boxes`."))?;
        // One of another schema tells nothing; the box sends another soon.
        let report = stored.bytes.and_then(|bytes| HubReport::decode(&bytes).ok());
        let reported = stored.received.filter(|_| report.is_some());
        let report = report.unwrap_or_default();
        let contract = self.contract(ContractId(stored.contract)).await?.contract;
        let here = self.registered(&id.to_string()).await?;
        let sheltered = self.registered(CLOUD).await?;
        let watts = |tenths: u16| f64::from(tenths) / 10.0;
        let port = |(index, port): (usize, &PortReport)| {
            let (mac, ids, quarantined) = match port.occupant {
                Occupant::Nobody => (None, IdSet::EMPTY, false),
                Occupant::Phone(mac, ids) => (Some(mac), ids, false),
                Occupant::Quarantined(mac) => (Some(mac), IdSet::EMPTY, true),
                Occupant::Other(mac) => (Some(mac), IdSet::EMPTY, false),
            };
            let neighbour = port.neighbour.as_ref();
            PortRow {
                port: index + 1,
                link: mbps(port.link),
                power: power(port.power),
                class: port.class,
                draw_w: watts(port.draw),
                granted_w: watts(port.granted),
                neighbour: neighbour.map(|neighbour| neighbour.model.as_str().into()),
                firmware: neighbour.map(|neighbour| neighbour.firmware.as_str().into()),
                mac,
                quarantined,
                ids: ids
                    .iter()
                    .filter_map(|key| port_id(&contract, key, &here, &sheltered))
                    .collect(),
            }
        };
        Ok(HubRow {
            r#box: id.to_string(),
            site: stored.site,
            contract: stored.contract,
            online: Some(stored.online),
            reported,
            uplink: report.uplink.map(mbps),
            budget_w: watts(report.budget),
            draw_w: report.ports.iter().map(|port| watts(port.draw)).sum(),
            ports: report.ports.iter().enumerate().map(port).collect(),
            waiting: report
                .waiting
                .iter()
                .map(|phone| WaitingRow {
                    mac: phone.mac,
                    model: phone.model.map(PhoneModel::name),
                    port: phone.port,
                })
                .collect(),
            unlisted: report.unlisted,
            phone_firmware: self.wanted_firmware(SiteId(stored.site)).await?,
        })
    }

    /// The phones that are claimed for IDs, of one contract or of all.
    pub async fn phones(&self, of: Option<ContractId>) -> Result<Vec<PhoneRow>> {
        let mut connection = self.pool.acquire().await?;
        let contracts = match of {
            Some(id) => vec![load(&mut connection, id).await?],
            None => load_all(&mut connection).await?,
        };
        let mut rows = Vec::new();
        for contract in contracts.iter().map(|stored| &stored.contract) {
            for id in &contract.ids {
                let Some(phone) = id.phone else { continue };
                let number = id.direct.number.digits().to_string();
                let serial: Option<u32> = sqlx::query_scalar(
                    "SELECT serial FROM credential WHERE contract = $1 AND key = $2 AND claim = $3",
                )
                .bind(contract.id.0)
                .bind(id.key.index() as i64)
                .bind(id.claim)
                .fetch_optional(&mut *connection)
                .await?;
                // What a box told last may be long ago.
                let (registered, sheltered): (bool, bool) = sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM registration JOIN box ON box.id = registration.source
                                     WHERE box.site = $1 AND user = $2),
                            EXISTS (SELECT 1 FROM registration WHERE source = $3 AND user = $2)",
                )
                .bind(id.site.0)
                .bind(&number)
                .bind(CLOUD)
                .fetch_one(&mut *connection)
                .await?;
                rows.push(PhoneRow {
                    contract: contract.id.0,
                    number,
                    extension: id.extension.to_string(),
                    site: id.site.0,
                    mac: phone.mac,
                    model: phone.model.name(),
                    line: phone.line,
                    port: phone.port.map(Into::into),
                    claim: id.claim,
                    passwords: serial.unwrap_or(0),
                    registered: registered && !sheltered,
                    sheltered,
                });
            }
        }
        Ok(rows)
    }

    /// The box of the site an ID belongs to.
    pub async fn box_of(&self, contract: &Contract, key: IdKey) -> Result<BoxId> {
        let id = contract.id(key).ok_or(contract::Refusal::NoId(key))?;
        let found: Option<String> = sqlx::query_scalar("SELECT id FROM box WHERE site = $1")
            .bind(id.site.0)
            .fetch_optional(&self.pool)
            .await?;
        let found = found.and_then(|text| text.parse().ok());
        found.ok_or_else(|| {
            Refusal::new(
                "box",
                format!("site {} has no box", id.site.0),
                "Make one with `box create`.",
            )
            .into()
        })
    }

    /// Who is registered at a box, by user name.
    async fn registered(&self, source: &str) -> Result<Vec<String>> {
        Ok(
            sqlx::query_scalar("SELECT user FROM registration WHERE source = $1")
                .bind(source)
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// Keeps what a box told of its ports, instead of what it told before.
    pub(super) async fn store_hub(&self, from: BoxId, report: &HubReport, now: u64) -> Result<()> {
        let mut buffer = [0; shared::sync::MAX_MESSAGE];
        let bytes = report.encode(&mut buffer).map_err(anyhow::Error::from)?;
        let mut change = self.change().await?;
        sqlx::query(
            "INSERT INTO hub (box, bytes, received) SELECT id, $2, $3 FROM box WHERE id = $1
             ON CONFLICT (box) DO UPDATE SET bytes = $2, received = $3",
        )
        .bind(from.to_string())
        .bind(bytes)
        .bind(now as i64)
        .execute(&mut *change.tx)
        .await?;
        Ok(change.commit().await?)
    }
}

impl Change<'_> {
    /// A box gave a phone a password: what verifies it is the ID's credential from now on, unless the phone is claimed anew
    /// since then, or a later password is known. Gives the contract whose configurations are others now.
    pub(super) async fn phone_secret(
        &mut self,
        origin: &str,
        secret: &PhoneSecret,
    ) -> Result<Option<ContractId>> {
        let at: Option<(u32, u32)> = sqlx::query_as(
            "SELECT site.id, site.contract FROM box JOIN site ON site.id = box.site WHERE box.id = $1",
        )
        .bind(origin)
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some((site, contract)) = at else {
            return Ok(None);
        };
        let stored = load(&mut self.tx, ContractId(contract)).await?;
        let holds = stored
            .contract
            .id(secret.key)
            .is_some_and(|id| id.site.0 == site && id.phone.is_some() && id.claim == secret.claim);
        if !holds {
            return Ok(None);
        }
        let changed = sqlx::query(
            "UPDATE credential SET ha1_md5 = $3, ha1_sha256 = $4, claim = $5, serial = $6
              WHERE contract = $1 AND key = $2 AND (claim IS NULL OR claim < $5 OR serial < $6)",
        )
        .bind(contract)
        .bind(secret.key.index() as i64)
        .bind(&secret.ha1_md5[..])
        .bind(&secret.ha1_sha256[..])
        .bind(secret.claim)
        .bind(secret.serial)
        .execute(&mut *self.tx)
        .await?;
        Ok((changed.rows_affected() > 0).then_some(ContractId(contract)))
    }
}

fn port_id(contract: &Contract, key: IdKey, at_box: &[String], at_cloud: &[String]) -> Option<PortId> {
    let id = contract.id(key)?;
    let user = id.direct.number.digits().to_string();
    let sheltered = at_cloud.contains(&user);
    Some(PortId {
        registered: at_box.contains(&user) && !sheltered,
        sheltered,
        number: user,
        extension: id.extension.to_string(),
    })
}

const fn mbps(link: Link) -> u16 {
    match link {
        Link::Down => 0,
        Link::Mbps10 => 10,
        Link::Mbps100 => 100,
        Link::Mbps1000 => 1000,
    }
}

const fn power(power: PortPower) -> &'static str {
    match power {
        PortPower::Off => "off",
        PortPower::Searching => "searching",
        PortPower::Waiting => "waiting",
        PortPower::On => "on",
        PortPower::Fault(PowerFault::Overload) => "overload",
        PortPower::Fault(PowerFault::Short) => "short",
        PortPower::Fault(PowerFault::Thermal) => "thermal",
        PortPower::Fault(PowerFault::Budget) => "budget",
        PortPower::Fault(PowerFault::Controller) => "controller",
    }
}
