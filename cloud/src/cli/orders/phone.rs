//! Orders about phones that get their configuration from the box.

use std::num::NonZeroU8;

use clap::{Subcommand, ValueEnum};
use contract::device::Phone;
use contract::{Command, Contract};
use serde_json::json;
use shared::hub::{Mac, PORTS, PhoneModel};
use shared::id::ContractId;
use shared::number::Number;
use shared::sync::HubOrder;

use super::Desk;
use super::firmware::FirmwareCommand;
use crate::cli::{hub, read};
use crate::refusal::Result;

#[derive(Debug, Subcommand)]
pub enum PhoneCommand {
    /// Claim a phone for an ID: it gets its configuration and a new password from the box, and no other does.
    ///
    /// Claimed again, it gets another password.
    Claim {
        /// The ID, by its direct number.
        #[arg(value_name = "ID", value_parser = read::number)]
        id: Number,
        /// The phone's hardware address, as on its label or in `box show`.
        #[arg(long)]
        mac: Mac,
        /// What it is.
        #[arg(long, value_enum)]
        model: Model,
        /// Which line of an adapter.
        #[arg(long, default_value_t = 1)]
        line: u8,
        /// The port of the box it belongs to; where it is first seen unless given.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(PORTS)))]
        port: Option<u8>,
    },
    /// Take the phone of an ID away, and its password with it; a new one is printed once.
    Release {
        /// The ID, by its direct number.
        #[arg(value_name = "ID", value_parser = read::number)]
        id: Number,
    },
    /// Have the phone of an ID fetch its configuration now; asks the running server.
    Sync {
        /// The ID, by its direct number.
        #[arg(value_name = "ID", value_parser = read::number)]
        id: Number,
    },
    /// Phones that are claimed for IDs.
    List {
        /// Of this contract only.
        #[arg(long)]
        contract: Option<u32>,
    },
    /// What phones shall run.
    #[command(subcommand)]
    Firmware(FirmwareCommand),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Model {
    /// Grandstream GXP1628
    #[value(name = "gxp1628")]
    Gxp1628,
    /// Panasonic KX-HDV230N
    #[value(name = "kx-hdv230n")]
    KxHdv230n,
    /// Grandstream HT801
    #[value(name = "ht801")]
    Ht801,
    /// Grandstream HT802
    #[value(name = "ht802")]
    Ht802,
}

impl From<Model> for PhoneModel {
    fn from(model: Model) -> Self {
        match model {
            Model::Gxp1628 => Self::Gxp1628,
            Model::KxHdv230n => Self::KxHdv230n,
            Model::Ht801 => Self::Ht801,
            Model::Ht802 => Self::Ht802,
        }
    }
}

impl PhoneCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        match self {
            Self::Claim {
                id,
                mac,
                model,
                line,
                port,
            } => {
                let phone = Phone {
                    mac,
                    model: model.into(),
                    line,
                    port: port.and_then(NonZeroU8::new),
                };
                let owner = desk.owner(id).await?;
                let done = desk
                    .order(owner, |contract| {
                        Ok(Command::Claim(by_direct(contract, id)?.key, phone))
                    })
                    .await?;
                let claim = by_direct(&done.contract, id)?.claim;
                desk.done(
                    json!({ "id": id.to_string(), "phone": phone, "claim": claim }),
                    &format!("{} {mac} is the phone of {id}, claim {claim}", phone.model.name()),
                )
            }
            Self::Release { id } => {
                let owner = desk.owner(id).await?;
                let done = desk
                    .order(owner, |contract| {
                        Ok(Command::Release(by_direct(contract, id)?.key))
                    })
                    .await?;
                let password = done.logins.first().map(|login| login.password.as_str());
                desk.done(
                    json!({ "id": id.to_string(), "phone": null, "password": password }),
                    &format!("{id} has no phone, password {}", password.unwrap_or("-")),
                )
            }
            Self::Sync { id } => {
                let contract = desk.db.contract(desk.owner(id).await?).await?.contract;
                let found = by_direct(&contract, id)?;
                if found.phone.is_none() {
                    return Err(contract::Refusal::NoPhone(found.extension).into());
                }
                let to = desk.db.box_of(&contract, found.key).await?;
                hub::tell(desk.db, to, HubOrder::CheckSync(Some(found.key))).await?;
                desk.done(
                    json!({ "id": id.to_string(), "box": to.to_string() }),
                    &format!("the phone of {id} is told to fetch its configuration; see `show events`"),
                )
            }
            Self::List { contract } => {
                let rows = desk.db.phones(contract.map(ContractId)).await?;
                crate::cli::rows(desk.json, &rows, hub::phones)
            }
            Self::Firmware(command) => command.carry_out(desk).await,
        }
    }
}

fn by_direct(contract: &Contract, number: Number) -> Result<&contract::model::Id> {
    let id = contract.ids.iter().find(|id| id.direct.number == number);
    id.ok_or_else(|| contract::Refusal::NoNumber(number).into())
}
