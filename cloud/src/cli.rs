//! The commands of `denwaban-cloud`.
//!
//! Orders go straight to the database, so they work with and without a running server; a running one is told and
//! pushes what changed. Only what lives in the server's memory is asked of it.

mod files;
mod print;
mod read;

pub(crate) use print::say;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;
use shared::id::{BoxId, ContractId, Extension, SiteId};
use shared::number::Number;
use shared::site::TerminalKind;

use self::read::Extensions;
use crate::broker::BrokerUrl;
use crate::control;
use crate::db::{BoxOrder, Db, IdChange, NewId, NewRep, RepChange};
use crate::refusal::{Refusal, Result};
use crate::server::{self, Options};

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
    #[command(subcommand)]
    command: Command,
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
    /// Contracts.
    #[command(subcommand)]
    Contract(ContractCommand),
    /// IDs: one for each terminal, with its direct number.
    #[command(subcommand)]
    Id(IdCommand),
    /// Representative numbers and their ring groups.
    #[command(subcommand)]
    Rep(RepCommand),
    /// Sites of a contract.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Boxes.
    #[command(subcommand)]
    Box(BoxCommand),
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

#[derive(Debug, Subcommand)]
enum ContractCommand {
    /// Make a contract.
    Create {
        /// The customer's name.
        #[arg(long)]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum IdCommand {
    /// Add an ID; its password is printed once and kept nowhere.
    Add {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Site of its terminal; the contract's first unless given.
        #[arg(long)]
        site: Option<u32>,
        /// Direct number (直通番号).
        #[arg(long)]
        direct: Number,
        /// Extension (内線): 2 to 6 digits, the first 2 to 9.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
        /// Name shown to others.
        #[arg(long)]
        label: String,
        /// Kind of terminal.
        #[arg(long, value_enum, default_value = "fixed")]
        kind: Kind,
        /// Password, at least 8 characters; made if not given.
        #[arg(long)]
        password: Option<String>,
    },
    /// Change an ID.
    Set {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
        /// Name shown to others.
        #[arg(long)]
        label: Option<String>,
        /// Number its calls present: its own, or of a group it belongs to.
        #[arg(long)]
        outgoing: Option<Number>,
        /// Calls to the direct number ring.
        #[arg(long)]
        direct_in: Option<bool>,
        /// Calls may present the direct number.
        #[arg(long)]
        direct_out: Option<bool>,
        /// New password, at least 8 characters.
        #[arg(long)]
        password: Option<String>,
    },
    /// Give an ID and its direct number back.
    Remove {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long, value_parser = read::extension)]
        extension: Extension,
    },
}

#[derive(Debug, Subcommand)]
enum RepCommand {
    /// Add a representative number (代表番号).
    Add {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// The number.
        #[arg(long)]
        number: Number,
        /// Name shown on ringing terminals.
        #[arg(long)]
        label: String,
        /// Extensions of the members, as 201,202.
        #[arg(long)]
        members: Vec<Extensions>,
        /// Extensions of the members that ring (鳴り分け); all unless given.
        #[arg(long)]
        ring: Option<Vec<Extensions>>,
    },
    /// Change label, members and who rings; what is not given stays.
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["label", "members", "ring"])))]
    Set {
        /// The number.
        #[arg(long)]
        number: Number,
        /// Name shown on ringing terminals.
        #[arg(long)]
        label: Option<String>,
        /// Extensions of all members from now on; all of them ring unless --ring is given.
        #[arg(long)]
        members: Option<Vec<Extensions>>,
        /// Extensions of the members that ring (鳴り分け).
        #[arg(long)]
        ring: Option<Vec<Extensions>>,
    },
    /// Give a representative number back.
    Remove {
        /// The number.
        #[arg(long)]
        number: Number,
    },
}

#[derive(Debug, Subcommand)]
enum SiteCommand {
    /// Make a site.
    Create {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its name.
        #[arg(long, default_value = "本社")]
        name: String,
    },
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
    /// Remove a box, for example a broken one that another replaces; its events and call records stay.
    Remove {
        /// Box id, see `show boxes`.
        #[arg(long = "box", value_name = "ID")]
        id: BoxId,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Fixed,
    App,
    Adapter,
}

impl From<Kind> for TerminalKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Fixed => Self::Fixed,
            Kind::App => Self::App,
            Kind::Adapter => Self::Adapter,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Contracts with IDs, numbers and sites.
    Contracts,
    /// Boxes, their links and configurations.
    Boxes,
    /// Phones registered at boxes, trunks registered at the cloud.
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
        matches!(
            self,
            Self::Init { .. } | Self::Contract(ContractCommand::Create { .. }) | Self::Serve(_)
        )
    }

    /// Works without the signing key.
    fn keyless(&self) -> bool {
        matches!(self, Self::Show { .. } | Self::Box(BoxCommand::Remove { .. }))
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
    let json = cli.json;
    match cli.command {
        Command::Serve(serve) => {
            let options = Options {
                sip: serve.sip,
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
        Command::Contract(ContractCommand::Create { name }) => {
            let id = db.create_contract(&name).await?;
            print::done(
                json,
                json!({ "contract": id.0, "name": name }),
                &format!("contract {}", id.0),
            )?;
        }
        Command::Id(command) => id(&db, json, command).await?,
        Command::Rep(command) => rep(&db, json, command).await?,
        Command::Site(SiteCommand::Create { contract, name }) => {
            let id = db.create_site(ContractId(contract), &name).await?;
            print::done(
                json,
                json!({ "site": id.0, "contract": contract }),
                &format!("site {}", id.0),
            )?;
        }
        Command::Box(BoxCommand::Create {
            site,
            host,
            sip_port,
            mqtt_port,
            out,
        }) => {
            let order = BoxOrder {
                site: SiteId(site),
                host: &host,
                sip_port,
                mqtt_port,
            };
            let id = files::create_box(&db, order, &out).await?.to_string();
            print::done(
                json,
                json!({ "box": id, "site": site, "out": out }),
                &format!("box {id} for site {site}; factory data in {}", out.display()),
            )?;
        }
        Command::Box(BoxCommand::Remove { id }) => {
            db.remove_box(id).await?;
            print::done(
                json,
                json!({ "box": id.to_string() }),
                &format!("box {id} removed"),
            )?;
        }
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

async fn id(db: &Db, json: bool, command: IdCommand) -> Result<()> {
    match command {
        IdCommand::Add {
            contract,
            site,
            direct,
            extension,
            label,
            kind,
            password,
        } => {
            let new = NewId {
                contract: ContractId(contract),
                site: site.map(SiteId),
                direct,
                extension,
                label,
                kind: kind.into(),
                password,
            };
            let (key, password) = db.add_id(&new).await?;
            let (user, realm) = (direct.digits().to_string(), db.realm().await?);
            print::done(
                json,
                json!({
                    "key": key.index(), "user": user, "extension": extension.to_string(), "realm": realm,
                    "password": password,
                }),
                &format!("ID {user} ({extension}), user {user}, realm {realm}, password {password}"),
            )?;
        }
        IdCommand::Set {
            contract,
            extension,
            label,
            outgoing,
            direct_in,
            direct_out,
            password,
        } => {
            let change = IdChange {
                label,
                outgoing,
                direct_in,
                direct_out,
                password,
            };
            db.change_id(ContractId(contract), extension, &change).await?;
            print::done(
                json,
                json!({ "extension": extension.to_string() }),
                &format!("ID {extension} changed"),
            )?;
        }
        IdCommand::Remove { contract, extension } => {
            db.remove_id(ContractId(contract), extension).await?;
            print::done(
                json,
                json!({ "extension": extension.to_string() }),
                &format!("ID {extension} removed"),
            )?;
        }
    }
    Ok(())
}

async fn rep(db: &Db, json: bool, command: RepCommand) -> Result<()> {
    let (number, what) = match command {
        RepCommand::Add {
            contract,
            number,
            label,
            members,
            ring,
        } => {
            db.add_rep(&NewRep {
                contract: ContractId(contract),
                number,
                label,
                members: Extensions::all(members),
                ring: ring.map(Extensions::all),
            })
            .await?;
            (number, "added")
        }
        RepCommand::Set {
            number,
            label,
            members,
            ring,
        } => {
            let change = RepChange {
                label,
                members: members.map(Extensions::all),
                ring: ring.map(Extensions::all),
            };
            db.change_rep(number, &change).await?;
            (number, "changed")
        }
        RepCommand::Remove { number } => {
            db.remove_rep(number).await?;
            (number, "removed")
        }
    };
    let digits = number.digits().to_string();
    if what != "removed" && db.is_unattended(number).await? {
        eprintln!(
            "R2: warning: nobody rings for {digits}. Name members: `rep set --number {digits} --members 201,202`."
        );
    }
    print::done(
        json,
        json!({ "number": digits }),
        &format!("representative number {digits} {what}"),
    )?;
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
