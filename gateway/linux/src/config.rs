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
    /// The file that `denwaban-cloud box create` wrote.
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"state = "state"

[listen]
address = "192.0.2.1"
udp = 5060

[site]
realm = "office.example"

[[site.id]]
number = "0312345601"
extension = "201"
name = "受付"
password = "one of many"

[[site.id]]
number = "0312345602"
extension = "202"
ha1 = { md5 = "00112233445566778899aabbccddeeff", sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" }

[[site.group]]
number = "0312345600"
name = "代表"
ring = ["201", "202"]
"#;

    fn told(text: &str) -> String {
        match Config::parse(text) {
            Ok(_) => String::new(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn an_office() {
        let config = Config::parse(GOOD).unwrap();
        let Role::Alone(site) = &config.role else { panic!() };
        let group = site.reps.first().unwrap();
        assert_eq!((site.ids.len(), group.ring.iter().count()), (2, 2));
        // printf "0312345601:office.example:one of many" | md5sum; | sha256sum
        let [first, second] = &site.credentials[..] else {
            panic!()
        };
        assert_eq!(first.ha1_md5[..4], [0x6D, 0x45, 0xC3, 0x0E]);
        assert_eq!(first.ha1_sha256[..4], [0x6C, 0xED, 0x38, 0xB3]);
        assert_eq!((second.ha1_md5[1], second.ha1_sha256[31]), (0x11, 0xFF));
        assert_eq!(config.factory().box_id, BoxId(0));
    }

    /// What is changed in the good one, and what the answer must name: the line, or the place.
    #[test]
    fn what_is_wrong_is_named() {
        let table: [(&str, &str, &str); 25] = [
            ("state = \"state\"", "", "missing field `state`"),
            ("udp = 5060", "udp = 5060\nport = 5060", "line 6, column 1"),
            ("udp = 5060", "udp = 65536", "line 5, column 7"),
            ("udp = 5060", "", "no port"),
            ("udp = 5060", "tls = 5061", "needs [tls]"),
            ("192.0.2.1", "0.0.0.0", "listen.address"),
            ("192.0.2.1", "box.example", "line 4, column 11"),
            ("[site]", "[capacity]\ncalls = 0\n[site]", "capacity.calls"),
            ("[site]", "[capacity]\ncalls = 100001\n[site]", "1 to 100000"),
            (
                "[site]",
                "[capacity]\nconnections = 0\n[site]",
                "capacity.connections",
            ),
            (
                "[site]",
                "[capacity]\nphones = 1\n[site]",
                "unknown field `phones`",
            ),
            (
                "[site]",
                "[cloud]\nfactory = \"box.bin\"\n[site]",
                "one of [cloud] and [site]",
            ),
            ("office.example", "", "realm empty"),
            ("office.example", "office\\\"example", "not usable in SIP"),
            ("\"201\"\nname", "\"2O1\"\nname", "extension \"2O1\""),
            ("\"0312345602\"", "\"0312345601\"", "number used twice"),
            ("\"0312345602\"", "\"110\"", "not a subscriber number"),
            ("\"0312345602\"", "\"x\"", "site.id 2 (\"x\"): number \"x\""),
            (
                "extension = \"202\"",
                "extension = \"201\"",
                "extension used twice",
            ),
            ("password = \"one of many\"", "", "one of password and ha1"),
            ("one of many", "...", "password: less than 8"),
            ("eeff\", sha", "eefg\", sha", "ha1.md5"),
            (
                "[\"201\", \"202\"]",
                "[\"201\", \"203\"]",
                "no ID has extension 203",
            ),
            ("受付", "受付受付受付受付受付受付受付受付受付", "is too long"),
            ("[site]", "[site]\noutside_prefix = 2", "outside-line digit"),
        ];
        for (good, bad, named) in table {
            assert!(GOOD.contains(good), "{good}");
            let told = told(&GOOD.replacen(good, bad, 1));
            assert!(told.contains(named), "{bad}: {told:?} without {named:?}");
        }
    }

    #[test]
    fn the_cloud_s_box_needs_its_factory_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("factory.bin");
        let (listen, _) = GOOD.split_once("[site]").unwrap();
        let text = format!("{listen}[cloud]\nfactory = {:?}\n", path.to_str().unwrap());
        assert!(told(&text).contains("No such file"), "{}", told(&text));
        std::fs::write(&path, b"what else").unwrap();
        assert!(told(&text).contains("no factory data"), "{}", told(&text));
        let factory = Factory {
            box_id: BoxId(7),
            secret: [1; 32],
            cloud_host: "cloud.example".try_into().unwrap(),
            sip_port: 5_060,
            mqtt_port: 1_883,
            realm: "trunk.example".try_into().unwrap(),
            config_key: [2; 32],
        };
        let mut image = [0; MAX_FACTORY];
        std::fs::write(&path, factory.encode(&mut image).unwrap()).unwrap();
        assert_eq!(Config::parse(&text).unwrap().factory(), factory);
        let records = format!("records = \"x\"\n{text}");
        assert!(told(&records).contains("leave `records` out"));
    }
}
