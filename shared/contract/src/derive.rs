//! The configuration of a site, derived from its contract.

use core::fmt;

use shared::site::{self, Credential, Sys};
use shared::{IdSet, SiteId, hub};

use crate::model::Contract;

/// Why there is no configuration to derive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteError {
    /// The contract has no such site.
    NoSite,
    /// It has no ID yet, and so no channel (R15).
    NoIds,
    /// A text is longer than the box has room for; realm and stored names can be, commands check theirs.
    TooLong,
    /// More IDs or numbers than the box has room for; commands keep below.
    TooMany,
    /// The result breaks a rule of the box.
    Invalid(site::Invalid),
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSite => f.write_str("no such site"),
            Self::NoIds => f.write_str("the contract has no ID yet"),
            Self::TooLong => f.write_str("a text is too long"),
            Self::TooMany => f.write_str("too many IDs or numbers"),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl core::error::Error for SiteError {}

impl Contract {
    /// The configuration of a site as its box uses it: all IDs and numbers of the contract, and the credentials of the
    /// IDs at this site, picked from `credentials`.
    pub fn configuration(
        &self,
        site: SiteId,
        realm: &str,
        credentials: &[Credential],
    ) -> Result<site::Site, SiteError> {
        let mut out = self.derive(site)?;
        out.sys.realm = realm.try_into().map_err(|_| SiteError::TooLong)?;
        let mut here: Vec<&Credential> = credentials
            .iter()
            .filter(|credential| out.here().contains(credential.key))
            .collect();
        here.sort_by_key(|credential| credential.key);
        for credential in here {
            let room = out.credentials.push(credential.clone());
            room.map_err(|_| SiteError::TooMany)?;
        }
        out.validate().map_err(SiteError::Invalid)?;
        Ok(out)
    }

    /// The configuration without realm and credentials.
    pub(crate) fn derive(&self, site: SiteId) -> Result<site::Site, SiteError> {
        let network = self.site(site).ok_or(SiteError::NoSite)?.network;
        if self.ids.is_empty() {
            return Err(SiteError::NoIds);
        }
        let label = |text: &str| text.try_into().map_err(|_| SiteError::TooLong);
        let mut out = site::Site {
            sys: Sys {
                contract: self.id,
                site,
                channels: u8::try_from(self.channels()).map_err(|_| SiteError::TooMany)?,
                outside_prefix: self.settings.outside_prefix,
                international: self.settings.international,
                busy_frees_apps: self.settings.busy_frees_apps,
                voice: network.voice,
                dhcp: network.dhcp,
                ..Sys::default()
            },
            ..site::Site::default()
        };
        let all: IdSet = self.ids.iter().map(|id| id.key).collect();
        for id in all.iter().filter_map(|key| self.id(key)) {
            let id = site::Id {
                key: id.key,
                direct: id.direct.number,
                extension: id.extension,
                direct_in: id.direct_in,
                direct_out: id.direct_out,
                label: label(&id.label)?,
                kind: id.kind,
                outgoing: id.outgoing,
                site: id.site,
                port: id.port,
                phone: id.phone.map(|phone| hub::Phone {
                    mac: phone.mac,
                    model: phone.model,
                    line: phone.line,
                    port: phone.port,
                    claim: id.claim,
                }),
            };
            out.ids.push(id).map_err(|_| SiteError::TooMany)?;
        }
        for rep in &self.reps {
            let rep = site::Rep {
                number: rep.line.number,
                label: label(&rep.label)?,
                members: rep.members,
                ring: rep.ring,
                sub_cap: rep.sub_cap,
            };
            out.reps.push(rep).map_err(|_| SiteError::TooMany)?;
        }
        Ok(out)
    }
}
