//! The commands of `denwaban-cloud`.
//!
//! Orders go straight to the database, so they work with and without a running server; a running one is told and
//! pushes what changed. Only what lives in the server's memory is asked of it.

mod print;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;
use shared::factory::MAX_FACTORY;
use shared::id::{ContractId, Extension, SiteId};
use shared::number::Number;
use shared::site::TerminalKind;

use crate::broker::{BrokerUrl, SERVER_USER, acl};
use crate::control;
use crate::db::{Db, IdChange, NewId, NewRep};
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
    /// Set the service domain of a new data directory.
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
    /// Where boxes and the carrier reach SIP, over UDP and TCP.
    #[arg(long, value_name = "IP:PORT")]
    sip: SocketAddr,
    /// Where boxes reach the broker inside the server.
    #[arg(long, value_name = "IP:PORT", required_unless_present = "broker")]
    mqtt: Option<SocketAddr>,
    /// The carrier's trunk, known by this address.
    #[arg(long, value_name = "IP:PORT")]
    carrier: SocketAddr,
    /// Use this MQTT 5 broker instead of the one inside: mqtt://user:password@host:port.
    #[arg(long, value_name = "URL")]
    broker: Option<BrokerUrl>,
    /// Ports of the RTP relay.
    #[arg(long, value_name = "LOW-HIGH", default_value = "20000-21999", value_parser = ports)]
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
        /// Extension (内線).
        #[arg(long)]
        extension: Extension,
        /// Name shown to others.
        #[arg(long)]
        label: String,
        /// Kind of terminal.
        #[arg(long, value_enum, default_value = "fixed")]
        kind: Kind,
        /// Password; made if not given.
        #[arg(long)]
        password: Option<String>,
    },
    /// Change an ID.
    Set {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long)]
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
        /// New password.
        #[arg(long)]
        password: Option<String>,
    },
    /// Give an ID and its direct number back.
    Remove {
        /// Contract.
        #[arg(long)]
        contract: u32,
        /// Its extension.
        #[arg(long)]
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
        /// Extensions of the members.
        #[arg(long, value_delimiter = ',')]
        members: Vec<Extension>,
        /// Extensions of the members that ring (鳴り分け); all unless given.
        #[arg(long, value_delimiter = ',')]
        ring: Option<Vec<Extension>>,
    },
    /// Change members and who rings.
    Set {
        /// The number.
        #[arg(long)]
        number: Number,
        /// Extensions of the members.
        #[arg(long, value_delimiter = ',')]
        members: Vec<Extension>,
        /// Extensions of the members that ring; all unless given.
        #[arg(long, value_delimiter = ',')]
        ring: Option<Vec<Extension>>,
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
        #[arg(long, default_value_t = 5060)]
        sip_port: u16,
        /// TCP port of the broker there.
        #[arg(long, default_value_t = 1883)]
        mqtt_port: u16,
        /// File for the factory data. It holds the secret.
        #[arg(long)]
        out: PathBuf,
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
}

fn ports(text: &str) -> std::result::Result<(u16, u16), String> {
    let (low, high) = text
        .split_once('-')
        .ok_or("give LOW-HIGH, for example 20000-21999")?;
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low >= 1024 && low < high => Ok((low, high)),
        _ => Err("give two ports from 1024, the lower first".into()),
    }
}

/// Carries out one command.
pub async fn run(cli: Cli) -> Result<()> {
    let db = Db::open(&cli.data).await?;
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
            );
        }
        Command::Contract(ContractCommand::Create { name }) => {
            let id = db.create_contract(&name).await?;
            print::done(
                json,
                json!({ "contract": id.0, "name": name }),
                &format!("contract {}", id.0),
            );
        }
        Command::Id(command) => id(&db, json, command).await?,
        Command::Rep(command) => rep(&db, json, command).await?,
        Command::Site(SiteCommand::Create { contract, name }) => {
            let id = db.create_site(ContractId(contract), &name).await?;
            print::done(
                json,
                json!({ "site": id.0, "contract": contract }),
                &format!("site {}", id.0),
            );
        }
        Command::Box(BoxCommand::Create {
            site,
            host,
            sip_port,
            mqtt_port,
            out,
        }) => {
            let factory = db.create_box(SiteId(site), &host, sip_port, mqtt_port).await?;
            let mut buf = [0; MAX_FACTORY];
            let image = factory.encode(&mut buf).context("encoding factory data")?;
            secret_file(&out, image)?;
            let id = factory.box_id.to_string();
            print::done(
                json,
                json!({ "box": id, "site": site, "out": out }),
                &format!("box {id} for site {site}; factory data in {}", out.display()),
            );
        }
        Command::Show { what, limit } => return show(&db, json, what, limit).await,
        Command::BrokerAcl {
            out,
            password,
            listener,
        } => {
            broker_files(&db, &out, &password, &listener).await?;
            print::done(
                json,
                json!({ "out": out }),
                &format!("passwd, acl and mosquitto.conf in {}", out.display()),
            );
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
            );
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
            );
        }
        IdCommand::Remove { contract, extension } => {
            db.remove_id(ContractId(contract), extension).await?;
            print::done(
                json,
                json!({ "extension": extension.to_string() }),
                &format!("ID {extension} removed"),
            );
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
                members,
                ring,
            })
            .await?;
            (number, "added")
        }
        RepCommand::Set {
            number,
            members,
            ring,
        } => {
            db.change_rep(number, &members, ring.as_deref()).await?;
            (number, "changed")
        }
        RepCommand::Remove { number } => {
            db.remove_rep(number).await?;
            (number, "removed")
        }
    };
    let digits = number.digits().to_string();
    print::done(
        json,
        json!({ "number": digits }),
        &format!("representative number {digits} {what}"),
    );
    Ok(())
}

async fn show(db: &Db, json: bool, what: What, limit: u32) -> Result<()> {
    match what {
        What::Contracts => rows(json, &db.contracts().await?, print::contracts),
        What::Boxes => rows(json, &db.boxes().await?, print::boxes),
        What::Registrations => rows(json, &db.registrations().await?, print::registrations),
        What::Records => rows(json, &db.records(limit).await?, print::records),
        What::Calls => {
            let calls = control::calls(db).await?.ok_or_else(|| {
                Refusal::new(
                    "server",
                    "no server runs on this data directory",
                    "Start it with `serve`.",
                )
            })?;
            rows(json, &calls, print::calls);
        }
    }
    Ok(())
}

fn rows<T: Serialize>(json: bool, rows: &[T], table: impl Fn(&[T])) {
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(rows).unwrap_or_else(|_| "[]".into())
        );
    } else {
        table(rows);
    }
}

async fn broker_files(db: &Db, out: &std::path::Path, password: &str, listener: &str) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("folder {}", out.display()))?;
    let out = out.canonicalize().context("folder for the broker's files")?;
    let mut lines = format!("{SERVER_USER}:{}\n", acl::hash(password, rand::random()));
    for (id, hash) in db.mqtt_accounts().await? {
        lines.push_str(&format!("{id}:{hash}\n"));
    }
    let conf = acl::mosquitto_conf(&out.display().to_string(), listener);
    for (name, text) in [
        ("passwd", lines),
        ("acl", acl::mosquitto_acl(SERVER_USER)),
        ("mosquitto.conf", conf),
    ] {
        std::fs::write(out.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}

/// Writes a file that only its owner may read.
fn secret_file(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let written = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes));
    Ok(written.with_context(|| format!("writing {}", path.display()))?)
}
