//! Orders about calls to numbers: business hours, callers that are refused, what comes when nobody answers.

use clap::{Subcommand, ValueEnum};
use contract::{Command, Contract};
use serde_json::json;
use shared::date::{Date, Local};
use shared::id::ContractId;
use shared::number::Number;
use shared::route::{BlockRule, NumberRules, Treatment};
use shared::schedule::{Exception, Override, Schedule, State};

use super::Desk;
use crate::cli::read::{self, Callers, DayHours, OrNone, Week};
use crate::db::unix_ms;
use crate::refusal::{Refusal, Result};

#[derive(Debug, Subcommand)]
pub enum NumberCommand {
    /// Set what happens to calls to a number; what is not given stays.
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)
        .args(["hours", "block", "closed", "unanswered"])))]
    Set {
        /// The number.
        #[arg(long, value_parser = read::number)]
        number: Number,
        /// The business hours it follows, or none: always open.
        #[arg(long, value_name = "HOURS|none")]
        hours: Option<OrNone<u8>>,
        /// The list of callers it refuses, or none.
        #[arg(long, value_name = "LIST|none")]
        block: Option<OrNone<u8>>,
        /// After hours: another number of the contract rings, or none.
        #[arg(long, value_name = "NUMBER|none", value_parser = read::number_or_none)]
        closed: Option<OrNone<Number>>,
        /// If nobody answers: another number of the contract rings, or none.
        #[arg(long, value_name = "NUMBER|none", value_parser = read::number_or_none)]
        unanswered: Option<OrNone<Number>>,
    },
}

#[derive(Debug, Subcommand)]
pub enum HoursCommand {
    /// Set the hours of the week; exceptions and what was opened or closed by hand stay.
    Set {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Which of its business hours, 0 to 255.
        #[arg(long, default_value_t = 0)]
        hours: u8,
        /// Hours by days, as 'mon-fri 09:00-12:00 13:00-18:00, sat 10:00-15:00'; other days are closed.
        #[arg(long)]
        week: Week,
        /// Hours of national holidays: 'closed', '10:00-15:00', or 'none' if they are like other days.
        #[arg(long, default_value = "closed")]
        holidays: OrNone<DayHours>,
    },
    /// Set other hours on one day, or take them back.
    On {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Which of its business hours.
        #[arg(long, default_value_t = 0)]
        hours: u8,
        /// The day, as 2027-01-04.
        #[arg(long)]
        date: Date,
        /// 'closed', '10:00-15:00', or 'none' to take them back.
        #[arg(long)]
        open: OrNone<DayHours>,
    },
    /// Open or close by hand (今日は閉める).
    Now {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Which of its business hours.
        #[arg(long, default_value_t = 0)]
        hours: u8,
        /// What holds.
        #[arg(value_enum)]
        state: Hand,
        /// Until then, as '2026-11-26 18:00'; until taken back unless given.
        #[arg(long)]
        until: Option<Local>,
    },
    /// Remove business hours that no number follows.
    Remove {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Which of its business hours.
        #[arg(long, default_value_t = 0)]
        hours: u8,
    },
}

#[derive(Debug, Subcommand)]
pub enum BlockCommand {
    /// Set a list of callers that are refused.
    Set {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Which of its lists, 0 to 255.
        #[arg(long, default_value_t = 0)]
        list: u8,
        /// Callers with commas: numbers, beginnings with an asterisk (0120*), withheld.
        #[arg(long)]
        callers: Callers,
    },
    /// Remove a list that no number uses.
    Remove {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Which of its lists.
        #[arg(long, default_value_t = 0)]
        list: u8,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Hand {
    /// Calls ring, whatever the hours say.
    Open,
    /// They do not.
    Closed,
    /// As the hours say.
    Auto,
}

impl NumberCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        let Self::Set {
            number,
            hours,
            block,
            closed,
            unanswered,
        } = self;
        let treatment = |OrNone(to): OrNone<Number>| to.map_or(Treatment::End, Treatment::Forward);
        desk.order(desk.owner(number).await?, |contract| {
            let line = contract.line(number).ok_or(contract::Refusal::NoNumber(number))?;
            let now = line.rules;
            Ok(Command::SetRules(
                number,
                NumberRules {
                    schedule: hours.map_or(now.schedule, |hours| hours.0),
                    block: block.map_or(now.block, |block| block.0),
                    closed: closed.map_or(now.closed, treatment),
                    unanswered: unanswered.map_or(now.unanswered, treatment),
                },
            ))
        })
        .await?;
        desk.done(json!({ "number": number }), &format!("number {number} changed"))
    }
}

impl HoursCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        let (contract, hours) = match self {
            Self::Set {
                contract,
                hours,
                week,
                holidays,
            } => {
                let set = |contract: &Contract| {
                    let before = contract.schedules.get(&hours);
                    let schedule = Schedule {
                        weekly: week.0,
                        holidays: holidays.0.map(|hours| hours.0),
                        exceptions: before.map(|before| before.exceptions.clone()).unwrap_or_default(),
                        manual: before.and_then(|before| before.manual),
                    };
                    Ok(Command::SetSchedule(hours, Some(Box::new(schedule))))
                };
                desk.order(ContractId(contract), set).await?;
                (contract, hours)
            }
            Self::On {
                contract,
                hours,
                date,
                open,
            } => {
                let change = |schedule: &mut Schedule| {
                    schedule.exceptions.retain(|exception| exception.date != date);
                    let Some(DayHours(hours)) = open.0 else {
                        return Ok(());
                    };
                    let place = schedule.exceptions.partition_point(|one| one.date < date);
                    schedule
                        .exceptions
                        .insert(place, Exception { date, hours })
                        .map_err(|_| {
                            Refusal::new(
                                "hours",
                                format!("there are {} days with other hours", schedule.exceptions.len()),
                                "Take back days that are over (`hours on --open none`).",
                            )
                        })?;
                    Ok(())
                };
                change_hours(desk, contract, hours, change).await?;
                (contract, hours)
            }
            Self::Now {
                contract,
                hours,
                state,
                until,
            } => {
                let now = Local::from_unix(unix_ms() / 1_000);
                if let Some(until) = until.filter(|until| *until <= now) {
                    return Err(Refusal::new(
                        "hours",
                        format!("{until} is over, it is {now}"),
                        "Give a later time with --until, or none.",
                    )
                    .into());
                }
                let manual = match state {
                    Hand::Open => Some(State::Open),
                    Hand::Closed => Some(State::Closed),
                    Hand::Auto => None,
                };
                change_hours(desk, contract, hours, |schedule| {
                    schedule.manual = manual.map(|state| Override { state, until });
                    Ok(())
                })
                .await?;
                (contract, hours)
            }
            Self::Remove { contract, hours } => {
                desk.order(ContractId(contract), |_| Ok(Command::SetSchedule(hours, None)))
                    .await?;
                (contract, hours)
            }
        };
        desk.done(
            json!({ "contract": contract, "hours": hours }),
            &format!("business hours {hours} of contract {contract} changed"),
        )
    }
}

async fn change_hours(
    desk: &Desk<'_>,
    contract: u32,
    hours: u8,
    change: impl FnOnce(&mut Schedule) -> Result<()>,
) -> Result<()> {
    desk.order(ContractId(contract), |contract| {
        let before = contract.schedules.get(&hours);
        let mut schedule = before.ok_or(contract::Refusal::NoSchedule(hours))?.clone();
        change(&mut schedule)?;
        Ok(Command::SetSchedule(hours, Some(Box::new(schedule))))
    })
    .await?;
    Ok(())
}

impl BlockCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        let (contract, list, callers): (u32, u8, Option<Vec<BlockRule>>) = match self {
            Self::Set {
                contract,
                list,
                callers,
            } => (contract, list, Some(callers.0)),
            Self::Remove { contract, list } => (contract, list, None),
        };
        desk.order(ContractId(contract), |_| Ok(Command::SetBlockList(list, callers)))
            .await?;
        desk.done(
            json!({ "contract": contract, "list": list }),
            &format!("block list {list} of contract {contract} changed"),
        )
    }
}
