//! What the `show` commands print.

mod contracts;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use contract::Contract;
use serde::Serialize;
use shared::analog::LineTestResult;
use shared::hub::{FetchOutcome, FetchRefusal, FileKind};
use shared::id::{ContractId, IdKey};
use shared::sync::{Alarm, Event, EventBody, Message as _, PhoneFetch, PhoneSecret};
use sqlx::FromRow;

pub use self::contracts::ContractRow;
use super::Db;
use super::firmware::hex;
use crate::refusal::Result;

/// A box.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct BoxRow {
    /// Box id.
    pub r#box: String,
    /// Its site.
    pub site: u32,
    /// Its contract.
    pub contract: u32,
    /// Connected to the broker; unknown where no server runs.
    pub online: Option<bool>,
    /// The last epoch issued to it.
    pub issued: i64,
    /// The epoch it uses.
    pub epoch: i64,
    /// Why it refused the last one.
    pub nack: Option<String>,
    /// Its firmware.
    pub firmware: String,
    /// How often it started.
    pub boot: Option<u32>,
    /// When it was last heard of (ms since 1970).
    pub seen: Option<i64>,
    /// Where its trunk is registered from.
    pub trunk: Option<String>,
}

/// Something registered.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct RegistrationRow {
    /// Where: a box id, or `cloud`.
    pub source: String,
    /// Who: an ID's direct number, or a box id.
    pub user: String,
    /// From where, where known.
    pub contact: String,
    /// Since when (ms since 1970); unknown where no server runs, as is whether it still is.
    pub since: Option<i64>,
}

/// Something that happened at a box or in the cloud.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    /// Where: a box id, or `cloud`.
    pub origin: String,
    /// In which start of it.
    pub boot: u32,
    /// As which event of that start.
    pub seq: u32,
    /// `boot`, `call_leg`, `registration`, `alarm`, `panic`, `line_test`, `phone_fetch`, `phone_secret`, `port_cycled`,
    /// `phone_firmware` or `unknown`.
    pub kind: String,
    /// When it arrived (ms since 1970).
    pub received: i64,
    /// What it says.
    pub text: String,
}

/// A call: its legs joined.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct CallRow {
    /// The call (RFC 7989).
    pub session: String,
    /// Its contract.
    pub contract: Option<u32>,
    /// Its beginning (ms since 1970); the arrival of its record if nobody had a clock.
    pub started: i64,
    /// The beginning was read from a clock.
    pub has_clock: bool,
    /// Its answer.
    pub answered: Option<i64>,
    /// Its end.
    pub ended: i64,
    /// Legs recorded.
    pub legs: i64,
    /// Of them by the box.
    pub box_legs: i64,
    /// Of them by the cloud.
    pub cloud_legs: i64,
    /// One leg was answered.
    pub was_answered: bool,
    /// How long an answered leg lasted, the longest of them.
    pub talked_ms: Option<i64>,
    /// An answered leg was cut by a fault.
    pub was_lost: bool,
    /// How the call ended, as one word.
    #[sqlx(skip)]
    pub outcome: String,
    /// Extension of the terminal that answered.
    #[sqlx(skip)]
    pub answered_by: Option<String>,
    /// The legs, box before cloud.
    #[sqlx(skip)]
    pub detail: Vec<LegRow>,
}

/// A leg of a call.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct LegRow {
    /// Who wrote it: a box id, or `cloud`.
    pub origin: String,
    /// In which start.
    pub boot: u32,
    /// As which event.
    pub seq: u32,
    /// The call.
    pub session: String,
    /// Number of the leg within the call on that side.
    pub leg: u32,
    /// `box` or `cloud`.
    pub side: String,
    /// `in` or `out`, seen from that side.
    pub direction: String,
    /// The caller.
    pub caller: String,
    /// What was called.
    pub called: String,
    /// The number presented.
    pub presented: Option<String>,
    /// Key of the terminal's ID.
    pub terminal: Option<u16>,
    /// Its extension, if the ID still exists.
    #[sqlx(skip)]
    pub extension: Option<String>,
    /// Milliseconds from start to first ringing.
    pub ringing_ms: Option<i64>,
    /// Milliseconds from start to answer.
    pub answered_ms: Option<i64>,
    /// Milliseconds from start to end.
    pub ended_ms: i64,
    /// How it ended.
    pub state: String,
    /// Last final status of SIP.
    pub status: u32,
}

impl Db {
    /// Contracts with all that belongs to them.
    pub async fn contracts(&self) -> Result<Vec<ContractRow>> {
        type Issued = (u32, Option<String>, i64);
        let issued: Vec<Issued> = sqlx::query_as(
            "SELECT site.id, box.id,
                    coalesce((SELECT max(epoch) FROM manifest WHERE manifest.box = box.id), 0)
               FROM site LEFT JOIN box ON box.site = site.id",
        )
        .fetch_all(&self.pool)
        .await?;
        let issued: HashMap<u32, _> = issued
            .into_iter()
            .map(|(site, id, epoch)| (site, (id, epoch)))
            .collect();
        let stored = self.stored().await?;
        Ok(stored
            .iter()
            .map(|stored| contracts::row(stored, &issued))
            .collect())
    }

    /// Boxes.
    pub async fn boxes(&self) -> Result<Vec<BoxRow>> {
        Ok(sqlx::query_as(
            "SELECT box.id AS box, box.site, site.contract, box.online,
                    coalesce((SELECT max(epoch) FROM manifest WHERE manifest.box = box.id), 0) AS issued,
                    box.epoch, box.nack, box.firmware, box.boot, box.seen,
                    (SELECT contact FROM registration WHERE source = 'cloud' AND user = box.id) AS trunk
               FROM box JOIN site ON site.id = box.site ORDER BY box.site",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Phones registered at boxes; trunks of boxes, and phones whose box is away, registered at the cloud.
    pub async fn registrations(&self) -> Result<Vec<RegistrationRow>> {
        Ok(
            sqlx::query_as("SELECT source, user, contact, since FROM registration ORDER BY source, user")
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// The latest events, oldest first.
    pub async fn events(&self, limit: u32) -> Result<Vec<EventRow>> {
        type Stored = (String, u32, u32, String, Vec<u8>, i64);
        let stored: Vec<Stored> = sqlx::query_as(
            "SELECT origin, boot, seq, kind, bytes, received FROM event ORDER BY id DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let row = |(origin, boot, seq, kind, bytes, received): Stored| EventRow {
            origin,
            boot,
            seq,
            kind,
            received,
            text: Event::decode(&bytes)
                .map_or_else(|_| "of a newer firmware".into(), |event| told(&event.body)),
        };
        Ok(stored.into_iter().rev().map(row).collect())
    }

    /// The latest calls, oldest first, with their legs.
    pub async fn records(&self, limit: u32) -> Result<Vec<CallRow>> {
        let mut calls: Vec<CallRow> =
            sqlx::query_as("SELECT * FROM call ORDER BY started DESC, session LIMIT $1")
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        calls.reverse();
        let mut contracts = HashMap::new();
        for call in &mut calls {
            self.detail(call, &mut contracts).await?;
        }
        Ok(calls)
    }

    /// One call with its legs.
    pub async fn call(&self, session: &str) -> Result<Option<CallRow>> {
        let mut call: Option<CallRow> = sqlx::query_as("SELECT * FROM call WHERE session = $1")
            .bind(session)
            .fetch_optional(&self.pool)
            .await?;
        if let Some(call) = &mut call {
            self.detail(call, &mut HashMap::new()).await?;
        }
        Ok(call)
    }

    /// Completes a call with its legs. `contracts` keeps what was read.
    async fn detail(&self, call: &mut CallRow, contracts: &mut HashMap<u32, Contract>) -> Result<()> {
        call.detail = sqlx::query_as(
            "SELECT origin, boot, seq, session, leg, side, direction, caller, called, presented, terminal,
                    ringing_mono - started_mono AS ringing_ms, answered_mono - started_mono AS answered_ms,
                    ended_mono - started_mono AS ended_ms, state, status
               FROM call_leg WHERE session = $1 ORDER BY side, boot, seq",
        )
        .bind(&call.session)
        .fetch_all(&self.pool)
        .await?;
        if let Some(id) = call.contract {
            let contract = match contracts.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.contract(ContractId(id)).await?.contract),
            };
            for leg in &mut call.detail {
                leg.extension = leg.terminal.and_then(|key| extension(contract, key));
            }
        }
        call.outcome = call.outcome().into();
        call.answered_by = call.answering().and_then(|leg| leg.extension.clone());
        Ok(())
    }
}

fn extension(contract: &Contract, key: u16) -> Option<String> {
    let id = contract.id(IdKey::new(key)?)?;
    Some(id.extension.to_string())
}

impl CallRow {
    /// What happened to the call as a whole: what its caller met, unless it was answered.
    fn outcome(&self) -> &str {
        if self.was_answered {
            return if self.was_lost { "lost" } else { "answered" };
        }
        let caller = self.detail.iter().filter(|leg| leg.direction == "in");
        caller
            .chain(&self.detail)
            .map(|leg| leg.state.as_str())
            .next()
            .unwrap_or("unknown")
    }

    /// The leg to the terminal that answered.
    fn answering(&self) -> Option<&LegRow> {
        self.detail
            .iter()
            .find(|leg| leg.direction == "out" && leg.terminal.is_some() && leg.answered_ms.is_some())
    }
}

/// What an event says, for people.
fn told(body: &EventBody) -> String {
    match body {
        EventBody::Boot { reason, firmware } => format!("{reason:?}, firmware {firmware}"),
        EventBody::CallLeg(leg) => format!("{} leg {}: {:?}", leg.session, leg.leg, leg.state),
        EventBody::Registration {
            terminal,
            registered: true,
        } => format!("ID {terminal} is registered"),
        EventBody::Registration { terminal, .. } => format!("ID {terminal} is gone"),
        EventBody::Alarm {
            alarm: Alarm::PhoneFirmware(model),
            raised,
        } => match raised {
            true => format!(
                "what was fetched as firmware of {} has another digest",
                model.name()
            ),
            false => format!("firmware of {} with another digest is over", model.name()),
        },
        EventBody::Alarm { alarm, raised: true } => format!("{alarm:?}"),
        EventBody::Alarm { alarm, .. } => format!("{alarm:?} is over"),
        EventBody::Panic(note) => format!("after {} ms: {}", note.uptime, note.message),
        EventBody::LineTest { port, result } => format!("port {port}: {}", tested(result)),
        EventBody::PhoneFetch(fetch) => fetched(fetch),
        EventBody::FetchesLeftOut(count) => format!("{count} more fetches, too many to tell of each"),
        EventBody::PhoneSecret(PhoneSecret {
            key, claim, serial, ..
        }) => {
            format!("ID {key}: password {serial} of claim {claim}")
        }
        EventBody::PortCycled { port } => format!("port {port}: its phone was silent"),
        EventBody::PhoneFirmware { model, hash } => {
            format!(
                "firmware of {} is in the box, SHA-256 {}",
                model.name(),
                hex(hash)
            )
        }
    }
}

/// What a phone asked for and got, for people.
fn fetched(fetch: &PhoneFetch) -> String {
    let PhoneFetch {
        mac,
        port,
        file,
        outcome,
    } = fetch;
    let at = port.map_or_else(String::new, |port| format!(" at port {port}"));
    let is_others = *outcome == FetchOutcome::Refused(FetchRefusal::Mac);
    let file = match file {
        FileKind::Phone if is_others => "a configuration",
        FileKind::Phone => "its configuration",
        FileKind::Common => "a common configuration",
        FileKind::Firmware => "firmware",
        FileKind::Unknown => "an unknown file",
    };
    let got = match outcome {
        FetchOutcome::Served => "served",
        FetchOutcome::ServedSecret => "served with a password",
        FetchOutcome::ServedSpent => "served without the password: its claim is spent",
        FetchOutcome::Refused(FetchRefusal::Port) => {
            "refused: belongs to another port (`phone claim` again, and it may move)"
        }
        FetchOutcome::Refused(FetchRefusal::Mac) => "refused: it is another device's",
        FetchOutcome::Refused(FetchRefusal::Unclaimed) => "refused: not claimed",
        FetchOutcome::Refused(FetchRefusal::Model) => "refused: claimed as another model",
        FetchOutcome::Refused(FetchRefusal::NotFound) => "not there",
        FetchOutcome::Refused(FetchRefusal::Busy) => "not now",
    };
    format!("{mac}{at}: {file}, {got}")
}

/// What came of the test of a line, for people.
fn tested(result: &LineTestResult) -> String {
    let test = match result {
        LineTestResult::Measured(test) => test,
        LineTestResult::InUse => return "in use".into(),
        LineTestResult::Failed => return "could not be measured".into(),
    };
    let volts = |mv: f64| mv / 1_000.0;
    let Some(load) = test.load else {
        return format!(
            "foreign voltage, {:.1} V DC and {:.1} V AC",
            volts(test.foreign_dc_mv.into()),
            volts(test.foreign_ac_mv.into())
        );
    };
    let leakage = match load.leakage_ohm {
        u32::MAX => "no leakage".into(),
        ohm if load.leaks() => format!("leaks, {} kΩ", ohm / 1_000),
        ohm => format!("{} kΩ", ohm / 1_000),
    };
    let feed = match volts(load.feed_mv.into()) {
        volts if load.is_underfed() => format!("{volts:.1} V are too little"),
        volts => format!("{volts:.1} V"),
    };
    let Some(ringers) = load.ringers() else {
        return format!("{feed}, {leakage}");
    };
    let bells = if load.overloads() {
        "too many bells"
    } else {
        "bells"
    };
    format!("{feed}, {leakage}, {bells}: {ringers} ({} nF)", load.ringer_nf)
}
