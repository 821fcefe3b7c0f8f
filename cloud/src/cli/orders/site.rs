//! Orders about sites.

use clap::{Subcommand, ValueEnum};
use contract::model::Network;
use contract::{Command, Contract};
use serde_json::json;
use shared::hub::{Dhcp, Voice};
use shared::id::{ContractId, SiteId};

use super::Desk;
use crate::cli::read::{self, OrNone};
use crate::refusal::Result;

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
    /// Change name, address or network; what is not given stays.
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)
        .args(["name", "address", "emergency", "voice", "dhcp"])))]
    Set {
        /// Site.
        #[arg(long)]
        site: u32,
        /// Its name.
        #[arg(long)]
        name: Option<String>,
        /// Its new address; the numbers there have to fit it.
        #[arg(long, conflicts_with = "name")]
        address: Option<String>,
        /// Emergency services were given its present address.
        #[arg(long, conflicts_with_all = ["name", "address"])]
        emergency: bool,
        /// Network of its phones: VLAN, and the box's address there; or `none`, if they are in the office's.
        #[arg(long, value_name = "VLAN:ADDRESS/PREFIX", value_parser = read::voice, conflicts_with_all = ["name", "address", "emergency"])]
        voice: Option<OrNone<Voice>>,
        /// When its box serves DHCP: if there is no other server, always, or never. Never beside another.
        #[arg(long, value_enum, conflicts_with_all = ["name", "address", "emergency"])]
        dhcp: Option<DhcpWish>,
    },
    /// Remove a site without IDs, devices and box.
    Remove {
        /// Site.
        #[arg(long)]
        site: u32,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DhcpWish {
    Auto,
    Always,
    Never,
}

impl From<DhcpWish> for Dhcp {
    fn from(wish: DhcpWish) -> Self {
        match wish {
            DhcpWish::Auto => Self::Auto,
            DhcpWish::Always => Self::Always,
            DhcpWish::Never => Self::Never,
        }
    }
}

impl SiteCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        match self {
            Self::Create {
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
            Self::Set {
                site,
                name,
                address,
                emergency,
                voice,
                dhcp,
            } => {
                let id = SiteId(site);
                let contract = desk.db.contract_at(id).await?;
                let command = |contract: &Contract| {
                    Ok(match (name, address) {
                        (Some(name), _) => Command::RenameSite(id, name),
                        (_, Some(address)) => Command::Move(id, address),
                        _ if emergency => Command::ConfirmEmergency(id),
                        _ => {
                            let now = contract.site(id).ok_or(contract::Refusal::NoSite(id))?.network;
                            let network = Network {
                                voice: voice.map_or(now.voice, |voice| voice.0),
                                dhcp: dhcp.map_or(now.dhcp, Into::into),
                            };
                            Command::SetNetwork(id, network)
                        }
                    })
                };
                desk.order(contract, command).await?;
                desk.done(json!({ "site": site }), &format!("site {site} changed"))
            }
            Self::Remove { site } => {
                let contract = desk.db.contract_at(SiteId(site)).await?;
                desk.order(contract, |_| Ok(Command::RemoveSite(SiteId(site))))
                    .await?;
                desk.done(json!({ "site": site }), &format!("site {site} removed"))
            }
        }
    }
}
