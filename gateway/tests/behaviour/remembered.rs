//! A 200 to a REGISTER says that the phone is remembered over a power cut: tables of time, in and out, with a flash memory
//! that takes its time.

use super::office::*;
use gateway::budget::{HELD, HELD_MAX};
use shared::IdKey;
use shared::sync::{Alarm, EventBody};

/// Phones by a letter: `A` is the phone of ID 0, `a` a second one with the same ID, and so on.
struct Desk {
    phone: Phone,
    name: char,
    contacts: String,
    cseq: u32,
    /// Its last REGISTER.
    sent: String,
}

impl Desk {
    fn new(name: char) -> Self {
        let index = name.to_ascii_uppercase() as u16 - u16::from(b'A');
        let mut phone = Phone::new(index);
        if name.is_lowercase() {
            phone.address.set_port(5_062);
        }
        Self {
            name,
            contacts: format!("<sip:phone@{}>", phone.address),
            cseq: 0,
            sent: String::new(),
            phone,
        }
    }

    /// A REGISTER with credentials. `with` is what it says beyond the least.
    fn register(&mut self, o: &mut Office, with: &str) {
        let Self { phone, contacts, .. } = self;
        let with = format!("{contacts}{with}\r\nExpires: {}", phone.expires);
        let text = |cseq, line: &str| {
            let text = phone.register(cseq, line);
            let (head, contact) = text.split_once("Contact: ").unwrap();
            let (_, rest) = contact
                .split_once(&format!("Expires: {}", phone.expires))
                .unwrap();
            match contacts.is_empty() {
                true => format!("{head}X-Nothing:{rest}"),
                false => format!("{head}Contact: {with}{rest}"),
            }
        };
        o.rx(phone.address, &text(self.cseq + 1, ""));
        let challenge = o.expect(phone.address, "401");
        let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
        self.cseq += 2;
        self.sent = text(self.cseq, &line);
        o.rx(phone.address, &self.sent);
    }
}

/// An office with so many IDs, its phones, and a slow flash.
struct Tale {
    office: Office,
    desks: Vec<Desk>,
}

impl Tale {
    fn new(ids: u16) -> Self {
        let mut office = Office::new(&site(ids, 8.max(ids as u8)));
        office.slow = true;
        Self {
            office,
            desks: Vec::new(),
        }
    }

    fn desk(&mut self, name: char) -> usize {
        self.desks
            .iter()
            .position(|desk| desk.name == name)
            .unwrap_or_else(|| {
                self.desks.push(Desk::new(name));
                self.desks.len() - 1
            })
    }

    /// Does one thing.
    fn act(&mut self, what: &str) {
        let name = what.chars().next().unwrap();
        match what {
            "flash" => assert!(self.office.flash(), "nothing is written"),
            "flash fails" => {
                self.office.broken = true;
                assert!(self.office.flash(), "nothing is written");
                self.office.broken = false;
            }
            "rest" => while self.office.flash() {},
            "off and on" => {
                let old = std::mem::replace(&mut self.office, Office::blank());
                self.office = old.restart();
                self.office.slow = true;
            }
            _ => {
                let at = self.desk(name);
                let (o, desk) = (&mut self.office, &mut self.desks[at]);
                let address = desk.phone.address;
                match what.get(2..).unwrap() {
                    "registers" => desk.register(o, ""),
                    "again" => o.rx(address, &desk.sent),
                    // Another contact of the same phone at the same address.
                    "renames" => {
                        desk.contacts = format!("<sip:phone{}@{address}>", desk.cseq);
                        desk.register(o, "");
                    }
                    "doubles" => {
                        let more = format!(",<sip:other@{address}>");
                        desk.register(o, &more);
                    }
                    "rambles" => {
                        let via = format!("\r\nVia: SIP/2.0/UDP proxy;branch=z9{:0>1$}", "", HELD_MAX);
                        desk.register(o, &via);
                    }
                    "signs off" => {
                        let contacts = std::mem::replace(&mut desk.contacts, "*".into());
                        desk.phone.expires = 0;
                        desk.register(o, "");
                        (desk.contacts, desk.phone.expires) = (contacts, 3_600);
                    }
                    // Without Contact: who is registered?
                    "asks" => {
                        let contacts = std::mem::take(&mut desk.contacts);
                        desk.register(o, "");
                        desk.contacts = contacts;
                    }
                    other => panic!("{other}"),
                }
            }
        }
    }

    /// What left the box: `A 200/1` is a 200 with one contact for A, in the order of the phones.
    fn seen(&mut self) -> String {
        let mut seen: Vec<String> = Vec::new();
        for message in std::mem::take(&mut self.office.seen) {
            let desk = self.desks.iter().find(|desk| desk.phone.address == message.peer);
            let desk = desk.unwrap_or_else(|| panic!("to nobody: {}", message.text));
            let contacts = match message.what() {
                "200" => {
                    assert_eq!(message.cseq(), desk.cseq, "an answer to another REGISTER");
                    format!("/{}", message.headers("Contact").count())
                }
                _ => String::new(),
            };
            seen.push(format!("{} {}{contacts}", desk.name, message.what()));
        }
        seen.sort();
        seen.join(", ")
    }

    /// IDs with a phone.
    fn registered(&self) -> String {
        let ids = self.office.gateway.registered().map(u16::from);
        ids.map(|id| char::from(b'A' + id as u8)).collect()
    }

    /// Rows of: milliseconds that pass, what happens, what leaves the box, which IDs have a phone.
    #[track_caller]
    fn tell(&mut self, table: &[(u64, &str, &str, &str)]) {
        for (row, (after, what, out, registered)) in table.iter().enumerate() {
            self.office.wait(*after);
            self.act(what);
            let seen = self.seen();
            assert_eq!(
                (seen.as_str(), self.registered().as_str()),
                (*out, *registered),
                "row {row}: {what}"
            );
        }
    }
}

#[test]
fn the_first_200_waits_for_the_flash_and_a_refresh_does_not() {
    let mut t = Tale::new(2);
    t.tell(&[
        (0, "A registers", "", "A"),
        // Repeated while it waits: one answer, when it may be given.
        (500, "A again", "", "A"),
        (40, "flash", "A 200/1", "A"),
        // The answer was lost: it is given at once.
        (500, "A again", "A 200/1", "A"),
        (60_000, "A registers", "A 200/1", "A"),
        (60_000, "A asks", "A 200/1", "A"),
    ]);
    assert!(!t.office.flash(), "a refresh is not written");
}

#[test]
fn without_a_200_nothing_is_promised_and_the_phone_repeats() {
    Tale::new(1).tell(&[
        (0, "A registers", "", "A"),
        (10, "off and on", "", ""),
        (0, "A registers", "", "A"),
        (10, "flash", "A 200/1", "A"),
        (0, "off and on", "", "A"),
    ]);
}

#[test]
fn all_contacts_of_a_register_are_in_flash() {
    Tale::new(1).tell(&[
        (0, "A doubles", "", "A"),
        (10, "flash", "", "A"),
        (10, "flash", "A 200/2", "A"),
        (0, "off and on", "", "A"),
        (0, "A asks", "A 200/2", "A"),
    ]);
    // One of the two is not: no 200.
    Tale::new(1).tell(&[
        (0, "A doubles", "", "A"),
        (10, "flash", "", "A"),
        (0, "off and on", "", "A"),
        (0, "A asks", "A 200/1", "A"),
    ]);
}

#[test]
fn the_200_lists_the_other_phone_of_the_id_and_waits_for_it_too() {
    Tale::new(1).tell(&[
        (0, "A registers", "", "A"),
        (0, "rest", "A 200/1", "A"),
        (0, "a registers", "", "A"),
        (0, "A registers", "", "A"),
        (10, "flash", "A 200/2, a 200/2", "A"),
        (0, "off and on", "", "A"),
        (0, "A asks", "A 200/2", "A"),
    ]);
}

#[test]
fn a_phone_that_signs_off_is_forgotten_by_flash_too() {
    let mut t = Tale::new(2);
    t.tell(&[
        (0, "A registers", "", "A"),
        (0, "rest", "A 200/1", "A"),
        (0, "A signs off", "", ""),
        // Nothing is bound any more, but flash says otherwise.
        (10, "A asks", "", ""),
        (10, "flash", "A 200/0", ""),
        (0, "off and on", "", ""),
    ]);
    // Without the 200 it may come back.
    t.tell(&[
        (0, "A registers", "", "A"),
        (0, "rest", "A 200/1", "A"),
        (0, "A signs off", "", ""),
        (0, "off and on", "", "A"),
    ]);
}

#[test]
fn a_newer_register_while_one_waits_is_the_one_that_is_answered() {
    let mut t = Tale::new(1);
    t.tell(&[
        (0, "A registers", "", "A"),
        (10, "A renames", "", "A"),
        // This was written before: flash is behind again.
        (10, "flash", "", "A"),
        (10, "flash", "A 200/1", "A"),
        (0, "off and on", "", "A"),
    ]);
    // What flash has is what was answered.
    let contact = t.desks[0].contacts.clone();
    t.act("A asks");
    assert!(t.office.seen[0].header("Contact").starts_with(&contact));
}

#[test]
fn a_place_that_is_used_again_keeps_both_waiting() {
    Tale::new(3).tell(&[
        (0, "A registers", "", "A"),
        (0, "rest", "A 200/1", "A"),
        // The writing of the empty place is under way when B gets it.
        (0, "A signs off", "", ""),
        (0, "B registers", "", "B"),
        (10, "flash", "A 200/0", "B"),
        (10, "flash", "B 200/1", "B"),
        (0, "off and on", "", "B"),
        // Here it has not begun: one write takes A's binding away and brings C's.
        (0, "A registers", "", "AB"),
        (0, "B signs off", "", "A"),
        (0, "C registers", "", "AC"),
        (10, "flash", "A 200/1", "AC"),
        (10, "flash", "B 200/0, C 200/1", "AC"),
        (0, "off and on", "", "AC"),
    ]);
}

#[test]
fn while_the_flash_fails_nobody_waits() {
    let mut t = Tale::new(3);
    let alarms = |t: &Tale| {
        let raised = t.office.events.iter().filter_map(|event| match event {
            EventBody::Alarm {
                alarm: Alarm::Storage,
                raised,
            } => Some(*raised),
            _ => None,
        });
        raised.collect::<Vec<_>>()
    };
    t.tell(&[
        (0, "A registers", "", "A"),
        (0, "B registers", "", "AB"),
        // Both of them: the next write is not waited for.
        (10, "flash fails", "A 200/1, B 200/1", "AB"),
        (0, "C registers", "C 200/1", "ABC"),
    ]);
    // It is well again a second later.
    t.tell(&[
        (1_000, "flash", "", "ABC"),
        (0, "B renames", "", "ABC"),
        (0, "rest", "B 200/1", "ABC"),
    ]);
    t.office.wait(10_000);
    t.act("rest");
    assert_eq!(alarms(&t), [true, false]);
    assert_eq!(t.office.gateway.counters().unstored, 1);
    t.tell(&[(0, "off and on", "", "ABC")]);
}

#[test]
fn answers_without_room_are_given_when_the_phone_repeats() {
    let mut t = Tale::new(HELD as u16 + 1);
    let names: Vec<char> = ('A'..).take(HELD + 1).collect();
    for name in &names {
        t.act(&format!("{name} registers"));
    }
    assert_eq!((t.seen().as_str(), t.office.gateway.counters().unheld), ("", 1));
    let last = names[HELD];
    t.office.wait(500);
    // There is no room yet, or flash has not followed: still nothing is promised.
    t.act(&format!("{last} again"));
    assert_eq!((t.seen().as_str(), t.office.gateway.counters().unheld), ("", 2));
    t.act("rest");
    let answered: Vec<String> = names[..HELD].iter().map(|name| format!("{name} 200/1")).collect();
    assert_eq!(t.seen(), answered.join(", "));
    t.office.wait(1_000);
    t.act(&format!("{last} again"));
    assert_eq!(t.seen(), format!("{last} 200/1"));
    // One that is too long for its place.
    let mut t = Tale::new(1);
    t.tell(&[
        (0, "A rambles", "", "A"),
        (10, "flash", "", "A"),
        (490, "A again", "A 200/1", "A"),
    ]);
    assert_eq!(t.office.gateway.counters().unheld, 1);
}

#[test]
fn a_phone_that_changes_without_end_keeps_only_itself_waiting() {
    Tale::new(2).tell(&[
        (0, "A registers", "", "A"),
        (0, "B registers", "", "AB"),
        (0, "A renames", "", "AB"),
        (5, "flash", "", "AB"),
        (0, "A renames", "", "AB"),
        (5, "flash", "B 200/1", "AB"),
        (0, "A renames", "", "AB"),
        (5, "flash", "", "AB"),
        (5, "flash", "A 200/1", "AB"),
    ]);
}

/// Its ID is given to nobody here by the next configuration while its answer waits: it is refused, not welcomed.
#[test]
fn an_id_that_is_gone_meanwhile_gets_no_200() {
    let mut t = Tale::new(2);
    t.tell(&[(0, "A registers", "", "A"), (0, "B registers", "", "AB")]);
    t.office.subscribe();
    let mut after = site(2, 8);
    after.ids.remove(1);
    after.credentials.remove(1);
    after.reps[0].members = [IdKey::new(0).unwrap()].into_iter().collect();
    after.reps[0].ring = after.reps[0].members;
    t.office.offer(&after, 2, usize::MAX);
    assert_eq!(t.office.gateway.site(), &after);
    t.tell(&[
        (0, "rest", "A 200/1", "A"),
        (500, "B again", "B 401", "A"),
        (0, "off and on", "", "A"),
    ]);
}
