//! Orders of the operator: contracts, IDs, representative numbers, sites, boxes. Each is carried out whole or refused
//! with the rule it would break.

use anyhow::anyhow;
use md5::{Digest, Md5};
use sha2::Sha256;
use shared::factory::Factory;
use shared::id::{BoxId, ContractId, Extension, IdKey, SiteId};
use shared::number::Number;
use shared::site::TerminalKind;
use sqlx::Row;

use super::config::kind_text;
use super::{Change, DEFAULT_REALM, Db, set_setting, setting, unix_ms};
use crate::broker::acl;
use crate::refusal::{Refusal, Result};

/// Representative numbers that are given without a review (R12).
const SELF_SERVICE_REPS: i64 = 3;

/// Fewest characters of a password that someone chooses.
const MIN_PASSWORD: usize = 8;

/// A new ID.
#[derive(Clone, Debug)]
pub struct NewId {
    /// Its contract.
    pub contract: ContractId,
    /// Where its terminal is; the contract's first site if not given.
    pub site: Option<SiteId>,
    /// Its direct number.
    pub direct: Number,
    /// Its extension.
    pub extension: Extension,
    /// Name shown to others.
    pub label: String,
    /// Kind of its terminal.
    pub kind: TerminalKind,
    /// Its password; one is made if not given.
    pub password: Option<String>,
}

/// What may change of an ID.
#[derive(Clone, Debug, Default)]
pub struct IdChange {
    /// Name shown to others.
    pub label: Option<String>,
    /// The number its calls present (R9, R22, R23).
    pub outgoing: Option<Number>,
    /// Calls to the direct number ring (R25).
    pub direct_in: Option<bool>,
    /// Calls may present the direct number (R25).
    pub direct_out: Option<bool>,
    /// Its password.
    pub password: Option<String>,
}

/// A new box.
#[derive(Clone, Copy, Debug)]
pub struct BoxOrder<'o> {
    /// Its site.
    pub site: SiteId,
    /// Name or address at which it finds this server.
    pub host: &'o str,
    /// TCP port of SIP there.
    pub sip_port: u16,
    /// TCP port of the broker there.
    pub mqtt_port: u16,
}

/// A box that exists as soon as it is committed, so that its factory data can be put away first.
pub struct NewBox<'d> {
    change: Change<'d>,
    factory: Factory,
}

impl NewBox<'_> {
    /// Its factory data, the only place where its secret is.
    pub fn factory(&self) -> &Factory {
        &self.factory
    }

    /// Makes it last. On an error nothing was changed.
    pub async fn commit(self) -> Result<Factory> {
        self.change.commit().await?;
        Ok(self.factory)
    }
}

/// What may change of a representative number.
#[derive(Clone, Debug, Default)]
pub struct RepChange {
    /// Name shown on ringing terminals.
    pub label: Option<String>,
    /// Extensions of all its members from now on; without `ring`, all of them ring.
    pub members: Option<Vec<Extension>>,
    /// Extensions of the members that ring (鳴り分け, R44).
    pub ring: Option<Vec<Extension>>,
}

/// A new representative number.
#[derive(Clone, Debug)]
pub struct NewRep {
    /// Its contract.
    pub contract: ContractId,
    /// The number.
    pub number: Number,
    /// Name shown on ringing terminals.
    pub label: String,
    /// Extensions of its members.
    pub members: Vec<Extension>,
    /// Extensions of the members that ring; all of them if not given.
    pub ring: Option<Vec<Extension>>,
}

impl Db {
    /// Sets the service domain, before the first password depends on it.
    pub async fn init(&self, realm: &str) -> Result<()> {
        let mut change = self.change().await?;
        let used: i64 =
            sqlx::query_scalar("SELECT (SELECT count(*) FROM ident) + (SELECT count(*) FROM box)")
                .fetch_one(&mut *change.tx)
                .await?;
        if used > 0 {
            return Err(Refusal::new(
                "realm",
                "passwords already depend on the present service domain",
                "Use another data directory.",
            )
            .into());
        }
        if !is_name(realm) {
            return Err(Refusal::new(
                "realm",
                format!("{realm} is not a domain"),
                "Give one like pbx.example.",
            )
            .into());
        }
        set_setting(&mut change.tx, "realm", realm).await?;
        Ok(change.commit().await?)
    }

    /// Makes a contract.
    pub async fn create_contract(&self, name: &str) -> Result<ContractId> {
        label(name)?;
        let mut change = self.change().await?;
        let id: u32 = sqlx::query_scalar("INSERT INTO contract (name, created) VALUES ($1, $2) RETURNING id")
            .bind(name)
            .bind(unix_ms() as i64)
            .fetch_one(&mut *change.tx)
            .await?;
        change.commit().await?;
        Ok(ContractId(id))
    }

    /// Adds an ID with its direct number; returns its key and its password, which is kept nowhere.
    pub async fn add_id(&self, new: &NewId) -> Result<(IdKey, String)> {
        label(&new.label)?;
        let mut change = self.change().await?;
        change.contract(new.contract).await?;
        if let Some(site) = new.site {
            change.site_of(new.contract, site).await?;
        }
        change.claim(new.contract, new.direct, "direct").await?;
        let taken: Option<String> =
            sqlx::query_scalar("SELECT direct FROM ident WHERE contract = $1 AND extension = $2")
                .bind(new.contract.0)
                .bind(new.extension.to_string())
                .fetch_optional(&mut *change.tx)
                .await?;
        if let Some(direct) = taken {
            return Err(Refusal::new(
                "R30",
                format!("extension {} already belongs to the ID {direct}", new.extension),
                "Choose an extension that is free.",
            )
            .into());
        }
        let keys: Vec<u16> = sqlx::query_scalar("SELECT key FROM ident WHERE contract = $1 ORDER BY key")
            .bind(new.contract.0)
            .fetch_all(&mut *change.tx)
            .await?;
        let free = (0..IdKey::COUNT as u16)
            .find(|key| !keys.contains(key))
            .and_then(IdKey::new);
        let key = free.ok_or_else(|| {
            Refusal::new(
                "R5",
                "the contract has all 64 IDs it can have",
                "Make another contract for further terminals.",
            )
        })?;
        if let Some(password) = &new.password {
            strong(password)?;
        }
        let password = new.password.clone().unwrap_or_else(new_password);
        let (md5, sha256) = change.ha1(&new.direct.digits().to_string(), &password).await?;
        sqlx::query(
            "INSERT INTO ident (contract, key, role, site, direct, extension, label, kind, outgoing, ha1_md5,
                                ha1_sha256, created)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $5, $9, $10, $11)",
        )
        .bind(new.contract.0)
        .bind(key.index() as i64)
        // R16: the first one issued.
        .bind(if keys.is_empty() { "basic" } else { "additional" })
        .bind(new.site.map(|site| site.0))
        .bind(new.direct.digits().to_string())
        .bind(new.extension.to_string())
        .bind(&new.label)
        .bind(kind_text(new.kind))
        .bind(&md5[..])
        .bind(&sha256[..])
        .bind(unix_ms() as i64)
        .execute(&mut *change.tx)
        .await?;
        change.issue(new.contract).await?;
        change.commit().await?;
        Ok((key, password))
    }

    /// Changes an ID, found by its extension.
    pub async fn change_id(&self, contract: ContractId, extension: Extension, what: &IdChange) -> Result<()> {
        let mut change = self.change().await?;
        let key = change.member(contract, extension).await?;
        if let Some(text) = &what.label {
            label(text)?;
            sqlx::query("UPDATE ident SET label = $1 WHERE contract = $2 AND key = $3")
                .bind(text)
                .bind(contract.0)
                .bind(key)
                .execute(&mut *change.tx)
                .await?;
        }
        for (sql, value) in [
            (
                "UPDATE ident SET direct_in = $1 WHERE contract = $2 AND key = $3",
                what.direct_in,
            ),
            (
                "UPDATE ident SET direct_out = $1 WHERE contract = $2 AND key = $3",
                what.direct_out,
            ),
        ] {
            if let Some(value) = value {
                sqlx::query(sql)
                    .bind(value)
                    .bind(contract.0)
                    .bind(key)
                    .execute(&mut *change.tx)
                    .await?;
            }
        }
        if let Some(outgoing) = what.outgoing {
            change.may_present(contract, key, outgoing).await?;
            sqlx::query("UPDATE ident SET outgoing = $1 WHERE contract = $2 AND key = $3")
                .bind(outgoing.digits().to_string())
                .bind(contract.0)
                .bind(key)
                .execute(&mut *change.tx)
                .await?;
        }
        if let Some(password) = &what.password {
            strong(password)?;
            let user: String =
                sqlx::query_scalar("SELECT direct FROM ident WHERE contract = $1 AND key = $2")
                    .bind(contract.0)
                    .bind(key)
                    .fetch_one(&mut *change.tx)
                    .await?;
            let (md5, sha256) = change.ha1(&user, password).await?;
            sqlx::query("UPDATE ident SET ha1_md5 = $1, ha1_sha256 = $2 WHERE contract = $3 AND key = $4")
                .bind(&md5[..])
                .bind(&sha256[..])
                .bind(contract.0)
                .bind(key)
                .execute(&mut *change.tx)
                .await?;
        }
        change.issue(contract).await?;
        Ok(change.commit().await?)
    }

    /// Gives an ID back, with its direct number (R13, R16).
    pub async fn remove_id(&self, contract: ContractId, extension: Extension) -> Result<()> {
        let mut change = self.change().await?;
        let key = change.member(contract, extension).await?;
        let row = sqlx::query(
            "SELECT direct, role, (SELECT count(*) FROM ident AS i WHERE i.contract = ident.contract) AS ids,
                    (SELECT count(*) FROM rep WHERE rep.contract = ident.contract) AS reps
               FROM ident WHERE contract = $1 AND key = $2",
        )
        .bind(contract.0)
        .bind(key)
        .fetch_one(&mut *change.tx)
        .await?;
        let (ids, reps): (i64, i64) = (row.try_get("ids")?, row.try_get("reps")?);
        if row.try_get::<&str, _>("role")? == "basic" && ids > 1 {
            return Err(Refusal::new(
                "R16",
                "the basic ID cannot go while additional IDs remain",
                "Remove the additional IDs first.",
            )
            .into());
        }
        if reps > ids - 1 || (reps > 0 && ids == 2) {
            return Err(Refusal::new(
                "R13",
                format!("{reps} representative numbers would be left with {} IDs", ids - 1),
                "Remove a representative number first.",
            )
            .into());
        }
        let direct: String = row.try_get("direct")?;
        for sql in [
            "DELETE FROM rep_member WHERE contract = $1 AND key = $2",
            "DELETE FROM ident WHERE contract = $1 AND key = $2",
        ] {
            sqlx::query(sql)
                .bind(contract.0)
                .bind(key)
                .execute(&mut *change.tx)
                .await?;
        }
        sqlx::query("DELETE FROM number WHERE digits = $1")
            .bind(direct)
            .execute(&mut *change.tx)
            .await?;
        change.issue(contract).await?;
        Ok(change.commit().await?)
    }

    /// Makes a site of a contract.
    pub async fn create_site(&self, contract: ContractId, name: &str) -> Result<SiteId> {
        label(name)?;
        let mut change = self.change().await?;
        change.contract(contract).await?;
        let id: u32 =
            sqlx::query_scalar("INSERT INTO site (contract, name, created) VALUES ($1, $2, $3) RETURNING id")
                .bind(contract.0)
                .bind(name)
                .bind(unix_ms() as i64)
                .fetch_one(&mut *change.tx)
                .await?;
        change.issue(contract).await?;
        change.commit().await?;
        Ok(SiteId(id))
    }

    /// Prepares the box of a site; it exists when it is committed. Until then other changes wait.
    pub async fn new_box(&self, order: BoxOrder<'_>) -> Result<NewBox<'_>> {
        let BoxOrder {
            site,
            host,
            sip_port,
            mqtt_port,
        } = order;
        let cloud_host = host.try_into().ok().filter(|_| is_name(host)).ok_or_else(|| {
            Refusal::new(
                "host",
                format!("{host:?} is neither a host name of at most 64 bytes nor an IPv4 address"),
                "Give one like cloud.example or 192.0.2.1, without a port.",
            )
        })?;
        if sip_port == 0 || mqtt_port == 0 {
            return Err(Refusal::new("port", "port 0 cannot be reached", "Give one from 1 to 65535.").into());
        }
        let mut change = self.change().await?;
        let contract: Option<u32> = sqlx::query_scalar("SELECT contract FROM site WHERE id = $1")
            .bind(site.0)
            .fetch_optional(&mut *change.tx)
            .await?;
        let contract = contract.ok_or_else(|| no_site(site))?;
        let other: Option<String> = sqlx::query_scalar("SELECT id FROM box WHERE site = $1")
            .bind(site.0)
            .fetch_optional(&mut *change.tx)
            .await?;
        if let Some(other) = other {
            return Err(Refusal::new(
                "site",
                format!("site {} already has the box {other}", site.0),
                "A site has one box: remove that one first if this replaces it (`box remove`), or make another site.",
            )
            .into());
        }
        let realm = change.realm().await?;
        let factory = Factory {
            box_id: BoxId(rand::random()),
            secret: rand::random(),
            cloud_host,
            sip_port,
            mqtt_port,
            realm: realm
                .as_str()
                .try_into()
                .map_err(|_| anyhow!("the realm is longer than 64 bytes"))?,
            config_key: self.keys()?.verifying(),
        };
        let (id, password) = (factory.box_id.to_string(), factory.password());
        let (md5, sha256) = change.ha1(&id, &password).await?;
        sqlx::query(
            "INSERT INTO box (id, site, host, realm, mqtt_hash, ha1_md5, ha1_sha256, created)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&id)
        .bind(site.0)
        .bind(host)
        .bind(&realm)
        .bind(acl::hash(&password, rand::random()))
        .bind(&md5[..])
        .bind(&sha256[..])
        .bind(unix_ms() as i64)
        .execute(&mut *change.tx)
        .await?;
        change.issue(ContractId(contract)).await?;
        Ok(NewBox { change, factory })
    }

    /// Removes a box: it can log in no more, and its site is free for another. Its events and call records stay.
    pub async fn remove_box(&self, id: BoxId) -> Result<()> {
        let id = id.to_string();
        let mut change = self.change().await?;
        for sql in [
            "DELETE FROM manifest_section WHERE box = $1",
            "DELETE FROM manifest WHERE box = $1",
            "DELETE FROM registration WHERE source = $1 OR (source = 'cloud' AND user = $1)",
        ] {
            sqlx::query(sql).bind(&id).execute(&mut *change.tx).await?;
        }
        // Contents that only this box had: they hold what verifies passwords.
        sqlx::query("DELETE FROM section WHERE hash NOT IN (SELECT hash FROM manifest_section)")
            .execute(&mut *change.tx)
            .await?;
        let gone = sqlx::query("DELETE FROM box WHERE id = $1")
            .bind(&id)
            .execute(&mut *change.tx)
            .await?;
        if gone.rows_affected() == 0 {
            return Err(Refusal::new("box", format!("there is no box {id}"), "See `show boxes`.").into());
        }
        Ok(change.commit().await?)
    }

    /// Adds a representative number with its ring group (R2, R4, R12 to R14).
    pub async fn add_rep(&self, new: &NewRep) -> Result<()> {
        label(&new.label)?;
        let mut change = self.change().await?;
        change.contract(new.contract).await?;
        let (ids, reps): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM ident WHERE contract = $1), (SELECT count(*) FROM rep WHERE contract = $1)",
        )
        .bind(new.contract.0)
        .fetch_one(&mut *change.tx)
        .await?;
        if ids < 2 {
            return Err(Refusal::new(
                "R12",
                format!("the contract has {ids} ID and so may have no representative number"),
                "Add an additional ID first (`id add`).",
            )
            .into());
        }
        if reps >= ids {
            return Err(Refusal::new(
                "R13",
                format!("the contract has {ids} IDs and already {reps} representative numbers"),
                "Add an ID first (`id add`), or remove a representative number.",
            )
            .into());
        }
        if reps >= SELF_SERVICE_REPS {
            return Err(Refusal::new(
                "R14",
                format!("more than {SELF_SERVICE_REPS} representative numbers are given only after a review of their use"),
                "Ask the operator for the review.",
            )
            .into());
        }
        change.claim(new.contract, new.number, "rep").await?;
        sqlx::query("INSERT INTO rep (number, contract, label, created) VALUES ($1, $2, $3, $4)")
            .bind(new.number.digits().to_string())
            .bind(new.contract.0)
            .bind(&new.label)
            .bind(unix_ms() as i64)
            .execute(&mut *change.tx)
            .await?;
        change
            .members(new.contract, new.number, &new.members, new.ring.as_deref())
            .await?;
        change.issue(new.contract).await?;
        Ok(change.commit().await?)
    }

    /// Changes label, members or ringing members of a representative number; what is not given stays.
    pub async fn change_rep(&self, number: Number, what: &RepChange) -> Result<()> {
        let digits = number.digits().to_string();
        let mut change = self.change().await?;
        let contract = change.rep_contract(number).await?;
        if let Some(text) = &what.label {
            label(text)?;
            sqlx::query("UPDATE rep SET label = $1 WHERE number = $2")
                .bind(text)
                .bind(&digits)
                .execute(&mut *change.tx)
                .await?;
        }
        if what.members.is_some() || what.ring.is_some() {
            let members = match &what.members {
                Some(members) => members.clone(),
                None => change.members_of(number).await?,
            };
            sqlx::query("DELETE FROM rep_member WHERE number = $1")
                .bind(&digits)
                .execute(&mut *change.tx)
                .await?;
            change
                .members(contract, number, &members, what.ring.as_deref())
                .await?;
        }
        change.issue(contract).await?;
        Ok(change.commit().await?)
    }

    /// Nobody rings for this representative number: allowed, and worth a warning (R2).
    pub async fn is_unattended(&self, number: Number) -> Result<bool> {
        let ringing: i64 = sqlx::query_scalar("SELECT count(*) FROM rep_member WHERE number = $1 AND ring")
            .bind(number.digits().to_string())
            .fetch_one(&self.pool)
            .await?;
        Ok(ringing == 0)
    }

    /// Gives a representative number back.
    pub async fn remove_rep(&self, number: Number) -> Result<()> {
        let digits = number.digits().to_string();
        let mut change = self.change().await?;
        let contract = change.rep_contract(number).await?;
        // Whoever presented it presents the direct number again.
        for sql in [
            "UPDATE ident SET outgoing = direct WHERE outgoing = $1",
            "DELETE FROM rep WHERE number = $1",
            "DELETE FROM number WHERE digits = $1",
        ] {
            sqlx::query(sql).bind(&digits).execute(&mut *change.tx).await?;
        }
        change.issue(contract).await?;
        Ok(change.commit().await?)
    }
}

impl Change<'_> {
    async fn contract(&mut self, id: ContractId) -> Result<()> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM contract WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *self.tx)
            .await?;
        found.map(drop).ok_or_else(|| {
            Refusal::new(
                "contract",
                format!("there is no contract {}", id.0),
                "See `show contracts`.",
            )
            .into()
        })
    }

    async fn site_of(&mut self, contract: ContractId, site: SiteId) -> Result<()> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM site WHERE id = $1 AND contract = $2")
            .bind(site.0)
            .bind(contract.0)
            .fetch_optional(&mut *self.tx)
            .await?;
        found.map(drop).ok_or_else(|| no_site(site).into())
    }

    async fn rep_contract(&mut self, number: Number) -> Result<ContractId> {
        let found: Option<u32> = sqlx::query_scalar("SELECT contract FROM rep WHERE number = $1")
            .bind(number.digits().to_string())
            .fetch_optional(&mut *self.tx)
            .await?;
        found.map(ContractId).ok_or_else(|| {
            Refusal::new(
                "R1",
                format!("{number} is no representative number"),
                "See `show contracts`.",
            )
            .into()
        })
    }

    /// Takes a number into use (R1, R7).
    async fn claim(&mut self, contract: ContractId, number: Number, role: &'static str) -> Result<()> {
        let digits = number.digits().to_string();
        if number.is_service() {
            return Err(Refusal::new(
                "R1",
                format!("{digits} is a service number, not a subscriber's"),
                "Give a subscriber number such as 0312340001.",
            )
            .into());
        }
        if !number.is_japanese() {
            return Err(Refusal::new(
                "R1",
                format!("{number} is a number of another country"),
                "Give a geographic number such as 0312340001, or one with 050.",
            )
            .into());
        }
        if !is_assignable(&digits) {
            return Err(Refusal::new(
                "R18",
                format!("{digits} is neither a geographic number nor one with 050"),
                "Give one such as 0312340001; mobile, free-dial and other service numbers are not given to IDs or groups.",
            )
            .into());
        }
        let owner: Option<(u32, String)> =
            sqlx::query_as("SELECT contract, role FROM number WHERE digits = $1")
                .bind(&digits)
                .fetch_optional(&mut *self.tx)
                .await?;
        if let Some((owner, as_role)) = owner {
            let whose = if owner == contract.0 {
                "this contract".into()
            } else {
                format!("contract {owner}")
            };
            let what = if as_role == "rep" {
                "representative"
            } else {
                "direct"
            };
            let rule = if role == "direct" && as_role == "direct" {
                "R7"
            } else {
                "R1"
            };
            return Err(Refusal::new(
                rule,
                format!("{digits} is already a {what} number of {whose}"),
                "Choose a number that is free, or give that one back first.",
            )
            .into());
        }
        sqlx::query("INSERT INTO number (digits, contract, role) VALUES ($1, $2, $3)")
            .bind(digits)
            .bind(contract.0)
            .bind(role)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// The key of the ID with this extension.
    async fn member(&mut self, contract: ContractId, extension: Extension) -> Result<i64> {
        let key: Option<i64> =
            sqlx::query_scalar("SELECT key FROM ident WHERE contract = $1 AND extension = $2")
                .bind(contract.0)
                .bind(extension.to_string())
                .fetch_optional(&mut *self.tx)
                .await?;
        key.ok_or_else(|| {
            Refusal::new(
                "R4",
                format!("contract {} has no ID with the extension {extension}", contract.0),
                "Add the ID first (`id add`), or see `show contracts`.",
            )
            .into()
        })
    }

    async fn members_of(&mut self, number: Number) -> Result<Vec<Extension>> {
        let members: Vec<String> = sqlx::query_scalar(
            "SELECT ident.extension FROM rep_member JOIN ident USING (contract, key) WHERE number = $1 ORDER BY key",
        )
        .bind(number.digits().to_string())
        .fetch_all(&mut *self.tx)
        .await?;
        members
            .iter()
            .map(|text| text.parse().map_err(|_| anyhow!("extension {text}").into()))
            .collect()
    }

    async fn members(
        &mut self,
        contract: ContractId,
        number: Number,
        members: &[Extension],
        ring: Option<&[Extension]>,
    ) -> Result<()> {
        if let Some(stranger) = ring.and_then(|ring| ring.iter().find(|one| !members.contains(one))) {
            return Err(Refusal::new(
                "R4",
                format!("{stranger} shall ring for {number} without being a member"),
                "Name it among the members too.",
            )
            .into());
        }
        for extension in members {
            let key = self.member(contract, *extension).await?;
            sqlx::query(
                "INSERT INTO rep_member (number, contract, key, ring) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (number, key) DO NOTHING",
            )
            .bind(number.digits().to_string())
            .bind(contract.0)
            .bind(key)
            .bind(ring.is_none_or(|ring| ring.contains(extension)))
            .execute(&mut *self.tx)
            .await?;
        }
        // A member that left may present the number no more (R22).
        sqlx::query(
            "UPDATE ident SET outgoing = direct WHERE contract = $1 AND outgoing = $2
                AND key NOT IN (SELECT key FROM rep_member WHERE number = $2)",
        )
        .bind(contract.0)
        .bind(number.digits().to_string())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// The closed set of numbers an ID may present (R9, R22).
    async fn may_present(&mut self, contract: ContractId, key: i64, number: Number) -> Result<()> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM ident WHERE contract = $1 AND key = $2 AND direct = $3 AND direct_out
             UNION SELECT 1 FROM rep_member WHERE contract = $1 AND key = $2 AND number = $3",
        )
        .bind(contract.0)
        .bind(key)
        .bind(number.digits().to_string())
        .fetch_optional(&mut *self.tx)
        .await?;
        found.map(drop).ok_or_else(|| {
            Refusal::new(
                "R9",
                format!("{number} is neither the ID's direct number nor of a group it belongs to"),
                "Choose one of those, or make the ID a member of the representative number.",
            )
            .into()
        })
    }

    async fn realm(&mut self) -> Result<String> {
        Ok(setting(&mut self.tx, "realm")
            .await?
            .unwrap_or_else(|| DEFAULT_REALM.into()))
    }

    async fn ha1(&mut self, user: &str, password: &str) -> Result<([u8; 16], [u8; 32])> {
        let text = format!("{user}:{}:{password}", self.realm().await?);
        Ok((Md5::digest(&text).into(), Sha256::digest(&text).into()))
    }
}

fn no_site(site: SiteId) -> Refusal {
    Refusal::new(
        "site",
        format!("there is no such site {}", site.0),
        "See `show contracts`.",
    )
}

/// Geographic (0AB-J: ten digits) or 050; free dial, navi dial and other services have ten digits too. Whether the area
/// and the local code exist is not looked up.
fn is_assignable(digits: &str) -> bool {
    const SERVICES: [&str; 6] = ["0120", "0170", "0180", "0570", "0910", "0990"];
    match digits.as_bytes() {
        [b'0', b'5', b'0', first, ..] => digits.len() == 11 && *first != b'0',
        [b'0', _, b'0', ..] => false,
        _ => digits.len() == 10 && !SERVICES.iter().any(|service| digits.starts_with(service)),
    }
}

/// A domain name or IPv4 address, by its characters.
fn is_name(text: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(usable)
}

fn strong(password: &str) -> Result<()> {
    if password.chars().count() < MIN_PASSWORD || password.chars().any(char::is_control) {
        return Err(Refusal::new(
            "password",
            format!("a password has at least {MIN_PASSWORD} characters and no control characters"),
            "Give a longer one, or none with `id add` to have one made.",
        )
        .into());
    }
    Ok(())
}

fn label(text: &str) -> Result<()> {
    if text.is_empty() || text.len() > 48 || text.chars().any(char::is_control) {
        return Err(Refusal::new(
            "R3",
            "a name has 1 to 48 bytes (16 kanji) and no control characters",
            "Give a shorter name.",
        )
        .into());
    }
    Ok(())
}

/// 16 characters that are not mistaken for each other: 79 bits.
fn new_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    rand::random::<[u8; 16]>()
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}
