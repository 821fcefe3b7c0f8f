//! Contracts and what they are told. An order is one command: it is carried out whole or refused with the rule it would
//! break, and everything that follows from it is in the same transaction.

use std::cell::RefCell;
use std::collections::HashMap;

use anyhow::Context as _;
use contract::area::Table;
use contract::model::Customer;
use contract::{Actor, Command, Context, Contract, Effect, PlanVersion, apply};
use md5::{Digest, Md5};
use sha2::Sha256;
use shared::id::{ContractId, IdKey, IdSet, SiteId};
use shared::number::Number;
use shared::{Date, Local};
use sqlx::SqliteConnection;

use super::areas::areas;
use super::{Change, Db, unix_ms};
use crate::refusal::{Refusal, Result};

/// Fewest characters of a password that someone chooses.
const MIN_PASSWORD: usize = 8;

/// A contract as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What it says.
    pub contract: Contract,
    /// Counts its orders.
    pub version: i64,
}

/// How an order is given.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who asks.
    pub actor: Actor,
    /// The version that was looked at: if the contract is another one by now, the order is refused.
    pub version: Option<i64>,
    /// Password for the ID that is added or changed; an added one gets one made if none is given.
    pub password: Option<&'a str>,
}

impl Default for Ask<'_> {
    /// The operator, whatever the version.
    fn default() -> Self {
        Self {
            actor: Actor::Operator,
            version: None,
            password: None,
        }
    }
}

/// An ID's way to log in, known only at the time it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The ID.
    pub key: IdKey,
    /// Its user name: the direct number (R10).
    pub user: String,
    /// Its password.
    pub password: String,
}

/// An order that was carried out.
#[derive(Clone, Debug)]
pub struct Done {
    /// The contract now.
    pub contract: Contract,
    /// Its version.
    pub version: i64,
    /// What followed.
    pub effects: Vec<Effect>,
    /// Passwords that were made or set.
    pub logins: Vec<Login>,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct LogRow {
    /// The version it made.
    pub version: i64,
    /// When (ms since 1970).
    pub at: i64,
    /// Who asked.
    pub actor: String,
    /// The command, as JSON.
    pub command: String,
}

impl Db {
    /// Makes a contract, on the plan of the day.
    pub async fn create_contract(&self, name: &str, customer: Customer) -> Result<ContractId> {
        let mut change = self.change().await?;
        let id: u32 =
            sqlx::query_scalar("INSERT INTO contract (version, document) VALUES (0, '{}') RETURNING id")
                .fetch_one(&mut *change.tx)
                .await?;
        let today = today();
        let signed = Contract::sign(ContractId(id), "", customer, PlanVersion::on(today), today);
        let before = Stored {
            contract: signed,
            version: 0,
        };
        change
            .carry_out(before, Ask::default(), Command::Rename(name.into()))
            .await?;
        change.commit().await?;
        Ok(ContractId(id))
    }

    /// A contract.
    pub async fn contract(&self, id: ContractId) -> Result<Stored> {
        load(&mut *self.pool.acquire().await?, id).await
    }

    /// All contracts.
    pub async fn stored(&self) -> Result<Vec<Stored>> {
        load_all(&mut *self.pool.acquire().await?).await
    }

    /// The contract that has a number (R1).
    pub async fn owner(&self, number: Number) -> Result<Option<ContractId>> {
        owner(&mut *self.pool.acquire().await?, number).await
    }

    /// Gives a contract an order, made from what the contract says now.
    pub async fn order(
        &self,
        id: ContractId,
        ask: Ask<'_>,
        command: impl FnOnce(&Contract) -> Result<Command>,
    ) -> Result<Done> {
        let mut change = self.change().await?;
        let stored = load(&mut change.tx, id).await?;
        let command = command(&stored.contract)?;
        let done = change.carry_out(stored, ask, command).await?;
        change.commit().await?;
        Ok(done)
    }

    /// Makes a site of a contract.
    pub async fn create_site(&self, id: ContractId, name: &str, address: Option<&str>) -> Result<SiteId> {
        let mut change = self.change().await?;
        let stored = load(&mut change.tx, id).await?;
        let site: u32 = sqlx::query_scalar("SELECT coalesce(max(id), 0) + 1 FROM site")
            .fetch_one(&mut *change.tx)
            .await?;
        let new = contract::command::NewSite {
            id: SiteId(site),
            name: name.into(),
            address: address.map(Into::into),
        };
        change
            .carry_out(stored, Ask::default(), Command::AddSite(new))
            .await?;
        change.commit().await?;
        Ok(SiteId(site))
    }

    /// What a contract was told, oldest first.
    pub async fn log(&self, id: ContractId) -> Result<Vec<LogRow>> {
        Ok(sqlx::query_as(
            "SELECT version, at, actor, command FROM command WHERE contract = $1 ORDER BY version",
        )
        .bind(id.0)
        .fetch_all(&self.pool)
        .await?)
    }
}

impl Change<'_> {
    /// Carries out a command: the document, the log, numbers, sites, credentials and configurations.
    pub(super) async fn carry_out(&mut self, before: Stored, ask: Ask<'_>, command: Command) -> Result<Done> {
        let Stored {
            contract: before,
            version,
        } = before;
        if let Some(seen) = ask.version.filter(|seen| *seen != version) {
            return Err(Refusal::new(
                "version",
                format!(
                    "contract {} was changed meanwhile: version {version}, not {seen}",
                    before.id.0
                ),
                "Look at it again (`contract show`), then repeat the order.",
            )
            .into());
        }
        let id = before.id;
        let (after, effects) = self.decide(&before, &command, ask.actor).await?;
        let version = version + 1;
        let updated =
            sqlx::query("UPDATE contract SET version = $1, document = $2 WHERE id = $3 AND version = $1 - 1")
                .bind(version)
                .bind(after.to_json().context("contract as JSON")?)
                .bind(id.0)
                .execute(&mut *self.tx)
                .await?;
        if updated.rows_affected() != 1 {
            return Err(anyhow::anyhow!("contract {} is not the one that was read", id.0).into());
        }
        sqlx::query(
            "INSERT INTO command (contract, version, at, actor, command) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.0)
        .bind(version)
        .bind(unix_ms() as i64)
        .bind(match ask.actor {
            Actor::Customer => "customer",
            Actor::Operator => "operator",
        })
        .bind(serde_json::to_string(&command).context("command as JSON")?)
        .execute(&mut *self.tx)
        .await?;
        for effect in &effects {
            match effect {
                Effect::NumberTaken(number, _) => {
                    sqlx::query("INSERT INTO number (digits, contract) VALUES ($1, $2)")
                        .bind(number.digits().to_string())
                        .bind(id.0)
                        .execute(&mut *self.tx)
                        .await?;
                }
                Effect::NumberReleased(number) => {
                    sqlx::query("DELETE FROM number WHERE digits = $1")
                        .bind(number.digits().to_string())
                        .execute(&mut *self.tx)
                        .await?;
                }
                _ => {}
            }
        }
        self.sites(&before, &after).await?;
        let logins = self.credentials(&before, &after, &command, ask.password).await?;
        self.issue(&after).await?;
        Ok(Done {
            contract: after,
            version,
            effects,
            logins,
        })
    }

    /// Applies a command. It is asked again until all it wants to know of numbers is known: the model does no I/O.
    async fn decide(
        &mut self,
        before: &Contract,
        command: &Command,
        actor: Actor,
    ) -> Result<(Contract, Vec<Effect>)> {
        let areas = match asks_areas(command) {
            true => areas(&mut self.tx).await?,
            false => Table::default(),
        };
        let mut owners = HashMap::new();
        loop {
            let (applied, asked) = ask(before, command, actor, &owners, &areas);
            if asked.is_empty() {
                return Ok(applied?);
            }
            for number in asked {
                let found = owner(&mut self.tx, number).await?;
                owners.insert(number, found);
            }
        }
    }

    /// Sites have one name space for all contracts, since a box belongs to one.
    async fn sites(&mut self, before: &Contract, after: &Contract) -> Result<()> {
        let gone = before
            .sites
            .iter()
            .filter(|site| !after.sites.iter().any(|one| one.id == site.id));
        for site in gone {
            let kept: Option<String> = sqlx::query_scalar("SELECT id FROM box WHERE site = $1")
                .bind(site.id.0)
                .fetch_optional(&mut *self.tx)
                .await?;
            if let Some(kept) = kept {
                return Err(Refusal::new(
                    "site",
                    format!("site {} still has the box {kept}", site.id.0),
                    "Remove the box first (`box remove`).",
                )
                .into());
            }
            sqlx::query("DELETE FROM site WHERE id = $1")
                .bind(site.id.0)
                .execute(&mut *self.tx)
                .await?;
        }
        let new = after
            .sites
            .iter()
            .filter(|site| !before.sites.iter().any(|one| one.id == site.id));
        for site in new {
            let added =
                sqlx::query("INSERT INTO site (id, contract) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
                    .bind(site.id.0)
                    .bind(after.id.0)
                    .execute(&mut *self.tx)
                    .await?;
            if added.rows_affected() == 0 {
                return Err(Refusal::new(
                    "site",
                    format!("there is a site {} already", site.id.0),
                    "Let `site create` choose a free one.",
                )
                .into());
            }
        }
        Ok(())
    }

    /// Every ID has a credential for its user name: a new name needs a new one.
    async fn credentials(
        &mut self,
        before: &Contract,
        after: &Contract,
        command: &Command,
        password: Option<&str>,
    ) -> Result<Vec<Login>> {
        if let Some(password) = password {
            strong(password)?;
        }
        let gone = before.ids.iter().filter(|id| after.id(id.key).is_none());
        for id in gone {
            sqlx::query("DELETE FROM credential WHERE contract = $1 AND key = $2")
                .bind(after.id.0)
                .bind(id.key.index() as i64)
                .execute(&mut *self.tx)
                .await?;
        }
        let realm = super::realm(&mut self.tx).await?;
        let mut logins = Vec::new();
        for id in &after.ids {
            let renamed = before
                .id(id.key)
                .is_none_or(|before| before.direct.number != id.direct.number);
            // R33: a phone that is the ID's no longer logs in no longer.
            let phone = |contract: &Contract| contract.id(id.key).and_then(|id| id.phone);
            let dropped = phone(before).is_some_and(|old| phone(after).map(|new| new.mac) != Some(old.mac));
            let given = password.filter(|_| match command {
                Command::ChangeId(key, _) | Command::NewPassword(key) => *key == id.key,
                _ => renamed,
            });
            let password = match given {
                Some(password) => password.to_owned(),
                None if renamed || dropped || *command == Command::NewPassword(id.key) => new_password(),
                None => continue,
            };
            let user = id.direct.number.digits().to_string();
            let (md5, sha256) = ha1(&user, &realm, &password);
            sqlx::query(
                "INSERT INTO credential (contract, key, ha1_md5, ha1_sha256) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (contract, key) DO UPDATE SET ha1_md5 = $3, ha1_sha256 = $4,
                                                         claim = NULL, serial = NULL",
            )
            .bind(after.id.0)
            .bind(id.key.index() as i64)
            .bind(&md5[..])
            .bind(&sha256[..])
            .execute(&mut *self.tx)
            .await?;
            logins.push(Login {
                key: id.key,
                user,
                password,
            });
        }
        Ok(logins)
    }
}

type Applied = Result<(Contract, Vec<Effect>), contract::Refusal>;

/// May it depend on number areas? The official lists are long, and everybody else waits while they are read.
fn asks_areas(command: &Command) -> bool {
    match command {
        Command::ChangeId(_, change) => change.site.is_some() || change.direct.is_some(),
        Command::Rename(_)
        | Command::Set(_)
        | Command::End
        | Command::Suspend(..)
        | Command::Resume(..)
        | Command::RenameSite(..)
        | Command::SetNetwork(..)
        | Command::RemoveId(_)
        | Command::ChangeRep(..)
        | Command::RemoveRep(_)
        | Command::SetSchedule(..)
        | Command::SetBlockList(..)
        | Command::SetRules(..)
        | Command::OrderDevice(_)
        | Command::ConfigureDevice(..)
        | Command::ShipDevice(_)
        | Command::DeviceOnline(_)
        | Command::ReturnDevice(_)
        | Command::BuyDevice(_)
        | Command::Bind(..)
        | Command::Plug(..)
        | Command::Claim(..)
        | Command::Release(_)
        | Command::ClaimSite(_) => false,
        _ => true,
    }
}

/// What a command does as far as the owners of numbers are known, and the numbers of which they are not.
fn ask(
    before: &Contract,
    command: &Command,
    actor: Actor,
    owners: &HashMap<Number, Option<ContractId>>,
    areas: &Table,
) -> (Applied, Vec<Number>) {
    let asked = RefCell::new(Vec::new());
    let owner = |number: Number| {
        owners.get(&number).copied().unwrap_or_else(|| {
            asked.borrow_mut().push(number);
            None
        })
    };
    let context = Context {
        today: today(),
        actor,
        owner: &owner,
        areas,
        // Who is in a call matters to logins alone, and those are no orders.
        in_call: IdSet::EMPTY,
    };
    let applied = apply(before, command, &context);
    (applied, asked.into_inner())
}

/// Today in Japan.
fn today() -> Date {
    Local::from_unix(unix_ms() / 1_000).date
}

/// Reads a contract.
pub(super) async fn load(connection: &mut SqliteConnection, id: ContractId) -> Result<Stored> {
    let row: Option<(i64, String)> = sqlx::query_as("SELECT version, document FROM contract WHERE id = $1")
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    let (version, document) = row.ok_or_else(|| {
        Refusal::new(
            "contract",
            format!("there is no contract {}", id.0),
            "See `show contracts`.",
        )
    })?;
    read(id.0, version, &document)
}

/// Reads all contracts.
pub(super) async fn load_all(connection: &mut SqliteConnection) -> Result<Vec<Stored>> {
    let rows: Vec<(u32, i64, String)> =
        sqlx::query_as("SELECT id, version, document FROM contract ORDER BY id")
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|(id, version, document)| read(*id, *version, document))
        .collect()
}

fn read(id: u32, version: i64, document: &str) -> Result<Stored> {
    let contract = Contract::from_json(document).with_context(|| format!("document of contract {id}"))?;
    Ok(Stored { contract, version })
}

async fn owner(connection: &mut SqliteConnection, number: Number) -> Result<Option<ContractId>> {
    let found: Option<u32> = sqlx::query_scalar("SELECT contract FROM number WHERE digits = $1")
        .bind(number.digits().to_string())
        .fetch_optional(connection)
        .await?;
    Ok(found.map(ContractId))
}

/// RFC 7616 §3.4.2, for MD5 and SHA-256.
pub(super) fn ha1(user: &str, realm: &str, password: &str) -> ([u8; 16], [u8; 32]) {
    let text = format!("{user}:{realm}:{password}");
    (Md5::digest(&text).into(), Sha256::digest(&text).into())
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

/// 16 characters that are not mistaken for each other: 79 bits.
fn new_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    rand::random::<[u8; 16]>()
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}
