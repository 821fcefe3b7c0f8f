//! Orders to contracts: the common ones as commands of their own, every one as JSON.

mod firmware;
mod hours;
mod id;
mod phone;
mod rep;
mod site;

use clap::{Args, Subcommand, ValueEnum};
use contract::model::{Customer, Settings};
use contract::{Actor, Command, Contract, Lang};
use serde_json::{Value, json};
use shared::id::ContractId;
use shared::number::Number;

use self::firmware::FirmwareCommand;
use self::hours::{BlockCommand, HoursCommand, NumberCommand};
use self::id::IdCommand;
use self::phone::PhoneCommand;
use self::rep::RepCommand;
use self::site::SiteCommand;
use super::print;
use super::read::OrNone;
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
    /// Phones that get their configuration from the box.
    #[command(subcommand)]
    Phone(PhoneCommand),
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
    #[command(name = "order")]
    Any(Any),
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
                | Self::Phone(
                    PhoneCommand::List { .. }
                        | PhoneCommand::Sync { .. }
                        | PhoneCommand::Firmware(FirmwareCommand::List)
                )
        )
    }

    /// Carries it out.
    pub async fn carry_out(self, db: &Db, json: bool, lang: Lang) -> Result<()> {
        let desk = &Desk { db, json, lang };
        match self {
            Self::Contract(command) => command.carry_out(desk).await,
            Self::Site(command) => command.carry_out(desk).await,
            Self::Id(command) => command.carry_out(desk).await,
            Self::Phone(command) => command.carry_out(desk).await,
            Self::Rep(command) => command.carry_out(desk).await,
            Self::Number(command) => command.carry_out(desk).await,
            Self::Hours(command) => command.carry_out(desk).await,
            Self::Block(command) => command.carry_out(desk).await,
            Self::Any(any) => any.carry_out(desk).await,
        }
    }
}

impl ContractCommand {
    async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        match self {
            Self::Create { name, customer } => {
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
            Self::Set {
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
            Self::Show { contract } => {
                let stored = desk.db.contract(ContractId(contract)).await?;
                let document = json!({ "version": stored.version, "contract": stored.contract });
                Ok(print::say(&format!("{document:#}\n"))?)
            }
            Self::Log { contract } => {
                let log = desk.db.log(ContractId(contract)).await?;
                super::rows(desk.json, &log, print::log)
            }
        }
    }
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
