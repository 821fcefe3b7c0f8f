//! What the box promises to carry for a minute, on the virtual clock.

use super::office::*;
use gateway::budget::{CALLS, EMERGENCY_CALLS, LEGS, TRANSACTIONS};
use gateway::{Input, UplinkInput};
use shared::sync::{AppAck, BatchReader, Down, Message, Topic, Up};
use shared::{BoxId, IdSet, Number};

/// Phones that register, refresh and answer by themselves, and callers that hang up as soon as they are through.
struct Crowd {
    /// Calls set up to the end.
    answered: u32,
    ended: u32,
    refused: u32,
    accepted: u32,
    /// Callers, by Call-ID.
    callers: std::collections::HashMap<String, Dialog>,
    most: (usize, usize, usize),
}

impl Crowd {
    fn new() -> Self {
        Self {
            answered: 0,
            ended: 0,
            refused: 0,
            accepted: 0,
            callers: Default::default(),
            most: (0, 0, 0),
        }
    }

    /// Everybody answers what the box has sent, until there is nothing more to answer.
    fn react(&mut self, o: &mut Office) {
        while let Some(seen) = o.seen.pop_front() {
            let usage = o.usage();
            self.most = (
                self.most.0.max(usage.calls),
                self.most.1.max(usage.legs),
                self.most.2.max(usage.transactions),
            );
            let call_id = seen.header("Call-ID").to_owned();
            let phone = Phone::new(
                u16::from(match seen.peer.ip() {
                    std::net::IpAddr::V4(ip) => ip.octets()[3],
                    _ => unreachable!(),
                }) - 10,
            );
            match (seen.what(), seen.header("CSeq").split(' ').nth(1).unwrap()) {
                ("INVITE", _) => {
                    o.answer(&seen, 180);
                    // The last of the group lifts.
                    if phone.index % 8 == 7 {
                        o.answer(&seen, 200);
                    }
                }
                ("CANCEL", _) => {
                    o.reply(&seen, &answer(&seen, 200, ""));
                    let invite = Seen {
                        text: seen.text.replace("CANCEL", "INVITE"),
                        ..seen.clone()
                    };
                    o.reply(&seen, &answer(&invite, 487, ""));
                }
                ("BYE", _) => o.reply(&seen, &answer(&seen, 200, "")),
                ("ACK" | "100" | "180", _) => {}
                ("407", _) => {
                    let mut dialog = self.callers[&call_id].clone();
                    o.rx(seen.peer, &dialog.ack_refusal(&seen, "1"));
                    dialog.cseq = 2;
                    let line = phone.authorization(&seen, "INVITE", &dialog.target);
                    o.rx(seen.peer, &dialog.request("INVITE", "2", &line, OFFER));
                    self.callers.insert(call_id, dialog);
                }
                ("200", "INVITE") => {
                    self.answered += 1;
                    let mut dialog = self.callers[&call_id].clone().confirmed(&seen);
                    o.send(&dialog, "ACK", "ack");
                    dialog.cseq = 3;
                    o.send(&dialog, "BYE", "bye");
                }
                ("200", "BYE") => self.ended += 1,
                ("401", "REGISTER") => {
                    let line = phone.authorization(&seen, "REGISTER", &format!("sip:{REALM}"));
                    o.rx(seen.peer, &phone.register(seen.cseq() + 1, &line));
                }
                ("200", "REGISTER") => self.accepted += 1,
                ("OPTIONS", _) => o.reply(&seen, &answer(&seen, 200, "")),
                (other, _) => {
                    assert!(other.starts_with('5'), "{}", seen.text);
                    self.refused += 1;
                }
            }
        }
    }
}

/// The cloud takes every batch of events into its database at once.
fn acknowledge(o: &mut Office) {
    loop {
        let batches = o.published(Up::Events);
        let Some(batch) = batches.last() else { return };
        let up_to = BatchReader::new(batch)
            .unwrap()
            .last()
            .map(|event| event.unwrap().id);
        let mut buf = [0; 64];
        let ack = AppAck {
            up_to,
            unix: 1_800_000_000_000,
        };
        let payload = ack.encode(&mut buf).unwrap().to_vec();
        let topic = Topic::Down(BoxId(77), Down::AppAck).name();
        o.handle(Input::Uplink(UplinkInput::Message {
            topic: &topic,
            payload: &payload,
        }));
    }
}

/// Eight groups of eight phones.
fn groups() -> shared::site::Site {
    let mut site = site(64, 64);
    let template = site.reps[0].clone();
    site.reps.clear();
    for group in 0..8u16 {
        let members: IdSet = (8 * group..8 * group + 8)
            .filter_map(shared::IdKey::new)
            .collect();
        let mut rep = template.clone();
        rep.number = Number::parse(&format!("031234567{group}")).unwrap();
        (rep.members, rep.ring) = (members, members);
        site.reps.push(rep).unwrap();
    }
    for (n, id) in site.ids.iter_mut().enumerate() {
        id.outgoing = site.reps[n / 8].number;
    }
    site.validate().unwrap();
    site
}

/// Twenty call set-ups a second to groups of eight, for a minute, with a hundred REGISTERs a second of which each second one
/// carries credentials, and every record in the cloud's database.
#[test]
fn a_busy_minute() {
    let mut o = Office::new(&groups());
    (0..64).for_each(|n| drop(o.register(&Phone::new(n))));
    o.subscribe();
    acknowledge(&mut o);
    o.events.clear();
    let mut crowd = Crowd::new();
    let (seconds, calls, registers) = (60, 20, 100);
    for n in 0..seconds * registers {
        let phone = Phone::new((n * 7 % 64) as u16);
        o.rx(phone.address, &phone.register(100 + 2 * n as u32, ""));
        crowd.react(&mut o);
        if n % (registers / calls) == 0 {
            // From one group to another.
            let group = n % 8;
            let caller = Phone::new((8 * ((group + 1) % 8)) as u16);
            let call_id = format!("c{n}");
            let dialog = caller.calls(&format!("031234567{group}"), &call_id);
            o.rx(caller.address, &dialog.request("INVITE", "1", "", OFFER));
            crowd.callers.insert(call_id, dialog);
            crowd.react(&mut o);
        }
        acknowledge(&mut o);
        o.wait(1_000 / registers as u64);
        crowd.react(&mut o);
    }
    let total = (seconds * calls) as u32;
    assert_eq!((crowd.refused, crowd.answered, crowd.ended), (0, total, total));
    assert_eq!(crowd.accepted as usize, seconds * registers);
    let (calls, legs, transactions) = crowd.most;
    assert!(calls <= CALLS && legs <= LEGS && transactions <= TRANSACTIONS);
    // The tables were full of stragglers, and that was no reason to refuse anything.
    let full = calls >= CALLS - EMERGENCY_CALLS && transactions >= TRANSACTIONS - TRANSACTIONS / 8 - 8;
    assert!(full, "{:?}", crowd.most);
    assert_eq!(o.records().len(), 2 * total as usize);
    o.nothing_left();
}

/// All the calls the box promises, at once, each with a phone that rings and one that talks.
#[test]
fn as_many_calls_as_promised() {
    let mut o = Office::with_phones(64);
    let mut crowd = Crowd::new();
    let mut calls = Vec::new();
    for n in 0..32 {
        let caller = o.dial(&Phone::new(n), &format!("{}", 232 + n), &format!("c{n}"));
        let invite = o.expect(Phone::new(32 + n).address, "INVITE");
        let callee = o.take(&invite);
        calls.push((o.connected(caller), callee));
    }
    o.quiet();
    for _ in 0..70 {
        o.wait(1_000);
        crowd.react(&mut o);
    }
    assert_eq!(o.usage().calls, 32);
    for (mut caller, callee) in calls {
        o.hang_up(&mut caller, &callee);
    }
    o.quiet();
    assert_eq!(o.records().len(), 64);
    o.nothing_left();
}
