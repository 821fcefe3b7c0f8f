//! Phones of several makes, told and heard alike.

use super::{linphone::Linphone, pjsua::Pjsua};
use crate::baresip;
use crate::sniff::Sniffer;
use crate::switch::Direction::Received;
use crate::tone;
use crate::wait::{s, wait_for};
use crate::world::Namespace;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// baresip: libre's SIP, MD5 only.
    Baresip,
    /// PJSUA2 from Python: PJSIP, which most desk phones' firmware is nearest to.
    Pjsua,
    /// linphone-daemon: belle-sip.
    Linphone,
}

/// How it speaks SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// RFC 3261 §18, port 5060.
    Udp,
    /// Port 5060.
    Tcp,
    /// Port 5061; PJSUA and linphone verify the box's certificate.
    Tls,
}

impl Transport {
    /// Its name in a URI.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }
}

/// A kind of phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub Make, pub Transport);

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let make = match self.0 {
            Make::Baresip => "baresip",
            Make::Pjsua => "pjsua",
            Make::Linphone => "linphone",
        };
        write!(f, "{make}.{}", self.1.name())
    }
}

/// What a phone is set up with.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// What it is.
    pub kind: Kind,
    /// SIP user.
    pub user: &'a str,
    /// Password of the user.
    pub password: &'a str,
    /// SIP domain.
    pub domain: &'a str,
    /// Address of the box.
    pub proxy: &'a str,
    /// Its own address.
    pub address: &'a str,
    /// Whose certificates it trusts (PEM).
    pub authority: &'a Path,
    /// Frequency that it plays, Hz.
    pub tone: f64,
    /// Seconds that it asks a registration to last.
    pub expires: u32,
    /// What else it does.
    pub habits: Habits,
}

/// What phones do only if they are set up so.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// Digits by SIP INFO instead of RTP (baresip 1.0 takes them, but sends none).
    pub info: bool,
    /// Asks for waiting messages (RFC 3842; PJSUA alone: baresip 1.0 would ask without end).
    pub messages: bool,
    /// Insists on a session timer of this many seconds (RFC 4028).
    pub session: Option<u32>,
    /// Insists on reliable provisional responses (RFC 3262).
    pub reliable: bool,
    /// Trusts another authority than that of the box's certificate.
    pub distrusts: bool,
    /// Has only the MD5 hash of its password (PJSUA alone).
    pub md5: bool,
}

impl Habits {
    /// None of them.
    pub const NONE: Habits = Habits {
        info: false,
        messages: false,
        session: None,
        reliable: false,
        distrusts: false,
        md5: false,
    };
}

/// What a person does with it. What concerns a call concerns the latest.
#[derive(Debug, Clone, Copy)]
pub enum Order<'a> {
    /// Calls a number.
    Dial(&'a str),
    /// Takes the call that rings.
    Answer,
    /// Declines the call that rings, or hangs up.
    HangUp,
    /// Puts on hold.
    Hold,
    /// Takes back from hold.
    Resume,
    /// Presses a key.
    Digit(char),
    /// Transfers the call to a number, blindly.
    Transfer(&'a str),
    /// Connects the first call to the latest.
    Attend,
    /// Hangs up after a transfer; most do that by themselves.
    Leave,
    /// Unregisters and stays so.
    Unregister,
}

/// What it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Its registration was accepted.
    Registered,
    /// Its registration was taken back.
    Unregistered,
    /// Its registration was refused.
    Refused,
    /// A call comes in.
    Rings,
    /// A call is established.
    Talks,
    /// A call has ended; the status that refused it, where the phone tells.
    Ended(Option<u16>),
    /// The other side put it on hold (baresip does not tell).
    Held,
    /// The other side took it back.
    Resumed,
    /// The other side pressed a key.
    Digit(char),
    /// Waiting messages, as the box tells them.
    Messages(String),
    /// How the transfer that it ordered goes: a status.
    Transfer(u16),
}

/// What a make has to be able to do.
pub trait Driver: Send {
    /// Carries out an order.
    fn order(&mut self, order: &Order) -> Result<()>;

    /// What it told since it was asked last.
    fn news(&mut self) -> Result<Vec<News>>;

    /// What it heard in its latest call, if it records.
    fn recording(&self) -> Option<Vec<i16>>;
}

/// A running phone. Dropping it kills it.
pub struct Phone {
    /// Its computer's name and its port at the switch.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    driver: Box<dyn Driver>,
    told: Vec<News>,
    heeded: usize,
}

impl Phone {
    /// Starts it on `computer`, its files in `folder`. It registers by itself.
    pub fn start(computer: &Namespace, setup: &Setup, folder: &Path) -> Result<Phone> {
        let driver: Box<dyn Driver> = match setup.kind.0 {
            Make::Baresip => Box::new(Baresip::start(computer, setup, folder)?),
            Make::Pjsua => Box::new(Pjsua::start(computer, setup, folder)?),
            Make::Linphone => Box::new(Linphone::start(computer, setup, folder)?),
        };
        Ok(Phone {
            name: computer.name().into(),
            kind: setup.kind,
            driver,
            told: Vec::new(),
            heeded: 0,
        })
    }

    /// Gives an order.
    pub fn order(&mut self, order: Order) -> Result<()> {
        self.driver
            .order(&order)
            .with_context(|| format!("{}: {order:?}", self.name))
    }

    /// Waits for news behind those waited for before.
    pub fn tells(&mut self, what: &News) -> Result<()> {
        self.tells_any(&format!("{what:?}"), |news| news == what)
            .map(drop)
    }

    /// Waits until the call ends.
    pub fn ends(&mut self) -> Result<Option<u16>> {
        match self.tells_any("Ended", |news| matches!(news, News::Ended(_)))? {
            News::Ended(status) => Ok(status),
            other => bail!("{other:?}"),
        }
    }

    /// Waits for news that fulfil `condition`, behind those waited for before.
    pub fn tells_any(&mut self, what: &str, condition: impl Fn(&News) -> bool) -> Result<News> {
        let found = wait_for(what, PATIENCE, || match self.driver.news() {
            Ok(news) => {
                self.told.extend(news);
                let behind = self.told.get(self.heeded..).unwrap_or_default();
                behind.iter().position(&condition).map(Ok)
            }
            Err(error) => Some(Err(error)),
        });
        let place = found
            .and_then(|place| place)
            .with_context(|| format!("{} told only {:?}", self.name, &self.told[self.heeded..]))?;
        self.heeded += place + 1;
        Ok(self.told[self.heeded - 1].clone())
    }

    /// Waits until what reaches it from now on, on its wire, is the tone of `frequency` and none of `others`.
    pub fn hears(&self, wire: &Sniffer, frequency: f64, others: &[f64]) -> Result<()> {
        let port = format!("lan/{}", self.name);
        let heard = || {
            let streams = wire.streams(|stream| stream.port == port && stream.direction == Received);
            let latest = streams.into_iter().max_by_key(|stream| stream.last);
            latest.map(|stream| stream.audio).unwrap_or_default()
        };
        let before = heard().len();
        wait_for(&format!("{} hears {frequency} Hz", self.name), PATIENCE, || {
            let heard = heard();
            // A stream that begins anew is shorter than the one before.
            let new = heard.len().checked_sub(before).unwrap_or(heard.len());
            (new >= WINDOW && tone::heard(&heard, WINDOW, frequency, others)).then_some(())
        })
    }

    /// Waits until its recording, if it makes one, ends with that tone: it plays what reached it.
    pub fn plays(&self, frequency: f64, others: &[f64]) -> Result<()> {
        wait_for(
            &format!("{} plays {frequency} Hz", self.name),
            PATIENCE,
            || match self.driver.recording() {
                Some(heard) => tone::heard(&heard, WINDOW, frequency, others).then_some(()),
                None => Some(()),
            },
        )
    }
}

/// How much of a tone is listened to, in samples.
const WINDOW: usize = tone::RATE as usize * 3 / 10;

/// How long anything may take on a busy machine.
pub const PATIENCE: std::time::Duration = s(20);

struct Baresip {
    phone: baresip::Phone,
    from: baresip::Mark,
    registered: Option<News>,
}

impl Baresip {
    fn start(computer: &Namespace, setup: &Setup, folder: &Path) -> Result<Baresip> {
        let account = baresip::Account {
            user: setup.user,
            password: setup.password,
            domain: setup.domain,
            proxy: setup.proxy,
            register: setup.expires,
            tone: setup.tone,
            transport: match setup.kind.1 {
                Transport::Udp => "",
                other => other.name(),
            },
        };
        let phone = baresip::Phone::start(computer, &account, folder)?;
        Ok(Baresip {
            phone,
            from: baresip::Mark::default(),
            registered: None,
        })
    }
}

impl Driver for Baresip {
    fn order(&mut self, order: &Order) -> Result<()> {
        match order {
            Order::Dial(number) => self.phone.dial(number),
            Order::Answer => self.phone.answer(),
            Order::HangUp => self.phone.hang_up(),
            Order::Hold => self.phone.command("hold", "").map(drop),
            Order::Resume => self.phone.command("resume", "").map(drop),
            Order::Digit(digit) => self.phone.command("sndcode", &digit.to_string()).map(drop),
            Order::Transfer(number) => self.phone.command("transfer", number).map(drop),
            Order::Attend => bail!("baresip 1.0 has no attended transfer"),
            Order::Leave => Ok(()),
            Order::Unregister => {
                // It has no command for that, but unregisters when it ends, and ends when it was answered.
                self.phone.process.terminate(PATIENCE).map(drop)
            }
        }
    }

    fn news(&mut self) -> Result<Vec<News>> {
        let events = self.phone.events(self.from);
        self.from = self.phone.mark();
        // How its first registration went may be before the control connection: its output tells.
        let log = self.phone.process.output();
        let registered = match () {
            () if !self.phone.process.alive() => Some(News::Unregistered),
            () if log.contains("200 OK") => Some(News::Registered),
            () if log.contains("reg: ") => Some(News::Refused),
            () => None,
        };
        let new = registered.filter(|news| self.registered.replace(news.clone()).as_ref() != Some(news));
        Ok(new.into_iter().chain(events.iter().filter_map(read)).collect())
    }

    fn recording(&self) -> Option<Vec<i16>> {
        Some(self.phone.recording().unwrap_or_default())
    }
}

fn read(event: &baresip::Event) -> Option<News> {
    let status = || event.text().split(' ').next()?.parse().ok();
    Some(match event.kind.as_str() {
        "CALL_INCOMING" => News::Rings,
        "CALL_ESTABLISHED" => News::Talks,
        "CALL_CLOSED" => News::Ended(status()),
        "CALL_DTMF_START" => News::Digit(event.text().chars().next()?),
        "TRANSFER_FAILED" => News::Transfer(status()?),
        _ => return None,
    })
}
