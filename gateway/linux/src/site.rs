//! `[site]`: an office without a cloud, as a [`Site`].

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use shared::id::{ContractId, Extension, IdKey, IdSet, SiteId};
use shared::number::Number;
use shared::site::{Credential, Id, Rep, Site, Sys, TerminalKind};
use sip::digest::Ha1;

/// Fewest characters of a password: an address may try one in ten seconds, day and night.
const PASSWORD_MIN: usize = 8;

/// The office as its owner writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Office {
    realm: String,
    outside_prefix: Option<u8>,
    id: Vec<Phone>,
    #[serde(default)]
    group: Vec<Group>,
}

/// An ID: one phone, or two while one takes the other's place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phone {
    /// Its direct number, which is the phone's SIP user name.
    number: String,
    extension: String,
    #[serde(default)]
    name: String,
    password: Option<String>,
    ha1: Option<Hashes>,
}

/// `user:realm:password` hashed, in hexadecimal digits, for who does not want passwords in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hashes {
    md5: String,
    sha256: String,
}

/// A representative number and who rings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    number: String,
    #[serde(default)]
    name: String,
    /// Extensions.
    ring: Vec<String>,
}

impl Office {
    /// The site, which keeps all its rules.
    pub fn site(&self) -> Result<Site> {
        let mut site = Site {
            sys: Sys {
                contract: ContractId(0),
                site: SiteId(0),
                channels: u8::try_from(self.id.len()).unwrap_or(u8::MAX),
                realm: text(&self.realm).context("site.realm")?,
                outside_prefix: self.outside_prefix,
                ..Sys::default()
            },
            ..Site::default()
        };
        ensure!(!self.id.is_empty(), "site: no [[site.id]]");
        for (index, phone) in self.id.iter().enumerate() {
            self.add(&mut site, index, phone)
                .with_context(|| format!("site.id {} ({:?})", index + 1, phone.number))?;
        }
        let valid = |site: &Site| site.validate().map_err(|invalid| anyhow!("site: {invalid}"));
        valid(&site)?;
        for (index, group) in self.group.iter().enumerate() {
            let rep = group
                .rep(&site)
                .with_context(|| format!("site.group {} ({:?})", index + 1, group.number))?;
            site.reps
                .push(rep)
                .map_err(|_| anyhow!("site.group: no more than {}", IdKey::COUNT))?;
        }
        site.reps.sort_unstable_by_key(|rep| rep.number);
        valid(&site)?;
        Ok(site)
    }

    fn add(&self, site: &mut Site, index: usize, phone: &Phone) -> Result<()> {
        let many = || anyhow!("no more than {} IDs", IdKey::COUNT);
        let key = u16::try_from(index).ok().and_then(IdKey::new).ok_or_else(many)?;
        let direct = number(&phone.number)?;
        let id = Id {
            key,
            direct,
            extension: extension(&phone.extension)?,
            direct_in: true,
            direct_out: true,
            label: text(&phone.name).context("name")?,
            kind: TerminalKind::Fixed,
            outgoing: direct,
            site: site.sys.site,
            port: None,
            phone: None,
        };
        let ha1 = match (&phone.password, &phone.ha1) {
            (Some(password), None) => {
                let few = password.chars().count() < PASSWORD_MIN;
                ensure!(!few, "password: less than {PASSWORD_MIN} characters");
                let (realm, password) = (self.realm.as_bytes(), password.as_bytes());
                Ha1::from_password(id.user().as_bytes(), realm, password)
            }
            (None, Some(hashes)) => Ha1 {
                md5: hex(&hashes.md5).context("ha1.md5: 32 hexadecimal digits")?,
                sha256: hex(&hashes.sha256).context("ha1.sha256: 64 hexadecimal digits")?,
            },
            _ => return Err(anyhow!("one of password and ha1")),
        };
        let credential = Credential {
            key,
            ha1_md5: ha1.md5,
            ha1_sha256: ha1.sha256,
        };
        site.ids.push(id).map_err(|_| many())?;
        site.credentials.push(credential).map_err(|_| many())
    }
}

impl Group {
    fn rep(&self, site: &Site) -> Result<Rep> {
        let mut ring = IdSet::EMPTY;
        for wanted in &self.ring {
            let id = site.by_extension(extension(wanted)?);
            ring.insert(
                id.with_context(|| format!("ring: no ID has extension {wanted}"))?
                    .key,
            );
        }
        Ok(Rep {
            number: number(&self.number)?,
            label: text(&self.name).context("name")?,
            members: ring,
            ring,
            sub_cap: None,
        })
    }
}

fn number(text: &str) -> Result<Number> {
    Number::parse(text).map_err(|error| anyhow!("number {text:?}: {error}"))
}

fn extension(text: &str) -> Result<Extension> {
    text.parse()
        .map_err(|error| anyhow!("extension {text:?}: {error}"))
}

fn text<T: for<'a> TryFrom<&'a str>>(text: &str) -> Result<T> {
    T::try_from(text).map_err(|_| anyhow!("{text:?} is too long"))
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| !pair.starts_with('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}
