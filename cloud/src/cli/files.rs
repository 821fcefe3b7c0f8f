//! Files with secrets: whole or not at all, and for their owner only.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use shared::factory::MAX_FACTORY;
use shared::id::BoxId;

use crate::broker::{SERVER_USER, acl};
use crate::db::{BoxOrder, Db};
use crate::refusal::{Refusal, Result};

/// A complete file under a temporary name beside its own; dropped without [`Draft::publish`], it is gone.
struct Draft {
    draft: PathBuf,
    path: PathBuf,
}

impl Draft {
    fn write(path: &Path, bytes: &[u8]) -> std::io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{:08x}", rand::random::<u32>()));
        let this = Self {
            draft: path.with_file_name(name),
            path: path.into(),
        };
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&this.draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(this)
    }

    fn publish(self) -> std::io::Result<()> {
        std::fs::rename(&self.draft, &self.path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing under this name.
        let _ = std::fs::remove_file(&self.draft);
    }
}

/// Makes a box and the file with its factory data: both, or neither.
pub async fn create_box(db: &Db, order: BoxOrder<'_>, out: &Path) -> Result<BoxId> {
    if out.is_dir() || out.file_name().is_none() {
        return Err(Refusal::new(
            "out",
            format!("{} is no file", out.display()),
            "Give a file for the factory data, as factory.bin.",
        )
        .into());
    }
    let new = db.new_box(order).await?;
    let mut buf = [0; MAX_FACTORY];
    let image = new.factory().encode(&mut buf).context("encoding factory data")?;
    let writing = || format!("writing {}", out.display());
    let draft = Draft::write(out, image).with_context(writing)?;
    let id = new.commit().await?.box_id;
    if let Err(error) = draft.publish() {
        // Nobody has the secret: without its file the box is of no use.
        db.remove_box(id).await?;
        return Err(anyhow::Error::new(error).context(writing()).into());
    }
    Ok(id)
}

/// Writes `passwd`, `acl` and `mosquitto.conf` into a folder.
pub async fn broker(db: &Db, out: &Path, password: &str, listener: &str) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("folder {}", out.display()))?;
    let out = out.canonicalize().context("folder for the broker's files")?;
    let mut accounts = format!("{SERVER_USER}:{}\n", acl::hash(password, rand::random()));
    for (id, hash) in db.mqtt_accounts().await? {
        accounts.push_str(&format!("{id}:{hash}\n"));
    }
    let passwd = out.join("passwd");
    // The broker's user may own an earlier one: then it stays its own.
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&passwd)
        .and_then(|mut file| {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            file.write_all(accounts.as_bytes())
        });
    written.with_context(|| format!("writing {}", passwd.display()))?;
    let conf = acl::mosquitto_conf(&out.display().to_string(), listener);
    for (name, text) in [("acl", acl::mosquitto_acl(SERVER_USER)), ("mosquitto.conf", conf)] {
        std::fs::write(out.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}
