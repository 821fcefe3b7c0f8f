//! What becomes of a port: devices, faults, orders, heat, a controller that does not answer.

use crate::bench::*;
use gateway::power::{
    CYCLE, Cut, Feed, HOT, HOT_BACK, PortOrder, PortReading, REST, REST_MAX, Reading, Refused,
};
use shared::hub::{PortPower, PowerFault};
use shared::sync::PowerOrder;
use sip::Instant;

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
