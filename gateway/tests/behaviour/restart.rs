//! Power cuts and new configurations: what the box knows, and when.

use super::office::*;
use shared::record::FinalState;
use shared::site::Site;
use shared::sync::{Ack, EventBody, Message, Up};
use shared::{BoxId, IdKey};

const ALL: usize = usize::MAX;

fn registered(office: &Office) -> Vec<u16> {
    office.gateway.registered().map(u16::from).collect()
}

/// The box is killed in the middle of calls, with the line cut: it comes up from its own memory, and phones can call and
/// be called before any of them registers again.
#[test]
fn killed_and_started_again() {
    let mut o = Office::with_phones(4);
    let caller = o.dial(&Phone::new(0), "201", "c1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    let callee = o.take(&invite);
    let caller = o.connected(caller);
    let mut o = o.restart();
    assert_eq!(registered(&o), [0, 1, 2, 3]);
    assert!(matches!(o.events[..], [EventBody::Boot { .. }]), "{:?}", o.events);
    assert_eq!(o.gateway.site().ids.len(), 4);
    // The phones talk to each other still; the BYE of the old call is answered, so that the phone is free.
    for mut dialog in [caller, callee] {
        dialog.cseq += 1;
        o.send(&dialog, "BYE", "bye");
        o.expect(dialog.peer, "481");
    }
    // A new call, with a new nonce: nobody registered again.
    let caller = o.dial(&Phone::new(0), REP, "c2");
    let invites: Vec<Seen> = (1..4)
        .map(|n| o.expect(Phone::new(n).address, "INVITE"))
        .collect();
    assert!(invites.iter().all(|invite| invite.contact() == o.contact()));
    let callee = o.take(&invites[2]);
    let mut caller = o.connected(caller);
    o.seen.clear();
    o.hang_up(&mut caller, &callee);
    let states: Vec<_> = o.records().iter().map(|r| (r.leg, r.state)).collect();
    assert_eq!(states, [(0, FinalState::Answered), (1, FinalState::Answered)]);
    // An outside call attempted now hears why.
    let caller = o.dial(&Phone::new(1), "0665550001", "c3");
    o.expect(caller.peer, "183");
    o.handle(gateway::Input::Played { player: 0 });
    o.refused(&caller, "503");
    o.nothing_left();
}

/// A phone that does not come back after the restart is forgotten in time.
#[test]
fn restored_bindings_do_not_live_for_ever() {
    let o = Office::with_phones(2);
    let mut o = o.restart();
    o.wait(200_000);
    o.register(&Phone::new(1));
    o.wait(200_000);
    assert_eq!(registered(&o), [1]);
    let o = o.restart();
    assert_eq!(registered(&o), [1], "nor in flash");
}

/// A box that has never been configured answers, and serves nobody.
#[test]
fn a_box_without_configuration() {
    let mut o = Office::blank();
    let a = Phone::new(0);
    o.rx(a.address, &a.register(1, ""));
    let challenge = o.expect(a.address, "401");
    let line = a.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(a.address, &a.register(2, &line));
    o.expect(a.address, "401");
    o.nothing_left();
    // It is configured, at the first contact.
    o.subscribe();
    o.offer(&site(2, 8), 1, ALL);
    assert_eq!(o.gateway.site(), &site(2, 8));
    o.register(&a);
}

/// The second site: phone 1 is gone, phone 2 is new, and the group rings another way.
fn other() -> Site {
    let mut site = site(3, 8);
    site.ids.remove(1);
    site.credentials.remove(1);
    let key = |n| IdKey::new(n).unwrap();
    let rep = &mut site.reps[0];
    rep.members = [key(0), key(2)].into_iter().collect();
    rep.ring = [key(2)].into_iter().collect();
    site.validate().unwrap();
    site
}

/// A new configuration is used as a whole, from one call to the next; calls go on as they are.
#[test]
fn a_new_configuration_between_calls() {
    let before = site(2, 8);
    let after = other();
    let mut o = Office::new(&before);
    (0..2).for_each(|n| drop(o.register(&Phone::new(n))));
    let caller = o.dial(&Phone::new(0), "201", "c1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    let callee = o.take(&invite);
    let mut caller = o.connected(caller);
    o.subscribe();
    // Only some of the pieces arrive: nothing has changed.
    o.offer(&after, 2, 2);
    assert_eq!(o.gateway.site(), &before);
    assert_eq!(o.published(Up::Ack).len(), 0);
    // All of them.
    o.offer(&after, 3, ALL);
    assert_eq!(o.gateway.site(), &after);
    let acks = o.published(Up::Ack);
    assert_eq!(Ack::decode(&acks[0]).map(|ack| ack.epoch), Ok(3));
    // The call goes on, although one of its phones is of the office no more.
    o.quiet();
    o.hang_up(&mut caller, &callee);
    assert_eq!(registered(&o), [0]);
    let gone = Phone::new(1);
    o.rx(gone.address, &gone.register(8, ""));
    let challenge = o.expect(gone.address, "401");
    let line = gone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(gone.address, &gone.register(9, &line));
    o.expect(gone.address, "401");
    o.register(&Phone::new(2));
    o.dial(&Phone::new(0), REP, "c2");
    o.expect(Phone::new(2).address, "INVITE");
    o.quiet();
    // And so after a power cut.
    let o = o.restart();
    assert_eq!((o.gateway.site(), registered(&o)), (&after, vec![0, 2]));
}

/// The power goes at any moment of an update: the old or the new configuration, as a whole.
#[test]
fn killed_in_the_middle_of_an_update() {
    let (before, after) = (site(2, 8), other());
    let mut seen = [0, 0];
    for pieces in 0..8 {
        let mut o = Office::new(&before);
        o.register(&Phone::new(0));
        o.subscribe();
        o.offer(&after, 2, pieces);
        let running = o.gateway.site().clone();
        let o = o.restart();
        assert_eq!(o.gateway.site(), &running, "after {pieces} pieces");
        assert!(running == before || running == after);
        seen[usize::from(running == after)] += 1;
        assert_eq!(registered(&o), [0]);
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

/// What happened while the line was cut is told when it is back, in order and over restarts.
#[test]
fn records_wait_for_the_cloud() {
    let mut o = Office::with_phones(2);
    for n in 0..3 {
        let caller = o.dial(&Phone::new(0), "201", &format!("c{n}"));
        let invite = o.expect(Phone::new(1).address, "INVITE");
        o.answer(&invite, 486);
        o.expect(invite.peer, "ACK");
        o.refused(&caller, "486");
    }
    let mut o = o.restart();
    o.subscribe();
    let batches = o.published(Up::Events);
    let events: Vec<_> = shared::sync::BatchReader::new(&batches[0])
        .unwrap()
        .map(|event| event.unwrap().decode().unwrap())
        .collect();
    let boots: Vec<u32> = events.iter().map(|event| event.id.boot).collect();
    assert!(boots.is_sorted() && boots.first() < boots.last(), "{boots:?}");
    let calls = events
        .iter()
        .filter(|event| matches!(event.body, EventBody::CallLeg(_)));
    assert_eq!(calls.count(), 3);
    assert_eq!(factory().box_id, BoxId(77));
}
