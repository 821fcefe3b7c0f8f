//! The control socket in the data directory: one JSON line in, one JSON line out.
//!
//! The directory's owner is who may talk to the server; there is nothing else to log in with.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use shared::id::BoxId;
use shared::sync::HubOrder;

use crate::db::Db;

/// Longest line from a command.
const MAX_LINE: u64 = 4_096;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a command asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum Ask {
    /// The database changed: push what is new.
    Changed,
    /// Which calls are there?
    Calls,
    /// Have the analog line at this port of this box tested.
    #[serde(rename = "test_line")]
    TestLine {
        /// The box.
        r#box: BoxId,
        /// Number of the port, from 1.
        port: u8,
    },
    /// Have a port with power or a phone of this box do something.
    Hub {
        /// The box.
        r#box: BoxId,
        /// What.
        order: HubOrder,
    },
}

/// What the server answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is done.
    Done,
    /// The live calls.
    Calls(Vec<CallInfo>),
}

/// A live call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallInfo {
    /// The call (RFC 7989).
    pub session: String,
    /// Its contract.
    pub contract: u32,
    /// The caller.
    pub caller: String,
    /// What was called.
    pub called: String,
    /// What it is doing.
    pub state: String,
    /// Key of the ID whose terminal calls, if it is one of the contract; which terminal answered knows its box.
    #[serde(default)]
    pub terminal: Option<u16>,
    /// The contract's number whose channel it holds (R15).
    pub line: Option<String>,
    /// For how long it has existed.
    pub seconds: u64,
}

/// A question with the way back.
pub type Question = (Ask, oneshot::Sender<Answer>);

/// The socket in the data directory, reachable whatever the length of the directory's name: a socket's own name has at
/// most 107 bytes. Use the path while the file is open.
struct Place {
    path: PathBuf,
    _directory: Option<std::fs::File>,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        if path.as_os_str().len() < 100 {
            return Ok(Self {
                path: path.into(),
                _directory: None,
            });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let directory = std::fs::File::open(parent)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
        Ok(Self {
            path,
            _directory: Some(directory),
        })
    }
}

/// The listening socket; removed when dropped.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Takes the data directory for this server: a second one on it is refused.
    pub async fn bind(path: &Path) -> anyhow::Result<Self> {
        let place = Place::of(path).context("data directory")?;
        let listener = match UnixListener::bind(&place.path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if UnixStream::connect(&place.path).await.is_ok() {
                    anyhow::bail!("another server runs on this data directory");
                }
                // Left behind by one that was killed.
                std::fs::remove_file(path).context("removing a stale control socket")?;
                UnixListener::bind(&place.path)
            }
            other => other,
        }
        .with_context(|| format!("control socket {}", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            path: path.into(),
        })
    }

    /// Serves until the receiver of questions is gone.
    pub async fn serve(&self, questions: mpsc::Sender<Question>) {
        while let Ok((stream, _)) = self.listener.accept().await {
            let questions = questions.clone();
            tokio::spawn(async move {
                if let Err(error) = tokio::time::timeout(PATIENCE, converse(stream, questions)).await {
                    debug!(%error, "control connection");
                }
            });
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn converse(mut stream: UnixStream, questions: mpsc::Sender<Question>) -> anyhow::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_LINE)).read_line(&mut line).await?;
    let ask = serde_json::from_str(&line)?;
    let (sender, receiver) = oneshot::channel();
    questions.send((ask, sender)).await?;
    let mut text = serde_json::to_string(&receiver.await?)?;
    text.push('\n');
    Ok(write.write_all(text.as_bytes()).await?)
}

async fn ask(db: &Db, ask: Ask) -> anyhow::Result<Option<Answer>> {
    let place = Place::of(&db.control_socket()).context("data directory")?;
    let Ok(mut stream) = UnixStream::connect(&place.path).await else {
        return Ok(None);
    };
    let mut text = serde_json::to_string(&ask)?;
    text.push('\n');
    stream.write_all(text.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    Ok(Some(serde_json::from_str(&line).context("answer of the server")?))
}

/// The doorbell: tells a running server that the database changed. Without one there is nobody to tell.
pub async fn ring(db: &Db) {
    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, ask(db, Ask::Changed)).await {
        tracing::warn!(%error, "the running server could not be told; it pushes the change when the box says hello");
    }
}

/// Whether a server runs on this data directory.
pub async fn is_served(db: &Db) -> bool {
    match Place::of(&db.control_socket()) {
        Ok(place) => UnixStream::connect(&place.path).await.is_ok(),
        Err(_) => false,
    }
}

/// Has the running server order the test of a line; nothing if none runs. What comes of it is an event of the box.
pub async fn test_line(db: &Db, r#box: BoxId, port: u8) -> anyhow::Result<Option<()>> {
    tell(db, Ask::TestLine { r#box, port }).await
}

/// Has the running server give a box an order about its ports with power or phones; nothing if none runs.
pub async fn hub(db: &Db, r#box: BoxId, order: HubOrder) -> anyhow::Result<Option<()>> {
    tell(db, Ask::Hub { r#box, order }).await
}

async fn tell(db: &Db, what: Ask) -> anyhow::Result<Option<()>> {
    let answer = tokio::time::timeout(PATIENCE, ask(db, what))
        .await
        .context("the server does not answer")??;
    Ok(answer.map(drop))
}

/// The live calls of the running server; nothing if none runs.
pub async fn calls(db: &Db) -> anyhow::Result<Option<Vec<CallInfo>>> {
    match tokio::time::timeout(PATIENCE, ask(db, Ask::Calls))
        .await
        .context("the server does not answer")??
    {
        Some(Answer::Calls(calls)) => Ok(Some(calls)),
        Some(Answer::Done) => anyhow::bail!("the server answers something else"),
        None => Ok(None),
    }
}
