//! From tables to a site's configuration, and to the next epoch of its box.

use anyhow::{Context, anyhow};
use shared::id::{BoxId, ContractId, Extension, IdKey, IdSet, SiteId};
use shared::number::Number;
use shared::site::{Credential, Hash, Id, Rep, Section, SectionKind, Site, Sys, TerminalKind, root_hash};
use sqlx::{Row, SqliteConnection};

use super::{Change, DEFAULT_REALM, Db, setting, unix_ms};
use crate::refusal::{Refusal, Result};
use crate::sync::{Desired, Encoded, SyncError, encode};

impl Db {
    /// A site as its box would use it now.
    pub async fn site(&self, site: SiteId) -> Result<Site> {
        load_site(&mut *self.pool.acquire().await?, site).await
    }

    /// Every site, for the routing of calls.
    pub async fn sites(&self) -> Result<Vec<Site>> {
        let mut connection = self.pool.acquire().await?;
        let ids: Vec<u32> = sqlx::query_scalar("SELECT id FROM site ORDER BY id")
            .fetch_all(&mut *connection)
            .await?;
        let mut sites = Vec::with_capacity(ids.len());
        for id in ids {
            sites.push(load_site(&mut connection, SiteId(id)).await?);
        }
        Ok(sites)
    }
}

impl Change<'_> {
    /// Issues the next epoch for every box of a contract whose site's content changed. A contract without IDs and a
    /// site without a box have nothing to issue yet.
    pub(super) async fn issue(&mut self, contract: ContractId) -> Result<()> {
        self.all_can_call(contract).await?;
        let sites: Vec<u32> = sqlx::query_scalar("SELECT id FROM site WHERE contract = $1 ORDER BY id")
            .bind(contract.0)
            .fetch_all(&mut *self.tx)
            .await?;
        for id in sites {
            let site = load_site(&mut self.tx, SiteId(id)).await?;
            if site.ids.is_empty() {
                continue;
            }
            let sections = encode::<sqlx::Error>(&site).map_err(|error| match error {
                SyncError::Invalid(invalid) => Refusal::new(
                    "site",
                    format!("the site would break a rule: {invalid}"),
                    "Nothing was changed.",
                ),
                error => Refusal::new("site", error.to_string(), "Nothing was changed."),
            })?;
            let text: Option<String> = sqlx::query_scalar("SELECT id FROM box WHERE site = $1")
                .bind(id)
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

    /// Every ID has a number to present: its direct number is in use for it, or it presents a group's (R25).
    async fn all_can_call(&mut self, contract: ContractId) -> Result<()> {
        let stuck: Option<(u16, String, String)> = sqlx::query_as(
            "SELECT key, extension, direct FROM ident WHERE contract = $1 AND outgoing = direct AND NOT direct_out
              ORDER BY key",
        )
        .bind(contract.0)
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some((key, extension, direct)) = stuck else {
            return Ok(());
        };
        let group: Option<String> =
            sqlx::query_scalar("SELECT min(number) FROM rep_member WHERE contract = $1 AND key = $2")
                .bind(contract.0)
                .bind(key)
                .fetch_one(&mut *self.tx)
                .await?;
        let next = match group {
            Some(group) => format!(
                "Let it present a number of its group: `id set --contract {} --extension {extension} --outgoing {group} \
                 --direct-out false`.",
                contract.0
            ),
            None => format!(
                "Make {extension} a member of a representative number first (`rep set --members`), or let it present \
                 its direct number (`id set --direct-out true`)."
            ),
        };
        Err(Refusal::new(
            "R25",
            format!("extension {extension} would have no number to present: not {direct} and no other"),
            next,
        )
        .into())
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

/// Reads a site: the IDs that live there, and the representative numbers with the members that live there.
pub(super) async fn load_site(connection: &mut SqliteConnection, id: SiteId) -> Result<Site> {
    let row = sqlx::query(
        "SELECT contract, outside_prefix, international,
                (SELECT count(*) FROM ident WHERE ident.contract = contract.id) AS channels,
                (SELECT min(site.id) FROM site WHERE site.contract = contract.id) AS first
           FROM site JOIN contract ON contract.id = site.contract WHERE site.id = $1",
    )
    .bind(id.0)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| {
        Refusal::new(
            "site",
            format!("there is no site {}", id.0),
            "See `show contracts`.",
        )
    })?;
    let contract: u32 = row.try_get("contract")?;
    let realm = setting(&mut *connection, "realm")
        .await?
        .unwrap_or_else(|| DEFAULT_REALM.into());
    let mut site = Site {
        sys: Sys {
            contract: ContractId(contract),
            site: id,
            channels: row
                .try_get::<i64, _>("channels")?
                .try_into()
                .context("channels")?,
            realm: realm
                .as_str()
                .try_into()
                .map_err(|_| anyhow!("the realm is longer than 64 bytes"))?,
            outside_prefix: row.try_get("outside_prefix")?,
            international: row.try_get("international")?,
            busy_frees_apps: false,
        },
        ..Site::default()
    };
    let first: u32 = row.try_get("first")?;

    let rows = sqlx::query(
        "SELECT key, direct, extension, label, kind, direct_in, direct_out, outgoing, ha1_md5, ha1_sha256,
                coalesce(site, $2) AS site
           FROM ident WHERE contract = $1 ORDER BY key",
    )
    .bind(contract)
    .bind(first)
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let key = row.try_get::<u16, _>("key")?;
        let key = IdKey::new(key).with_context(|| format!("key {key} of an ID"))?;
        let entry = Id {
            key,
            direct: number(row.try_get("direct")?)?,
            extension: row
                .try_get::<&str, _>("extension")?
                .parse::<Extension>()
                .map_err(|_| anyhow!("extension of ID {key:?}"))?,
            direct_in: row.try_get("direct_in")?,
            direct_out: row.try_get("direct_out")?,
            label: row
                .try_get::<&str, _>("label")?
                .try_into()
                .map_err(|_| anyhow!("label of ID {key:?}"))?,
            kind: kind_from(row.try_get("kind")?),
            outgoing: number(row.try_get("outgoing")?)?,
            site: SiteId(row.try_get("site")?),
        };
        let here = site.is_here(&entry);
        site.ids.push(entry).map_err(|_| anyhow!("more than 64 IDs"))?;
        if !here {
            continue;
        }
        let credential = Credential {
            key,
            ha1_md5: row
                .try_get::<Vec<u8>, _>("ha1_md5")?
                .try_into()
                .map_err(|_| anyhow!("HA1 of {key:?}"))?,
            ha1_sha256: row
                .try_get::<Vec<u8>, _>("ha1_sha256")?
                .try_into()
                .map_err(|_| anyhow!("HA1 of {key:?}"))?,
        };
        // There is room for as many as for IDs.
        let _ = site.credentials.push(credential);
    }

    let all = site.all();
    let rows = sqlx::query("SELECT number, label, sub_cap FROM rep WHERE contract = $1")
        .bind(contract)
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let digits: &str = row.try_get("number")?;
        let members: Vec<(u16, bool)> = sqlx::query_as("SELECT key, ring FROM rep_member WHERE number = $1")
            .bind(digits)
            .fetch_all(&mut *connection)
            .await?;
        let mut rep = Rep {
            number: number(digits)?,
            label: row
                .try_get::<&str, _>("label")?
                .try_into()
                .map_err(|_| anyhow!("label of {digits}"))?,
            members: IdSet::EMPTY,
            ring: IdSet::EMPTY,
            sub_cap: row.try_get("sub_cap")?,
        };
        for (key, ring) in members {
            if let Some(key) = IdKey::new(key).filter(|key| all.contains(*key)) {
                rep.members.insert(key);
                rep.ring.set(key, ring);
            }
        }
        site.reps
            .push(rep)
            .map_err(|_| anyhow!("more than 64 representative numbers"))?;
    }
    site.reps.sort_unstable_by_key(|rep| rep.number);
    Ok(site)
}

fn number(digits: &str) -> Result<Number> {
    Ok(Number::parse(digits).map_err(|error| anyhow!("number {digits} in the database: {error}"))?)
}

/// The terminal kind as it is stored.
pub(super) fn kind_text(kind: TerminalKind) -> &'static str {
    match kind {
        TerminalKind::App => "app",
        TerminalKind::Fixed => "fixed",
        TerminalKind::Adapter => "adapter",
    }
}

fn kind_from(text: &str) -> TerminalKind {
    match text {
        "app" => TerminalKind::App,
        "adapter" => TerminalKind::Adapter,
        _ => TerminalKind::Fixed,
    }
}
