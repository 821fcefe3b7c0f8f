//! Tables of (time, what the controller says, what it is told to do).

use std::time::Duration;

use gateway::budget::POWER_SUPPLY;
use gateway::power::{
    CYCLE, Class, Cut, Feed, Found, HOT, HOT_BACK, InCall, PortOrder, PortReading, Power, REST, REST_MAX,
    Reading, Refused, SETTLED, SILENT, STRANDED, SUPPLY_MIN_MV, Told,
};
use shared::hub::{PortPower, PowerFault};
use shared::sync::PowerOrder;
use sip::Instant;

const NONE: PortReading = PortReading {
    searches: true,
    feed: Feed::Off,
    found: Found::Nothing,
    cut: None,
    milliwatts: 0,
};
const OTHER: PortReading = PortReading {
    found: Found::Other,
    ..NONE
};
const DISABLED: PortReading = PortReading {
    searches: false,
    found: Found::Unknown,
    ..NONE
};

fn device(class: u8) -> PortReading {
    PortReading {
        found: Found::Device(Class::new(class)),
        ..NONE
    }
}

fn fed(class: u8, milliwatts: u32) -> PortReading {
    PortReading {
        feed: Feed::On,
        milliwatts,
        ..device(class)
    }
}

fn cut(class: u8, why: Cut) -> PortReading {
    PortReading {
        cut: Some(why),
        ..device(class)
    }
}

fn on(port: u8, class: u8) -> (u8, PortOrder) {
    (port, PortOrder::On(Class::new(class)))
}

fn off(port: u8) -> (u8, PortOrder) {
    (port, PortOrder::Off)
}

struct Bench {
    power: Power,
    supply_mv: u32,
    celsius: i16,
    in_call: InCall,
}

/// When, how the ports are then, what is ordered.
type Row<'a> = (u64, [PortReading; 4], &'a [(u8, PortOrder)]);

impl Bench {
    fn new() -> Bench {
        Bench {
            power: Power::new(POWER_SUPPLY),
            supply_mv: 54_000,
            celsius: 40,
            in_call: [false; 4],
        }
    }

    /// A box whose ports were like this when it started.
    fn with(ports: [PortReading; 4]) -> Bench {
        let mut bench = Bench::new();
        assert_eq!(bench.at(0, ports), [], "what feeds goes on");
        bench
    }

    fn at(&mut self, ms: u64, ports: [PortReading; 4]) -> Vec<(u8, PortOrder)> {
        let reading = Reading {
            ports,
            supply_mv: self.supply_mv,
            celsius: self.celsius,
            was_too_hot: false,
        };
        self.power.read(Instant(ms), Some(&reading), self.in_call);
        self.orders()
    }

    fn orders(&mut self) -> Vec<(u8, PortOrder)> {
        std::iter::from_fn(|| self.power.poll()).collect()
    }

    /// Rows of time, ports, orders.
    fn table(&mut self, rows: &[Row<'_>]) {
        for (ms, ports, orders) in rows {
            assert_eq!(self.at(*ms, *ports), *orders, "at {ms} ms");
        }
    }

    fn faults(&mut self) -> Vec<(u8, PowerFault, bool)> {
        let told = std::iter::from_fn(|| self.power.poll_told());
        told.map(|told| match told {
            Told::Fault { port, fault, raised } => (port, fault, raised),
            Told::Cycled { .. } => panic!("{told:?}"),
        })
        .collect()
    }

    fn shown(&self, ms: u64) -> [PortPower; 4] {
        [0, 1, 2, 3].map(|port| self.power.shown(Instant(ms), port).unwrap().power)
    }
}

const fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

#[test]
fn devices_are_fed_one_after_the_other() {
    let d = device(2);
    let f = fed(2, 3_000);
    let starting = PortReading {
        feed: Feed::Starting,
        ..d
    };
    Bench::new().table(&[
        (0, [d, OTHER, d, d], &[on(0, 2)]),
        // It is not on yet: the next one waits, however long ago it was told to.
        (100, [d, OTHER, d, d], &[]),
        (600, [starting, OTHER, d, d], &[]),
        (700, [f, OTHER, d, d], &[on(2, 2)]),
        (800, [f, OTHER, f, d], &[]),
        (1_199, [f, OTHER, f, d], &[]),
        (1_200, [f, OTHER, f, d], &[on(3, 2)]),
        (1_300, [f, OTHER, f, f], &[]),
        (9_000, [f, OTHER, f, f], &[]),
    ]);
}

#[test]
fn what_is_kept_for_a_class() {
    // Classes, and who is fed of 60 W.
    for (classes, fed_ports) in [
        ([0, 0, 0, 0], [true, true, true, false]),
        ([3, 3, 3, 2], [true, true, true, true]),
        ([4, 4, 1, 1], [true, true, false, false]),
        ([4, 3, 4, 2], [true, true, false, true]),
        ([1, 2, 1, 2], [true; 4]),
    ] {
        let mut bench = Bench::new();
        let mut ports = classes.map(device);
        for step in 0..8 {
            for (port, _) in bench.at(600 * step, ports) {
                let at = usize::from(port);
                ports[at] = fed(classes[at], 1_000);
            }
        }
        assert_eq!(ports.map(|port| port.feed == Feed::On), fed_ports, "{classes:?}");
        let expected = fed_ports.map(|fed| match fed {
            true => PortPower::On,
            false => PortPower::Fault(PowerFault::Budget),
        });
        assert_eq!(bench.shown(4_800), expected, "{classes:?}");
        assert_eq!(bench.faults(), [], "it may still come right");
    }
}

#[test]
fn the_fourth_is_fed_when_the_others_are_measured() {
    let settled = ms(SETTLED);
    let three = |milliwatts| {
        [
            fed(0, milliwatts),
            fed(0, milliwatts),
            fed(0, milliwatts),
            device(0),
        ]
    };
    let mut bench = Bench::with([fed(0, 5_000), fed(0, 5_000), fed(0, 5_000), NONE]);
    bench.table(&[
        (1_000, three(9_050), &[]),
        (2_000, three(3_000), &[]),
        (settled - 1, three(3_000), &[]),
        // 3 x (9.1 + 1.0) + 15.4 = 45.7 W: the most that each has drawn counts, and a watt.
        (settled, three(3_000), &[on(3, 0)]),
    ]);
    assert_eq!(bench.power.kept(Instant(settled)), 3 * 101 + 154);
    // Were it 14.9 W, there would be 12.3 W left. After two minutes that is an alarm.
    let mut bench = Bench::with([fed(0, 14_900), fed(0, 14_900), fed(0, 14_900), NONE]);
    bench.table(&[
        (1_000, three(14_900), &[]),
        (settled, three(100), &[]),
        (120_999, three(100), &[]),
    ]);
    assert_eq!(bench.faults(), []);
    bench.table(&[(121_000, three(100), &[])]);
    assert_eq!(bench.faults(), [(3, PowerFault::Budget, true)]);
    // Somebody takes his phone away: there is room, and the alarm is over.
    let unplugged = cut(0, Cut::Unplugged);
    bench.table(&[(
        122_000,
        [fed(0, 100), fed(0, 100), unplugged, device(0)],
        &[on(3, 0)],
    )]);
    bench.table(&[(123_000, [fed(0, 100), fed(0, 100), NONE, fed(0, 100)], &[])]);
    assert_eq!(bench.faults(), [(3, PowerFault::Budget, false)]);
}

#[test]
fn a_fault_is_waited_for_longer_each_time() {
    for (why, fault) in [
        (Cut::Overload, PowerFault::Overload),
        (Cut::Short, PowerFault::Short),
        (Cut::Start, PowerFault::Short),
    ] {
        let mut bench = Bench::new();
        let mut now = 0;
        let alone = |port| [port, NONE, NONE, NONE];
        assert_eq!(bench.at(now, alone(device(1))), [on(0, 1)]);
        let mut wait = ms(REST);
        for round in 0..9 {
            if why != Cut::Start {
                assert_eq!(bench.at(now + 300, alone(fed(1, 3_000))), []);
            }
            now += 1_000;
            assert_eq!(bench.at(now, alone(cut(1, why))), []);
            assert_eq!(bench.shown(now)[0], PortPower::Fault(fault));
            let told: &[_] = if round == 0 { &[(0, fault, true)] } else { &[] };
            assert_eq!(bench.faults(), told, "told once");
            bench.table(&[
                (now + wait - 1, alone(device(1)), &[]),
                (now + wait, alone(device(1)), &[on(0, 1)]),
            ]);
            now += wait;
            wait = (2 * wait).min(ms(REST_MAX));
        }
        // A minute of feeding, and all is forgotten.
        bench.table(&[
            (now + 300, alone(fed(1, 3_000)), &[]),
            (now + 60_299, alone(fed(1, 3_000)), &[]),
        ]);
        assert_eq!(bench.faults(), []);
        bench.table(&[(now + 60_300, alone(fed(1, 3_000)), &[])]);
        assert_eq!(bench.faults(), [(0, fault, false)]);
        bench.table(&[
            (now + 70_000, alone(cut(1, Cut::Short)), &[]),
            (now + 74_999, alone(device(1)), &[]),
            (now + 75_000, alone(device(1)), &[on(0, 1)]),
        ]);
    }
}

#[test]
fn a_faulty_device_that_is_taken_away() {
    let mut bench = Bench::new();
    let alone = |port| [NONE, port, NONE, NONE];
    bench.table(&[
        (0, alone(device(3)), &[on(1, 3)]),
        (300, alone(fed(3, 15_000)), &[]),
        (600, alone(cut(3, Cut::Overload)), &[]),
        // A short is there now: it is not fed, and there is no order to do so.
        (10_000, alone(OTHER), &[]),
        (20_000, alone(OTHER), &[]),
        (20_100, alone(NONE), &[]),
    ]);
    assert_eq!(bench.faults(), [], "told and over at once is nothing to tell");
    bench.table(&[(20_200, alone(device(2)), &[on(1, 2)])]);
}

#[test]
fn an_unplugged_device_is_no_fault() {
    let mut bench = Bench::with([NONE, NONE, NONE, fed(2, 4_000)]);
    bench.table(&[
        (1_000, [NONE, NONE, NONE, cut(2, Cut::Unplugged)], &[]),
        (2_000, [NONE; 4], &[]),
        (3_000, [NONE, NONE, NONE, device(1)], &[on(3, 1)]),
    ]);
    assert_eq!(bench.faults(), []);
    // Pulled out while it was being switched on.
    bench.table(&[(
        3_500,
        [
            NONE,
            NONE,
            NONE,
            PortReading {
                cut: Some(Cut::Start),
                ..NONE
            },
        ],
        &[off(3)],
    )]);
    assert_eq!(
        (bench.faults(), bench.shown(3_500)[3]),
        (vec![], PortPower::Searching)
    );
}

#[test]
fn a_computer_is_not_fed() {
    let mut bench = Bench::new();
    for second in 0..600 {
        assert_eq!(bench.at(1_000 * second, [OTHER, NONE, OTHER, NONE]), []);
    }
    assert_eq!(bench.shown(600_000), [PortPower::Searching; 4]);
}

#[test]
fn orders_without_effect_are_given_again() {
    let mut bench = Bench::new();
    let alone = |port| [port, NONE, NONE, NONE];
    bench.table(&[
        (0, alone(device(1)), &[on(0, 1)]),
        (2_999, alone(device(1)), &[]),
        (3_000, alone(device(1)), &[off(0)]),
        (7_999, alone(device(1)), &[]),
        (8_000, alone(device(1)), &[on(0, 1)]),
        (8_300, alone(fed(1, 2_000)), &[]),
    ]);
    assert_eq!(bench.faults(), [(0, PowerFault::Controller, true)]);
    bench
        .power
        .switch(Instant(9_000), 0, PowerOrder::Cycle, false, [false; 4])
        .unwrap();
    assert_eq!(bench.orders(), [off(0)]);
    bench.table(&[
        (9_500, alone(fed(1, 2_000)), &[]),
        (10_000, alone(fed(1, 2_000)), &[off(0)]),
        (10_500, alone(device(1)), &[]),
        (9_000 + ms(CYCLE), alone(device(1)), &[on(0, 1)]),
    ]);
}

#[test]
fn what_feeds_goes_on_when_the_box_starts() {
    // More than the budget has for it, even: nobody is cut for a reckoning.
    let all = [fed(0, 3_000), fed(0, 3_000), fed(4, 9_000), fed(4, 9_000)];
    let mut bench = Bench::with(all);
    assert_eq!(bench.shown(0), [PortPower::On; 4]);
    for second in 1..200 {
        assert_eq!(bench.at(1_000 * second, all), []);
    }
    // Off by order before the start: it stays off, and a device there is not fed.
    let mut bench = Bench::with([NONE, DISABLED, NONE, NONE]);
    assert_eq!(bench.shown(0)[1], PortPower::Off);
    bench.table(&[(1_000, [NONE, DISABLED, NONE, NONE], &[])]);
    // The controller has forgotten it since.
    bench.table(&[
        (2_000, [NONE, device(1), NONE, NONE], &[(1, PortOrder::Disable)]),
        (3_000, [NONE, DISABLED, NONE, NONE], &[]),
    ]);
}

#[test]
fn ports_are_switched_by_order() {
    let mut bench = Bench::with([NONE, fed(1, 2_000), NONE, NONE]);
    bench.in_call[1] = true;
    let mut switch = |ms, port, how, force| {
        let result = bench
            .power
            .switch(Instant(ms), port, how, force, [false, true, false, false]);
        (
            result,
            std::iter::from_fn(|| bench.power.poll()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        switch(100, 1, PowerOrder::Off, false),
        (Err(Refused::InCall), vec![])
    );
    assert_eq!(
        switch(100, 1, PowerOrder::Cycle, false),
        (Err(Refused::InCall), vec![])
    );
    assert_eq!(
        switch(100, 4, PowerOrder::Off, true),
        (Err(Refused::Port), vec![])
    );
    assert_eq!(
        switch(100, 1, PowerOrder::On, false),
        (Ok(()), vec![]),
        "it is on"
    );
    assert_eq!(
        switch(200, 1, PowerOrder::Off, true),
        (Ok(()), vec![(1, PortOrder::Disable)])
    );
    assert_eq!(
        switch(300, 1, PowerOrder::Cycle, true),
        (Ok(()), vec![]),
        "off is off"
    );
    assert_eq!(
        switch(400, 1, PowerOrder::On, false),
        (Ok(()), vec![(1, PortOrder::Enable)])
    );
    bench.table(&[
        // The order has not arrived yet.
        (500, [NONE, DISABLED, NONE, NONE], &[]),
        (1_400, [NONE, DISABLED, NONE, NONE], &[(1, PortOrder::Enable)]),
        (1_500, [NONE, device(1), NONE, NONE], &[on(1, 1)]),
    ]);
}

#[test]
fn a_silent_phone_is_switched_off_and_on_once() {
    let silent = ms(SILENT);
    let all = [fed(2, 3_000), fed(2, 3_000), fed(2, 3_000), fed(2, 3_000)];
    let mut bench = Bench::with(all);
    // Port 1: registered, then silent. 2: never registered. 3: in a call. 4: without a link.
    for port in [0, 2, 3] {
        bench.power.registered(Instant(1_000), port);
    }
    bench.in_call[2] = true;
    bench.power.link(3, false);
    let again = [device(2), all[1], all[2], all[3]];
    bench.table(&[(silent + 999, all, &[]), (silent + 1_000, all, &[off(0)])]);
    assert_eq!(bench.power.poll_told(), Some(Told::Cycled { port: 0 }));
    assert_eq!(bench.power.poll_told(), None);
    bench.table(&[
        (silent + 2_000, again, &[]),
        (silent + 1_000 + ms(CYCLE), again, &[on(0, 2)]),
        (silent + 7_000, all, &[]),
        // It stays silent: once is enough.
        (3 * silent, all, &[]),
        (9 * silent, all, &[]),
    ]);
    // It was heard, and is silent again.
    bench.power.heard(Instant(9 * silent + 1), 0);
    bench.table(&[(10 * silent, all, &[]), (10 * silent + 1, all, &[off(0)])]);
    // The call is over, the link is there again: their time begins then.
    bench.in_call[2] = false;
    bench.power.link(3, true);
    bench.power.heard(Instant(10 * silent), 3);
    bench.table(&[
        (11 * silent - 1, again, &[on(0, 2)]),
        (11 * silent, all, &[off(3)]),
        (11 * silent + 1, all, &[off(2)]),
    ]);
}

#[test]
fn a_phone_that_does_not_find_the_box_is_switched_off_and_on_once() {
    let all = [fed(2, 3_000); 4];
    let again = [device(2), all[1], all[2], all[3]];
    let mut bench = Bench::with(all);
    // Port 1: does not come back. 2: does, late. 3: in a call. 4: nobody registered there.
    for port in [0, 1, 2] {
        bench.power.registered(Instant(500), port);
        bench.power.stranded(Instant(1_000), port);
    }
    bench.in_call[2] = true;
    let end = 1_000 + ms(STRANDED);
    // It speaks LLDP and is heard: that is not what it lacks.
    bench.power.heard(Instant(end - 10), 0);
    // Its old registration lasts a while yet, and says the same.
    bench.power.stranded(Instant(end - 5), 0);
    bench.power.registered(Instant(end - 2), 1);
    bench.table(&[(end - 1, all, &[]), (end, all, &[off(0)])]);
    assert_eq!(bench.power.poll_told(), Some(Told::Cycled { port: 0 }));
    bench.power.stranded(Instant(end + 1), 0);
    bench.table(&[
        (end + ms(CYCLE), again, &[on(0, 2)]),
        (end + 6_000, all, &[]),
        (end + ms(SILENT) - 100, all, &[]),
    ]);
    bench.power.stranded(Instant(end + 400_000), 0);
    bench.power.heard(Instant(end + ms(SILENT) - 50), 0);
    bench.power.heard(Instant(end + ms(SILENT) - 50), 1);
    bench.table(&[(end + ms(SILENT) + 5_000, all, &[])]);
    // The call is over.
    bench.in_call[2] = false;
    bench.table(&[(end + ms(SILENT) + 6_000, all, &[off(2)])]);
}

/// Another device at the port of a phone that is gone is not taken for a silent phone.
#[test]
fn a_phone_is_forgotten_with_its_port() {
    let silent = ms(SILENT);
    let here = [fed(2, 3_000), NONE, NONE, NONE];
    let found = [device(2), NONE, NONE, NONE];
    let quiet = [NONE; 4];
    let disabled = [DISABLED, NONE, NONE, NONE];
    let unplugged = PortReading {
        cut: Some(Cut::Unplugged),
        ..NONE
    };
    let ways = [
        // Pulled out; turned off without a reason, then nothing found; off by order.
        (None, [unplugged, NONE, NONE, NONE]),
        (None, quiet),
        (Some(PowerOrder::Off), disabled),
    ];
    for (order, away) in ways {
        let mut bench = Bench::with(here);
        bench.power.registered(Instant(1_000), 0);
        if let Some(order) = order {
            let _ = bench.power.switch(Instant(2_000), 0, order, false, [false; 4]);
        }
        for at in [2_000, 3_000] {
            bench.at(at, away);
        }
        if order.is_some() {
            let _ = bench
                .power
                .switch(Instant(4_000), 0, PowerOrder::On, false, [false; 4]);
        } else {
            bench.at(4_000, quiet);
        }
        bench.orders();
        bench.table(&[
            (5_000, found, &[on(0, 2)]),
            (6_000, here, &[]),
            (6_000 + silent, here, &[]),
            (6_000 + 2 * silent, here, &[]),
        ]);
    }
}

#[test]
fn more_than_there_is() {
    // What each draws, who is in a call, who goes.
    let table: [([u32; 4], InCall, &[u8]); 6] = [
        ([15_000, 15_000, 15_000, 15_000], [false; 4], &[]),
        ([15_000, 15_000, 15_000, 15_001], [false; 4], &[3]),
        (
            [15_400, 15_400, 15_400, 15_400],
            [false, false, false, true],
            &[2],
        ),
        ([15_400, 15_400, 15_400, 15_400], [true, false, true, true], &[1]),
        ([15_400, 15_400, 15_400, 15_400], [true; 4], &[3]),
        ([30_000, 30_000, 1_000, 20_000], [false; 4], &[3, 2]),
    ];
    for (drawn, in_call, gone) in table {
        let mut bench = Bench::with([fed(4, 1_000); 4]);
        bench.in_call = in_call;
        let orders = bench.at(1_000, drawn.map(|milliwatts| fed(4, milliwatts)));
        let mut ports: Vec<u8> = orders.iter().map(|(port, _)| *port).collect();
        ports.sort_by_key(|port| std::cmp::Reverse(*port));
        assert_eq!(ports, gone, "{drawn:?}");
        assert!(orders.iter().all(|(_, order)| *order == PortOrder::Off));
        let told: Vec<_> = bench
            .faults()
            .iter()
            .map(|(port, fault, _)| (*port, *fault))
            .collect();
        assert!(
            told.iter()
                .all(|(port, fault)| gone.contains(port) && *fault == PowerFault::Budget)
        );
        assert_eq!(told.len(), gone.len());
    }
}

#[test]
fn heat() {
    let all = [fed(1, 2_000), fed(1, 2_000), device(1), device(1)];
    let mut bench = Bench::with([all[0], all[1], NONE, NONE]);
    bench.celsius = HOT;
    bench.table(&[
        (20_000, all, &[off(1)]),
        (29_999, [all[0], device(1), all[2], all[3]], &[]),
        (30_000, [all[0], device(1), all[2], all[3]], &[off(0)]),
        (40_000, [device(1); 4], &[]),
    ]);
    assert_eq!(
        bench.faults(),
        [(0, PowerFault::Thermal, true), (1, PowerFault::Thermal, true)]
    );
    bench.celsius = HOT_BACK;
    bench.table(&[(90_000, [device(1); 4], &[])]);
    bench.celsius = HOT_BACK - 1;
    bench.table(&[(91_000, [device(1); 4], &[on(0, 1)])]);
    // The controller was too hot itself.
    let mut bench = Bench::with([fed(1, 2_000), NONE, NONE, NONE]);
    let reading = Reading {
        ports: [device(1), NONE, NONE, NONE],
        supply_mv: 54_000,
        celsius: 90,
        was_too_hot: true,
    };
    bench.power.read(Instant(1_000), Some(&reading), [false; 4]);
    assert_eq!(
        (bench.orders(), bench.faults()),
        (vec![], vec![(0, PowerFault::Thermal, true)])
    );
    bench.table(&[
        (5_999, [device(1), NONE, NONE, NONE], &[]),
        (6_000, [device(1), NONE, NONE, NONE], &[on(0, 1)]),
    ]);
}

#[test]
fn a_low_supply_feeds_nobody_more() {
    let ports = [fed(1, 2_000), device(1), NONE, NONE];
    let mut bench = Bench::with([ports[0], NONE, NONE, NONE]);
    bench.supply_mv = SUPPLY_MIN_MV - 1;
    bench.table(&[(1_000, ports, &[]), (2_000, ports, &[])]);
    assert_eq!(bench.shown(2_000)[1], PortPower::Fault(PowerFault::Budget));
    bench.supply_mv = SUPPLY_MIN_MV;
    bench.table(&[(3_000, ports, &[on(1, 1)])]);
    // It failed: everything is off, and comes back one after the other.
    let mut bench = Bench::with([fed(1, 2_000), fed(1, 2_000), NONE, NONE]);
    let d = device(1);
    bench.table(&[
        (1_000, [d, d, NONE, NONE], &[]),
        (1_500, [d, d, NONE, NONE], &[on(0, 1)]),
        (2_000, [fed(1, 2_000), d, NONE, NONE], &[on(1, 1)]),
    ]);
    assert_eq!(bench.faults(), []);
}

#[test]
fn a_controller_that_does_not_answer() {
    let mut bench = Bench::with([fed(1, 2_000), NONE, NONE, NONE]);
    for (ms, told) in [(1_000, 0), (5_999, 0), (6_000, 4), (9_000, 0)] {
        bench.power.read(Instant(ms), None, [false; 4]);
        assert_eq!(
            (bench.orders(), bench.faults().len()),
            (vec![], told),
            "at {ms} ms"
        );
    }
    assert_eq!(bench.shown(9_000), [PortPower::Fault(PowerFault::Controller); 4]);
    bench.table(&[(10_000, [fed(1, 2_000), device(2), NONE, NONE], &[on(1, 2)])]);
    let over: Vec<_> = (0..4).map(|port| (port, PowerFault::Controller, false)).collect();
    assert_eq!(bench.faults(), over);
}

#[test]
fn power_by_lldp() {
    let mut bench = Bench::with([fed(4, 3_000), fed(3, 3_000), fed(1, 1_000), NONE]);
    let mut ask = |at, port, wanted| bench.power.requested(Instant(at), port, wanted);
    // Nobody is fed there, or there is no such port.
    assert_eq!((ask(0, 3, 100), ask(0, 4, 100)), (0, 0));
    // Within the class, and no more than that.
    assert_eq!(
        (ask(0, 0, 130), ask(0, 0, 300), ask(0, 1, 200), ask(0, 2, 39)),
        (130, 255, 130, 39)
    );
    // Nothing is no request.
    assert_eq!((ask(0, 1, 0), ask(0, 2, 0)), (130, 39));
    assert_eq!(bench.power.kept(Instant(0)), 300 + 154 + 40);
    // What was promised is kept, though less is drawn.
    let settled = ms(SETTLED);
    bench.table(&[(
        settled,
        [fed(4, 3_000), fed(3, 3_000), fed(1, 1_000), device(2)],
        &[on(3, 2)],
    )]);
    assert_eq!(bench.power.kept(Instant(settled)), 300 + 154 + 40 + 70);
    // It needs less: there is more for others.
    assert_eq!(bench.power.requested(Instant(settled), 0, 50), 50);
    assert_eq!(bench.power.kept(Instant(settled)), 52 + 154 + 40 + 70);
    // What is left decides: 15.4 W are kept for another one that wants 25.5 W at its end.
    let mut bench = Bench::with([fed(4, 1_000), fed(4, 1_000), NONE, NONE]);
    bench.table(&[(
        settled,
        [fed(4, 1_000), fed(4, 1_000), device(3), NONE],
        &[on(2, 3)],
    )]);
    bench.table(&[(
        settled + 300,
        [fed(4, 1_000), fed(4, 1_000), fed(3, 1_000), NONE],
        &[],
    )]);
    assert_eq!(bench.power.requested(Instant(settled + 300), 0, 255), 255);
    let granted = bench.power.requested(Instant(settled + 300), 1, 255);
    assert_eq!(granted, Class::Four.without_cable(600 - 300 - 154));
    assert!(bench.power.kept(Instant(settled + 300)) <= 600);
    // A new device knows of no promise.
    bench.table(&[
        (
            settled + 1_000,
            [fed(4, 1_000), cut(4, Cut::Unplugged), fed(3, 1_000), NONE],
            &[],
        ),
        (
            settled + 2_000,
            [fed(4, 1_000), device(1), fed(3, 1_000), NONE],
            &[on(1, 1)],
        ),
        (
            settled + 2_300,
            [fed(4, 1_000), fed(1, 1_000), fed(3, 1_000), NONE],
            &[],
        ),
    ]);
    assert_eq!(bench.power.kept(Instant(settled + 2_300)), 300 + 40 + 154);
}
