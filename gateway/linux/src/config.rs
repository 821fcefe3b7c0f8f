//! The configuration file: TOML, everything in it known and checked before anything starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use shared::factory::{Factory, MAX_FACTORY};
use shared::id::BoxId;
use shared::site::Site;

use crate::site;

/// What the file says. The README shows an example.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Listen,
    tls: Option<Tls>,
    state: PathBuf,
    records: Option<PathBuf>,
    metrics: Option<SocketAddr>,
    #[serde(default)]
    capacity: Capacity,
    cloud: Option<Cloud>,
    site: Option<site::Office>,
}

/// Where phones find the box: one address of the machine, a port for each transport that is wanted.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The address. Messages name it, so it is never 0.0.0.0.
    pub address: Ipv4Addr,
    /// Datagrams.
    pub udp: Option<u16>,
    /// TCP.
    pub tcp: Option<u16>,
    /// TLS over TCP; needs `[tls]`.
    pub tls: Option<u16>,
}

/// What the box shows to phones that come by TLS.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Its certificate and those up to the authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// How much there may be at once. Memory for calls is taken as it is needed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capacity {
    /// Calls.
    pub calls: usize,
    /// Connections of phones.
    pub connections: u16,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            calls: 1_000,
            connections: 1_024,
        }
    }
}

/// The way to the cloud.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cloud {
    /// The file that `denwaban-cloud box add` wrote.
    factory: PathBuf,
}

/// Who the box is.
#[expect(clippy::large_enum_variant, reason = "there is one")]
#[derive(Debug)]
pub enum Role {
    /// The box of a contract's site: its configuration comes from the cloud, its records go there.
    Cloud(Factory),
    /// Alone, with an office of its own.
    Alone(Site),
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Config {
    /// Where phones find the box.
    pub listen: Listen,
    /// For TLS.
    pub tls: Option<Tls>,
    /// What the box remembers over a power cut.
    pub state: PathBuf,
    /// Where a box without a cloud writes its events, one JSON object a line.
    pub records: Option<PathBuf>,
    /// Where Prometheus finds its figures.
    pub metrics: Option<SocketAddr>,
    /// How much there may be at once.
    pub capacity: Capacity,
    /// Who the box is.
    pub role: Role,
}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let File {
            listen,
            tls,
            state,
            records,
            metrics,
            capacity,
            cloud,
            site,
        } = toml::from_str(text)?;
        ensure!(
            !listen.address.is_unspecified(),
            "listen.address: an address of this machine, as messages name it"
        );
        ensure!(
            listen.udp.or(listen.tcp).or(listen.tls).is_some(),
            "listen: no port: give udp, tcp or tls"
        );
        ensure!(
            listen.tls.is_none() || tls.is_some(),
            "listen.tls needs [tls] with certificate and key"
        );
        ensure!(
            (1..=Self::CALLS_MAX).contains(&capacity.calls),
            "capacity.calls: 1 to {}",
            Self::CALLS_MAX
        );
        ensure!(capacity.connections > 0, "capacity.connections: at least 1");
        let role = match (cloud, site) {
            (Some(cloud), None) => {
                ensure!(records.is_none(), "records go to the cloud: leave `records` out");
                Role::Cloud(cloud.read()?)
            }
            (None, Some(office)) => Role::Alone(office.site()?),
            _ => bail!("one of [cloud] and [site]"),
        };
        Ok(Self {
            listen,
            tls,
            state,
            records,
            metrics,
            capacity,
            role,
        })
    }

    /// Most calls that handles can name, with their legs.
    const CALLS_MAX: usize = 100_000;

    /// The factory data; of nobody where there is no cloud.
    pub fn factory(&self) -> Factory {
        match &self.role {
            Role::Cloud(factory) => factory.clone(),
            Role::Alone(_) => Factory {
                box_id: BoxId(0),
                secret: [0; 32],
                cloud_host: Default::default(),
                sip_port: 0,
                mqtt_port: 0,
                realm: Default::default(),
                config_key: [0; 32],
            },
        }
    }
}

impl Cloud {
    fn read(&self) -> Result<Factory> {
        let path = self.factory.display();
        let mut image = std::fs::read(&self.factory).with_context(|| format!("{path}"))?;
        image.resize(MAX_FACTORY.max(image.len()), 0xFF);
        Factory::decode(&image).with_context(|| format!("{path}"))
    }
}
