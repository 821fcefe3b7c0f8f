//! The commands of `denwaban-cloud`.
//!
//! Orders go straight to the database, so they work with and without a running server; a running one is told and
//! pushes what changed. Only what lives in the server's memory is asked of it.

mod area;
mod files;
mod hub;
mod orders;
mod print;
mod read;
mod why;

pub(crate) use print::say;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use contract::Lang;
use serde::Serialize;
use serde_json::json;
use shared::analog::PORTS;
use shared::id::{BoxId, SiteId};

use self::area::AreaCommand;
use self::orders::Order;
use self::why::Why;
use crate::broker::BrokerUrl;
use crate::control;
use crate::db::{BoxOrder, Db};
use crate::refusal::{Refusal, Result};
use crate::server::{self, Options};
use crate::sip_io::{Listen, tls};

/// The cloud PBX of Denwaban (電話番).
#[derive(Debug, Parser)]
#[command(name = "denwaban-cloud", version, about)]
pub struct Cli {
    /// Data directory: database, signing key, control socket.
    #[arg(long, global = true, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Print JSON for machines instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Language of what rules of contracts refuse, of `why` and of `area check`; that of the environment (LANG) unless given.
    #[arg(long, global = true, value_enum)]
    lang: Option<Language>,
    #[command(subcommand)]
    command: Command,
}

/// A language of the texts.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Ja,
    En,
}

impl Cli {
    /// The language of whoever asks.
    pub fn lang(&self) -> Lang {
        match self.lang {
            Some(Language::Ja) => Lang::Ja,
            Some(Language::En) => Lang::En,
            None if std::env::var("LANG").is_ok_and(|lang| lang.starts_with("ja")) => Lang::Ja,
            None => Lang::En,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; prints `ready` when every listener is up.
    Serve(Serve),
    /// Set the service domain of a new data directory; only before the first ID and the first box.
    ///
    /// Passwords depend on it. Without `init` it is denwaban.example.
    Init {
        /// SIP domain and digest realm, for example pbx.example.
        #[arg(long)]
        realm: String,
    },
    #[command(flatten)]
    Order(Order),
    /// Boxes.
    #[command(subcommand)]
    Box(BoxCommand),
    /// Which addresses are in which number areas (番号区画).
    #[command(subcommand)]
    Area(AreaCommand),
    /// Why would a call ring there, or not? Says what each step of routing finds, and for every terminal the rule.
    Why(Why),
    /// Show what is there.
    Show {
        /// What.
        what: What,
        /// With records: at most so many calls, the latest.
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Write password and ACL files for an external mosquitto broker.
    BrokerAcl {
        /// Folder for `passwd`, `acl` and `mosquitto.conf`.
        #[arg(long)]
        out: PathBuf,
        /// The server's password at that broker.
        #[arg(long)]
        password: String,
        /// What the broker listens on, as in mosquitto.conf.
        #[arg(long, default_value = "1883")]
        listener: String,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// Where boxes and the carrier reach SIP, over UDP and TCP: one IPv4 address of this machine. Media go there too.
    #[arg(long, value_name = "IP:PORT", value_parser = read::ipv4)]
    sip: SocketAddr,
    /// Take SIP over TLS here too.
    #[arg(long, value_name = "IP:PORT", value_parser = read::ipv4, requires = "tls_cert")]
    sip_tls: Option<SocketAddr>,
    /// Take SIP over WebSocket here too (RFC 7118), from a proxy that ends TLS.
    #[arg(long, value_name = "IP:PORT", value_parser = read::ipv4)]
    sip_ws: Option<SocketAddr>,
    /// Take SIP over WebSocket and TLS here too.
    #[arg(long, value_name = "IP:PORT", value_parser = read::ipv4, requires = "tls_cert")]
    sip_wss: Option<SocketAddr>,
    /// Certificate chain for TLS, PEM, our own first.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where boxes reach the broker inside the server.
    #[arg(
        long,
        value_name = "IP:PORT",
        required_unless_present = "broker",
        conflicts_with = "broker"
    )]
    mqtt: Option<SocketAddr>,
    /// The carrier's SIP trunk: outside calls go there, and what comes from its address is the carrier's.
    #[arg(long, value_name = "IP:PORT", value_parser = read::ipv4)]
    carrier: SocketAddr,
    /// Use this MQTT 5 broker instead of the one inside: mqtt://user:password@host:port.
    #[arg(long, value_name = "URL")]
    broker: Option<BrokerUrl>,
    /// Ports of the RTP relay.
    #[arg(long, value_name = "LOW-HIGH", default_value = "20000-21999", value_parser = read::port_range)]
    rtp_ports: (u16, u16),
}

impl Serve {
    fn listen(&self) -> anyhow::Result<Listen> {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificates), Some(key)) => Some(tls::acceptor(certificates, key)?),
            _ => None,
        };
        Ok(Listen {
            tls: self.sip_tls.zip(tls.clone()),
            ws: self.sip_ws,
            wss: self.sip_wss.zip(tls),
            ..Listen::plain(self.sip)
        })
    }
}

#[derive(Debug, Subcommand)]
enum BoxCommand {
    /// Make the box of a site and write its factory data: identity, secret, and where its cloud is.
    Create {
        /// Site.
        #[arg(long)]
        site: u32,
        /// Name or address at which the box finds this server.
        #[arg(long)]
        host: String,
        /// TCP port of SIP there.
        #[arg(long, default_value_t = 5060, value_parser = clap::value_parser!(u16).range(1..))]
        sip_port: u16,
        /// TCP port of the broker there.
        #[arg(long, default_value_t = 1883, value_parser = clap::value_parser!(u16).range(1..))]
        mqtt_port: u16,
        /// File for the factory data. It holds the secret.
        #[arg(long)]
        out: PathBuf,
    },
    /// Test the analog line at a port now; asks the running server. What comes of it is in `show events`.
    TestLine {
        /// Box id, see `show boxes`.
        #[arg(long = "box", value_name = "ID")]
        id: BoxId,
        /// Number of the port, from 1.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(PORTS)))]
        port: u8,
    },
    /// What is at the ports with power of a box, and which phones wait to be claimed; the running server asks it.
    Show {
        /// Box id, see `show boxes`.
        #[arg(value_name = "BOX")]
        id: BoxId,
    },
    /// Switch the power of a port; asks the running server.
    Port {
        /// Box id, see `show boxes`.
        #[arg(value_name = "BOX")]
        id: BoxId,
        /// Number of the port, from 1.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=i64::from(shared::hub::PORTS)))]
        port: u8,
        /// What to do.
        #[arg(value_enum)]
        action: hub::PowerAction,
        /// Even if its phone is in a call; without, the box leaves the port as it is then.
        #[arg(long)]
        force: bool,
    },
    /// Remove a box, for example a broken one that another replaces; its events and call records stay.
    Remove {
        /// Box id, see `show boxes`.
        #[arg(long = "box", value_name = "ID")]
        id: BoxId,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Contracts with IDs, numbers and sites.
    Contracts,
    /// Boxes, their links and configurations.
    Boxes,
    /// Phones registered at boxes; trunks, and phones whose box is away, registered at the cloud.
    Registrations,
    /// Live calls; asks the running server.
    Calls,
    /// Call records, the legs of box and cloud joined.
    Records,
    /// Starts, alarms, panics, registrations and call legs as boxes and cloud told them.
    Events,
}

impl Command {
    /// May begin an installation in an empty place.
    fn begins(&self) -> bool {
        match self {
            Self::Init { .. } | Self::Serve(_) => true,
            Self::Order(order) => order.begins(),
            _ => false,
        }
    }

    /// Works without the signing key.
    fn keyless(&self) -> bool {
        match self {
            Self::Show { .. } | Self::Why(_) => true,
            Self::Box(BoxCommand::Remove { .. } | BoxCommand::Show { .. } | BoxCommand::Port { .. }) => true,
            Self::Order(order) => order.looks(),
            _ => false,
        }
    }
}

/// Carries out one command.
pub async fn run(cli: Cli) -> Result<()> {
    if !cli.command.begins() && !Db::exists(&cli.data) {
        return Err(Refusal::new(
            "data",
            format!("no installation in {}", cli.data.display()),
            "Give its directory with --data, or begin one with `init` or `contract create`.",
        )
        .into());
    }
    let db = if cli.command.keyless() {
        Db::open_keyless(&cli.data).await?
    } else {
        Db::open(&cli.data).await?
    };
    let (json, lang) = (cli.json, cli.lang());
    match cli.command {
        Command::Serve(serve) => {
            let options = Options {
                sip: serve.listen()?,
                mqtt: serve.mqtt,
                broker: serve.broker,
                carrier: serve.carrier,
                rtp_ports: serve.rtp_ports,
            };
            server::run(db, options).await?;
            return Ok(());
        }
        Command::Init { realm } => {
            db.init(&realm).await?;
            print::done(
                json,
                json!({ "realm": realm }),
                &format!("service domain {realm}"),
            )?;
        }
        Command::Order(order) => order.carry_out(&db, json, lang).await?,
        Command::Box(command) => r#box(&db, json, command).await?,
        Command::Area(command) => return command.carry_out(&db, json, lang).await,
        Command::Why(why) => return why.answer(&db, json, lang).await,
        Command::Show { what, limit } => return show(&db, json, what, limit).await,
        Command::BrokerAcl {
            out,
            password,
            listener,
        } => {
            files::broker(&db, &out, &password, &listener).await?;
            print::done(
                json,
                json!({ "out": out }),
                &format!("passwd, acl and mosquitto.conf in {}", out.display()),
            )?;
        }
    }
    control::ring(&db).await;
    db.close().await;
    Ok(())
}

async fn r#box(db: &Db, json: bool, command: BoxCommand) -> Result<()> {
    match command {
        BoxCommand::Create {
            site,
            host,
            sip_port,
            mqtt_port,
            out,
        } => {
            let order = BoxOrder {
                site: SiteId(site),
                host: &host,
                sip_port,
                mqtt_port,
            };
            let id = files::create_box(db, order, &out).await?.to_string();
            print::done(
                json,
                json!({ "box": id, "site": site, "out": out }),
                &format!("box {id} for site {site}; factory data in {}", out.display()),
            )?;
        }
        BoxCommand::TestLine { id, port } => {
            let boxes = db.boxes().await?;
            let online = boxes
                .iter()
                .any(|row| row.r#box == id.to_string() && row.online == Some(true));
            if !online || control::test_line(db, id, port).await?.is_none() {
                return Err(hub::away(id).into());
            }
            print::done(
                json,
                json!({ "box": id.to_string(), "port": port }),
                &format!("port {port} of box {id} is being tested; see `show events`"),
            )?;
        }
        BoxCommand::Show { id } => {
            let found = hub::look(db, id).await?;
            let text = match json {
                true => serde_json::to_string_pretty(&found).context("box as JSON")? + "\n",
                false => hub::show(&found),
            };
            print::say(&text)?;
        }
        BoxCommand::Port {
            id,
            port,
            action,
            force,
        } => {
            let order = action.into();
            hub::switch(db, id, port, order, force).await?;
            print::done(
                json,
                json!({ "box": id.to_string(), "port": port, "order": order, "force": force }),
                &format!("port {port} of box {id} is told; see `box show`"),
            )?;
        }
        BoxCommand::Remove { id } => {
            db.remove_box(id).await?;
            print::done(
                json,
                json!({ "box": id.to_string() }),
                &format!("box {id} removed"),
            )?;
        }
    }
    Ok(())
}

async fn show(db: &Db, json: bool, what: What, limit: u32) -> Result<()> {
    match what {
        What::Contracts => rows(json, &db.contracts().await?, print::contracts),
        What::Boxes => {
            let mut boxes = db.boxes().await?;
            if !control::is_served(db).await {
                for row in &mut boxes {
                    (row.online, row.trunk) = (None, None);
                }
            }
            rows(json, &boxes, print::boxes)
        }
        What::Registrations => {
            let mut registrations = db.registrations().await?;
            if !control::is_served(db).await {
                registrations.iter_mut().for_each(|row| row.since = None);
            }
            rows(json, &registrations, print::registrations)
        }
        What::Records => rows(json, &db.records(limit).await?, print::records),
        What::Events => rows(json, &db.events(limit).await?, print::events),
        What::Calls => {
            let calls = control::calls(db).await?.ok_or_else(|| {
                Refusal::new(
                    "server",
                    "no server runs on this data directory",
                    "Start it with `serve`.",
                )
            })?;
            rows(json, &calls, print::calls)
        }
    }
}

fn rows<T: Serialize>(json: bool, rows: &[T], table: impl Fn(&[T]) -> String) -> Result<()> {
    let text = if json {
        serde_json::to_string_pretty(rows).context("rows as JSON")? + "\n"
    } else {
        table(rows)
    };
    Ok(print::say(&text)?)
}
