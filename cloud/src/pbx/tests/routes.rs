//! What becomes of calls from the carrier: the precedence as the calls meet it.

use super::*;

/// 2027-01-15, a Friday, 17:00 in Japan: where the bench's clock begins.
const HOURS: &str = "09:00-18:00";
const OVER: &str = "09:00-12:00";

fn schedule(hours: &str) -> Schedule {
    let day: shared::schedule::Day = [hours.parse().unwrap()].into_iter().collect();
    Schedule {
        weekly: std::array::from_fn(|_| day.clone()),
        holidays: None,
        exceptions: Default::default(),
        manual: None,
    }
}

/// The representative number with these rules; schedule and block list 0 are these.
fn ruled(rules: NumberRules, state: NumberState, schedule: Schedule, block: &[BlockRule]) -> Bench {
    let mut b = Bench::with(&[TOKYO, OSAKA]);
    let mut office = yamada();
    office.lines.insert(number("0312340000"), (state, rules));
    office.schedules.insert(0, schedule);
    office.blocks.insert(0, block.to_vec());
    b.give(Input::Directory(Box::new(with(office))));
    b
}

fn rules(schedule: bool) -> NumberRules {
    NumberRules {
        schedule: schedule.then_some(0),
        block: Some(0),
        ..NumberRules::default()
    }
}

/// What the carrier is answered at once, and the cause.
fn refused(b: &mut Bench, withheld: bool) -> (String, String) {
    let mut carrier = Caller::carrier("c1", "0312340000");
    if withheld {
        carrier.extra = "Privacy: id\r\n".into();
    }
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    assert_eq!(b.pbx.channels_used(CONTRACT), 0);
    let seen = b.seen.remove(0);
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    b.quiet();
    (
        seen.what().into(),
        seen.header("Reason").unwrap_or_default().into(),
    )
}

#[test]
fn what_does_not_ring() {
    let caller = number("0335550001");
    let mut closed = schedule(HOURS);
    closed.manual = Some(Override {
        state: State::Closed,
        until: None,
    });
    let mut today = schedule(HOURS);
    let exception = Exception {
        date: "2027-01-15".parse().unwrap(),
        hours: Default::default(),
    };
    today.exceptions.push(exception).unwrap();
    let busy = ("486", "Q.850;cause=17;");
    let barred = ("403", "Q.850;cause=21;");
    type Row<'r> = (
        &'r str,
        NumberState,
        Schedule,
        &'r [BlockRule],
        bool,
        (&'r str, &'r str),
    );
    let table: [Row<'_>; 7] = [
        (
            "suspended",
            NumberState::Suspended,
            schedule(HOURS),
            &[],
            false,
            barred,
        ),
        (
            "to come",
            NumberState::Porting,
            schedule(HOURS),
            &[],
            false,
            ("480", "Q.850;cause=27;"),
        ),
        (
            "blocked",
            NumberState::InUse,
            schedule(HOURS),
            &[BlockRule::Number(caller)],
            false,
            barred,
        ),
        (
            "withheld",
            NumberState::InUse,
            schedule(HOURS),
            &[BlockRule::Withheld],
            true,
            barred,
        ),
        (
            "after hours",
            NumberState::InUse,
            schedule(OVER),
            &[],
            false,
            busy,
        ),
        ("closed by hand", NumberState::InUse, closed, &[], false, busy),
        ("closed today", NumberState::InUse, today, &[], false, busy),
    ];
    for (what, state, schedule, block, withheld, (status, cause)) in table {
        let mut b = ruled(rules(true), state, schedule, block);
        let (answer, reason) = refused(&mut b, withheld);
        assert!(
            answer == status && reason.starts_with(cause),
            "{what}: {answer} {reason}"
        );
        let state = match status {
            "486" => FinalState::Busy,
            "480" => FinalState::Unavailable,
            _ => FinalState::Refused(403),
        };
        assert_eq!(b.states(), [(0, state, status.parse().unwrap())], "{what}");
        b.nothing_left();
    }
}

/// Live and from its record, a call is judged the same (非通知拒否).
#[test]
fn who_withholds_its_number() {
    use shared::route::Caller as Who;
    let private = "Privacy: id\r\n";
    for (from, extra, who) in [
        ("<sip:0335550001@x>", "", Who::Number(number("0335550001"))),
        ("<sip:0335550001@x>", private, Who::Withheld),
        (
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
            "",
            Who::Withheld,
        ),
        ("<sip:Anonymous@x>", "", Who::Withheld),
        ("<sip:unavailable@x>", "", Who::Unavailable),
        ("<sip:unavailable@x>", private, Who::Withheld),
        ("<sip:203.0.113.9>", "", Who::Unavailable),
        ("<sip:203.0.113.9>", private, Who::Withheld),
    ] {
        let mut b = ruled(
            rules(true),
            NumberState::InUse,
            schedule(HOURS),
            &[BlockRule::Withheld],
        );
        let mut carrier = Caller::carrier("c1", "0312340000");
        (carrier.from, carrier.extra) = (from.into(), extra.into());
        b.rx(CARRIER, &carrier.request("INVITE", "i"));
        b.expect(CARRIER, "100");
        if who == Who::Withheld {
            b.expect(CARRIER, "403");
        } else {
            b.expect(home(TOKYO), "INVITE");
            b.rx(CARRIER, &carrier.request("CANCEL", "i"));
        }
        let leg = b.records.pop().unwrap().1;
        let number = Number::parse(&leg.from).ok();
        assert_eq!(
            caller(&leg.from, number, leg.presented.is_none()),
            who,
            "{from} {extra}"
        );
    }
}

#[test]
fn what_rings_all_the_same() {
    let mut open = schedule(OVER);
    open.manual = Some(Override {
        state: State::Open,
        until: None,
    });
    for (what, schedule, follows, block) in [
        ("in hours", schedule(HOURS), true, BlockRule::Withheld),
        ("open by hand", open, true, BlockRule::Withheld),
        ("without hours", schedule(OVER), false, BlockRule::Withheld),
        (
            "another is blocked",
            schedule(HOURS),
            true,
            BlockRule::Number(number("0335550002")),
        ),
    ] {
        let mut b = ruled(rules(follows), NumberState::InUse, schedule, &[block]);
        b.rx(
            CARRIER,
            &Caller::carrier("c1", "0312340000").request("INVITE", "i"),
        );
        b.expect(CARRIER, "100");
        b.expect(home(TOKYO), "INVITE");
        b.expect(home(OSAKA), "INVITE");
        assert_eq!(b.pbx.channels_used(CONTRACT), 1, "{what}");
    }
}

/// R25: a direct number that is off is announced, not silent.
#[test]
fn a_direct_number_that_is_off() {
    let mut b = Bench::with(&[TOKYO]);
    let mut office = yamada();
    office.site.ids[0].direct_in = false;
    b.give(Input::Directory(Box::new(with(office))));
    b.rx(
        CARRIER,
        &Caller::carrier("c1", "0312340001").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    assert_eq!(
        b.expect(CARRIER, "404").header("Reason"),
        Some("Q.850;cause=1;text=\"Unallocated number\"")
    );
    // The representative number rings it all the same.
    b.rx(
        CARRIER,
        &Caller::carrier("c2", "0312340000").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    b.expect(home(TOKYO), "INVITE");
}

/// R44: only the boxes whose terminals ring are asked.
#[test]
fn a_group_rings_where_its_terminals_are() {
    let mut b = Bench::with(&[TOKYO, OSAKA]);
    let mut office = yamada();
    let osaka = office.site.ids.last().unwrap().key;
    office.site.reps[0].ring = [osaka].into_iter().collect();
    b.give(Input::Directory(Box::new(with(office))));
    b.rx(
        CARRIER,
        &Caller::carrier("c1", "0312340000").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    b.expect(home(OSAKA), "INVITE");
    b.quiet();
}

#[test]
fn after_hours_another_number_rings() {
    let forwarded = NumberRules {
        closed: Treatment::Forward(number("0663000001")),
        ..rules(true)
    };
    let mut b = ruled(forwarded, NumberState::InUse, schedule(OVER), &[]);
    b.rx(
        CARRIER,
        &Caller::carrier("c1", "0312340000").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    let invite = b.expect(home(OSAKA), "INVITE");
    assert!(invite.uri().starts_with("sip:0663000001@"));
    assert_eq!(
        invite.header("Diversion"),
        Some("<sip:0312340000@pbx.example>;reason=time-of-day;counter=1")
    );
    assert_eq!(
        invite.header("History-Info"),
        Some("<sip:0312340000@pbx.example>;index=1, <sip:0663000001@pbx.example;cause=302>;index=1.1;mp=1")
    );
    b.quiet();
}

/// What the phones are told of who sent the call on, before it came here: the number alone, and nothing of what is hidden.
#[test]
fn sent_on_before_it_came() {
    let history = "History-Info: <sip:+81335559999@x>;index=1, <sip:+81312340001@x;cause=486>;index=1.1";
    let table = [
        ("", None),
        (
            "Diversion: \"Front\" <sip:+81335559999@secret.example>;reason=no-answer;counter=2",
            Some("<sip:0335559999@pbx.example>;reason=no-answer;counter=2"),
        ),
        (
            history,
            Some("<sip:0335559999@pbx.example>;reason=user-busy;counter=1"),
        ),
        ("Diversion: <sip:+81335559999@x>;privacy=full", None),
        ("Diversion: <sip:somebody@x>", None),
    ];
    for (line, want) in table {
        let mut b = Bench::with(&[TOKYO]);
        let mut carrier = Caller::carrier("c1", "0312340001");
        carrier.extra = line.to_string() + if line.is_empty() { "" } else { "\r\n" };
        let invite = b.ring(&carrier, home(TOKYO));
        assert_eq!(invite.header("Diversion"), want);
        assert_eq!(invite.header("History-Info").is_some(), want.is_some());
        assert!(!invite.text.contains("secret"), "{}", invite.text);
    }
}

#[test]
fn another_number_rings_if_nobody_answers() {
    let forwarded = NumberRules {
        unanswered: Treatment::Forward(number("0663000001")),
        ..rules(false)
    };
    // After 30 seconds.
    let mut b = ruled(forwarded, NumberState::InUse, schedule(HOURS), &[]);
    let mut office = yamada();
    office.site.reps[0].ring = office.site.ids[..1].iter().map(|id| id.key).collect();
    office
        .lines
        .insert(number("0312340000"), (NumberState::InUse, forwarded));
    b.give(Input::Directory(Box::new(with(office))));
    let mut carrier = Caller::carrier("c1", "0312340000");
    let first = b.ring(&carrier, home(TOKYO));
    b.wait_alive(29_999, &[home(TOKYO), home(OSAKA)]);
    b.quiet();
    b.wait(1);
    let second = b.expect(home(OSAKA), "INVITE");
    assert_eq!(first.header("Diversion"), None);
    assert_eq!(
        second.header("Diversion"),
        Some("<sip:0312340000@pbx.example>;reason=no-answer;counter=1")
    );
    let cancel = b.expect(home(TOKYO), "CANCEL");
    b.rx(home(TOKYO), &answer(&cancel, 200, ""));
    b.rx(home(TOKYO), &answer(&first, 487, ""));
    b.expect(home(TOKYO), "ACK");
    assert_eq!(b.pbx.channels_used(CONTRACT), 1, "it stays one call");
    b.rx(home(OSAKA), &answer(&second, 200, PHONE_SDP));
    b.expect(home(OSAKA), "ACK");
    carrier.to_tag = b.expect(CARRIER, "200").tag("To");
    b.rx(CARRIER, &carrier.request("ACK", "a"));
    b.hang_up(&carrier, home(OSAKA));
    assert_eq!(b.states()[0], (0, FinalState::Answered, 200));
    b.nothing_left();

    // At once where everybody is busy; it is not forwarded twice.
    let mut b = ruled(forwarded, NumberState::InUse, schedule(HOURS), &[]);
    let carrier = Caller::carrier("c1", "0312340000");
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    for flow in [home(TOKYO), home(OSAKA)] {
        let invite = b.expect(flow, "INVITE");
        b.rx(flow, &answer(&invite, 486, ""));
        b.expect(flow, "ACK");
    }
    let again = b.expect(home(OSAKA), "INVITE");
    assert!(again.uri().starts_with("sip:0663000001@"));
    assert_eq!(
        again.header("Diversion"),
        Some("<sip:0312340000@pbx.example>;reason=user-busy;counter=1")
    );
    b.rx(home(OSAKA), &answer(&again, 486, ""));
    b.expect(home(OSAKA), "ACK");
    b.expect(CARRIER, "486");
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    b.nothing_left();
}

/// The authority calls back: past every setting and the channels, to the terminal that called, and then to all.
#[test]
fn a_call_back_rings_the_terminal_that_called() {
    let mut closed = schedule(OVER);
    closed.manual = Some(Override {
        state: State::Closed,
        until: None,
    });
    let mut b = ruled(
        rules(true),
        NumberState::Suspended,
        closed,
        &[BlockRule::Withheld],
    );
    // The phone's own number is none of a place: the emergency call presents the representative number.
    let mut office = yamada();
    office.site.ids[0].direct = number("05011112222");
    office.site.ids[0].outgoing = number("0312340000");
    let suspended = (NumberState::Suspended, rules(true));
    office.lines.insert(number("0312340000"), suspended);
    office.blocks.insert(0, vec![BlockRule::Withheld]);
    b.give(Input::Directory(Box::new(with(office))));
    let mut phone = Caller::office(home(TOKYO), "e1", "119", "05011112222");
    let invite = b.ring(&phone, CARRIER);
    assert!(invite.header("From").unwrap().contains("+81312340000"));
    b.rx(CARRIER, &answer(&invite, 200, CARRIER_SDP));
    b.expect(CARRIER, "ACK");
    phone.to_tag = b.expect(home(TOKYO), "200").tag("To");
    b.rx(home(TOKYO), &phone.request("ACK", "a"));
    b.hang_up(&phone, CARRIER);
    b.records.clear();

    let mut back = Caller::carrier("c1", "0312340000");
    back.extra = "Privacy: id\r\n".into();
    let first = b.ring(&back, home(TOKYO));
    assert_eq!(first.header("Priority"), Some("psap-callback"));
    b.wait_alive(14_999, &[home(TOKYO), home(OSAKA)]);
    b.quiet();
    b.wait(1);
    // It is not cancelled there: the others ring too.
    let second = b.expect(home(OSAKA), "INVITE");
    b.quiet();
    b.rx(home(OSAKA), &answer(&second, 180, ""));
    b.seen.clear();
    b.rx(CARRIER, &back.request("CANCEL", "i"));
    b.seen.clear();

    // An hour after the call's end it is a call like any other.
    b.wait(3_600_000);
    b.seen.clear();
    back.id = "c2".into();
    b.rx(CARRIER, &back.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    b.expect(CARRIER, "403");
}
