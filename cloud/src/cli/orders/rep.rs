//! Orders about representative numbers.

use clap::Subcommand;
use contract::command::{Decision, NewRep, RepChange};
use contract::{Command, Effect};
use serde_json::json;
use shared::id::ContractId;
use shared::number::Number;

use super::Desk;
use crate::cli::read::{self, Extensions, OrNone};
use crate::refusal::Result;

#[derive(Debug, Subcommand)]
pub enum RepCommand {
    /// Add a representative number (代表番号), or ask for its review (R14).
    Add {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// The number.
        #[arg(long, value_parser = read::number)]
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
        .args(["label", "members", "ring", "sub_cap"])))]
    Set {
        /// The number.
        #[arg(long, value_parser = read::number)]
        number: Number,
        /// Name shown on ringing terminals.
        #[arg(long)]
        label: Option<String>,
        /// Extensions of all members from now on; without --ring, new ones ring and the others go on as before.
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
        #[arg(long, value_parser = read::number)]
        number: Number,
    },
}

impl RepCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        let (number, what) = match self {
            Self::Add {
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
            Self::Decide {
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
            Self::Set {
                number,
                label,
                members,
                ring,
                sub_cap,
            } => {
                let change = RepChange {
                    label,
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
            Self::Remove { number } => {
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
}
