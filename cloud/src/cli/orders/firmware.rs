//! Firmware of phones: what the makers give, and what the phones of a site shall run.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use shared::hub::{FIRMWARE_ROOM, PhoneModel};
use shared::id::SiteId;

use super::Desk;
use super::phone::Model;
use crate::cli::{hub, read::OrNone};
use crate::refusal::Result;

#[derive(Debug, Subcommand)]
pub enum FirmwareCommand {
    /// Keep a maker's file. Phones ask for it by the name it has here, which is the maker's.
    Add {
        /// Model of the phones it is for.
        #[arg(value_enum)]
        model: Model,
        /// Its version, as the phones report it.
        version: String,
        /// The file, as the phone fetches it: no archive.
        file: PathBuf,
    },
    /// The files, and the sites whose phones shall run them.
    List,
    /// What the phones of a model shall run at a site: its box fetches the file, checks it, and then tells them.
    Set {
        /// Site.
        site: u32,
        /// Model of the phones.
        #[arg(value_enum)]
        model: Model,
        /// Version, as in `phone firmware list`; `none`: the one they have.
        #[arg(value_name = "VERSION|none")]
        version: OrNone<String>,
    },
    /// Forget a file that no site wants.
    Remove {
        /// Model of the phones it is for.
        #[arg(value_enum)]
        model: Model,
        /// Its version.
        version: String,
    },
}

impl FirmwareCommand {
    pub(super) async fn carry_out(self, desk: &Desk<'_>) -> Result<()> {
        match self {
            Self::Add { model, version, file } => {
                let (name, bytes) = read(&file)?;
                let added = desk
                    .db
                    .add_firmware(model.into(), &version, &name, &bytes)
                    .await?;
                let model = added.model.name();
                desk.done(
                    json!({ "model": model, "version": version, "file": name, "size": added.size }),
                    &format!("firmware {version} of {model}: {name}, {} bytes", added.size),
                )
            }
            Self::List => crate::cli::rows(desk.json, &desk.db.firmware().await?, hub::firmware),
            Self::Set { site, model, version } => {
                let model = PhoneModel::from(model);
                let version = version.0;
                desk.db
                    .set_firmware(SiteId(site), model, version.as_deref())
                    .await?;
                let text = match &version {
                    Some(version) => format!("{} at site {site} shall run {version}", model.name()),
                    None => format!("{} at site {site} keep what they have", model.name()),
                };
                desk.done(
                    json!({ "site": site, "model": model.name(), "version": version }),
                    &text,
                )
            }
            Self::Remove { model, version } => {
                let model = PhoneModel::from(model);
                desk.db.remove_firmware(model, &version).await?;
                desk.done(
                    json!({ "model": model.name(), "version": version }),
                    &format!("firmware {version} of {} removed", model.name()),
                )
            }
        }
    }
}

/// A file's name, and its bytes as far as one too many for a box.
fn read(path: &Path) -> Result<(String, Vec<u8>)> {
    let reading = || format!("reading {}", path.display());
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(u64::from(FIRMWARE_ROOM) + 1).read_to_end(&mut bytes))
        .with_context(reading)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((name.into(), bytes))
}
