//! What the stories about the box have in common: a contract in the cloud, a box with its factory data, phones.

use crate::baresip::{Account, Phone};
use crate::cloud::Cloud;
use crate::office::{BOX, BOX_MAC, CARRIER, CLOUD, CLOUD_NAME, Office, PHONES};
use crate::process::Process;
use crate::qemu::{self, Board};
use crate::run::Run;
use crate::sipp;
use crate::sniff::{Mark, Sip};
use crate::switch::Direction::{self, Received, Sent};
use crate::tone;
use crate::wait::{s, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Service domain: SIP domain of the phones and realm of their digests.
pub const DOMAIN: &str = "pbx.denwaban.test";
/// 代表番号.
pub const REP: &str = "0312340000";
/// Numbers of the outside world: who calls in, who is called.
pub const OUTSIDE: &str = "09011112222";
/// Ports of the three phones.
pub const PHONE_PORTS: [&str; 3] = ["lan/phone-a", "lan/phone-b", "lan/phone-c"];
/// Tones played by phones A, B, C and by the carrier, Hz; no two share a harmonic.
pub const TONES: [f64; 3] = [697.0, 1209.0, 1633.0];
/// The carrier's tone, Hz.
pub const CARRIER_TONE: f64 = 941.0;

/// One ID of the contract: the user, extension and password of a phone.
#[derive(Debug, Clone)]
pub struct Id {
    /// 直通番号, also the SIP user.
    pub user: String,
    /// 内線番号.
    pub extension: String,
    /// Password, as the cloud printed it.
    pub password: String,
}

/// An office with its box and its cloud.
pub struct Stage<'r> {
    /// The run.
    pub run: &'r Run,
    /// Phone A, once started.
    pub a: Option<Phone>,
    /// Phone B, once started.
    pub b: Option<Phone>,
    /// Phone C (SIPp), once started.
    pub c: Option<Process>,
    /// The box.
    pub board: Board,
    /// The cloud.
    pub cloud: Cloud,
    /// The contract there.
    pub contract: String,
    /// Its site.
    pub site: String,
    /// The IDs of phones A, B, C.
    pub ids: Vec<Id>,
    /// The office.
    pub office: Office,
    runs: u32,
}

impl<'r> Stage<'r> {
    /// Builds office, cloud (serving, with contract) and box (off, with factory data).
    pub fn build(run: &'r Run) -> Result<Stage<'r>> {
        let office = Office::build(&run.folder, run.seed)?;
        office
            .carrier
            .ip(&["route", "add", CLOUD, "via", crate::office::CLOUD_TRUNK])?;
        let mut cloud = Cloud::new(&office.cloud, &run.folder)?;
        cloud.order(&["init", "--realm", DOMAIN])?;
        let (sip, mqtt, carrier) = (
            format!("{CLOUD}:5060"),
            format!("{CLOUD}:1883"),
            format!("{CARRIER}:5060"),
        );
        cloud.serve(&["--sip", &sip, "--mqtt", &mqtt, "--carrier", &carrier])?;

        let contract = text(
            &cloud.order(&["contract", "create", "--name", "電話番商店"])?,
            "contract",
        )?;
        let site = text(
            &cloud.order(&[
                "site",
                "create",
                "--contract",
                &contract,
                "--address",
                "東京都千代田区丸の内一丁目",
                "--emergency",
            ])?,
            "site",
        )?;
        let mut ids = Vec::new();
        for (direct, extension, label) in [
            ("0312340001", "201", "受付"),
            ("0312340002", "202", "営業"),
            ("0312340003", "203", "倉庫"),
        ] {
            let answer = cloud.order(&[
                "id",
                "add",
                "--contract",
                &contract,
                "--direct",
                direct,
                "--extension",
                extension,
                "--label",
                label,
            ])?;
            ids.push(Id {
                user: text(&answer, "user")?,
                extension: extension.into(),
                password: text(&answer, "password")?,
            });
        }
        cloud.order(&[
            "rep",
            "add",
            "--contract",
            &contract,
            "--number",
            REP,
            "--label",
            "代表",
            "--members",
            "201,202,203",
        ])?;
        let factory = run.folder.join("factory.bin");
        let out = factory.display().to_string();
        cloud.order(&[
            "box", "create", "--site", &site, "--host", CLOUD_NAME, "--out", &out,
        ])?;

        let board = Board::new("box", &qemu::image(), &office.lan, BOX_MAC, &run.folder)?;
        board.program(hil_wire::FACTORY, &std::fs::read(&factory)?)?;
        Ok(Stage {
            run,
            a: None,
            b: None,
            c: None,
            board,
            cloud,
            contract,
            site,
            ids,
            office,
            runs: 0,
        })
    }

    /// Starts the cloud again.
    pub fn serve_cloud(&mut self) -> Result<()> {
        serve(&mut self.cloud)
    }

    /// The row of the box in `show boxes`.
    pub fn box_row(&self) -> Result<Value> {
        self.cloud
            .show("boxes")?
            .into_iter()
            .next()
            .context("the cloud knows no box")
    }

    /// Waits until the box uses the configuration that was issued last; the time since `start`.
    pub fn configured(&self, start: Instant, within: Duration) -> Result<Duration> {
        wait_for("the box to commit its configuration", within, || {
            let row = self.box_row().ok()?;
            (row["issued"].as_i64()? > 0 && row["issued"] == row["epoch"]).then(|| start.elapsed())
        })
        .with_context(|| format!("{:?}", self.box_row()))
    }

    /// Waits until the box's trunk is registered at the cloud.
    pub fn trunk_up(&self, within: Duration) -> Result<()> {
        wait_for("the box's trunk", within, || {
            let row = self.box_row().ok()?;
            (row["trunk"].is_string() && row["online"] == true).then_some(())
        })
    }

    /// The account of phone `index`.
    pub fn account(&self, index: usize) -> Account<'_> {
        let id = &self.ids[index];
        let (user, password) = (&id.user, &id.password);
        Account {
            user,
            password,
            domain: DOMAIN,
            proxy: BOX,
            register: 3600,
            tone: TONES[index],
            ..Account::default()
        }
    }

    /// The box runs with its configuration and its trunk, and phones A and B are registered.
    pub fn ready(&mut self) -> Result<()> {
        self.board.on()?;
        self.configured(Instant::now(), s(20))?;
        self.trunk_up(s(20))?;
        self.start_desk_phones()
    }

    /// Starts phones A and B; both are registered when this returns.
    pub fn start_desk_phones(&mut self) -> Result<()> {
        let mut a = Phone::start(&self.office.phones[0].0, &self.account(0), &self.run.folder)?;
        let mut b = Phone::start(&self.office.phones[1].0, &self.account(1), &self.run.folder)?;
        a.registered(s(10)).context("phone A registers")?;
        b.registered(s(10)).context("phone B registers")?;
        (self.a, self.b) = (Some(a), Some(b));
        Ok(())
    }

    /// Starts phone C, which answers after `ring` milliseconds; it is registered when this returns.
    pub fn start_phone_c(&mut self, ring: u32) -> Result<()> {
        self.c = None;
        let from = self.office.sniffer.mark();
        let ring = ring.to_string();
        self.c = Some(self.sipp_phone(
            "phone-registers",
            Some("phone-answers"),
            &ring,
            &self.ids[2].password,
        )?);
        self.wait("registration of C", s(10), from, "lan/phone-c", Received, |sip| {
            sip.answers("REGISTER", 200)
        })?;
        Ok(())
    }

    /// Starts SIPp as phone C.
    pub fn sipp_phone(
        &self,
        scenario: &str,
        answering: Option<&str>,
        ring: &str,
        password: &str,
    ) -> Result<Process> {
        let user = &self.ids[2].user;
        let options = sipp::Options {
            name: scenario,
            scenario,
            answering,
            remote: Some(&format!("{BOX}:5060")),
            local: PHONES[2],
            called: &[user],
            credentials: Some((user, password, DOMAIN)),
            words: &[
                ("user", user),
                ("domain", DOMAIN),
                ("stay", "900000"),
                ("ring", ring),
            ],
            tone: Some(TONES[2]),
            ..sipp::Options::default()
        };
        sipp::start(&self.office.phones[2].0, &options, &self.run.folder)
    }

    /// Starts the carrier with a scenario that calls these numbers, four a second.
    pub fn carrier_calls(
        &mut self,
        scenario: &str,
        called: &[&str],
        times: &[(&str, &str)],
    ) -> Result<Process> {
        self.carrier(scenario, called, times)
    }

    /// Starts the carrier as somebody outside who rings for `ring` milliseconds and answers.
    pub fn carrier_answers(&mut self, ring: u32) -> Result<Process> {
        self.carrier(
            "phone-answers",
            &[],
            &[("ring", &ring.to_string()), ("user", "carrier")],
        )
    }

    fn carrier(&mut self, scenario: &str, called: &[&str], times: &[(&str, &str)]) -> Result<Process> {
        self.runs += 1;
        let remote = format!("{CLOUD}:5060");
        let options = sipp::Options {
            name: &format!("carrier-{}", self.runs),
            scenario,
            remote: (!called.is_empty()).then_some(&remote),
            local: CARRIER,
            called,
            words: &[times, &[("caller", OUTSIDE)]].concat(),
            tone: Some(CARRIER_TONE),
            ..sipp::Options::default()
        };
        sipp::start(&self.office.carrier, &options, &self.run.folder)
    }

    /// Phone A.
    pub fn a(&mut self) -> Result<&mut Phone> {
        self.a.as_mut().context("phone A is not there")
    }

    /// Phone B.
    pub fn b(&mut self) -> Result<&mut Phone> {
        self.b.as_mut().context("phone B is not there")
    }

    /// Waits for a message on the wire.
    pub fn wait(
        &self,
        what: &str,
        within: Duration,
        from: Mark,
        port: &str,
        direction: Direction,
        condition: impl Fn(&Sip) -> bool,
    ) -> Result<Sip> {
        self.office
            .sniffer
            .wait(what, within, from, port, direction, condition)
    }

    /// A calls B by its extension and B answers; both hear the other's tone. The post-dial delay: INVITE out to first
    /// 180, at A.
    pub fn a_calls_b(&mut self) -> Result<Duration> {
        let from = self.office.sniffer.mark();
        let extension = self.ids[1].extension.clone();
        self.erase_recordings()?;
        let (mark_a, mark_b) = (self.a()?.mark(), self.b()?.mark());
        self.a()?.dial(&extension)?;
        self.b()?
            .wait(mark_b, "CALL_INCOMING", s(5))
            .context("phone B rings")?;
        let delay = self.post_dial_delay(from)?;
        self.b()?.answer()?;
        self.a()?
            .wait(mark_a, "CALL_ESTABLISHED", s(5))
            .context("phone A is connected")?;
        self.both_hear()?;
        Ok(delay)
    }

    /// [`Self::a_calls_b`], and A hangs up.
    pub fn a_call(&mut self) -> Result<Duration> {
        let delay = self.a_calls_b()?;
        let mark = self.b()?.mark();
        self.a()?.hang_up()?;
        self.b()?.wait(mark, "CALL_CLOSED", s(5))?;
        Ok(delay)
    }

    /// A and B hear each other's tones now.
    pub fn both_hear(&mut self) -> Result<(f64, f64)> {
        let at_a = self
            .a()?
            .hears(TONES[1], &[TONES[0], CARRIER_TONE], s(5))
            .context("phone A hears B")?;
        let at_b = self
            .b()?
            .hears(TONES[0], &[TONES[1], CARRIER_TONE], s(5))
            .context("phone B hears A")?;
        Ok((at_a, at_b))
    }

    /// Forgets what A and B have recorded; they must have no call.
    pub fn erase_recordings(&mut self) -> Result<()> {
        self.a()?.erase_recordings()?;
        self.b()?.erase_recordings()
    }

    /// A and B hear each other's tones in sound that they record from now on.
    pub fn both_hear_new(&mut self) -> Result<(f64, f64)> {
        let enough = tone::RATE as usize / 2;
        for phone in [self.a.as_ref(), self.b.as_ref()].into_iter().flatten() {
            let before = phone.recording()?.len();
            wait_for("new sound", s(5), || {
                (phone.recording().ok()?.len() >= before + enough).then_some(())
            })?;
        }
        self.both_hear()
    }

    /// Time from A's INVITE since `from` to the first 180 it was given.
    pub fn post_dial_delay(&self, from: Mark) -> Result<Duration> {
        let ringing = self.wait("180", s(5), from, "lan/phone-a", Received, |sip| {
            sip.answers("INVITE", 180)
        })?;
        let invite = self.office.sniffer.find(from, "lan/phone-a", Sent, |sip| {
            sip.is("INVITE") && sip.call_id() == ringing.call_id()
        });
        Ok(ringing.at - invite.context("INVITE of A")?.at)
    }

    /// No phone has sent REGISTER since `from`.
    pub fn nobody_registered(&self, from: Mark) -> Result<()> {
        let registers = self.office.sniffer.messages(from, |sip| {
            sip.is("REGISTER") && PHONE_PORTS.contains(&sip.port.as_str()) && sip.direction == Sent
        });
        same("REGISTERs of phones", registers.len(), 0)
    }

    /// Nobody has a call: neither phone A nor B, nor the cloud.
    pub fn all_quiet(&mut self, within: Duration) -> Result<()> {
        for phone in [self.a.as_mut(), self.b.as_mut()].into_iter().flatten() {
            wait_for("a phone without calls", within, || {
                (phone.calls().ok()? == 0).then_some(())
            })?;
        }
        wait_for("a cloud without calls", within, || {
            self.cloud.show("calls").ok()?.is_empty().then_some(())
        })
        .with_context(|| format!("{:?}", self.cloud.show("calls")))
    }
}

fn serve(cloud: &mut Cloud) -> Result<()> {
    let (sip, mqtt, carrier) = (
        format!("{CLOUD}:5060"),
        format!("{CLOUD}:1883"),
        format!("{CARRIER}:5060"),
    );
    cloud.serve(&["--sip", &sip, "--mqtt", &mqtt, "--carrier", &carrier])
}

/// A field of a command's answer, as text.
pub fn text(value: &Value, field: &str) -> Result<String> {
    match &value[field] {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => anyhow::bail!("no {field} in {value}"),
    }
}

/// An error that says what was expected and what was seen.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, expected: T) -> Result<()> {
    ensure!(seen == expected, "{what}: {seen:?}, expected {expected:?}");
    Ok(())
}
