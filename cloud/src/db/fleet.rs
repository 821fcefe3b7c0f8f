//! What is known of boxes: accounts, presence, what they acknowledged.

use shared::id::{BoxId, ContractId, SiteId};
use shared::site::{Hash, SectionKind};
use shared::sync::EventId;
use sqlx::Row;
use tracing::info;

use super::{Db, config, events, unix_ms};
use crate::refusal::{Error, Result};
use crate::sync::{Desired, Encoded, Received, Report, SyncStore};

/// A box's account at the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxAccount {
    /// The box.
    pub id: BoxId,
    /// Its site.
    pub site: SiteId,
    /// Its contract.
    pub contract: ContractId,
    /// HA1 for MD5.
    pub ha1_md5: [u8; 16],
    /// HA1 for SHA-256.
    pub ha1_sha256: [u8; 32],
}

impl Db {
    /// All boxes, for the SIP edge.
    pub async fn accounts(&self) -> Result<Vec<BoxAccount>> {
        let rows = sqlx::query(
            "SELECT box.id, box.site, site.contract, box.ha1_md5, box.ha1_sha256
               FROM box JOIN site ON site.id = box.site ORDER BY box.id",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut accounts = Vec::with_capacity(rows.len());
        for row in rows {
            let md5: Vec<u8> = row.try_get("ha1_md5")?;
            let sha256: Vec<u8> = row.try_get("ha1_sha256")?;
            // Lengths and form are checked when they are written.
            if let (Ok(id), Ok(ha1_md5), Ok(ha1_sha256)) = (
                row.try_get::<&str, _>("id")?.parse(),
                md5.try_into(),
                sha256.try_into(),
            ) {
                accounts.push(BoxAccount {
                    id,
                    site: SiteId(row.try_get("site")?),
                    contract: ContractId(row.try_get("contract")?),
                    ha1_md5,
                    ha1_sha256,
                });
            }
        }
        Ok(accounts)
    }

    /// What verifies a box's password at the broker.
    pub async fn mqtt_hash(&self, id: &str) -> Result<Option<String>> {
        let found = sqlx::query_scalar("SELECT mqtt_hash FROM box WHERE id = $1").bind(id);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// All broker accounts: box id and password hash.
    pub async fn mqtt_accounts(&self) -> Result<Vec<(String, String)>> {
        Ok(sqlx::query_as("SELECT id, mqtt_hash FROM box ORDER BY id")
            .fetch_all(&self.pool)
            .await?)
    }

    /// The server starts or ends: nobody is connected and no trunk is registered.
    pub async fn forget_presence(&self) -> Result<()> {
        let mut change = self.change().await?;
        sqlx::query("UPDATE box SET online = 0")
            .execute(&mut *change.tx)
            .await?;
        sqlx::query("DELETE FROM registration WHERE source = 'cloud'")
            .execute(&mut *change.tx)
            .await?;
        Ok(change.commit().await?)
    }

    /// A box's trunk or a phone is registered at the cloud with `contact`, or gone.
    pub async fn set_registration(&self, user: &str, contact: Option<&str>) -> Result<()> {
        let mut change = self.change().await?;
        let state = contact.map(|contact| (contact, unix_ms()));
        events::registration(&mut change.tx, events::CLOUD, user, state).await?;
        Ok(change.commit().await?)
    }
}

impl SyncStore for Db {
    type Error = Error;

    async fn desired(&self, of: BoxId) -> Result<Option<Desired>> {
        config::desired(&mut *self.pool.acquire().await?, of).await
    }

    async fn section(&self, of: BoxId, kind: SectionKind, hash: &Hash) -> Result<Option<Vec<u8>>> {
        let found = sqlx::query_scalar(
            "SELECT s.bytes FROM manifest_section ms JOIN section s ON s.hash = ms.hash
              WHERE ms.box = $1 AND ms.epoch = (SELECT max(epoch) FROM manifest WHERE box = $1)
                AND ms.kind = $2 AND ms.hash = $3",
        );
        Ok(found
            .bind(of.to_string())
            .bind(kind as u8)
            .bind(&hash[..])
            .fetch_optional(&self.pool)
            .await?)
    }

    async fn file(&self, of: BoxId, hash: &Hash, offset: u32, len: usize) -> Result<Option<Vec<u8>>> {
        self.firmware_bytes(of, hash, offset, len).await
    }

    async fn issue(&self, to: BoxId, sections: &[Encoded; 4], issued: u64, above: u64) -> Result<Desired> {
        let mut change = self.change().await?;
        let desired = change.issue_for(to, sections, issued, above).await?;
        change.commit().await?;
        Ok(desired)
    }

    async fn commit(&self, from: BoxId, events: &[Received], now: u64) -> Result<()> {
        self.commit_events(from, events, now).await.map(drop)
    }

    async fn last_event(&self, from: BoxId) -> Result<Option<EventId>> {
        Db::last_event(self, from).await
    }

    async fn report(&self, from: BoxId, report: &Report) -> Result<()> {
        if let Report::Hub(report) = report {
            return self.store_hub(from, report, unix_ms()).await;
        }
        let (id, now) = (from.to_string(), unix_ms() as i64);
        let query = match report {
            Report::Online(hello) => sqlx::query(
                "UPDATE box SET online = 1, seen = $2, firmware = $3, boot = $4, epoch = $5 WHERE id = $1",
            )
            .bind(&id)
            .bind(now)
            .bind(hello.firmware.as_str())
            .bind(hello.boot)
            .bind(hello.epoch as i64),
            Report::Hub(_) => return Ok(()),
            Report::Offline => sqlx::query("UPDATE box SET online = 0, seen = $2 WHERE id = $1")
                .bind(&id)
                .bind(now),
            Report::Applied(ack) => {
                sqlx::query("UPDATE box SET seen = $2, epoch = $3, nack = NULL WHERE id = $1")
                    .bind(&id)
                    .bind(now)
                    .bind(ack.epoch as i64)
            }
            Report::Refused(nack) => {
                sqlx::query("UPDATE box SET seen = $2, epoch = $3, nack = $4 WHERE id = $1")
                    .bind(&id)
                    .bind(now)
                    .bind(nack.have as i64)
                    .bind(format!("epoch {}: {:?}", nack.epoch, nack.code))
            }
        };
        let mut change = self.change().await?;
        query.execute(&mut *change.tx).await?;
        match report {
            Report::Online(hello) => change.firmware_used(&id, hello.epoch).await?,
            Report::Applied(ack) => change.firmware_used(&id, ack.epoch).await?,
            Report::Hub(_) | Report::Offline | Report::Refused(_) => {}
        }
        change.commit().await?;
        if let Report::Online(hello) = report {
            info!(%id, firmware = hello.firmware.as_str(), epoch = hello.epoch, "box online");
        }
        Ok(())
    }
}
