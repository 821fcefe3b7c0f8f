//! Firmware of phones: the makers' files, and which of them the phones of a site shall run.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shared::hub::{FIRMWARE_ROOM, PhoneFirmware, PhoneModel, firmware_files};
use shared::id::{BoxId, ContractId, SiteId};
use shared::site::Hash;
use shared::sync::MAX_CHUNK;
use sqlx::{FromRow, SqliteConnection};

use super::contract::load;
use super::{Change, Db};
use crate::refusal::{Refusal, Result};

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
            model: PhoneModel::ALL
                .into_iter()
                .find(|model| word(*model) == self.model)?,
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
        let gone = sqlx::query("DELETE FROM phone_firmware WHERE model = $1 AND version = $2")
            .bind(word(model))
            .bind(version)
            .execute(&mut *change.tx)
            .await?;
        if gone.rows_affected() == 0 {
            return Err(unknown(model, version).into());
        }
        sqlx::query("DELETE FROM phone_firmware_piece WHERE hash NOT IN (SELECT hash FROM phone_firmware)")
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
        let before = wanted(&mut change.tx, site).await?;
        let states = states(&mut change.tx, site).await?;
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
        // What stays where it was in the flash is not fetched anew: of it the box tells nothing again.
        for firmware in &after {
            let place = place(&after, firmware);
            let same = before
                .iter()
                .find(|old| old.hash == firmware.hash && self::place(&before, old) == place);
            let told = same.and_then(|old| states.iter().find(|(model, _)| *model == word(old.model)));
            sqlx::query("UPDATE site_phone_firmware SET told = $3 WHERE site = $1 AND model = $2")
                .bind(site.0)
                .bind(word(firmware.model))
                .bind(told.and_then(|(_, told)| told.as_deref()))
                .execute(&mut *change.tx)
                .await?;
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
                "SELECT site, coalesce(told, 'awaited') AS state FROM site_phone_firmware
                  WHERE model = $1 AND version = $2 ORDER BY site",
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
        let mut connection = self.pool.acquire().await?;
        let states = states(&mut connection, site).await?;
        let state = |model| states.iter().find(|(other, _)| *other == word(model));
        let row = |firmware: PhoneFirmware| WantedRow {
            model: firmware.model.name(),
            version: firmware.version.as_str().into(),
            file: firmware.name.as_str().into(),
            size: firmware.size,
            state: state(firmware.model)
                .and_then(|(_, told)| told.clone())
                .unwrap_or_else(|| "awaited".into()),
        };
        Ok(wanted(&mut connection, site)
            .await?
            .into_iter()
            .map(row)
            .collect())
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
    /// A box has the firmware of a model, whole and as its hash says.
    pub(super) async fn firmware_verified(&mut self, origin: &str, hash: &Hash) -> Result<()> {
        sqlx::query(
            "UPDATE site_phone_firmware SET told = 'verified'
              WHERE site = (SELECT site FROM box WHERE id = $1)
                AND (model, version) IN (SELECT model, version FROM phone_firmware WHERE hash = $2)",
        )
        .bind(origin)
        .bind(&hash[..])
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// What a box fetched as the firmware of a model has another digest, or it no longer says so.
    pub(super) async fn firmware_damaged(
        &mut self,
        origin: &str,
        model: PhoneModel,
        damaged: bool,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE site_phone_firmware SET told = $3
              WHERE site = (SELECT site FROM box WHERE id = $1) AND model = $2 AND ($3 IS NOT NULL OR told = 'damaged')",
        )
        .bind(origin)
        .bind(word(model))
        .bind(damaged.then_some("damaged"))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
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

/// What the box of a site told of the firmware of each model.
async fn states(connection: &mut SqliteConnection, site: SiteId) -> Result<Vec<(String, Option<String>)>> {
    Ok(
        sqlx::query_as("SELECT model, told FROM site_phone_firmware WHERE site = $1")
            .bind(site.0)
            .fetch_all(connection)
            .await?,
    )
}

/// Where a file lies in the flash of the box.
fn place(all: &[PhoneFirmware], of: &PhoneFirmware) -> Option<u32> {
    firmware_files(all).find_map(|(place, file)| (file.hash == of.hash).then_some(place))
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

/// In hexadecimal, as `sha256sum` writes it.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
