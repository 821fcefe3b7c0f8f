//! Where phones are tried: one switch, the box as a program (`denwaban-box`), and a computer for each phone.
//!
//! ```text
//!  seat 1 .11 ─┐
//!  seat 2 .12 ─┼─ switch `lan`, 192.168.50.0/24 ─ box .2 (UDP, TCP 5060, TLS 5061)
//!  ...        ─┘                                └ cloud .3, carrier .4, of a box that is a site's
//! ```

use super::phone::{Habits, Kind, News, Phone, Setup};
use crate::cloud::Cloud;
use crate::process::{Process, run};
use crate::run::{Run, target};
use crate::sipp;
use crate::sniff::Sniffer;
use crate::switch::{Port, Switch};
use crate::wait::s;
use crate::world::Namespace;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The box's address.
pub const BOX: &str = "192.168.50.2";
/// The cloud's address, and the carrier's.
pub const CLOUD: &str = "192.168.50.3";
/// See [`CLOUD`].
pub const CARRIER: &str = "192.168.50.4";
/// SIP domain and realm.
pub const DOMAIN: &str = "office.denwaban.test";
/// Password of all phones.
pub const PASSWORD: &str = "correct-horse-battery";

/// A place for a phone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seat {
    /// Its computer.
    pub name: &'static str,
    /// Address of the computer.
    pub address: &'static str,
    /// SIP user.
    pub user: &'static str,
    /// What others dial.
    pub extension: &'static str,
    /// What its phone plays, Hz.
    pub tone: f64,
}

/// All places.
pub const SEATS: [Seat; 3] = [
    Seat {
        name: "seat-1",
        address: "192.168.50.11",
        user: "0312340001",
        extension: "801",
        tone: 697.0,
    },
    Seat {
        name: "seat-2",
        address: "192.168.50.12",
        user: "0312340002",
        extension: "802",
        tone: 1209.0,
    },
    Seat {
        name: "seat-3",
        address: "192.168.50.13",
        user: "0312340003",
        extension: "803",
        tone: 1633.0,
    },
];

/// The program, as `cargo build` leaves it.
pub fn program() -> PathBuf {
    target().join("debug/denwaban-box")
}

/// All of it, connected.
pub struct Lab {
    /// Where its files are.
    pub folder: PathBuf,
    /// Eyes on the switch; a seat's port is `lan/<name>`.
    pub wire: Sniffer,
    /// The computers of [`SEATS`].
    pub computers: Vec<Namespace>,
    /// The computers of the cloud and of the carrier.
    pub outside: [Namespace; 2],
    host: Namespace,
    authority: PathBuf,
    stranger: PathBuf,
    serving: Option<Process>,
    // Kept for their lives.
    _ports: Vec<Port>,
    _lan: Switch,
}

impl Lab {
    /// Builds it inside the run's namespaces with an office of its own; the box serves when this returns.
    pub fn build(run: &Run) -> Result<Lab> {
        let mut lab = Lab::plug(run)?;
        let records = format!("records = \"{}/records\"\n", lab.folder.display());
        lab.configure(&records, &site())?;
        lab.start_box()?;
        Ok(lab)
    }

    /// The same for the box of a site, with a cloud that serves and has a contract with the seats' numbers, and the password of
    /// each seat.
    pub fn of_site(run: &Run) -> Result<(Lab, Cloud, Vec<String>)> {
        let mut lab = Lab::plug(run)?;
        let mut cloud = Cloud::new(&lab.outside[0], &lab.folder)?;
        cloud.order(&["init", "--realm", DOMAIN])?;
        serve(&mut cloud)?;
        cloud.order(&["contract", "create", "--name", "電話番商店"])?;
        let address = "東京都千代田区丸の内一丁目";
        cloud.order(&[
            "site",
            "create",
            "--contract",
            "1",
            "--address",
            address,
            "--emergency",
        ])?;
        let mut passwords = Vec::new();
        for Seat {
            name,
            user,
            extension,
            ..
        } in SEATS
        {
            let id = [
                "id",
                "add",
                "--contract",
                "1",
                "--direct",
                user,
                "--extension",
                extension,
                "--label",
                name,
            ];
            let told = cloud.order(&id)?;
            passwords.push(told["password"].as_str().context("no password")?.to_string());
        }
        let factory = lab.folder.join("factory.bin").display().to_string();
        cloud.order(&["box", "create", "--site", "1", "--host", CLOUD, "--out", &factory])?;
        let role = format!("[cloud]\nfactory = \"{factory}\"\n");
        lab.configure("", &role)?;
        lab.start_box()?;
        Ok((lab, cloud, passwords))
    }

    /// The network.
    fn plug(run: &Run) -> Result<Lab> {
        let folder = run.folder.clone();
        names(&folder)?;
        let lan = Switch::start("lan", &folder, run.seed)?;
        let wire = Sniffer::default();
        wire.watch("lan", &lan);
        let mut ports = Vec::new();
        let mut plug = |name: &str, address: &str| -> Result<Namespace> {
            let computer = Namespace::add(name)?;
            let (port, device) = lan.tap(name)?;
            ports.push(port);
            computer.take(&device, "eth0", &format!("{address}/24"))?;
            // Some phones take a computer without a default route for one without a network.
            let gateway = if address == BOX { SEATS[0].address } else { BOX };
            computer.ip(&["route", "add", "default", "via", gateway])?;
            Ok(computer)
        };
        let host = plug("box", BOX)?;
        let computers = SEATS
            .iter()
            .map(|seat| plug(seat.name, seat.address))
            .collect::<Result<_>>()?;
        let outside = [plug("cloud", CLOUD)?, plug("carrier", CARRIER)?];
        let [authority, stranger] = certificates(&folder)?;
        Ok(Lab {
            folder,
            wire,
            computers,
            outside,
            host,
            authority,
            stranger,
            serving: None,
            _ports: ports,
            _lan: lan,
        })
    }

    /// Writes `box.toml`: what comes before its tables, and whose box it is.
    fn configure(&self, first: &str, role: &str) -> Result<()> {
        let folder = self.folder.display();
        let text = format!(
            "state = \"{folder}/state\"\n{first}\n\
             [listen]\naddress = \"{BOX}\"\nudp = 5060\ntcp = 5060\ntls = 5061\n\n\
             [tls]\ncertificate = \"{folder}/box.pem\"\nkey = \"{folder}/box.key\"\n\n{role}"
        );
        Ok(std::fs::write(self.folder.join("box.toml"), text)?)
    }

    /// Starts the box.
    pub fn start_box(&mut self) -> Result<()> {
        let mut command = self.host.command(program());
        command.arg("--config").arg(self.folder.join("box.toml"));
        command.env("RUST_LOG", "info,denwaban_box::store=debug");
        let mut process = Process::start("box", &mut command, &self.folder)?;
        process.prints("ready", s(20))?;
        self.serving = Some(process);
        Ok(())
    }

    /// Legs of calls that the box has written down since it was started.
    pub fn recorded(&self) -> usize {
        let log = self.serving.as_ref().map(Process::output);
        log.unwrap_or_default().matches("leg=").count()
    }

    /// Kills the box (SIGKILL).
    pub fn kill_box(&mut self) {
        self.serving = None;
    }

    /// An error unless the box runs and has not panicked.
    pub fn box_is_well(&mut self) -> Result<()> {
        let serving = self.serving.as_mut().context("the box was killed")?;
        ensure!(serving.alive(), "the box ended: {}", serving.last_words());
        ensure!(!serving.output().contains("panicked"), "the box panicked");
        Ok(())
    }

    /// Puts a phone on a seat; it is not yet registered.
    pub fn phone(&self, seat: usize, kind: Kind, password: &str, habits: Habits) -> Result<Phone> {
        let (place, computer) = (SEATS[seat], &self.computers[seat]);
        let setup = Setup {
            kind,
            user: place.user,
            password,
            domain: DOMAIN,
            proxy: BOX,
            address: place.address,
            authority: if habits.distrusts {
                &self.stranger
            } else {
                &self.authority
            },
            tone: place.tone,
            expires: 600,
            habits,
        };
        Phone::start(computer, &setup, &self.folder)
    }

    /// Puts phones on the first seats; all are registered when this returns.
    pub fn phones<const N: usize>(&self, kinds: [(Kind, Habits); N]) -> Result<[Phone; N]> {
        let mut phones = Vec::new();
        for (seat, (kind, habits)) in kinds.into_iter().enumerate() {
            phones.push(self.phone(seat, kind, PASSWORD, habits)?);
        }
        for phone in &mut phones {
            phone.tells(&News::Registered)?;
        }
        phones.try_into().ok().context("as many phones as kinds")
    }

    /// Starts SIPp on a seat with a scenario of `hil/scenarios`.
    pub fn sipp(&self, seat: usize, options: &sipp::Options) -> Result<Process> {
        let place = SEATS[seat];
        let mut words = vec![("user", place.user), ("domain", DOMAIN)];
        words.extend(options.words);
        let remote = format!("{BOX}:5060");
        let options = sipp::Options {
            name: if options.name.is_empty() {
                place.name
            } else {
                options.name
            },
            remote: Some(&remote),
            local: place.address,
            credentials: Some((place.user, PASSWORD, DOMAIN)),
            words: &words,
            tone: Some(place.tone),
            ..options.clone()
        };
        sipp::start(&self.computers[seat], &options, &self.folder)
    }

    /// A program on a seat, run to its end; what it printed, whether or not it ended well.
    pub fn program(
        &self,
        seat: usize,
        program: impl AsRef<std::ffi::OsStr>,
        arguments: &[&str],
    ) -> Result<String> {
        let mut command = self.computers[seat].command(&program);
        let output = command.current_dir(&self.folder).args(arguments).output()?;
        let said = [output.stdout, output.stderr].concat();
        let log = self.folder.join("programs.log");
        let mut text = std::fs::read_to_string(&log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        text += &format!("$ {command:?}\n{said}\n{}\n", output.status);
        std::fs::write(log, text)?;
        Ok(said)
    }
}

/// The names that the computers know: the domain, and no server to ask for others, so that none is waited for.
fn names(folder: &Path) -> Result<()> {
    for (file, text) in [
        ("hosts", format!("127.0.0.1 localhost\n{BOX} {DOMAIN}\n")),
        ("resolv.conf", "nameserver 127.0.0.1\n".into()),
    ] {
        let (path, place) = (folder.join(file), Path::new("/etc").join(file));
        std::fs::write(&path, text)?;
        // It may lead to what was in /run, which is this world's own now.
        if let (false, Ok(link)) = (place.exists(), place.read_link()) {
            let lost = Path::new("/etc").join(link);
            lost.parent().map(std::fs::create_dir_all).transpose()?;
            std::fs::write(&lost, "")?;
        }
        if place.exists() {
            run(Command::new("mount").arg("--bind").arg(&path).arg(&place))?;
        }
    }
    Ok(())
}

/// The box's certificate by an authority; the file of that authority, and of another.
fn certificates(folder: &Path) -> Result<[PathBuf; 2]> {
    let authority = |name: &str| -> Result<(PathBuf, rcgen::Issuer<rcgen::KeyPair>)> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new([])?;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let path = folder.join(format!("{name}.pem"));
        std::fs::write(&path, params.self_signed(&key)?.pem())?;
        Ok((path, rcgen::Issuer::new(params, key)))
    };
    let (own, issuer) = authority("authority")?;
    let (stranger, _) = authority("stranger")?;
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new([DOMAIN.to_string(), BOX.to_string()])?;
    params.distinguished_name.push(rcgen::DnType::CommonName, DOMAIN);
    std::fs::write(folder.join("box.pem"), params.signed_by(&key, &issuer)?.pem())?;
    std::fs::write(folder.join("box.key"), key.serialize_pem())?;
    Ok([own, stranger])
}

/// Starts the cloud's server.
pub fn serve(cloud: &mut Cloud) -> Result<()> {
    let (sip, mqtt, carrier) = (
        format!("{CLOUD}:5060"),
        format!("{CLOUD}:1883"),
        format!("{CARRIER}:5060"),
    );
    cloud.serve(&["--sip", &sip, "--mqtt", &mqtt, "--carrier", &carrier])
}

/// An office of its own.
fn site() -> String {
    let ids = SEATS.iter().map(|Seat { user, extension, .. }| {
        format!(
            "\n[[site.id]]\nnumber = \"{user}\"\nextension = \"{extension}\"\npassword = \"{PASSWORD}\"\n"
        )
    });
    format!("[site]\nrealm = \"{DOMAIN}\"\n{}", ids.collect::<String>())
}
