//! Which addresses are in which number areas (R18): the official lists as they were imported.

use std::collections::{BTreeMap, BTreeSet};

use contract::area::{Table, Zone};
use serde::Serialize;
use shared::number::Number;
use sqlx::SqliteConnection;

use super::{Db, unix_ms};
use crate::refusal::{Refusal, Result};

/// What lists brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Their lines that are not empty.
    pub lines: usize,
    /// Number areas that have numbers.
    pub areas: usize,
    /// Blocks of 10,000 numbers whose area is known.
    pub blocks: usize,
    /// Blocks that are in another area than before, or in none.
    pub changed: usize,
}

impl Db {
    /// The table in use.
    pub async fn areas(&self) -> Result<Table> {
        areas(&mut *self.pool.acquire().await?).await
    }

    /// Takes the official lists (総務省): 市外局番の一覧, and 電気通信番号指定状況 of geographic numbers if given. They replace
    /// earlier ones, once every line of them was understood and every area that the program knows by itself has numbers.
    pub async fn import_areas(&self, areas: &[u8], numbers: Option<&[u8]>) -> Result<Taken> {
        let table = table(areas, numbers)?;
        let known: BTreeSet<Zone> = blocks(&table).into_values().flatten().collect();
        let shipped = Table::shipped();
        let own: BTreeSet<Zone> = blocks(&shipped).into_values().flatten().collect();
        let missing: Vec<String> = own
            .difference(&known)
            .map(|zone| format!("{zone} {}", shipped.name(*zone)))
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::new(
                "areas",
                format!("by these lists there are no numbers in {}", missing.join(", ")),
                "Give both lists whole, with --areas and --numbers.",
            )
            .into());
        }
        self.replace_areas(Some(areas), numbers, &table).await
    }

    /// Goes back to the table of the program itself.
    pub async fn reset_areas(&self) -> Result<Taken> {
        self.replace_areas(None, None, &Table::shipped()).await
    }

    async fn replace_areas(
        &self,
        list: Option<&[u8]>,
        numbers: Option<&[u8]>,
        table: &Table,
    ) -> Result<Taken> {
        let mut change = self.change().await?;
        let before = blocks(&areas(&mut change.tx).await?);
        sqlx::query("DELETE FROM area_file")
            .execute(&mut *change.tx)
            .await?;
        for (name, bytes) in [("areas", list), ("numbers", numbers)] {
            let Some(bytes) = bytes else { continue };
            sqlx::query("INSERT INTO area_file (name, bytes, imported) VALUES ($1, $2, $3)")
                .bind(name)
                .bind(bytes)
                .bind(unix_ms() as i64)
                .execute(&mut *change.tx)
                .await?;
        }
        change.commit().await?;
        let now = blocks(table);
        let both: BTreeSet<&u32> = before.keys().chain(now.keys()).collect();
        let filled = |bytes: &[u8]| {
            let lines = bytes.split(|byte| *byte == b'\n');
            lines.filter(|line| !line.trim_ascii().is_empty()).count()
        };
        Ok(Taken {
            lines: [list, numbers].into_iter().flatten().map(filled).sum(),
            areas: now.values().flatten().collect::<BTreeSet<_>>().len(),
            blocks: now.len(),
            changed: both
                .into_iter()
                .filter(|block| before.get(block) != now.get(block))
                .count(),
        })
    }
}

/// The listed areas of each block of numbers, by the five digits behind the 0.
fn blocks(table: &Table) -> BTreeMap<u32, Vec<Zone>> {
    (10_000..100_000)
        .filter_map(|block: u32| {
            let number = Number::parse(&format!("0{block}0000")).ok()?;
            Some((block, table.zones(number))).filter(|(_, zones)| !zones.is_empty())
        })
        .collect()
}

pub(super) async fn areas(connection: &mut SqliteConnection) -> Result<Table> {
    let files: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT name, bytes FROM area_file")
        .fetch_all(connection)
        .await?;
    let file = |wanted: &str| {
        let mut files = files.iter();
        files
            .find(|(name, _)| name == wanted)
            .map(|(_, bytes)| bytes.as_slice())
    };
    match file("areas") {
        Some(areas) => table(areas, file("numbers")),
        None => Ok(Table::shipped()),
    }
}

fn table(areas: &[u8], numbers: Option<&[u8]>) -> Result<Table> {
    let refusal = |error: contract::area::ImportError| {
        Refusal::new(
            "areas",
            error.to_string(),
            "Give the list as 総務省 publishes it, saved as CSV or with tabs.",
        )
    };
    let mut table = Table::import(areas).map_err(refusal)?;
    if let Some(numbers) = numbers {
        table.import_numbers(numbers).map_err(refusal)?;
    }
    Ok(table)
}
