//! The service domain and its boxes.

use anyhow::anyhow;
use shared::factory::Factory;
use shared::id::{BoxId, ContractId, SiteId};

use super::contract::{Ask, ha1, load};
use super::{Change, Db, realm, set_setting, unix_ms};
use crate::broker::acl;
use crate::refusal::{Refusal, Result};

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

impl Db {
    /// Sets the service domain, before the first password depends on it.
    pub async fn init(&self, realm: &str) -> Result<()> {
        let mut change = self.change().await?;
        let used: i64 =
            sqlx::query_scalar("SELECT (SELECT count(*) FROM credential) + (SELECT count(*) FROM box)")
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
        let contract = contract.ok_or(contract::Refusal::NoSite(site))?;
        let stored = load(&mut change.tx, ContractId(contract)).await?;
        if let Some(day) = stored.contract.ended {
            return Err(contract::Refusal::Ended(day).into());
        }
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
        let realm = realm(&mut change.tx).await?;
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
        let (md5, sha256) = ha1(&id, &realm, &password);
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
        // It knows nothing of what another before it gave to the phones there.
        let has_phones = stored
            .contract
            .ids
            .iter()
            .any(|id| id.site == site && id.phone.is_some());
        if has_phones {
            let anew = contract::Command::ClaimSite(site);
            change.carry_out(stored, Ask::default(), anew).await?;
        } else {
            change.issue(&stored.contract).await?;
        }
        Ok(NewBox { change, factory })
    }

    /// Removes a box: it can log in no more, and its site is free for another. Its events and call records stay.
    pub async fn remove_box(&self, id: BoxId) -> Result<()> {
        let id = id.to_string();
        let mut change = self.change().await?;
        for sql in [
            "DELETE FROM hub WHERE box = $1",
            "DELETE FROM box_phone_firmware WHERE box = $1",
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
}

/// A domain name or IPv4 address, by its characters.
fn is_name(text: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(usable)
}
