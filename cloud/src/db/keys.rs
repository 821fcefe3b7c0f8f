//! The key that signs site configurations.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use ed25519_dalek::SigningKey;

/// Generation of the signing key; boxes refuse a lower one than they have seen.
const KEY_EPOCH: u32 = 1;

/// The Ed25519 key in `signing.key`, readable by its owner only. Losing it means new factory data for every box.
pub struct Keys {
    signing: SigningKey,
}

impl Keys {
    /// Reads the key, or makes one.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("signing.key");
        let fresh: [u8; 32] = rand::random();
        let mut options = std::fs::OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                file.write_all(&fresh)
                    .and_then(|()| file.sync_all())
                    .context("writing signing.key")?;
                Ok(Self {
                    signing: SigningKey::from_bytes(&fresh),
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let seed = std::fs::read(&path).context("reading signing.key")?;
                let seed =
                    <[u8; 32]>::try_from(seed).map_err(|_| anyhow::anyhow!("signing.key is damaged"))?;
                Ok(Self {
                    signing: SigningKey::from_bytes(&seed),
                })
            }
            Err(error) => Err(error).context("making signing.key"),
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
