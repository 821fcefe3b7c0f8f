//! Interoperability: real phones of several makes at the box as a program, each case in a world of its own.
//!
//! A case is named by what it shows and the phones it shows it with: `hold-pjsua.tcp-baresip.udp`. The box is known by
//! its wires alone: what phones tell, what passes the switch and what is heard is all that counts.

use crate::run::Run;
use anyhow::Result;

mod call;
mod feature;
mod hostile;
pub mod lab;
mod linphone;
pub mod phone;
pub mod pjsua;
mod register;
mod site;
mod trouble;

use phone::{Kind, Make::*, Transport::*};

/// Something shown.
pub struct Case {
    /// Its name on the command line and of its folder.
    pub name: String,
    /// What it shows, in one line.
    pub about: &'static str,
    tell: Tell,
}

type Tell = Box<dyn Fn(&Run) -> Result<()> + Send + Sync>;

impl Case {
    fn new(
        name: impl Into<String>,
        about: &'static str,
        tell: impl Fn(&Run) -> Result<()> + Send + Sync + 'static,
    ) -> Case {
        Case {
            name: name.into(),
            about,
            tell: Box::new(tell),
        }
    }

    /// Shows it.
    pub fn tell(&self, run: &Run) -> Result<()> {
        (self.tell)(run)
    }

    /// Why it cannot pass yet, if it cannot.
    pub fn not_yet(&self) -> Option<&'static str> {
        NOT_YET
            .iter()
            .find(|(beginning, _)| self.name.starts_with(beginning))
            .map(|(_, why)| *why)
    }
}

/// Beginnings of the names of cases that must fail, for what the box does not do yet; one of them that passes is an
/// error, so that this list never says less than the truth.
const NOT_YET: &[(&str, &str)] = &[];

/// Every kind of phone.
const KINDS: [Kind; 9] = [
    Kind(Baresip, Udp),
    Kind(Baresip, Tcp),
    Kind(Baresip, Tls),
    Kind(Pjsua, Udp),
    Kind(Pjsua, Tcp),
    Kind(Pjsua, Tls),
    Kind(Linphone, Udp),
    Kind(Linphone, Tcp),
    Kind(Linphone, Tls),
];

/// All cases.
pub fn cases() -> Vec<Case> {
    let mut cases = register::cases();
    cases.extend(call::cases());
    cases.extend(feature::cases());
    cases.extend(trouble::cases());
    cases.extend(hostile::cases());
    cases.extend(site::cases());
    cases
}
