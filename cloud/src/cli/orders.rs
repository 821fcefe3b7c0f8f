//! Orders to contracts: the common ones as commands of their own, every one as JSON.

use clap::{Args, Subcommand, ValueEnum};
use contract::command::{Decision, IdChange, NewId, NewRep, RepChange};
use contract::effect::Effect;
use contract::model::{Customer, Settings};
use contract::{Actor, Command, Contract, Lang};
use serde_json::{Value, json};
use shared::id::{ContractId, Extension, SiteId};
use shared::number::Number;
use shared::site::TerminalKind;

use super::hours::{BlockCommand, HoursCommand, NumberCommand};
use super::print;
use super::read::{self, Extensions, OrNone};
use crate::db::{Ask, Db, Done};
use crate::refusal::{Refusal, Result};

#[derive(Debug, Subcommand)]
pub enum Order {
    /// Contracts.
    #[command(subcommand)]
    Contract(ContractCommand),
    /// Sites of a contract.
    #[command(subcommand)]
    Site(SiteCommand),
    /// IDs: one for each terminal, with its direct number.
    #[command(subcommand)]
    Id(IdCommand),
    /// Representative numbers and their ring groups.
    #[command(subcommand)]
    Rep(RepCommand),
    /// What happens to calls to a number.
    #[command(subcommand)]
    Number(NumberCommand),
    /// Business hours that numbers follow.
    #[command(subcommand)]
    Hours(HoursCommand),
    /// Callers that numbers refuse.
    #[command(subcommand)]
    Block(BlockCommand),
    /// Give any order, as JSON: '{"RemoveRep":"0312340000"}'. cloud/README.md lists them.
    Order(Any),
}

#[derive(Debug, Subcommand)]
pub enum ContractCommand {
    /// Make a contract.
    Create {
        /// The customer's name.
        #[arg(long)]
        name: String,
        /// What kind of customer.
        #[arg(long, value_enum, default_value = "corporate")]
        customer: Kind,
    },
    /// Change what holds for all of a contract; what is not given stays.
    Set {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Digit that phones dial first for an outside line: 0, 9 or none.
        #[arg(long, value_name = "0|9|none")]
        outside_prefix: Option<OrNone<u8>>,
        /// Calls to other countries are allowed.
        #[arg(long)]
        international: Option<bool>,
        /// A desk phone in a call no longer keeps apps silent (A18).
        #[arg(long)]
        busy_frees_apps: Option<bool>,
    },
    /// Print the document of a contract, as JSON.
    Show {
        /// Contract.
        #[arg(long)]
        contract: u32,
    },
    /// Print what a contract was told, when and by whom.
    Log {
        /// Contract.
        #[arg(long)]
        contract: u32,
    },
}

#[derive(Debug, Subcommand)]
pub enum SiteCommand {
    /// Make a site.
    Create {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its name.
        #[arg(long, default_value = "本社")]
        name: String,
        /// Its address (登録所在地): it decides which geographic numbers can be had there (R18).
        #[arg(long)]
        address: Option<String>,
        /// Emergency services were given this address; geographic numbers need it.
        #[arg(long, requires = "address")]
        emergency: bool,
    },
    /// Change name or address; what is not given stays.
    #[command(group(clap::ArgGroup::new("what").required(true).args(["name", "address", "emergency"])))]
    Set {
        /// Site.
        #[arg(long)]
        site: u32,
        /// Its name.
        #[arg(long)]
        name: Option<String>,
        /// Its new address; the numbers there have to fit it.
        #[arg(long)]
        address: Option<String>,
        /// Emergency services were given its present address.
        #[arg(long)]
        emergency: bool,
    },
    /// Remove a site without IDs, devices and box.
    Remove {
        /// Site.
        #[arg(long)]
        site: u32,
    },
}

#[derive(Debug, Subcommand)]
pub enum IdCommand {
    /// Add an ID; its password is printed once and kept nowhere.
    Add {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Site of its terminal; the contract's first unless given.
        #[arg(long)]
        site: Option<u32>,
        /// Direct number (直通番号).
        #[arg(long)]
        direct: Number,
        /// Extension (内線): 2 to 6 digits, the first 2 to 9.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
        /// Name shown to others.
        #[arg(long)]
        label: String,
        /// Kind of terminal.
        #[arg(long, value_enum, default_value = "fixed")]
        kind: TerminalType,
        /// Password, at least 8 characters; made if not given.
        #[arg(long)]
        password: Option<String>,
    },
    /// Change an ID; what is not given stays.
    Set {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
        /// Site of its terminal.
        #[arg(long)]
        site: Option<u32>,
        /// New direct number; it logs in with it and a new password.
        #[arg(long)]
        direct: Option<Number>,
        /// New extension.
        #[arg(long, value_parser = read::extension)]
        new_extension: Option<Extension>,
        /// Name shown to others.
        #[arg(long)]
        label: Option<String>,
        /// Number its calls present: its own, or of a group it belongs to.
        #[arg(long)]
        outgoing: Option<Number>,
        /// Calls to the direct number ring.
        #[arg(long)]
        direct_in: Option<bool>,
        /// Calls may present the direct number.
        #[arg(long)]
        direct_out: Option<bool>,
        /// New password, at least 8 characters.
        #[arg(long)]
        password: Option<String>,
    },
    /// Give an ID and its direct number back.
    Remove {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
    },
}

#[derive(Debug, Subcommand)]
pub enum RepCommand {
    /// Add a representative number (代表番号), or ask for its review (R14).
    Add {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// The number.
        #[arg(long)]
        number: Number,
        /// Name shown on ringing terminals.
        #[arg(long)]
        label: String,
        /// Extensions of the members, as 201,202.
        #[arg(long)]
        members: Vec<Extensions>,
        /// Extensions of the members that ring (鳴り分け); all unless given.
        #[arg(long)]
        ring: Option<Vec<Extensions>>,
        /// What it is used for (ご利用用途): needed where a review is.
        #[arg(long, default_value = "")]
        usage: String,
    },
    /// Decide a request for a representative number (R14).
    #[command(group(clap::ArgGroup::new("decision").required(true).args(["approve", "refuse"])))]
    Decide {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// The request, see `show contracts`.
        #[arg(long)]
        request: u32,
        /// The number is given.
        #[arg(long)]
        approve: bool,
        /// It is not, for this reason.
        #[arg(long, value_name = "REASON")]
        refuse: Option<String>,
    },
    /// Change label, members and who rings; what is not given stays.
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)
        .args(["label", "phrase", "members", "ring", "sub_cap"])))]
    Set {
        /// The number.
        #[arg(long)]
        number: Number,
        /// Name shown on ringing terminals.
        #[arg(long)]
        label: Option<String>,
        /// How to answer.
        #[arg(long)]
        phrase: Option<String>,
        /// Extensions of all members from now on; all of them ring unless --ring is given.
        #[arg(long)]
        members: Option<Vec<Extensions>>,
        /// Extensions of the members that ring (鳴り分け).
        #[arg(long)]
        ring: Option<Vec<Extensions>>,
        /// Calls it may have at once, or none for as many as the contract.
        #[arg(long, value_name = "CALLS|none")]
        sub_cap: Option<OrNone<u8>>,
    },
    /// Give a representative number back.
    Remove {
        /// The number.
        #[arg(long)]
        number: Number,
    },
}

#[derive(Debug, Args)]
pub struct Any {
    /// Contract.
    #[arg(long)]
    contract: u32,
    /// The version that was looked at: refused if it is another one by now.
    #[arg(long)]
    version: Option<i64>,
    /// In the customer's name, who may not do everything.
    #[arg(long)]
    customer: bool,
    /// The order.
    #[arg(value_name = "JSON")]
    command: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    Corporate,
    Consumer,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TerminalType {
    Fixed,
    App,
    Adapter,
}

impl From<TerminalType> for TerminalKind {
    fn from(kind: TerminalType) -> Self {
        match kind {
            TerminalType::Fixed => Self::Fixed,
            TerminalType::App => Self::App,
            TerminalType::Adapter => Self::Adapter,
        }
    }
}

/// Where orders go and how they are answered.
pub(super) struct Desk<'d> {
    pub db: &'d Db,
    pub json: bool,
    pub lang: Lang,
}

impl Desk<'_> {
    /// Gives an order of the operator.
    pub async fn order(
        &self,
        contract: ContractId,
        command: impl FnOnce(&Contract) -> Result<Command>,
    ) -> Result<Done> {
        self.give(contract, Ask::default(), command).await
    }

    async fn give(
        &self,
        contract: ContractId,
        ask: Ask<'_>,
        command: impl FnOnce(&Contract) -> Result<Command>,
    ) -> Result<Done> {
        let done = self.db.order(contract, ask, command).await?;
        for effect in &done.effects {
            if let Some(text) = print::effect(effect, &done.contract, self.lang) {
                eprintln!("{text}");
            }
        }
        Ok(done)
    }

    /// The contract that has this number.
    pub async fn owner(&self, number: Number) -> Result<ContractId> {
        let owner = self.db.owner(number).await?;
        owner.ok_or_else(|| contract::Refusal::NoNumber(number).into())
    }

    /// The answer to an order.
    pub fn done(&self, value: Value, text: &str) -> Result<()> {
        Ok(print::done(self.json, value, text)?)
    }
}

impl Order {
    /// May begin an installation in an empty place.
    pub fn begins(&self) -> bool {
        matches!(self, Self::Contract(ContractCommand::Create { .. }))
    }

    /// Only looks.
    pub fn looks(&self) -> bool {
        matches!(
            self,
            Self::Contract(ContractCommand::Show { .. } | ContractCommand::Log { .. })
        )
    }

    /// Carries it out.
    pub async fn carry_out(self, db: &Db, json: bool, lang: Lang) -> Result<()> {
        let desk = &Desk { db, json, lang };
        match self {
            Self::Contract(command) => contract(desk, command).await,
            Self::Site(command) => site(desk, command).await,
            Self::Id(command) => id(desk, command).await,
            Self::Rep(command) => rep(desk, command).await,
            Self::Number(command) => command.carry_out(desk).await,
            Self::Hours(command) => command.carry_out(desk).await,
            Self::Block(command) => command.carry_out(desk).await,
            Self::Order(any) => any.carry_out(desk).await,
        }
    }
}

async fn contract(desk: &Desk<'_>, command: ContractCommand) -> Result<()> {
    match command {
        ContractCommand::Create { name, customer } => {
            let customer = match customer {
                Kind::Corporate => Customer::Corporate,
                Kind::Consumer => Customer::Consumer,
            };
            let id = desk.db.create_contract(&name, customer).await?;
            desk.done(
                json!({ "contract": id.0, "name": name }),
                &format!("contract {}", id.0),
            )
        }
        ContractCommand::Set {
            contract,
            outside_prefix,
            international,
            busy_frees_apps,
        } => {
            let set = |contract: &Contract| {
                let now = &contract.settings;
                Ok(Command::Set(Settings {
                    outside_prefix: outside_prefix.map_or(now.outside_prefix, |prefix| prefix.0),
                    international: international.unwrap_or(now.international),
                    busy_frees_apps: busy_frees_apps.unwrap_or(now.busy_frees_apps),
                }))
            };
            desk.order(ContractId(contract), set).await?;
            desk.done(
                json!({ "contract": contract }),
                &format!("contract {contract} changed"),
            )
        }
        ContractCommand::Show { contract } => {
            let stored = desk.db.contract(ContractId(contract)).await?;
            let document = json!({ "version": stored.version, "contract": stored.contract });
            Ok(print::say(&format!("{document:#}\n"))?)
        }
        ContractCommand::Log { contract } => {
            let log = desk.db.log(ContractId(contract)).await?;
            super::rows(desk.json, &log, print::log)
        }
    }
}

async fn site(desk: &Desk<'_>, command: SiteCommand) -> Result<()> {
    match command {
        SiteCommand::Create {
            contract,
            name,
            address,
            emergency,
        } => {
            let id = desk
                .db
                .create_site(ContractId(contract), &name, address.as_deref())
                .await?;
            if emergency {
                desk.order(ContractId(contract), |_| Ok(Command::ConfirmEmergency(id)))
                    .await?;
            }
            desk.done(
                json!({ "site": id.0, "contract": contract }),
                &format!("site {}", id.0),
            )
        }
        SiteCommand::Set {
            site,
            name,
            address,
            emergency,
        } => {
            let id = SiteId(site);
            let contract = desk.db.contract_at(id).await?;
            let command = match (name, address, emergency) {
                (Some(name), ..) => Command::RenameSite(id, name),
                (_, Some(address), _) => Command::Move(id, address),
                _ => Command::ConfirmEmergency(id),
            };
            desk.order(contract, |_| Ok(command)).await?;
            desk.done(json!({ "site": site }), &format!("site {site} changed"))
        }
        SiteCommand::Remove { site } => {
            let contract = desk.db.contract_at(SiteId(site)).await?;
            desk.order(contract, |_| Ok(Command::RemoveSite(SiteId(site))))
                .await?;
            desk.done(json!({ "site": site }), &format!("site {site} removed"))
        }
    }
}

async fn id(desk: &Desk<'_>, command: IdCommand) -> Result<()> {
    match command {
        IdCommand::Add {
            contract,
            site,
            direct,
            extension,
            label,
            kind,
            password,
        } => {
            let new = NewId {
                site: site.map(SiteId),
                direct,
                extension,
                label,
                kind: kind.into(),
            };
            let ask = Ask {
                password: password.as_deref(),
                ..Ask::default()
            };
            let done = desk
                .give(ContractId(contract), ask, |_| Ok(Command::AddId(new)))
                .await?;
            let realm = desk.db.realm().await?;
            for login in done.logins {
                let (user, password) = (login.user, login.password);
                desk.done(
                    json!({
                        "key": login.key.index(), "user": user, "extension": extension.to_string(), "realm": realm,
                        "password": password,
                    }),
                    &format!("ID {user} ({extension}), user {user}, realm {realm}, password {password}"),
                )?;
            }
            Ok(())
        }
        IdCommand::Set {
            contract,
            extension,
            site,
            direct,
            new_extension,
            label,
            outgoing,
            direct_in,
            direct_out,
            password,
        } => {
            let change = IdChange {
                site: site.map(SiteId),
                direct,
                extension: new_extension,
                label,
                outgoing,
                direct_in,
                direct_out,
            };
            let ask = Ask {
                password: password.as_deref(),
                ..Ask::default()
            };
            let done = desk
                .give(ContractId(contract), ask, |contract| {
                    let key = by_extension(contract, extension)?.key;
                    Ok(Command::ChangeId(key, change))
                })
                .await?;
            // A new user name came with a new password, which is known only now.
            let login = done.logins.first().filter(|_| direct.is_some());
            let value = match login {
                None => json!({ "extension": extension.to_string() }),
                Some(login) => json!({
                    "extension": extension.to_string(), "user": login.user, "password": login.password,
                }),
            };
            let more = login.map_or(String::new(), |login| {
                format!(", user {}, password {}", login.user, login.password)
            });
            desk.done(value, &format!("ID {extension} changed{more}"))
        }
        IdCommand::Remove { contract, extension } => {
            desk.order(ContractId(contract), |contract| {
                Ok(Command::RemoveId(by_extension(contract, extension)?.key))
            })
            .await?;
            desk.done(
                json!({ "extension": extension.to_string() }),
                &format!("ID {extension} removed"),
            )
        }
    }
}

fn by_extension(contract: &Contract, extension: Extension) -> Result<&contract::model::Id> {
    let id = contract.by_extension(extension);
    id.ok_or_else(|| contract::Refusal::NoExtension(extension).into())
}

async fn rep(desk: &Desk<'_>, command: RepCommand) -> Result<()> {
    let (number, what) = match command {
        RepCommand::Add {
            contract,
            number,
            label,
            members,
            ring,
            usage,
        } => {
            let rep = NewRep {
                number,
                label,
                members: Extensions::all(members),
                ring: ring.map(Extensions::all),
            };
            let done = desk
                .order(ContractId(contract), |_| Ok(Command::AddRep { rep, usage }))
                .await?;
            let review = done.effects.iter().find_map(|effect| match effect {
                Effect::Review(request) => Some(*request),
                _ => None,
            });
            if let Some(request) = review {
                return desk.done(
                    json!({ "number": number, "request": request }),
                    &format!("request {request} for the representative number {number}"),
                );
            }
            (number, "added")
        }
        RepCommand::Decide {
            contract,
            request,
            refuse,
            ..
        } => {
            let (decision, word) = match refuse {
                None => (Decision::Approve, "approved"),
                Some(reason) => (Decision::Refuse(reason), "refused"),
            };
            desk.order(ContractId(contract), |_| {
                Ok(Command::DecideRep(request, decision))
            })
            .await?;
            return desk.done(
                json!({ "request": request, "state": word }),
                &format!("request {request} {word}"),
            );
        }
        RepCommand::Set {
            number,
            label,
            phrase,
            members,
            ring,
            sub_cap,
        } => {
            let change = RepChange {
                label,
                phrase,
                members: members.map(Extensions::all),
                ring: ring.map(Extensions::all),
                sub_cap: sub_cap.map(|cap| cap.0),
            };
            desk.order(desk.owner(number).await?, |_| {
                Ok(Command::ChangeRep(number, change))
            })
            .await?;
            (number, "changed")
        }
        RepCommand::Remove { number } => {
            desk.order(desk.owner(number).await?, |_| Ok(Command::RemoveRep(number)))
                .await?;
            (number, "removed")
        }
    };
    desk.done(
        json!({ "number": number }),
        &format!("representative number {number} {what}"),
    )
}

impl Any {
    async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        let command: Command = serde_json::from_str(&self.command).map_err(|error| {
            Refusal::new(
                "order",
                format!("not an order: {error}"),
                "cloud/README.md has an example of each.",
            )
        })?;
        if matches!(
            command,
            Command::Login { .. } | Command::Logout { .. } | Command::Reconcile { .. }
        ) {
            return Err(Refusal::new(
                "order",
                "terminals log in and out where they are, not by order",
                "See who is there with `show registrations`.",
            )
            .into());
        }
        let ask = Ask {
            actor: if self.customer {
                Actor::Customer
            } else {
                Actor::Operator
            },
            version: self.version,
            password: None,
        };
        let done = desk.give(ContractId(self.contract), ask, |_| Ok(command)).await?;
        let logins: Vec<Value> = done
            .logins
            .iter()
            .map(|login| json!({ "key": login.key.index(), "user": login.user, "password": login.password }))
            .collect();
        let mut text = format!("contract {} is version {}", self.contract, done.version);
        for login in &done.logins {
            text += &format!("\nuser {}, password {}", login.user, login.password);
        }
        desk.done(
            json!({ "contract": self.contract, "version": done.version, "logins": logins }),
            &text,
        )
    }
}
