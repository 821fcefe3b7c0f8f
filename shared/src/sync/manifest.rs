//! The signed statement of what a site's configuration is.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::MessageError;
use crate::id::BoxId;
use crate::site::{Hash, Section, SectionKind, root_hash};

/// Most bytes of an encoded manifest.
pub const MAX_MANIFEST: usize = 320;

/// Stands before the manifest in what is signed, so that a signature serves for nothing else.
const DOMAIN: &[u8] = b"denwaban manifest\0";

/// The bytes that are signed: the domain name and a manifest.
pub type Signed = Vec<u8, { DOMAIN.len() + MAX_MANIFEST }>;

/// What a site's configuration is. Schema 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The box it is made for.
    pub box_id: BoxId,
    /// Rises with every change; going back to old content is a new epoch too.
    pub epoch: u64,
    /// Generation of the signing key.
    pub key_epoch: u32,
    /// When it was made, seconds since 1970.
    pub issued: u64,
    /// When it stops being acceptable, seconds since 1970; never if 0.
    pub not_after: u64,
    /// All sections, in the order of [`SectionKind::ALL`].
    pub sections: Vec<Section, 4>,
    /// [`root_hash`] of the sections.
    pub root: Hash,
}

/// A manifest as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedManifest<'a> {
    /// Postcard of the [`Manifest`].
    #[serde(borrow)]
    pub manifest: &'a [u8],
    /// Ed25519 signature (64 bytes) of [`SignedManifest::signed`].
    #[serde(borrow)]
    pub signature: &'a [u8],
}

impl SignedManifest<'_> {
    /// The bytes the signature covers.
    pub fn signed(&self) -> Result<Signed, MessageError> {
        let mut signed = Vec::new();
        signed
            .extend_from_slice(DOMAIN)
            .map_err(|_| MessageError::TooBig)?;
        signed
            .extend_from_slice(self.manifest)
            .map_err(|_| MessageError::TooBig)?;
        Ok(signed)
    }

    /// The manifest. Its signature has to be verified first.
    pub fn manifest(&self) -> Result<Manifest, MessageError> {
        match postcard::take_from_bytes(self.manifest) {
            Ok((manifest, [])) => Ok(manifest),
            _ => Err(MessageError::Malformed),
        }
    }
}

impl Manifest {
    /// Its canonical bytes, for [`SignedManifest::manifest`].
    pub fn encode<'b>(&self, buf: &'b mut [u8]) -> Result<&'b [u8], MessageError> {
        let bytes = postcard::to_slice(self, buf).map_err(|_| MessageError::TooBig)?;
        if bytes.len() > MAX_MANIFEST {
            Err(MessageError::TooBig)
        } else {
            Ok(bytes)
        }
    }

    /// Every section is listed once, in order, and they give the stated root.
    pub fn is_complete(&self) -> bool {
        self.sections
            .iter()
            .map(|section| section.kind)
            .eq(SectionKind::ALL)
            && root_hash(&self.sections) == self.root
    }
}
