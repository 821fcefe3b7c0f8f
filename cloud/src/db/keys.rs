//! The key that signs site configurations.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, anyhow};
use ed25519_dalek::SigningKey;

/// The key in the data directory.
const FILE: &str = "signing.key";

/// Generation of the signing key; boxes refuse a lower one than they have seen.
const KEY_EPOCH: u32 = 1;

/// The Ed25519 key in `signing.key`, readable by its owner only. Losing it means new factory data for every box.
pub struct Keys {
    signing: SigningKey,
}

impl Keys {
    /// Reads the key, if there is one.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Option<Self>> {
        let seed = match std::fs::read(dir.join(FILE)) {
            Ok(seed) => seed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("reading signing.key"),
        };
        let seed = <[u8; 32]>::try_from(seed).map_err(|_| anyhow!("signing.key is damaged"))?;
        Ok(Some(Self {
            signing: SigningKey::from_bytes(&seed),
        }))
    }

    /// Makes a key; the one that another command has made in the meantime is taken instead.
    pub(super) fn create(dir: &Path) -> anyhow::Result<Self> {
        let fresh: [u8; 32] = rand::random();
        // Complete before it has its name, so that nobody reads half of it.
        let draft = dir.join(format!(".{FILE}.{:08x}", rand::random::<u32>()));
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(&fresh).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::hard_link(&draft, dir.join(FILE)));
        let _ = std::fs::remove_file(&draft);
        match made {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).context("making signing.key")
            }
            _ => Self::open(dir)?.context("signing.key is missing"),
        }
    }

    /// The key.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// What boxes verify with.
    pub fn verifying(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// Generation of the key.
    pub fn epoch(&self) -> u32 {
        KEY_EPOCH
    }
}
