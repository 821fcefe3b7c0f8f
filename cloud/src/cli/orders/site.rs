//! Orders about sites.

use clap::Subcommand;
use contract::Command;
use serde_json::json;
use shared::id::{ContractId, SiteId};

use super::Desk;
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
            Self::Remove { site } => {
                let contract = desk.db.contract_at(SiteId(site)).await?;
                desk.order(contract, |_| Ok(Command::RemoveSite(SiteId(site))))
                    .await?;
                desk.done(json!({ "site": site }), &format!("site {site} removed"))
            }
        }
    }
}
