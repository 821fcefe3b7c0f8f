//! Orders about IDs.

use clap::{Subcommand, ValueEnum};
use contract::command::{IdChange, NewId};
use contract::{Command, Contract};
use serde_json::json;
use shared::analog::Port;
use shared::id::{ContractId, Extension, SiteId};
use shared::number::Number;
use shared::site::TerminalKind;

use super::Desk;
use crate::cli::read;
use crate::db::Ask;
use crate::refusal::Result;

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
        #[arg(long, value_parser = read::number)]
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
        #[arg(long, value_parser = read::number)]
        direct: Option<Number>,
        /// New extension.
        #[arg(long, value_parser = read::extension)]
        new_extension: Option<Extension>,
        /// Name shown to others.
        #[arg(long)]
        label: Option<String>,
        /// Number its calls present: its own, or of a group it belongs to.
        #[arg(long, value_parser = read::number)]
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
    /// Plug an adapter's ID into a port of its site's box (FXS).
    Plug {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
        /// Number of the port, from 1.
        #[arg(long)]
        port: u8,
        /// Send the caller's number before it rings (ナンバー・ディスプレイ).
        #[arg(long)]
        number_display: bool,
        /// It is a FAX machine.
        #[arg(long)]
        fax: bool,
    },
    /// Unplug an ID from its port.
    Unplug {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
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

impl IdCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        match self {
            Self::Add {
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
            Self::Set {
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
                let alone = password.is_some() && change == IdChange::default();
                let ask = Ask {
                    password: password.as_deref(),
                    ..Ask::default()
                };
                let done = desk
                    .give(ContractId(contract), ask, |contract| {
                        let key = by_extension(contract, extension)?.key;
                        Ok(match alone {
                            true => Command::NewPassword(key),
                            false => Command::ChangeId(key, change),
                        })
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
            Self::Plug {
                contract,
                extension,
                port: number,
                number_display,
                fax,
            } => {
                let port = Port {
                    number,
                    number_display,
                    fax,
                };
                desk.order(ContractId(contract), |contract| {
                    Ok(Command::Plug(by_extension(contract, extension)?.key, Some(port)))
                })
                .await?;
                desk.done(
                    json!({ "extension": extension.to_string(), "port": port }),
                    &format!("ID {extension} is at port {number}"),
                )
            }
            Self::Unplug { contract, extension } => {
                desk.order(ContractId(contract), |contract| {
                    Ok(Command::Plug(by_extension(contract, extension)?.key, None))
                })
                .await?;
                desk.done(
                    json!({ "extension": extension.to_string(), "port": null }),
                    &format!("ID {extension} is at no port"),
                )
            }
            Self::Remove { contract, extension } => {
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
}

fn by_extension(contract: &Contract, extension: Extension) -> Result<&contract::model::Id> {
    let id = contract.by_extension(extension);
    id.ok_or_else(|| contract::Refusal::NoExtension(extension).into())
}
