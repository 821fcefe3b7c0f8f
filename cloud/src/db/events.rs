//! Events and call records: each exactly once, by the identity its writer gave it.

use anyhow::Context;
use shared::id::{BoxId, ContractId, IdKey};
use shared::record::{CallLeg, Direction, FinalState, Side};
use shared::sync::{Alarm, Event, EventBody, EventId, MAX_EVENT, Message, PhoneSecret};
use sqlx::SqliteConnection;

use super::contract::load;
use super::{Change, Db, unix_ms};
use crate::refusal::Result;
use crate::sync::Received;

/// Origin of the cloud's own events.
pub const CLOUD: &str = "cloud";

impl Db {
    /// Stores a box's events in one transaction, in their order; those already there are left alone. Returns how many
    /// were new.
    pub async fn commit_events(&self, from: BoxId, events: &[Received], now: u64) -> Result<usize> {
        let mut change = self.change().await?;
        let origin = from.to_string();
        let mut fresh = 0;
        let mut changed = None;
        for event in events {
            if !change.record(&origin, None, event, now).await? {
                continue;
            }
            fresh += 1;
            if let Some(EventBody::PhoneSecret(secret)) = event.event.as_ref().map(|event| &event.body) {
                // A box has one contract.
                changed = change.phone_secret(&origin, secret).await?.or(changed);
            }
        }
        if let Some(contract) = changed {
            let stored = load(&mut change.tx, contract).await?;
            change.issue(&stored.contract).await?;
        }
        change.commit().await?;
        if changed.is_some() {
            self.secrets.notify_one();
        }
        Ok(fresh)
    }

    /// Stores events of the cloud's own legs, with their contracts.
    pub async fn commit_own(&self, events: &[(ContractId, Event)]) -> Result<()> {
        let mut change = self.change().await?;
        for (contract, event) in events {
            let mut buf = [0; MAX_EVENT];
            let bytes = event.encode(&mut buf).context("encoding an event")?.to_vec();
            let event = Received {
                id: event.id,
                bytes,
                event: Some(event.clone()),
            };
            change.record(CLOUD, Some(*contract), &event, unix_ms()).await?;
        }
        Ok(change.commit().await?)
    }

    /// The last event of a box that is in the database, in the order of arrival.
    pub async fn last_event(&self, from: BoxId) -> Result<Option<EventId>> {
        let last: Option<(u32, u32)> =
            sqlx::query_as("SELECT boot, seq FROM event WHERE origin = $1 ORDER BY id DESC LIMIT 1")
                .bind(from.to_string())
                .fetch_optional(&self.pool)
                .await?;
        Ok(last.map(|(boot, seq)| EventId { boot, seq }))
    }
}

impl Change<'_> {
    /// Stores one event; false if it was there already.
    async fn record(
        &mut self,
        origin: &str,
        contract: Option<ContractId>,
        received: &Received,
        now: u64,
    ) -> Result<bool> {
        let stored = sqlx::query(
            "INSERT INTO event (origin, boot, seq, kind, bytes, received) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (origin, boot, seq) DO NOTHING",
        )
        .bind(origin)
        .bind(received.id.boot)
        .bind(received.id.seq)
        .bind(
            received
                .event
                .as_ref()
                .map_or("unknown", |event| kind(&event.body)),
        )
        .bind(without_secret(received)?)
        .bind(now as i64)
        .execute(&mut *self.tx)
        .await?;
        if stored.rows_affected() == 0 {
            return Ok(false);
        }
        // An event of a newer firmware is kept as it came.
        let Some(event) = &received.event else {
            return Ok(true);
        };
        match &event.body {
            EventBody::CallLeg(leg) => self.call_leg(origin, contract, event.id, leg, now as i64).await?,
            EventBody::Registration { terminal, registered } => {
                self.registration(origin, *terminal, *registered, event).await?;
            }
            EventBody::Boot { firmware, .. } => {
                sqlx::query("UPDATE box SET firmware = $1, boot = $2 WHERE id = $3")
                    .bind(firmware.as_str())
                    .bind(event.id.boot)
                    .bind(origin)
                    .execute(&mut *self.tx)
                    .await?;
            }
            EventBody::PhoneFirmware { hash, .. } => self.firmware_verified(origin, hash).await?,
            EventBody::Alarm {
                alarm: Alarm::PhoneFirmware(model),
                raised,
            } => self.firmware_damaged(origin, *model, *raised).await?,
            EventBody::Alarm { .. }
            | EventBody::Panic(_)
            | EventBody::LineTest { .. }
            | EventBody::PhoneFetch(_)
            | EventBody::FetchesLeftOut(_)
            | EventBody::PhoneSecret(_)
            | EventBody::PortCycled { .. } => {}
        }
        Ok(true)
    }

    async fn call_leg(
        &mut self,
        origin: &str,
        contract: Option<ContractId>,
        id: EventId,
        leg: &CallLeg,
        now: i64,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO call_leg (origin, boot, seq, contract, session, leg, side, direction, caller, called, presented,
                                   terminal, started_mono, started_unix, ringing_mono, answered_mono, answered_unix,
                                   ended_mono, ended_unix, state, status, received)
             VALUES ($1, $2, $3,
                     coalesce($4, (SELECT site.contract FROM box JOIN site ON site.id = box.site WHERE box.id = $1)),
                     $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
        )
        .bind(origin)
        .bind(id.boot)
        .bind(id.seq)
        .bind(contract.map(|contract| contract.0))
        .bind(leg.session.text().as_str())
        .bind(leg.leg)
        .bind(match leg.side {
            Side::Box => "box",
            Side::Cloud => "cloud",
        })
        .bind(match leg.direction {
            Direction::In => "in",
            Direction::Out => "out",
        })
        .bind(leg.from.as_str())
        .bind(leg.to.as_str())
        .bind(leg.presented.map(|number| number.digits().to_string()))
        .bind(leg.terminal.map(|key| key.index() as i64))
        .bind(leg.started.mono as i64)
        .bind(leg.started.unix.map(|unix| unix as i64))
        .bind(leg.ringing.map(|at| at.mono as i64))
        .bind(leg.answered.map(|at| at.mono as i64))
        .bind(leg.answered.and_then(|at| at.unix).map(|unix| unix as i64))
        .bind(leg.ended.mono as i64)
        .bind(leg.ended.unix.map(|unix| unix as i64))
        .bind(state_text(leg.state))
        .bind(leg.status)
        .bind(now)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    async fn registration(
        &mut self,
        origin: &str,
        key: IdKey,
        registered: bool,
        event: &Event,
    ) -> Result<()> {
        let contract: Option<u32> = sqlx::query_scalar(
            "SELECT site.contract FROM box JOIN site ON site.id = box.site WHERE box.id = $1",
        )
        .bind(origin)
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some(contract) = contract else { return Ok(()) };
        let stored = load(&mut self.tx, ContractId(contract)).await?;
        let Some(id) = stored.contract.id(key) else {
            return Ok(());
        };
        let user = id.direct.number.digits();
        let since = event.at.unix.unwrap_or_else(unix_ms);
        registration(&mut self.tx, origin, &user, registered.then_some(("", since))).await
    }
}

/// Sets or removes what is registered at `source` for `user`.
pub(super) async fn registration(
    connection: &mut SqliteConnection,
    source: &str,
    user: &str,
    state: Option<(&str, u64)>,
) -> Result<()> {
    match state {
        Some((contact, since)) => {
            sqlx::query(
                "INSERT INTO registration (source, user, contact, since) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (source, user) DO UPDATE SET contact = $3, since = $4",
            )
            .bind(source)
            .bind(user)
            .bind(contact)
            .bind(since as i64)
            .execute(connection)
            .await?;
        }
        None => {
            sqlx::query("DELETE FROM registration WHERE source = $1 AND user = $2")
                .bind(source)
                .bind(user)
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}

/// An event as it is kept: what verifies a password is in the table of credentials alone.
fn without_secret(received: &Received) -> Result<Vec<u8>> {
    let Some(
        event @ Event {
            body: EventBody::PhoneSecret(secret),
            ..
        },
    ) = &received.event
    else {
        return Ok(received.bytes.clone());
    };
    let body = EventBody::PhoneSecret(PhoneSecret {
        ha1_md5: [0; 16],
        ha1_sha256: [0; 32],
        ..secret.clone()
    });
    let mut buf = [0; MAX_EVENT];
    let event = Event {
        body,
        ..event.clone()
    };
    Ok(event.encode(&mut buf).context("encoding an event")?.to_vec())
}

fn kind(body: &EventBody) -> &'static str {
    match body {
        EventBody::Boot { .. } => "boot",
        EventBody::CallLeg(_) => "call_leg",
        EventBody::Registration { .. } => "registration",
        EventBody::Alarm { .. } => "alarm",
        EventBody::Panic(_) => "panic",
        EventBody::LineTest { .. } => "line_test",
        EventBody::PhoneFetch(_) => "phone_fetch",
        EventBody::PhoneSecret(_) => "phone_secret",
        EventBody::PortCycled { .. } => "port_cycled",
        EventBody::PhoneFirmware { .. } => "phone_firmware",
        EventBody::FetchesLeftOut(_) => "fetches_left_out",
    }
}

/// A leg's end as it is stored and shown.
fn state_text(state: FinalState) -> &'static str {
    match state {
        FinalState::Answered => "answered",
        FinalState::NotAnswered => "not_answered",
        FinalState::Busy => "busy",
        FinalState::Refused(_) => "refused",
        FinalState::Cancelled => "cancelled",
        FinalState::ElsewhereAnswered => "elsewhere",
        FinalState::Unavailable => "unavailable",
        FinalState::ChannelLimit => "channel_limit",
        FinalState::Lost => "lost",
    }
}
