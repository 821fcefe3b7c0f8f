//! Which files are fetched, one after the other, and what is kept of them.

use std::collections::{BTreeMap, VecDeque};

use crate::fetch::Outcome;
use crate::model::{Discovery, Model, Vendor};
use crate::url::{Scheme, Url};
use crate::{Mac, grandstream, panasonic};

/// What a phone keeps over a loss of power.
pub type Store = BTreeMap<String, String>;

/// What the next file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Grandstream's binary file.
    Binary,
    /// Grandstream's XML file; when it is good no other is fetched.
    Xml,
    /// Panasonic's pre-provisioning file: it says where the others are.
    First,
    /// One of those.
    Final,
}

/// The files that are still to be fetched.
pub struct Plan {
    files: VecDeque<(Kind, Url)>,
    /// Values of the final files so far: the first that gives a value wins.
    values: Vec<(String, String)>,
    /// A file with settings was taken.
    pub configured: bool,
}

impl Plan {
    /// Of what a way of discovery gave, if the phone takes it.
    pub fn found(
        model: &Model,
        mac: Mac,
        how: Discovery,
        text: &str,
        boot_file: Option<&str>,
    ) -> Option<Self> {
        match model.vendor {
            Vendor::Panasonic => {
                let url = panasonic::first_file(model, mac, how, text, boot_file)?;
                Some(Self::of(vec![(Kind::First, url)]))
            }
            Vendor::Grandstream => {
                let folder = match how {
                    // "A path with a trailing slash", else the phone silently ignores it (gs_tools plugnplay/README.md).
                    Discovery::Pnp => Url::parse(text, None).filter(|url| url.path.ends_with('/'))?,
                    // Without a scheme, TFTP (github.com/0lesen/Grandstream-HT801).
                    _ => Url::parse(text, Some(Scheme::Tftp))?,
                };
                let mut kind = Kind::Binary;
                let files = grandstream::files(model, mac)
                    .into_iter()
                    .map(|name| (std::mem::replace(&mut kind, Kind::Xml), folder.file(&name)));
                Some(Self::of(files.collect()))
            }
        }
    }

    /// Of what is stored, by hand or from an earlier time.
    pub fn stored(model: &Model, mac: Mac, store: &Store) -> Option<Self> {
        match model.vendor {
            Vendor::Grandstream => {
                let path = store.get("P237").filter(|path| !path.is_empty())?;
                // P212: 0 TFTP, 1 HTTP.
                let path = match store.get("P212").map(String::as_str) {
                    Some("1") if !path.contains("://") => format!("http://{path}"),
                    _ => path.clone(),
                };
                Self::found(model, mac, Discovery::Manual, &path, None)
            }
            Vendor::Panasonic => {
                let files = panasonic_files(model, mac, store);
                (!files.is_empty()).then(|| Self::of(files))
            }
        }
    }

    fn of(files: Vec<(Kind, Url)>) -> Self {
        Plan {
            files: files.into(),
            values: Vec::new(),
            configured: false,
        }
    }

    /// The file to fetch now; none when all is done.
    pub fn next(&self) -> Option<&Url> {
        self.files.front().map(|(_, url)| url)
    }

    /// Takes what came of it; what the phone does not like is told in `problems`.
    pub fn fetched(
        &mut self,
        model: &Model,
        mac: Mac,
        store: &mut Store,
        outcome: Outcome,
        problems: &mut Vec<String>,
    ) {
        let Some((kind, url)) = self.files.pop_front() else {
            return;
        };
        let Outcome::File(bytes) = outcome else {
            if self.files.is_empty() {
                self.keep(store);
            }
            return;
        };
        let parsed = match kind {
            Kind::Binary => Err("only the vendor's tool makes this format".into()),
            Kind::Xml => grandstream::parse(&bytes, mac),
            Kind::First | Kind::Final => panasonic::parse(&bytes),
        };
        match (kind, parsed) {
            (_, Err(problem)) => problems.push(format!("{url}: {problem}")),
            (Kind::First, Ok(values)) => {
                for (name, value) in values
                    .into_iter()
                    .filter(|(name, _)| panasonic::PATHS.contains(&name.as_str()))
                {
                    store.insert(name, value);
                }
                self.files = panasonic_files(model, mac, store).into();
            }
            (_, Ok(values)) => {
                self.configured = true;
                for (name, value) in values {
                    match self.values.iter().find(|(known, _)| *known == name) {
                        Some((_, first)) if *first != value && kind == Kind::Final => {
                            problems.push(format!("{url}: {name} is {first:?} in another file"));
                        }
                        Some(_) => {}
                        None => self.values.push((name, value)),
                    }
                }
                if kind == Kind::Xml {
                    self.files.clear();
                }
            }
        }
        if self.files.is_empty() {
            self.keep(store);
        }
    }

    /// A value that no file gives stays as it is.
    fn keep(&mut self, store: &mut Store) {
        store.extend(self.values.drain(..));
    }
}

fn panasonic_files(model: &Model, mac: Mac, store: &Store) -> Vec<(Kind, Url)> {
    let paths = panasonic::PATHS.iter().filter_map(|name| store.get(*name));
    let urls = paths.filter_map(|path| Url::parse(&panasonic::expand(path, model, mac), None));
    urls.map(|url| (Kind::Final, url)).collect()
}
