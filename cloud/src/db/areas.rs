//! Which addresses are in which number areas (R18): the official lists as they were imported.

use contract::area::Table;
use sqlx::SqliteConnection;

use super::{Db, unix_ms};
use crate::refusal::{Refusal, Result};

impl Db {
    /// The table in use.
    pub async fn areas(&self) -> Result<Table> {
        areas(&mut *self.pool.acquire().await?).await
    }

    /// Takes the official lists (総務省): 市外局番の一覧, and 電気通信番号指定状況 of geographic numbers if given. They replace
    /// earlier ones, once every line of them was understood.
    pub async fn import_areas(&self, areas: &[u8], numbers: Option<&[u8]>) -> Result<()> {
        table(areas, numbers)?;
        let mut change = self.change().await?;
        sqlx::query("DELETE FROM area_file")
            .execute(&mut *change.tx)
            .await?;
        for (name, bytes) in [("areas", Some(areas)), ("numbers", numbers)] {
            let Some(bytes) = bytes else { continue };
            sqlx::query("INSERT INTO area_file (name, bytes, imported) VALUES ($1, $2, $3)")
                .bind(name)
                .bind(bytes)
                .bind(unix_ms() as i64)
                .execute(&mut *change.tx)
                .await?;
        }
        Ok(change.commit().await?)
    }
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
