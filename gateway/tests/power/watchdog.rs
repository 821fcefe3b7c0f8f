//! Phones that are silent, or do not find the box, are switched off and on once.

use crate::bench::*;
use gateway::power::{CYCLE, Cut, PortReading, SILENT, STRANDED, Told};
use shared::sync::PowerOrder;
use sip::Instant;

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
    // It asked for its file when it started, no more: it is none that works, and to start it once again helps as little.
    bench.power.heard(Instant(9 * silent), 0);
    bench.table(&[(10 * silent, all, &[])]);
    // It has registered, and is silent again.
    bench.power.registered(Instant(9 * silent + 1), 0);
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
    // It fetches a file and is heard: that is not what it lacks.
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
