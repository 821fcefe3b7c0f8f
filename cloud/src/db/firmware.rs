//! Firmware of phones: the makers' files, and which of them the phones of a site shall run.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shared::hub::{FIRMWARE_ROOM, PhoneFirmware, PhoneModel, firmware_files};
use shared::id::{BoxId, ContractId, SiteId};
use shared::site::{Hash, SectionKind};
use shared::sync::MAX_CHUNK;
use sqlx::{FromRow, SqliteConnection};

use super::contract::load;
use super::{Change, Db};
use crate::refusal::{Refusal, Result};
use crate::sync::firmware;

/// Bytes of a stored piece of a file.
const PIECE: usize = MAX_CHUNK;

/// A firmware file.
#[derive(Clone, Debug, Serialize)]
pub struct FirmwareRow {
    /// Model of the phones it is for.
    pub model: &'static str,
    /// Its version.
    pub version: String,
    /// The file's name, by which phones ask for it.
    pub file: String,
    /// Bytes.
    pub size: u32,
    /// SHA-256 of them.
    pub sha256: String,
    /// The sites whose phones shall run it.
    pub sites: Vec<FirmwareSite>,
}

/// A site whose phones shall run a firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct FirmwareSite {
    /// The site.
    pub site: u32,
    /// What its box told: `verified`, or `damaged` if what it fetched had another digest; `awaited` until it tells.
    pub state: String,
}

/// The firmware that the phones of a model shall run at a site.
#[derive(Clone, Debug, Serialize)]
pub struct WantedRow {
    /// Model of the phones.
    pub model: &'static str,
    /// Version.
    pub version: String,
    /// The file's name.
    pub file: String,
    /// Bytes.
    pub size: u32,
    /// `verified`, `damaged` or `awaited`, as in [`FirmwareSite`].
    pub state: String,
}

#[derive(FromRow)]
struct Stored {
    model: String,
    version: String,
    name: String,
    size: u32,
    hash: Vec<u8>,
}

impl Stored {
    /// Names and lengths are checked when they are written.
    fn read(self) -> Option<PhoneFirmware> {
        Some(PhoneFirmware {
            model: model(&self.model)?,
            name: self.name.as_str().try_into().ok()?,
            version: self.version.as_str().try_into().ok()?,
            size: self.size,
            hash: self.hash.try_into().ok()?,
        })
    }
}

impl Db {
    /// Keeps a maker's file, whole, under the name by which phones ask for it.
    pub async fn add_firmware(
        &self,
        model: PhoneModel,
        version: &str,
        name: &str,
        bytes: &[u8],
    ) -> Result<PhoneFirmware> {
        let firmware = described(model, version, name, bytes)?;
        let mut change = self.change().await?;
        let added = sqlx::query(
            "INSERT INTO phone_firmware (model, version, name, size, hash) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (model, version) DO NOTHING",
        )
        .bind(word(model))
        .bind(version)
        .bind(name)
        .bind(firmware.size)
        .bind(&firmware.hash[..])
        .execute(&mut *change.tx)
        .await?;
        if added.rows_affected() == 0 {
            return Err(Refusal::new(
                "firmware",
                format!("there is a firmware {version} of {} already", model.name()),
                "See `phone firmware list`; if this replaces it, remove that one first (`phone firmware remove`).",
            )
            .into());
        }
        for (place, piece) in bytes.chunks(PIECE).enumerate() {
            sqlx::query(
                "INSERT INTO phone_firmware_piece (hash, place, bytes) VALUES ($1, $2, $3)
                 ON CONFLICT (hash, place) DO NOTHING",
            )
            .bind(&firmware.hash[..])
            .bind(place as i64)
            .bind(piece)
            .execute(&mut *change.tx)
            .await?;
        }
        change.commit().await?;
        Ok(firmware)
    }

    /// Forgets a file that no site wants.
    pub async fn remove_firmware(&self, model: PhoneModel, version: &str) -> Result<()> {
        let mut change = self.change().await?;
        let sites: Vec<u32> = sqlx::query_scalar(
            "SELECT site FROM site_phone_firmware WHERE model = $1 AND version = $2 ORDER BY site",
        )
        .bind(word(model))
        .bind(version)
        .fetch_all(&mut *change.tx)
        .await?;
        if let [first, others @ ..] = &sites[..] {
            let others = match others.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            return Err(Refusal::new(
                "firmware",
                format!("phones of site {first}{others} shall run it"),
                "Give them another first, or none (`phone firmware set`); see `phone firmware list`.",
            )
            .into());
        }
        let gone: Option<Vec<u8>> =
            sqlx::query_scalar("DELETE FROM phone_firmware WHERE model = $1 AND version = $2 RETURNING hash")
                .bind(word(model))
                .bind(version)
                .fetch_optional(&mut *change.tx)
                .await?;
        sqlx::query(
            "DELETE FROM phone_firmware_piece
              WHERE hash = $1 AND NOT EXISTS (SELECT 1 FROM phone_firmware WHERE hash = $1)",
        )
        .bind(gone.ok_or_else(|| unknown(model, version))?)
        .execute(&mut *change.tx)
        .await?;
        Ok(change.commit().await?)
    }

    /// Which firmware the phones of a model shall run at a site; none: the one they have. Its box is given another
    /// configuration.
    pub async fn set_firmware(&self, site: SiteId, model: PhoneModel, version: Option<&str>) -> Result<()> {
        let mut change = self.change().await?;
        let contract: Option<u32> = sqlx::query_scalar("SELECT contract FROM site WHERE id = $1")
            .bind(site.0)
            .fetch_optional(&mut *change.tx)
            .await?;
        let contract = contract.ok_or(contract::Refusal::NoSite(site))?;
        let stored = load(&mut change.tx, ContractId(contract)).await?;
        if let Some(day) = stored.contract.ended {
            return Err(contract::Refusal::Ended(day).into());
        }
        sqlx::query("DELETE FROM site_phone_firmware WHERE site = $1 AND model = $2")
            .bind(site.0)
            .bind(word(model))
            .execute(&mut *change.tx)
            .await?;
        if let Some(version) = version {
            let set = sqlx::query(
                "INSERT INTO site_phone_firmware (site, model, version)
                 SELECT $1, model, version FROM phone_firmware WHERE model = $2 AND version = $3",
            )
            .bind(site.0)
            .bind(word(model))
            .bind(version)
            .execute(&mut *change.tx)
            .await?;
            if set.rows_affected() == 0 {
                return Err(unknown(model, version).into());
            }
        }
        let after = wanted(&mut change.tx, site).await?;
        fit(site, &after)?;
        for (place, file) in firmware_files(&after) {
            let sharing = after.iter().filter(|other| other.hash == file.hash);
            for model in sharing.map(|other| word(other.model)) {
                sqlx::query("UPDATE site_phone_firmware SET place = $3 WHERE site = $1 AND model = $2")
                    .bind(site.0)
                    .bind(model)
                    .bind(place)
                    .execute(&mut *change.tx)
                    .await?;
            }
        }
        change.issue(&stored.contract).await?;
        Ok(change.commit().await?)
    }

    /// All files, and the sites that want them.
    pub async fn firmware(&self) -> Result<Vec<FirmwareRow>> {
        let stored: Vec<Stored> = sqlx::query_as(
            "SELECT model, version, name, size, hash FROM phone_firmware ORDER BY model, version",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut rows = Vec::with_capacity(stored.len());
        for firmware in stored.into_iter().filter_map(Stored::read) {
            let sites = sqlx::query_as(
                "SELECT site, state FROM site_phone_firmware_state WHERE model = $1 AND version = $2 ORDER BY site",
            )
            .bind(word(firmware.model))
            .bind(firmware.version.as_str())
            .fetch_all(&self.pool)
            .await?;
            rows.push(FirmwareRow {
                model: firmware.model.name(),
                version: firmware.version.as_str().into(),
                file: firmware.name.as_str().into(),
                size: firmware.size,
                sha256: hex(&firmware.hash),
                sites,
            });
        }
        Ok(rows)
    }

    /// The firmware that the phones of a site shall run, and whether its box has it.
    pub(super) async fn wanted_firmware(&self, site: SiteId) -> Result<Vec<WantedRow>> {
        type Stored = (String, String, String, u32, String);
        let stored: Vec<Stored> = sqlx::query_as(
            "SELECT model, version, name, size, state FROM site_phone_firmware_state WHERE site = $1 ORDER BY model",
        )
        .bind(site.0)
        .fetch_all(&self.pool)
        .await?;
        let row = |(word, version, file, size, state): Stored| {
            Some(WantedRow {
                model: model(&word)?.name(),
                version,
                file,
                size,
                state,
            })
        };
        Ok(stored.into_iter().filter_map(row).collect())
    }

    /// At most `len` bytes from `offset` of the file of this hash, if the site of the box wants it; none are behind its end.
    pub(super) async fn firmware_bytes(
        &self,
        of: BoxId,
        hash: &Hash,
        offset: u32,
        len: usize,
    ) -> Result<Option<Vec<u8>>> {
        let offset = offset as usize;
        let pieces: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT bytes FROM phone_firmware_piece
              WHERE hash = $2 AND place BETWEEN $3 AND $4
                AND EXISTS (SELECT 1 FROM box
                              JOIN site_phone_firmware wanted ON wanted.site = box.site
                              JOIN phone_firmware ON phone_firmware.model = wanted.model
                                                 AND phone_firmware.version = wanted.version
                             WHERE box.id = $1 AND phone_firmware.hash = $2)
              ORDER BY place",
        )
        .bind(of.to_string())
        .bind(&hash[..])
        .bind((offset / PIECE) as i64)
        .bind(((offset + len.saturating_sub(1)) / PIECE) as i64)
        .fetch_all(&self.pool)
        .await?;
        let bytes = pieces.into_iter().flatten();
        let bytes: Vec<u8> = bytes.skip(offset % PIECE).take(len).collect();
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Change<'_> {
    /// A box has a file, whole and as its hash says.
    pub(super) async fn firmware_verified(&mut self, origin: &str, hash: &Hash) -> Result<()> {
        for used in self.configured(origin).await? {
            if let Some(place) = place(&used, hash) {
                return self.firmware_told(origin, hash, place, "verified").await;
            }
        }
        Ok(())
    }

    /// What a box fetched as the firmware of a model has another digest, or it no longer says so.
    pub(super) async fn firmware_damaged(
        &mut self,
        origin: &str,
        model: PhoneModel,
        damaged: bool,
    ) -> Result<()> {
        for used in self.configured(origin).await? {
            let Some(file) = used.iter().find(|firmware| firmware.model == model) else {
                continue;
            };
            if let (true, Some(place)) = (damaged, place(&used, &file.hash)) {
                return self.firmware_told(origin, &file.hash, place, "damaged").await;
            }
            sqlx::query("DELETE FROM box_phone_firmware WHERE box = $1 AND hash = $2 AND told = 'damaged'")
                .bind(origin)
                .bind(&file.hash[..])
                .execute(&mut *self.tx)
                .await?;
            return Ok(());
        }
        Ok(())
    }

    async fn firmware_told(&mut self, origin: &str, hash: &Hash, place: u32, told: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO box_phone_firmware (box, hash, place, told) SELECT id, $2, $3, $4 FROM box WHERE id = $1
             ON CONFLICT (box, hash) DO UPDATE SET place = $3, told = $4",
        )
        .bind(origin)
        .bind(&hash[..])
        .bind(place)
        .bind(told)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// A box uses the configuration of this epoch: what that has no more, or elsewhere, it has no more.
    pub(super) async fn firmware_used(&mut self, of: &str, epoch: u64) -> Result<()> {
        let told: Vec<(Vec<u8>, u32)> =
            sqlx::query_as("SELECT hash, place FROM box_phone_firmware WHERE box = $1")
                .bind(of)
                .fetch_all(&mut *self.tx)
                .await?;
        if told.is_empty() {
            return Ok(());
        }
        let stored: Option<(u16, Vec<u8>)> = sqlx::query_as(
            "SELECT section.schema, section.bytes
               FROM manifest_section JOIN section ON section.hash = manifest_section.hash
              WHERE manifest_section.box = $1 AND manifest_section.kind = $2 AND manifest_section.epoch = $3",
        )
        .bind(of)
        .bind(SectionKind::Sys as u8)
        .bind(epoch as i64)
        .fetch_optional(&mut *self.tx)
        .await?;
        let used = match stored {
            Some((schema, bytes)) => firmware(schema, &bytes),
            None if epoch == 0 => Vec::new(),
            // One that this database, restored from a copy, does not know.
            None => return Ok(()),
        };
        for (hash, at) in told {
            let same = firmware_files(&used).any(|(place, file)| place == at && file.hash[..] == hash);
            if !same {
                sqlx::query("DELETE FROM box_phone_firmware WHERE box = $1 AND hash = $2")
                    .bind(of)
                    .bind(hash)
                    .execute(&mut *self.tx)
                    .await?;
            }
        }
        Ok(())
    }

    /// The firmware in the configuration that a box uses as far as is known, and in the one that it was issued last.
    async fn configured(&mut self, of: &str) -> Result<Vec<Vec<PhoneFirmware>>> {
        let stored: Vec<(u16, Vec<u8>)> = sqlx::query_as(
            "SELECT section.schema, section.bytes
               FROM box JOIN manifest_section ON manifest_section.box = box.id
               JOIN section ON section.hash = manifest_section.hash
              WHERE box.id = $1 AND manifest_section.kind = $2
                AND manifest_section.epoch IN (box.epoch, (SELECT max(epoch) FROM manifest WHERE box = $1))
              ORDER BY manifest_section.epoch",
        )
        .bind(of)
        .bind(SectionKind::Sys as u8)
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |(schema, bytes): (u16, Vec<u8>)| firmware(schema, &bytes);
        Ok(stored.into_iter().map(read).collect())
    }
}

/// What the phones of a site shall run, in the order of the configuration.
pub(super) async fn wanted(connection: &mut SqliteConnection, site: SiteId) -> Result<Vec<PhoneFirmware>> {
    let stored: Vec<Stored> = sqlx::query_as(
        "SELECT model, version, name, size, hash
           FROM site_phone_firmware JOIN phone_firmware USING (model, version)
          WHERE site = $1 ORDER BY model",
    )
    .bind(site.0)
    .fetch_all(connection)
    .await?;
    Ok(stored.into_iter().filter_map(Stored::read).collect())
}

/// Where a file lies in the flash of the box.
fn place(all: &[PhoneFirmware], hash: &Hash) -> Option<u32> {
    firmware_files(all).find_map(|(place, file)| (file.hash == *hash).then_some(place))
}

/// A file as a configuration names it.
fn described(model: PhoneModel, version: &str, name: &str, bytes: &[u8]) -> Result<PhoneFirmware> {
    let size = u32::try_from(bytes.len())
        .ok()
        .filter(|size| *size <= FIRMWARE_ROOM);
    let size = size.ok_or_else(|| {
        Refusal::new(
            "firmware",
            format!("{name} is larger than the {FIRMWARE_ROOM} bytes that a box has for firmware"),
            "Give the file that the phone itself fetches, not an archive.",
        )
    })?;
    if size == 0 {
        return Err(Refusal::new(
            "firmware",
            format!("{name} is empty"),
            "Give the maker's file as it is.",
        )
        .into());
    }
    let firmware = name.try_into().ok().zip(version.try_into().ok());
    let firmware = firmware.map(|(name, version)| PhoneFirmware {
        model,
        name,
        version,
        size,
        hash: Sha256::digest(bytes).into(),
    });
    // `none` as a version stands for no firmware.
    let usable = firmware.filter(|firmware| firmware.is_usable() && version != "none");
    usable.ok_or_else(|| {
        Refusal::new(
            "firmware",
            format!("phones cannot ask for a file {name:?} of version {version:?}"),
            "A name has at most 32 letters, digits, `.`, `-` and `_` and is none of a configuration (cfg..., ....cfg); \
             a version has at most 16 of them, and is not `none`.",
        )
        .into()
    })
}

/// All of it has room in a box, and every name is that of one file.
fn fit(site: SiteId, all: &[PhoneFirmware]) -> Result<(), Refusal> {
    for (index, one) in all.iter().enumerate() {
        let other = all.iter().skip(index + 1).find(|other| {
            let (name, hash) = (other.name.eq_ignore_ascii_case(&one.name), other.hash == one.hash);
            name != hash || hash && other.name != one.name
        });
        if let Some(other) = other {
            return Err(Refusal::new(
                "firmware",
                format!(
                    "{} of {} and {} of {} are one name for two files, or two names for one",
                    one.name,
                    one.model.name(),
                    other.name,
                    other.model.name()
                ),
                "Add one of them again under the name by which its phones ask for it.",
            ));
        }
    }
    let end = firmware_files(all).last();
    let end = end.map_or(0, |(place, file)| place.saturating_add(file.room()));
    if end > FIRMWARE_ROOM {
        return Err(Refusal::new(
            "firmware",
            format!(
                "the firmware of site {} would take {end} bytes, and its box has {FIRMWARE_ROOM}",
                site.0
            ),
            "Take that of another model away first (`phone firmware set SITE MODEL none`).",
        ));
    }
    Ok(())
}

fn unknown(model: PhoneModel, version: &str) -> Refusal {
    Refusal::new(
        "firmware",
        format!("there is no firmware {version} of {}", model.name()),
        "See `phone firmware list`, and give the file with `phone firmware add`.",
    )
}

/// A model as the tables have it.
const fn word(model: PhoneModel) -> &'static str {
    match model {
        PhoneModel::Gxp1628 => "gxp1628",
        PhoneModel::KxHdv230n => "kx-hdv230n",
        PhoneModel::Ht801 => "ht801",
        PhoneModel::Ht802 => "ht802",
    }
}

/// And back.
fn model(text: &str) -> Option<PhoneModel> {
    PhoneModel::ALL.into_iter().find(|model| word(*model) == text)
}

/// In hexadecimal, as `sha256sum` writes it.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
