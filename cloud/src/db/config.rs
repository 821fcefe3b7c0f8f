//! From a contract to the configuration of its sites, and to the next epoch of their boxes.

use anyhow::{Context, anyhow};
use contract::Contract;
use shared::id::{BoxId, ContractId, IdKey, SiteId};
use shared::site::{Credential, Hash, Section, SectionKind, Site, root_hash};
use sqlx::{Row, SqliteConnection};

use super::contract::{load, load_all};
use super::{Change, Db, firmware, realm, unix_ms};
use crate::refusal::Result;
use crate::sync::{Desired, Encoded, encode};

impl Db {
    /// The contract that a site belongs to.
    pub async fn contract_at(&self, id: SiteId) -> Result<ContractId> {
        let found: Option<u32> = sqlx::query_scalar("SELECT contract FROM site WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await?;
        found
            .map(ContractId)
            .ok_or_else(|| contract::Refusal::NoSite(id).into())
    }

    /// A site as its box would use it now.
    pub async fn site(&self, id: SiteId) -> Result<Site> {
        let contract = self.contract_at(id).await?;
        let mut connection = self.pool.acquire().await?;
        let stored = load(&mut connection, contract).await?;
        derive(&mut connection, &stored.contract, id).await
    }

    /// Issues what this program derives otherwise than the one before it did, for example in a newer schema.
    pub async fn reissue(&self) -> Result<()> {
        let mut change = self.change().await?;
        for stored in load_all(&mut change.tx).await? {
            change.issue(&stored.contract).await?;
        }
        Ok(change.commit().await?)
    }
}

impl Change<'_> {
    /// Issues the next epoch for every box of a contract whose site's content changed. A contract without IDs and a
    /// site without a box have nothing to issue yet.
    pub(super) async fn issue(&mut self, contract: &Contract) -> Result<()> {
        if contract.ids.is_empty() {
            return Ok(());
        }
        for site in &contract.sites {
            let derived = derive(&mut self.tx, contract, site.id).await?;
            let sections =
                encode::<sqlx::Error>(&derived).map_err(|error| anyhow!("site {}: {error}", site.id.0))?;
            let text: Option<String> = sqlx::query_scalar("SELECT id FROM box WHERE site = $1")
                .bind(site.id.0)
                .fetch_optional(&mut *self.tx)
                .await?;
            let Some(of) = text.and_then(|text| text.parse().ok()) else {
                continue;
            };
            let root = root_hash(&sections.each_ref().map(|encoded| encoded.section));
            if desired(&mut self.tx, of)
                .await?
                .is_none_or(|desired| desired.root() != root)
            {
                self.issue_for(of, &sections, unix_ms() / 1_000, 0).await?;
            }
        }
        Ok(())
    }

    /// Makes these sections the box's next epoch, above `above`.
    pub(super) async fn issue_for(
        &mut self,
        to: BoxId,
        sections: &[Encoded; 4],
        issued: u64,
        above: u64,
    ) -> Result<Desired> {
        let id = to.to_string();
        let last: Option<i64> = sqlx::query_scalar("SELECT max(epoch) FROM manifest WHERE box = $1")
            .bind(&id)
            .fetch_one(&mut *self.tx)
            .await?;
        let above = i64::try_from(above).context("an epoch beyond all that can be stored")?;
        let epoch = last
            .unwrap_or(0)
            .max(above)
            .checked_add(1)
            .context("no epoch is left")?;
        let desired = Desired {
            epoch: epoch as u64,
            issued,
            sections: sections.each_ref().map(|encoded| encoded.section),
        };
        sqlx::query("INSERT INTO manifest (box, epoch, root, issued) VALUES ($1, $2, $3, $4)")
            .bind(&id)
            .bind(epoch)
            .bind(&desired.root()[..])
            .bind(issued as i64)
            .execute(&mut *self.tx)
            .await?;
        for Encoded { section, bytes } in sections {
            sqlx::query(
                "INSERT INTO section (hash, kind, schema, bytes) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (hash) DO NOTHING",
            )
            .bind(&section.hash[..])
            .bind(section.kind as u8)
            .bind(section.schema)
            .bind(bytes)
            .execute(&mut *self.tx)
            .await?;
            sqlx::query("INSERT INTO manifest_section (box, epoch, kind, hash) VALUES ($1, $2, $3, $4)")
                .bind(&id)
                .bind(epoch)
                .bind(section.kind as u8)
                .bind(&section.hash[..])
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(desired)
    }
}

/// The configuration a box should have.
pub(super) async fn desired(connection: &mut SqliteConnection, of: BoxId) -> Result<Option<Desired>> {
    let rows = sqlx::query(
        "SELECT m.epoch, m.issued, s.kind, s.schema, s.hash, length(s.bytes) AS len
           FROM manifest m
           JOIN manifest_section ms ON ms.box = m.box AND ms.epoch = m.epoch
           JOIN section s ON s.hash = ms.hash
          WHERE m.box = $1 AND m.epoch = (SELECT max(epoch) FROM manifest WHERE box = $1)
          ORDER BY s.kind",
    )
    .bind(of.to_string())
    .fetch_all(connection)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let epoch: i64 = first.try_get("epoch")?;
    let issued: i64 = first.try_get("issued")?;
    let mut sections = Vec::with_capacity(rows.len());
    for row in &rows {
        let kind: u8 = row.try_get("kind")?;
        let hash: Vec<u8> = row.try_get("hash")?;
        sections.push(Section {
            kind: SectionKind::try_from(kind).map_err(|error| anyhow!(error))?,
            schema: row.try_get("schema")?,
            len: row.try_get("len")?,
            hash: Hash::try_from(hash).map_err(|_| anyhow!("a section hash of another length"))?,
        });
    }
    let sections = sections
        .try_into()
        .map_err(|_| anyhow!("a manifest without its four sections"))?;
    Ok(Some(Desired {
        epoch: epoch as u64,
        issued: issued as u64,
        sections,
    }))
}

impl Db {
    /// What verifies the passwords of all IDs.
    pub async fn credentials(&self) -> Result<Vec<(ContractId, Credential)>> {
        let rows: Vec<(u32, u16, Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT contract, key, ha1_md5, ha1_sha256 FROM credential")
                .fetch_all(&self.pool)
                .await?;
        let credential =
            |(contract, key, md5, sha256)| Some((ContractId(contract), credential((key, md5, sha256))?));
        Ok(rows.into_iter().filter_map(credential).collect())
    }
}

/// Keys and lengths are checked when they are written.
fn credential((key, md5, sha256): (u16, Vec<u8>, Vec<u8>)) -> Option<Credential> {
    Some(Credential {
        key: IdKey::new(key)?,
        ha1_md5: md5.try_into().ok()?,
        ha1_sha256: sha256.try_into().ok()?,
    })
}

/// A site as the contract has it, with the credentials of the IDs and the firmware of the phones there.
async fn derive(connection: &mut SqliteConnection, contract: &Contract, id: SiteId) -> Result<Site> {
    let realm = realm(connection).await?;
    let rows: Vec<(u16, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT key, ha1_md5, ha1_sha256 FROM credential WHERE contract = $1")
            .bind(contract.id.0)
            .fetch_all(&mut *connection)
            .await?;
    let credentials: Vec<_> = rows.into_iter().filter_map(credential).collect();
    let site = contract.configuration(id, &realm, &credentials);
    let mut site = site.with_context(|| format!("site {} of contract {}", id.0, contract.id.0))?;
    // One per model: there is room.
    site.sys.firmware = firmware::wanted(connection, id).await?.into_iter().collect();
    Ok(site)
}
