//! Lamps: phones watch lines, numbers and mail boxes.

use super::office::*;
use gateway::budget;
use gateway::lamps::{EXPIRES_MAX, EXPIRES_MIN};
use shared::IdKey;

const ALL: usize = usize::MAX;

/// A phone's subscription.
#[derive(Clone)]
pub struct Lamp {
    pub dialog: Dialog,
    phone: Phone,
    event: &'static str,
    more: &'static str,
    challenge: Option<Seen>,
    count: u32,
}

impl Lamp {
    fn new(phone: &Phone, line: &str, call_id: &str) -> Self {
        Self {
            dialog: phone.calls(line, call_id),
            phone: phone.clone(),
            event: "dialog",
            more: "",
            challenge: None,
            count: 0,
        }
    }

    /// A SUBSCRIBE, with credentials once there was a challenge.
    fn ask(&mut self, o: &mut Office, expires: u32) {
        let line = match &self.challenge {
            Some(challenge) => {
                self.count += 1;
                self.phone
                    .authorization_again(challenge, self.count, "SUBSCRIBE", &self.dialog.target)
            }
            None => String::new(),
        };
        let Self {
            dialog, event, more, ..
        } = self;
        let extra = format!(
            "Contact: <{}>\r\nEvent: {event}\r\nExpires: {expires}\r\n{more}{line}",
            dialog.contact
        );
        let text = dialog.request("SUBSCRIBE", &dialog.cseq.to_string(), &extra, "");
        self.dialog.cseq += 1;
        o.rx(self.dialog.peer, &text);
    }

    /// The same by challenge and answer. What comes of it.
    #[track_caller]
    fn ask_twice(&mut self, o: &mut Office, expires: u32, what: &str) -> Seen {
        self.ask(o, expires);
        self.challenge = Some(o.expect(self.dialog.peer, "407"));
        self.ask(o, expires);
        o.expect(self.dialog.peer, what)
    }

    /// It is taken, and the first NOTIFY is answered.
    #[track_caller]
    pub fn on(phone: &Phone, line: &str, call_id: &str, o: &mut Office) -> (Self, Seen) {
        let mut lamp = Self::new(phone, line, call_id);
        let ok = lamp.ask_twice(o, 3_600, "200");
        lamp.dialog = lamp.dialog.clone().confirmed(&ok);
        // One after the other.
        o.wait(2);
        let notify = lamp.told(o);
        (lamp, notify)
    }

    /// Its next NOTIFY, answered.
    #[track_caller]
    pub fn told(&self, o: &mut Office) -> Seen {
        let ours = |seen: &Seen| seen.what() == "NOTIFY" && seen.header("Call-ID") == self.dialog.call_id;
        let Some(place) = o.seen.iter().position(ours) else {
            panic!("no NOTIFY in {}; {:#?}", self.dialog.call_id, o.seen);
        };
        let notify = o.seen.remove(place).unwrap();
        assert_eq!(notify.peer, self.dialog.peer);
        o.reply(&notify, &answer(&notify, 200, ""));
        notify
    }
}

/// What a document says: `state direction remote` of each dialog.
pub fn shows(notify: &Seen) -> Vec<String> {
    assert_eq!(notify.header("Content-Type"), "application/dialog-info+xml");
    let between = |text: &str, from: &str, to: &str| {
        let rest = text.split_once(from)?.1;
        Some(rest.split_once(to)?.0.to_owned())
    };
    let dialogs = notify.text.split("<dialog ").skip(1);
    dialogs
        .map(|dialog| {
            let parts = [
                between(dialog, "<state>", "</state>"),
                between(dialog, "direction=\"", "\""),
                between(dialog, "<identity>sip:", "@"),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn version(notify: &Seen) -> u32 {
    let rest = notify.text.split_once("dialog-info\" version=\"").unwrap().1;
    rest.split_once('"').unwrap().0.parse().unwrap()
}

fn cseq(notify: &Seen) -> u32 {
    notify.header("CSeq").split(' ').next().unwrap().parse().unwrap()
}

/// A lamp of a phone that is called, and one of a phone that calls.
#[test]
fn a_call_inside() {
    let mut o = Office::with_phones(3);
    let watcher = Phone::new(2);
    let (called, first) = Lamp::on(&watcher, "201", "w1", &mut o);
    assert_eq!(shows(&first), ["terminated"]);
    assert!(
        first.text.contains("entity=\"sip:201@office.example\""),
        "{}",
        first.text
    );
    assert_eq!(
        first.header("From").split(';').next(),
        Some("<sip:201@office.example>")
    );
    assert_eq!(first.header("Subscription-State"), "active;expires=300");
    let (calling, _) = Lamp::on(&watcher, "0312340000", "w2", &mut o);
    o.wait(1_000);

    let caller = o.dial(&Phone::new(0), "201", "c1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.wait(10);
    let now: Vec<_> = [&called, &calling].map(|lamp| shows(&lamp.told(&mut o))).concat();
    assert_eq!(now, ["early recipient 0312340000", "proceeding initiator 201"]);
    o.wait(1_000);
    // The INVITE, again.
    o.seen.clear();
    o.answer(&invite, 180);
    o.expect(caller.peer, "180");
    o.wait(10);
    assert_eq!(shows(&calling.told(&mut o)), ["early initiator 201"]);
    o.wait(1_000);
    let callee = o.take(&invite);
    let mut caller = o.connected(caller);
    o.wait(10);
    let now: Vec<_> = [&called, &calling].map(|lamp| shows(&lamp.told(&mut o))).concat();
    assert_eq!(now, ["confirmed recipient 0312340000", "confirmed initiator 201"]);
    o.wait(1_000);
    o.hang_up(&mut caller, &callee);
    o.wait(10);
    let [one, two] = [&called, &calling].map(|lamp| lamp.told(&mut o));
    assert_eq!([shows(&one), shows(&two)].concat(), ["terminated", "terminated"]);
    assert_eq!((cseq(&one), version(&one)), (4, 3));
    assert_eq!((cseq(&two), version(&two)), (5, 4));
    o.wait(20_000);
    o.quiet();
}

/// A phone that is busy in one call and called in another shows both.
#[test]
fn two_calls_of_one_phone() {
    let mut o = Office::with_phones(4);
    let (lamp, _) = Lamp::on(&Phone::new(3), "201", "w1", &mut o);
    let caller = o.dial(&Phone::new(0), "201", "c1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.take(&invite);
    o.connected(caller);
    o.wait(1_000);
    lamp.told(&mut o);
    let second = o.dial(&Phone::new(2), "201", "c2");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&invite, 180);
    o.expect(second.peer, "180");
    o.wait(1_000);
    let mut both = shows(&lamp.told(&mut o));
    both.sort();
    assert_eq!(
        both,
        ["confirmed recipient 0312340000", "early recipient 0312340002"]
    );
    // It says no to the second.
    o.answer(&invite, 486);
    o.expect(invite.peer, "ACK");
    o.refused(&second, "486");
    o.wait(1_000);
    assert_eq!(shows(&lamp.told(&mut o)), ["confirmed recipient 0312340000"]);
}

/// A representative number is in use while there is a call on it, whoever has it.
#[test]
fn a_representative_number() {
    let mut o = Office::online(3);
    let (rep, first) = Lamp::on(&Phone::new(2), REP, "w1", &mut o);
    assert_eq!(shows(&first), ["terminated"]);
    let (phone, _) = Lamp::on(&Phone::new(2), "201", "w2", &mut o);
    o.wait(1_000);
    o.carrier_calls(REP, "in1");
    let invites: Vec<Seen> = (0..3)
        .map(|n| o.expect(Phone::new(n).address, "INVITE"))
        .collect();
    o.answer(&invites[0], 180);
    o.wait(10);
    assert_eq!(shows(&rep.told(&mut o)), ["proceeding"]);
    assert_eq!(shows(&phone.told(&mut o)), ["early recipient +81665550001"]);
    o.wait(600);
    assert_eq!(shows(&rep.told(&mut o)), ["early"]);
    o.take(&invites[0]);
    o.wait(1_000);
    assert_eq!(shows(&rep.told(&mut o)), ["confirmed"]);
    assert_eq!(shows(&phone.told(&mut o)), ["terminated"], "another one has it");
}

/// Nobody sees who talks with whom where one of them hides its number.
#[test]
fn hidden_numbers() {
    let mut o = Office::online(2);
    let (lamp, _) = Lamp::on(&Phone::new(1), "200", "w1", &mut o);
    o.wait(1_000);
    let dialog = carrier("0312340000", "in1");
    let sdp = offer("198.51.100.1", 20_000);
    let text = dialog.request("INVITE", "2", "Privacy: id\r\n", &sdp);
    o.trunk_rx(
        text.replace(
            "sip:+81665550001@trunk.example",
            "sip:anonymous@anonymous.invalid",
        )
        .as_bytes(),
    );
    o.expect(address(CLOUD), "100");
    o.expect(Phone::new(0).address, "INVITE");
    o.wait(10);
    let notify = lamp.told(&mut o);
    assert_eq!(shows(&notify), ["early recipient"]);
    assert!(!notify.text.contains("anonymous"), "{}", notify.text);
    o.send(&dialog, "CANCEL", "2");
    o.seen.clear();
    o.wait(40_000);
    o.seen.clear();

    for (dialled, seen) in [
        ("1840665550001", "proceeding initiator"),
        ("0665550001", "proceeding initiator 0665550001"),
    ] {
        let mut o = Office::online(2);
        let (lamp, _) = Lamp::on(&Phone::new(1), "200", "w1", &mut o);
        o.wait(1_000);
        o.dial(&Phone::new(0), dialled, "c1");
        o.wait(10);
        assert_eq!(shows(&lamp.told(&mut o)), [seen]);
    }
}

#[test]
fn what_is_refused() {
    let mut o = Office::with_phones(2);
    let phone = Phone::new(1);
    let try_it =
        |o: &mut Office, line: &str, event: &'static str, more: &'static str, expires: u32, what: &str| {
            let mut lamp = Lamp {
                event,
                more,
                ..Lamp::new(&phone, line, &format!("w{}", o.now))
            };
            o.wait(1);
            lamp.ask_twice(o, expires, what)
        };
    try_it(&mut o, "299", "dialog", "", 300, "404");
    try_it(&mut o, "0399999999", "dialog", "", 300, "404");
    try_it(&mut o, "nobody", "dialog", "", 300, "404");
    let refused = try_it(&mut o, "200", "dialog", "", 59, "423");
    assert_eq!(refused.header("Min-Expires"), EXPIRES_MIN.as_secs().to_string());
    let refused = try_it(
        &mut o,
        "200",
        "dialog",
        "Accept: application/pidf+xml\r\n",
        300,
        "406",
    );
    assert_eq!(
        refused.header("Accept"),
        "application/dialog-info+xml, application/simple-message-summary"
    );
    let refused = try_it(&mut o, "200", "dialog", "Require: eventlist\r\n", 300, "420");
    assert_eq!(refused.header("Unsupported"), "eventlist");
    try_it(&mut o, "0312340000", "message-summary", "", 300, "403");
    for event in ["presence", "Dialog", "reg", "", "dialog.winfo"] {
        let mut lamp = Lamp {
            event,
            ..Lamp::new(&phone, "200", "w0")
        };
        lamp.ask(&mut o, 300);
        let refused = o.expect(phone.address, "489");
        assert_eq!(refused.header("Allow-Events"), "dialog, message-summary");
    }
    // From where no phone is registered, right password or not.
    let mut elsewhere = phone.clone();
    elsewhere.address = address("192.168.1.99:5060");
    Lamp::new(&elsewhere, "200", "w1").ask_twice(&mut o, 300, "403");
    assert_eq!(o.gateway.lamps().0, 0);
    o.quiet();
}

/// The lamp of the voice mail box: nothing is known of it yet, and nothing is said but that.
#[test]
fn message_summary() {
    let mut o = Office::with_phones(1);
    let phone = Phone::new(0);
    let mut lamp = Lamp {
        event: "message-summary",
        more: "Accept: application/simple-message-summary\r\n",
        ..Lamp::new(&phone, "0312340000", "w1")
    };
    let ok = lamp.ask_twice(&mut o, 3_600, "200");
    lamp.dialog = lamp.dialog.clone().confirmed(&ok);
    let notify = lamp.told(&mut o);
    assert_eq!(notify.header("Event"), "message-summary");
    assert_eq!(
        notify.header("Content-Type"),
        "application/simple-message-summary"
    );
    let body = notify.text.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        body,
        "Messages-Waiting: no\r\nMessage-Account: sip:0312340000@office.example\r\n"
    );
}

/// Refreshed, looked at once, ended, and forgotten when nobody refreshes it.
#[test]
fn how_long_a_subscription_lasts() {
    let mut o = Office::with_phones(3);
    let (mut lamp, _) = Lamp::on(&Phone::new(2), "200", "w1", &mut o);
    o.wait(200_000);
    o.register(&Phone::new(2));
    lamp.ask(&mut o, 3_600);
    let ok = o.expect(lamp.dialog.peer, "200");
    assert_eq!(ok.header("Expires"), EXPIRES_MAX.as_secs().to_string());
    assert_eq!(
        (cseq(&lamp.told(&mut o)), ok.header("Allow-Events")),
        (2, "dialog, message-summary")
    );
    // The same request again, because its answer was lost.
    o.wait(100);
    lamp.dialog.cseq -= 1;
    lamp.count -= 1;
    lamp.ask(&mut o, 3_600);
    assert_eq!(o.expect(lamp.dialog.peer, "200").header("Expires"), "299");
    // Somebody else's, with its own credentials.
    let other = Phone::new(1);
    let mut theirs = lamp.clone();
    theirs.phone = other.clone();
    theirs.dialog.peer = other.address;
    theirs.ask_twice(&mut o, 0, "403");
    lamp.dialog.cseq += 2;
    lamp.ask(&mut o, 0);
    assert_eq!(o.expect(lamp.dialog.peer, "200").header("Expires"), "0");
    assert_eq!(
        lamp.told(&mut o).header("Subscription-State"),
        "terminated;reason=timeout"
    );
    assert_eq!(o.gateway.lamps().0, 0);
    lamp.ask(&mut o, 300);
    o.expect(lamp.dialog.peer, "481");

    let mut once = Lamp::new(&Phone::new(1), "200", "w2");
    let ok = once.ask_twice(&mut o, 0, "200");
    once.dialog = once.dialog.clone().confirmed(&ok);
    o.wait(2);
    assert_eq!(
        once.told(&mut o).header("Subscription-State"),
        "terminated;reason=timeout"
    );

    let (lamp, _) = Lamp::on(&Phone::new(1), "200", "w3", &mut o);
    o.register(&Phone::new(1));
    o.wait(301_000);
    assert_eq!(
        lamp.told(&mut o).header("Subscription-State"),
        "terminated;reason=timeout"
    );
    assert_eq!(o.gateway.lamps().0, 0);
    o.seen.clear();
    o.wait(1_000);
    o.quiet();
}

/// A phone that does not answer is told later, and one that does not know the subscription is told no more.
#[test]
fn phones_that_do_not_answer() {
    let mut o = Office::with_phones(3);
    let (lamp, _) = Lamp::on(&Phone::new(2), "200", "w1", &mut o);
    o.wait(1_000);
    o.dial(&Phone::new(0), "201", "c1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.answer(&invite, 180);
    o.wait(33_000);
    let first = o.expect(lamp.dialog.peer, "NOTIFY");
    o.seen.clear();
    assert_eq!(o.gateway.lamps().0, 1);
    o.wait(31_000);
    let later = lamp.told(&mut o);
    assert!(cseq(&later) > cseq(&first));
    assert_eq!(shows(&later), ["early initiator 201"]);
    o.seen.clear();
    o.wait(1_000);
    o.quiet();
    o.take(&invite);
    o.seen.clear();
    o.wait(600);
    let notify = o.expect(lamp.dialog.peer, "NOTIFY");
    o.reply(&notify, &answer(&notify, 481, ""));
    assert_eq!(o.gateway.lamps().0, 0);
}

/// A phone that has moved is told where it is; one that has gone is not told, and its subscription is not there any more.
#[test]
fn phones_that_move_and_go() {
    let mut o = Office::with_phones(2);
    let mut phone = Phone::new(1);
    let (mut lamp, _) = Lamp::on(&phone, "200", "w1", &mut o);
    o.wait(1_000);
    let moved = address("192.168.1.77:5070");
    let text = phone
        .register(3, "")
        .replace(&phone.address.to_string(), &moved.to_string());
    let call_id = format!("Call-ID: register-{}", phone.address);
    let text = |line: &str, cseq: u32| {
        text.replace("CSeq: 3", &format!("CSeq: {cseq}"))
            .replace("z9hG4bKr3", &format!("z9hG4bKr{cseq}"))
            .replace(&format!("Call-ID: register-{moved}"), &call_id)
            .replace("Content-Length", &format!("{line}Content-Length"))
    };
    o.rx(moved, &text("", 3));
    let challenge = o.expect(moved, "401");
    let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(moved, &text(&line, 4));
    o.expect(moved, "200");
    phone.address = moved;
    lamp.dialog.peer = moved;
    o.dial(&Phone::new(0), "201", "c1");
    o.expect(moved, "INVITE");
    o.wait(10);
    let notify = lamp.told(&mut o);
    assert_eq!(notify.uri(), "sip:phone@192.168.1.77:5070");
    // It takes its registration back.
    phone.expires = 0;
    o.register(&phone);
    assert_eq!(o.gateway.lamps().0, 0);
    o.seen.clear();
}

/// The lamps follow the configuration: an extension that is another's is watched there, one that is nobody's is no more.
#[test]
fn a_new_configuration() {
    let before = site(3, 8);
    let mut o = Office::new(&before);
    (0..3).for_each(|n| drop(o.register(&Phone::new(n))));
    let (gone, _) = Lamp::on(&Phone::new(2), "201", "w1", &mut o);
    let (rep, _) = Lamp::on(&Phone::new(2), REP, "w2", &mut o);
    let mut after = before.clone();
    after.ids.remove(1);
    after.credentials.remove(1);
    let key = |n| IdKey::new(n).unwrap();
    after.reps[0].members = [key(0), key(2)].into_iter().collect();
    after.reps[0].ring = after.reps[0].members;
    after.validate().unwrap();
    o.subscribe();
    o.wait(1_000);
    o.offer(&after, 2, ALL);
    assert_eq!(o.gateway.site(), &after);
    o.wait(20);
    assert_eq!(
        gone.told(&mut o).header("Subscription-State"),
        "terminated;reason=noresource"
    );
    assert!(
        rep.told(&mut o)
            .header("Subscription-State")
            .starts_with("active")
    );
    assert_eq!(o.gateway.lamps().0, 1);
}

/// After a power cut the box knows no subscription: it says so at the next refresh, and the phone begins anew.
#[test]
fn after_a_power_cut() {
    let mut o = Office::with_phones(2);
    let (mut lamp, _) = Lamp::on(&Phone::new(1), "200", "w1", &mut o);
    let mut o = o.restart();
    o.wait(60_000);
    lamp.ask(&mut o, 3_600);
    o.expect(lamp.dialog.peer, "481");
    let (_, notify) = Lamp::on(&Phone::new(1), "200", "w2", &mut o);
    assert_eq!(
        (cseq(&notify), version(&notify)),
        (1, 0),
        "a subscription of its own"
    );
}

/// Every key of every phone, and a call to all of them: each lamp is told once, one after the other.
#[test]
fn a_storm() {
    const PHONES: u16 = 64;
    let mut o = Office::with_phones(PHONES);
    let mut lamps = 0;
    for n in 0..PHONES {
        for k in 0..budget::LAMPS as u16 / PHONES {
            let line = format!("{}", 200 + (n + k) % PHONES);
            Lamp::on(&Phone::new(n), &line, &format!("w{n}-{k}"), &mut o);
            o.wait(10);
            lamps += 1;
        }
    }
    assert_eq!((lamps, o.gateway.lamps().0), (budget::LAMPS, budget::LAMPS));
    let refused = Lamp::new(&Phone::new(0), "263", "full").ask_twice(&mut o, 300, "503");
    assert!(refused.has("Retry-After"));
    o.wait(1_000);
    o.dial(&Phone::new(0), REP, "c1");
    let start = o.now;
    let mut notifies = Vec::new();
    for _ in 0..1_700 {
        o.wait(1);
        while let Some(at) = o.seen.iter().position(|seen| seen.what() == "NOTIFY") {
            let notify = o.seen.remove(at).unwrap();
            o.reply(&notify, &answer(&notify, 200, ""));
            notifies.push(notify);
        }
    }
    assert_eq!(notifies.len(), budget::LAMPS);
    assert!(notifies.last().unwrap().at - start < 1_600);
    assert!(
        notifies.windows(2).all(|pair| pair[0].at + 2 <= pair[1].at),
        "500 a second"
    );
    for notify in &notifies {
        let wanted = match notify.header("From").starts_with("<sip:200@") {
            true => "proceeding initiator 0312345678",
            false => "early recipient 0312340000",
        };
        assert_eq!(shows(notify), [wanted]);
    }
}
