//! Which addresses are in which number areas (R18): the lists, and the question.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use contract::area::{Reason, Verdict, Zone};
use contract::{Lang, area_names};
use serde_json::json;
use shared::date::Local;
use shared::number::Number;
use shared::number::plan::{Kind, classify};

use super::{print, read};
use crate::db::{Db, unix_ms};
use crate::refusal::Result;

#[derive(Debug, Subcommand)]
pub enum AreaCommand {
    /// Take the official lists of 総務省, as CSV or with tabs; they replace earlier ones, and may not know less than the
    /// program does by itself.
    Import {
        /// 市外局番の一覧.
        #[arg(long, required_unless_present = "reset", conflicts_with = "reset")]
        areas: Option<PathBuf>,
        /// 電気通信番号指定状況 (固定電話).
        #[arg(long, conflicts_with = "reset")]
        numbers: Option<PathBuf>,
        /// Go back to what the program knows by itself.
        #[arg(long)]
        reset: bool,
    },
    /// May an address have a number (R18)?
    Check {
        /// The address.
        #[arg(long)]
        address: String,
        /// The number.
        #[arg(long, value_parser = read::number)]
        number: Number,
    },
}

impl AreaCommand {
    pub(super) async fn carry_out(self, db: &Db, json: bool, lang: Lang) -> Result<()> {
        match self {
            Self::Import { areas, numbers, .. } => {
                let read = |path: PathBuf| {
                    std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
                };
                let (areas, numbers) = (areas.map(read).transpose()?, numbers.map(read).transpose()?);
                let taken = match areas {
                    Some(areas) => db.import_areas(&areas, numbers.as_deref()).await?,
                    None => db.reset_areas().await?,
                };
                let text = format!(
                    "{} lines, {} number areas with {} number blocks; {} blocks are in another area than before",
                    taken.lines, taken.areas, taken.blocks, taken.changed
                );
                Ok(print::done(json, json!(taken), &text)?)
            }
            Self::Check { address, number } => {
                let kind = classify(number, Local::from_unix(unix_ms() / 1_000).date);
                match kind {
                    Kind::Emergency | Kind::Service | Kind::Ended => {
                        return Err(contract::Refusal::NotASubscriber(number).into());
                    }
                    Kind::International => return Err(contract::Refusal::Foreign(number).into()),
                    kind if !kind.is_assignable() => {
                        return Err(contract::Refusal::NotAssignable(number).into());
                    }
                    _ => {}
                }
                let table = db.areas().await?;
                let zones = table.zones(number);
                let verdict = match kind {
                    Kind::Geographic(_) => table.judge(&address, &zones),
                    _ => Verdict::Allowed,
                };
                let name = match zones[..] {
                    [zone] => Some(table.name(zone)).filter(|name| !name.is_empty()),
                    _ => None,
                };
                let name = name.or_else(|| number.area().map(area_names::name)).unwrap_or("");
                let place = place(number, kind, &zones, name, lang);
                let value = json!({
                    "number": number,
                    "areas": zones,
                    "name": name,
                    "verdict": word(&verdict),
                });
                Ok(print::done(
                    json,
                    value,
                    &format!("R18: {place}: {}", told(&verdict, lang)),
                )?)
            }
        }
    }
}

/// A verdict as one word.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => "allowed",
        Verdict::Denied(_) => "denied",
        Verdict::NeedsReview { .. } => "needs review",
    }
}

/// Where the number is at home.
fn place(number: Number, kind: Kind, zones: &[Zone], name: &str, lang: Lang) -> String {
    match (kind, zones, lang) {
        (Kind::Geographic(_), [], Lang::En) => {
            format!("{number} is of a number area that is not listed, {name}")
        }
        (Kind::Geographic(_), [], Lang::Ja) => format!("{number}の番号区画({name})は一覧にありません"),
        (Kind::Geographic(_), [zone], Lang::En) => {
            format!("{number} is of the number area {zone} {name}")
        }
        (Kind::Geographic(_), [zone], Lang::Ja) => format!("{number}の番号区画は{zone} {name}"),
        (Kind::Geographic(_), _, Lang::En) => format!("{number} is of one of several number areas, {name}"),
        (Kind::Geographic(_), _, Lang::Ja) => format!("{number}の番号区画({name})は複数の候補があります"),
        (_, _, Lang::En) => format!("{number} is of no number area"),
        (_, _, Lang::Ja) => format!("{number}に番号区画はありません"),
    }
}

/// The verdict for people.
fn told(verdict: &Verdict, lang: Lang) -> String {
    match (verdict, lang) {
        (Verdict::Allowed, Lang::En) => "allowed".into(),
        (Verdict::Allowed, Lang::Ja) => "利用できます".into(),
        (Verdict::Denied(Reason::Elsewhere(zone)), Lang::En) => format!("denied, the address is in {zone}"),
        (Verdict::Denied(Reason::Elsewhere(zone)), Lang::Ja) => {
            format!("利用できません。住所の番号区画は{zone}です")
        }
        (
            Verdict::Denied(Reason::Prefecture(place) | Reason::Municipality(place) | Reason::Town(place)),
            lang,
        ) => match lang {
            Lang::En => format!("denied, {place} is not in it"),
            Lang::Ja => format!("利用できません。{place}は区画外です"),
        },
        (Verdict::NeedsReview { options }, lang) => {
            let among = options.iter().map(ToString::to_string).collect::<Vec<_>>();
            match (among.join(", "), lang) {
                (among, Lang::En) if among.is_empty() => "needs a review".into(),
                (among, Lang::Ja) if among.is_empty() => "審査が必要です".into(),
                (among, Lang::En) => format!("needs a review, the address may be in {among}"),
                (among, Lang::Ja) => format!("審査が必要です。住所の番号区画の候補は{among}です"),
            }
        }
    }
}
