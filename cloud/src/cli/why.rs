//! "Why did it not ring?": what routing and ringing decide about a call, with the rule for every step and terminal.

use clap::Args;
use contract::Lang;
use serde_json::json;
use shared::channels::{self, Use};
use shared::date::Local;
use shared::id::{IdKey, IdSet, SessionId};
use shared::number::Number;
use shared::ring::{Decision, Facts, ring};
use shared::route::{Caller, Cause, Inbound, NumberState, Route, Step, route};
use shared::site::TerminalKind;

use super::read::Extensions;
use super::{print, read};
use crate::control;
use crate::db::{Db, unix_ms};
use crate::edge;
use crate::pbx::{self, Office};
use crate::refusal::{Refusal, Result};

#[derive(Debug, Args)]
pub struct Why {
    /// The called number.
    #[arg(long, required_unless_present = "session", conflicts_with = "session", value_parser = read::number)]
    number: Option<Number>,
    /// A recorded call instead, see `show records`: what was called, by whom and when. Phones and settings are today's.
    #[arg(long, value_parser = read::session)]
    session: Option<SessionId>,
    /// Who calls: a number, or `withheld`; somebody whose number cannot be told unless given.
    #[arg(long, value_parser = read::caller, conflicts_with = "session")]
    from: Option<Caller>,
    /// When, as '2026-11-26 18:00'; now unless given.
    #[arg(long, conflicts_with = "session")]
    at: Option<Local>,
    /// Extensions whose app is in the foreground.
    #[arg(long)]
    foreground: Vec<Extensions>,
}

/// The call in question.
struct Question {
    called: Number,
    caller: Caller,
    at: Local,
}

impl Why {
    async fn question(&self, db: &Db) -> Result<Question> {
        let now = Local::from_unix(unix_ms() / 1_000);
        let Some(session) = self.session else {
            let called = self.number.ok_or_else(|| anyhow::anyhow!("no number"))?;
            return Ok(Question {
                called,
                caller: self.from.unwrap_or(Caller::Unavailable),
                at: self.at.unwrap_or(now),
            });
        };
        let refusal = |what: &str| Refusal::new("session", what, "See `show records`.");
        let call = db
            .call(&session.text())
            .await?
            .ok_or_else(|| refusal("there is no record of this call"))?;
        let leg = call
            .detail
            .iter()
            .find(|leg| leg.direction == "in" && leg.side == "cloud");
        let leg = leg.ok_or_else(|| refusal("the call did not come from outside"))?;
        let called = Number::parse(&leg.called).map_err(|_| refusal("the call was to no number"))?;
        Ok(Question {
            called,
            caller: pbx::caller(
                &leg.caller,
                Number::parse(&leg.caller).ok(),
                leg.presented.is_none(),
            ),
            at: Local::from_unix(call.started.max(0) as u64 / 1_000),
        })
    }

    /// Answers it.
    pub async fn answer(self, db: &Db, json: bool, lang: Lang) -> Result<()> {
        let Question { called, caller, at } = self.question(db).await?;
        let owner = db.owner(called).await?;
        let owner = owner.ok_or_else(|| {
            Refusal::new(
                "R1",
                format!("no contract has the number {called}"),
                "See `show contracts`.",
            )
        })?;
        let stored = db.contract(owner).await?;
        let office = edge::office(&stored.contract, &db.realm().await?)
            .map_err(|error| Refusal::new("contract", error.to_string(), "See `contract show`."))?;
        let (facts, full) = self.state(db, &office, called).await?;
        let (state, rules) = office.line(called);
        let (decided, trace) = route(&Inbound {
            called,
            caller,
            at: Some(at),
            // Known to the running server alone, and it never keeps a phone silent for long.
            guard: None,
            state,
            full,
            rules,
            block: office.block(rules),
            schedule: office.schedule(rules),
        });
        let steps: Vec<String> = trace
            .iter()
            .map(|entry| match (entry.step, lang) {
                (Step::Guard, Lang::En) => "0 emergency call-back: not asked".into(),
                (Step::Guard, Lang::Ja) => "0 緊急通報の呼び返し: 確認していません".into(),
                (_, Lang::En) => entry.english().to_string(),
                (_, Lang::Ja) => entry.japanese().to_string(),
            })
            .collect();
        let (rings, decision) = match decided {
            Route::Ring { number, .. } => (Some(number), Some(ring(&office.site, number, &facts))),
            Route::Refuse(_) => (None, None),
        };
        let terminals = decision.map_or(Vec::new(), |decision| terminals(&office, &decision, lang));
        if json {
            let value = json!({
                "contract": owner.0, "number": called, "at": at, "steps": steps, "rings": rings, "terminals": terminals,
            });
            return Ok(print::say(&format!("{value:#}\n"))?);
        }
        let mut text = format!("{called}  {at}\n");
        for step in steps {
            text += &format!("  {step}\n");
        }
        match decided {
            Route::Ring { .. } => text += &print::terminals(&terminals),
            Route::Refuse(_) if state == NumberState::Suspended => {
                text += match lang {
                    Lang::En => "  nobody rings: the number is suspended\n",
                    Lang::Ja => "  呼び出しなし: 利用停止中\n",
                }
            }
            Route::Refuse(cause) => text += &format!("  {}\n", refused(cause, lang)),
        }
        Ok(print::say(&text)?)
    }

    /// What is known of terminals and channels.
    async fn state(
        &self,
        db: &Db,
        office: &Office,
        called: Number,
    ) -> Result<(Facts, Option<channels::Full>)> {
        let mut foreground = IdSet::EMPTY;
        for extension in Extensions::all(self.foreground.clone()) {
            let id = office.site.by_extension(extension);
            let id = id.ok_or(contract::Refusal::NoExtension(extension))?;
            if id.kind != TerminalKind::App {
                return Err(Refusal::new(
                    "R19",
                    format!("{extension} is no app, and has no foreground"),
                    "Give extensions of apps, see `show contracts`.",
                )
                .into());
            }
            foreground.insert(id.key);
        }
        let registered: IdSet = db
            .registrations()
            .await?
            .iter()
            .filter_map(|row| office.site.by_user(&row.user))
            .map(|id| id.key)
            .collect();
        let live = control::calls(db).await?;
        if live.is_none() {
            eprintln!("No server runs: phones and channels are as it left them.");
        }
        let mut calls = live.unwrap_or_default();
        calls.retain(|call| call.contract == office.contract().0);
        let busy = calls
            .iter()
            .filter_map(|call| IdKey::new(call.terminal?))
            .collect();
        let uses: Vec<Use> = calls
            .iter()
            .filter_map(|call| Some(Use::Outside(Number::parse(call.line.as_deref()?).ok()?)))
            .collect();
        let full = channels::admit(&office.site, Use::Outside(called), uses).err();
        Ok((Facts::of(registered, busy, foreground), full))
    }
}

/// What is said of one terminal.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Terminal {
    /// Its extension.
    pub extension: String,
    /// Its name.
    pub label: String,
    /// Does it ring?
    pub rings: bool,
    /// The rule.
    pub rule: &'static str,
    /// The rule in words.
    pub reason: &'static str,
}

fn terminals(office: &Office, decision: &Decision, lang: Lang) -> Vec<Terminal> {
    let terminal = |id: &shared::site::Id| {
        let reason = decision.reason(id.key)?;
        Some(Terminal {
            extension: id.extension.to_string(),
            label: id.label.to_string(),
            rings: reason.offered(),
            rule: reason.rule(),
            reason: match lang {
                Lang::En => reason.english(),
                Lang::Ja => reason.japanese(),
            },
        })
    };
    office.site.ids.iter().filter_map(terminal).collect()
}

fn refused(cause: Cause, lang: Lang) -> &'static str {
    match (cause, lang) {
        (Cause::NotInUse, Lang::En) => "nobody rings: the caller hears that the number is not in use",
        (Cause::NotInUse, Lang::Ja) => "呼び出しなし: 現在使われていない旨の案内",
        (Cause::Full, Lang::En) => "nobody rings: all channels are in use, the caller hears that it is busy",
        (Cause::Full, Lang::Ja) => "呼び出しなし: チャンネルに空きがなく、話中音",
        (Cause::Closed, Lang::En) => "nobody rings: the caller hears that it is after hours",
        (Cause::Closed, Lang::Ja) => "呼び出しなし: 時間外の案内",
        (Cause::Rejected, Lang::En) => "nobody rings: the call is rejected",
        (Cause::Rejected, Lang::Ja) => "呼び出しなし: 着信拒否",
        (Cause::OutOfOrder, Lang::En) => "nobody rings: the number is not switched over yet",
        (Cause::OutOfOrder, Lang::Ja) => "呼び出しなし: 番号の切替前",
    }
}
