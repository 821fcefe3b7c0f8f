//! The database: SQLite in the data directory, opened by the server and by every command, side by side (WAL).
//!
//! Every change is one `BEGIN IMMEDIATE` transaction that ends in [`Change::commit`]; a change of what a site uses
//! issues the site's next signed epoch in the same transaction.

mod areas;
mod boxes;
mod config;
mod contract;
mod events;
mod firmware;
mod fleet;
mod hub;
mod keys;
mod show;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::Notify;

pub use self::contract::{Ask, Done, LogRow, Login, Stored};
pub use areas::Taken;
pub use boxes::{BoxOrder, NewBox};
pub use events::CLOUD;
pub use firmware::{FirmwareRow, FirmwareSite, WantedRow};
pub use fleet::BoxAccount;
pub use hub::{HubRow, PhoneRow, PortId, PortRow, WaitingRow};
pub use keys::Keys;
pub use show::{BoxRow, CallRow, ContractRow, EventRow, LegRow, RegistrationRow};

/// The service domain unless `init` set another: SIP domain and digest realm of phones and boxes.
pub const DEFAULT_REALM: &str = "denwaban.example";

/// The database in the data directory.
const FILE: &str = "denwaban.db";

/// The data directory: database, keys, control socket.
#[derive(Clone)]
pub struct Db {
    pool: SqlitePool,
    dir: Arc<Path>,
    /// Missing only where boxes lost what signs for them; then nothing but their removal is possible.
    keys: Option<Arc<Keys>>,
    /// A box gave a phone a password.
    secrets: Arc<Notify>,
    /// Commits that are to fail, for tests of everything that relies on them.
    failing: Arc<AtomicU32>,
}

/// One transaction that changes something. Dropped without [`Change::commit`], it did nothing.
pub struct Change<'d> {
    tx: Transaction<'static, Sqlite>,
    db: &'d Db,
}

impl Db {
    /// Whether `dir` holds an installation.
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// Opens the data directory, making what is missing: directory, tables, keys. Only its owner may read it. A signing
    /// key that is missing while boxes believe it is an error.
    pub async fn open(dir: &Path) -> anyhow::Result<Self> {
        let db = Self::open_keyless(dir).await?;
        let boxes: i64 = sqlx::query_scalar("SELECT count(*) FROM box")
            .fetch_one(&db.pool)
            .await?;
        anyhow::ensure!(
            db.keys.is_some() || boxes == 0,
            "signing.key is missing in {}, and {boxes} box(es) believe only what it signs. Put it back from your copy; \
             if there is none, remove each box (`box remove`), then create it again with new factory data",
            dir.display()
        );
        let keys = match &db.keys {
            Some(keys) => Arc::clone(keys),
            None => Arc::new(Keys::create(dir)?),
        };
        Ok(Self {
            keys: Some(keys),
            ..db
        })
    }

    /// Opens the data directory even where its signing key is lost, to show what is there and to remove boxes.
    pub async fn open_keyless(dir: &Path) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("data directory {}", dir.display()))?;
        private_files(dir).with_context(|| format!("database in {}", dir.display()))?;
        let keys = Keys::open(dir)?;
        let options = SqliteConnectOptions::from_str("sqlite:")?
            .filename(dir.join(FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged to a box survives a power cut of the server.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await
            .with_context(|| format!("database in {}", dir.display()))?;
        sqlx::migrate!("./migrations")
            .run(&pool)
            .await
            .context("database migrations")?;
        Ok(Self {
            pool,
            dir: dir.into(),
            keys: keys.map(Arc::new),
            secrets: Arc::default(),
            failing: Arc::default(),
        })
    }

    /// Waits until boxes gave phones other passwords than calls know of.
    pub async fn secrets_changed(&self) {
        self.secrets.notified().await;
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a running server listens for commands.
    pub fn control_socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// The signing keys.
    pub fn keys(&self) -> anyhow::Result<&Keys> {
        self.keys.as_deref().context("signing.key is missing")
    }

    /// Begins a change; others wait.
    pub async fn change(&self) -> sqlx::Result<Change<'_>> {
        Ok(Change {
            tx: self.pool.begin_with("BEGIN IMMEDIATE").await?,
            db: self,
        })
    }

    /// Lets the next `count` commits fail, for tests.
    pub fn fail_commits(&self, count: u32) {
        self.failing.store(count, Ordering::SeqCst);
    }

    /// The service domain of this installation.
    pub async fn realm(&self) -> sqlx::Result<String> {
        realm(&mut *self.pool.acquire().await?).await
    }

    /// Counts this start of the server and returns the number: the `boot` of the cloud's own events.
    pub async fn count_boot(&self) -> sqlx::Result<u32> {
        let mut change = self.change().await?;
        let boot = setting(&mut change.tx, "boot")
            .await?
            .and_then(|text| text.parse().ok())
            .unwrap_or(0u32)
            + 1;
        set_setting(&mut change.tx, "boot", &boot.to_string()).await?;
        change.commit().await?;
        Ok(boot)
    }

    /// Closes all connections and folds the log into the database file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Change<'_> {
    /// Makes the change last. On an error nothing was changed.
    pub async fn commit(self) -> sqlx::Result<()> {
        let failing = self
            .db
            .failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if failing.is_ok() {
            self.tx.rollback().await?;
            return Err(sqlx::Error::Protocol("commit made to fail by a test".into()));
        }
        self.tx.commit().await
    }
}

/// Lets only their owner read the database files. SQLite makes `-wal` and `-shm` with the mode of the database.
fn private_files(dir: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(dir.join(FILE))?;
    for end in ["", "-wal", "-shm"] {
        let path = dir.join(format!("{FILE}{end}"));
        match std::fs::metadata(&path) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn setting(connection: &mut SqliteConnection, key: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT value FROM setting WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
}

async fn realm(connection: &mut SqliteConnection) -> sqlx::Result<String> {
    let realm = setting(connection, "realm").await?;
    Ok(realm.unwrap_or_else(|| DEFAULT_REALM.into()))
}

async fn set_setting(connection: &mut SqliteConnection, key: &str, value: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2",
    )
    .bind(key)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(())
}

/// Milliseconds since 1970 (UTC).
pub fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
