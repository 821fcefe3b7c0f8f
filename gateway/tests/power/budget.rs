//! Who is fed of what there is; and the budget holds.

use crate::bench::*;
use crate::world::{Findings, sequence};
use gateway::power::{
    CYCLE, Class, Cut, Feed, Found, InCall, PortOrder, PortReading, SETTLED, SUPPLY_MIN_MV,
};
use shared::hub::{PortPower, PowerFault};
use shared::sync::PowerOrder;
use sip::Instant;

#[test]
fn what_is_kept_for_a_class() {
    // Classes, and who is fed of 60 W.
    for (classes, fed_ports) in [
        ([0, 0, 0, 0], [true, true, true, false]),
        ([3, 3, 3, 2], [true, true, true, true]),
        ([4, 4, 1, 1], [true, true, false, false]),
        // Port 4 would fit, but it might be what port 3 lacks in the end.
        ([4, 3, 4, 2], [true, true, false, false]),
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
        let first = fed_ports.iter().position(|fed| !fed);
        for (at, (shown, fed)) in bench.shown(4_800).into_iter().zip(fed_ports).enumerate() {
            assert_eq!(shown == PortPower::On, fed, "{classes:?}");
            assert!(first != Some(at) || shown == PortPower::Fault(PowerFault::Budget));
        }
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

/// Less important devices wait as long as they might take what a more important one lacks, and no longer.
#[test]
fn the_more_important_are_fed_first() {
    let settled = ms(SETTLED);
    // 14.6 W are left of the classes, 34 W when they are measured: 30 W for port 3. With 7 W for port 4 it would be 27 W.
    let first = [fed(4, 15_000), fed(3, 9_000), NONE, NONE];
    let ports = [first[0], first[1], device(4), device(2)];
    let mut bench = Bench::with(first);
    bench.table(&[
        (1_000, ports, &[]),
        (settled - 1, ports, &[]),
        (settled, ports, &[on(2, 4)]),
    ]);
    // Of 18 W nothing comes for port 3 in two minutes: port 4 has it.
    let first = [fed(4, 20_000), fed(4, 20_000), NONE, NONE];
    let ports = [first[0], first[1], device(4), device(2)];
    let mut bench = Bench::with(first);
    bench.table(&[
        (1_000, ports, &[]),
        (120_999, ports, &[]),
        (121_000, ports, &[on(3, 2)]),
    ]);
    assert_eq!(bench.faults(), [(2, PowerFault::Budget, true)]);
}

#[test]
fn a_port_that_is_switched_off_and_on_has_its_power_back() {
    let settled = ms(SETTLED);
    let unknown = PortReading {
        found: Found::Unknown,
        ..NONE
    };
    // Kept are 21, 21 and 6 W of 60: none for port 4. While port 1 is off it would be 33 W.
    let others = [fed(4, 20_000), fed(2, 5_000), device(3)];
    let with = |first| [first, others[0], others[1], others[2]];
    let cycled = settled + 1_000;
    let back = cycled + ms(CYCLE);
    for comes in [false, true] {
        let mut bench = Bench::with([fed(4, 20_000), others[0], others[1], NONE]);
        bench.table(&[(settled, with(fed(4, 20_000)), &[])]);
        let cycle = PowerOrder::Cycle;
        let _ = bench.power.switch(Instant(cycled), 0, cycle, false, [false; 4]);
        assert_eq!(bench.orders(), [off(0)]);
        bench.table(&[
            (cycled + 500, with(unknown), &[]),
            (back - 1, with(device(4)), &[]),
            // It is found late.
            (back, with(unknown), &[]),
        ]);
        let (there, orders) = match comes {
            true => (device(4), on(0, 4)),
            false => (NONE, on(3, 3)),
        };
        bench.table(&[(back + 500, with(there), &[orders])]);
    }
    // What has none keeps none.
    let first = [fed(4, 20_000), fed(4, 20_000), NONE, NONE];
    let mut bench = Bench::with(first);
    bench.table(&[(settled, [first[0], first[1], device(4), NONE], &[])]);
    let cycle = PowerOrder::Cycle;
    let _ = bench.power.switch(Instant(cycled), 2, cycle, false, [false; 4]);
    assert_eq!(bench.power.kept(Instant(cycled)), 210 + 210);
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

#[test]
fn no_sequence_draws_more_than_there_is() {
    let mut all = Findings::default();
    for seed in 0..1_000 {
        let Findings {
            violations,
            started,
            shed,
            cut,
            short,
        } = sequence(seed);
        assert_eq!(violations, 0, "sequence {seed}");
        all.started += started;
        all.shed += shed;
        all.cut += cut;
        all.short += short;
    }
    // It is about something.
    assert!(
        all.started > 10_000 && all.shed > 50 && all.cut > 1_000 && all.short > 10_000,
        "{all:?}"
    );
}
