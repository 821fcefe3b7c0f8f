//! The two wires: current, ringing, echo, and what the line test would measure.

use crate::bench::{Bench, FED, dbm0, sine};
use hil::twin::pair::{Cable, Condition, Foreign, Impedance, Wire};
use hil::twin::telephone::Telephone;
use hil_wire::lines::output;

fn off_hook(condition: Condition) -> (Bench, Telephone) {
    let mut bench = Bench::new();
    bench.card.ports[0].pair.condition = condition;
    let set = Telephone::new(3);
    bench.card.plug(0, &set);
    set.lift();
    bench.silence(300);
    bench.forget();
    (bench, set)
}

#[test]
fn loop_current_by_length() {
    // 48 V behind 200 Ω, 250 Ω of the set, 178 Ω/km; never more than 30 mA.
    for (kilometres, milliamperes) in [(0.1, 30.0), (5.0, 30.0), (10.0, 21.5), (20.0, 12.0)] {
        let (bench, _) = off_hook(Condition {
            cable: Cable::half_millimetre(kilometres),
            ..Condition::default()
        });
        let line = bench.card.ports[0].line;
        let measured = line.sensed * 1000.0;
        assert!(
            (measured - milliamperes).abs() < 0.3,
            "{kilometres} km: {measured} mA"
        );
        assert!((line.current - line.sensed).abs() < 1e-4);
        assert!(bench.off_hook(0));
    }
    let (bench, _) = off_hook(Condition {
        cable: Cable::half_millimetre(40.0),
        ..Condition::default()
    });
    assert!(!bench.off_hook(0), "too long");
}

#[test]
fn reversal_reverses_the_current() {
    let (mut bench, _) = off_hook(Condition::default());
    assert!(bench.card.ports[0].line.current > 0.029);
    bench.outputs(FED & !output::FORWARD);
    bench.silence(100);
    assert!(bench.card.ports[0].line.current < -0.029);
    assert!(bench.off_hook(0));
}

#[test]
fn ringing_reaches_one_set_and_three_and_trips() {
    for (bells, least) in [(1.0, 55.0), (2.0, 45.0), (3.0, 40.0)] {
        let mut bench = Bench::new();
        bench.card.ports[0].pair.condition.bells = bells;
        let set = Telephone::new(1);
        bench.card.plug(0, &set);
        bench.silence(100);
        bench.forget();
        bench.ring(1000);
        bench.silence(2000);
        bench.ring(1000);
        bench.silence(500);
        let rung = set.rung();
        assert_eq!(rung.len(), 2, "{rung:?}");
        for burst in rung {
            assert!((15.5..16.5).contains(&burst.hertz()), "{} Hz", burst.hertz());
            assert!(
                burst.volts() > least && burst.volts() < 70.0,
                "{bells}: {} V",
                burst.volts()
            );
            assert!((930..1030).contains(&burst.milliseconds()), "{burst:?}");
        }
        assert_eq!(bench.shk(0), [], "bells are no answer");
        // Answered while it rings.
        bench.forget();
        bench.outputs(FED | output::RING_MODE);
        for half in 0..20 {
            bench.outputs(bench.outputs ^ output::FORWARD);
            if half == 10 {
                set.lift();
            }
            bench.silence(30);
        }
        let begin = (bench.blocks - 60) * 40;
        let first = bench.shk(0)[0];
        assert!(
            first.0 && first.1 > begin && first.1 - begin < 8 * 150,
            "{first:?} after {begin}"
        );
        set.hang_up();
    }
}

#[test]
fn ringing_that_ends_on_the_wrong_foot_costs_the_feed() {
    let (mut bench, _) = off_hook(Condition::default());
    bench.outputs(FED & !output::FORWARD | output::RING_MODE);
    bench.silence(30);
    bench.outputs(FED);
    bench.silence(30);
    assert!(!bench.off_hook(0), "F/R was not high before RM went low");
    bench.silence(50);
    assert!(bench.off_hook(0));
}

/// Level of a tone that is sent at -10 dBm0, and how much less of it comes back.
fn return_loss(condition: Condition, hertz: f64) -> f64 {
    let (mut bench, _) = off_hook(condition);
    bench.run(100, sine(hertz, -10.0));
    bench.forget();
    bench.run(1000, sine(hertz, -10.0));
    -10.0 - dbm0(&bench.heard(0), hertz)
}

#[test]
fn the_hybrid_echoes() {
    let set = |impedance, kilometres| Condition {
        impedance,
        cable: Cable::half_millimetre(kilometres),
        noise: -90.0,
        ..Condition::default()
    };
    // (impedance, km, Hz, least and most echo return loss in dB)
    // Without a cable it is |Z + 600| / |Z - 600|. At 1 kHz Z is 758 - j290 Ω; at 3 kHz, which the model takes for 6.1 kHz,
    // 282 - j303 Ω: 6.5 dB.
    let table = [
        (Impedance::MATCHED, 0.0, 1000.0, 35.0, 99.0),
        (Impedance::JAPAN, 0.0, 1000.0, 11.8, 13.2),
        (Impedance::JAPAN, 0.0, 3000.0, 6.2, 7.0),
        (Impedance::JAPAN, 0.3, 1000.0, 11.0, 15.0),
        (Impedance::JAPAN, 3.0, 1000.0, 6.0, 20.0),
        (Impedance::JAPAN, 5.0, 3000.0, 5.0, 20.0),
    ];
    for (impedance, kilometres, hertz, least, most) in table {
        let loss = return_loss(set(impedance, kilometres), hertz);
        println!("{kilometres} km, {hertz} Hz: {loss:.1} dB");
        assert!(
            (least..=most).contains(&loss),
            "{kilometres} km, {hertz} Hz: {loss} dB"
        );
    }
}

#[test]
fn an_open_line_echoes_everything() {
    let mut bench = Bench::new();
    bench.card.ports[0].pair.condition.noise = -90.0;
    bench.run(100, sine(1000.0, -10.0));
    bench.forget();
    bench.run(500, sine(1000.0, -10.0));
    let loss = -10.0 - dbm0(&bench.heard(0), 1000.0);
    assert!((0.0..2.5).contains(&loss), "{loss} dB");
}

#[test]
fn speech_both_ways_at_its_level() {
    let (mut bench, set) = off_hook(Condition {
        impedance: Impedance::MATCHED,
        ..Condition::default()
    });
    set.speak(Some(1209.0));
    set.forget();
    bench.run(1000, sine(697.0, -10.0));
    // The set speaks at -10 dBm and hears what is sent at -10 dBm0; 0.3 km takes some tenths of a dB.
    let up = dbm0(&bench.heard(0)[800..], 1209.0);
    let down = dbm0(&set.recording()[800..], 697.0);
    assert!(
        (up + 10.0).abs() < 0.8 && (down + 10.0).abs() < 0.8,
        "{up} {down}"
    );
    // A long cable weakens high tones more.
    let (mut bench, set) = off_hook(Condition {
        impedance: Impedance::MATCHED,
        cable: Cable::half_millimetre(5.0),
        ..Condition::default()
    });
    let mut at = |hertz| {
        set.forget();
        bench.run(500, sine(hertz, -10.0));
        dbm0(&set.recording()[800..], hertz)
    };
    let (low, high) = (at(400.0), at(3000.0));
    assert!(low < -12.0 && high < low - 2.0, "{low} {high}");
}

#[test]
fn noise_is_as_loud_as_it_is_set() {
    let (mut bench, _) = off_hook(Condition {
        noise: -40.0,
        ..Condition::default()
    });
    bench.silence(1000);
    let heard = bench.heard(0);
    let power = heard.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / heard.len() as f64;
    let dbm0 = 10.0 * (power / (32_636.0f64.powi(2) / 2.0)).log10() + 3.17;
    assert!((dbm0 + 40.0).abs() < 1.0, "{dbm0}");
}

/// Volts of tip and ring of port 1 by the measuring bus, and its loop current in amperes.
fn measure(bench: &mut Bench) -> (f64, f64, f64) {
    bench.outputs(bench.outputs | output::TEST << 1);
    let (tip, ring) = (bench.convert(1, 2) * 101.0, bench.convert(2, 2) * 101.0);
    (tip, ring, bench.convert(3, 5) / 10.0)
}

#[test]
fn the_line_test_sees_feed_leakage_and_foreign_voltage() {
    let good = Condition::default();
    // (condition, power, tip, ring, current in µA, tolerances of volts and µA); in power-down the line is alone.
    let leak = |leakage| Condition { leakage, ..good };
    let foreign = Foreign {
        wire: Wire::Ring,
        volts: -40.0,
        hertz: 0.0,
        ohms: 10_000.0,
    };
    let open = f64::INFINITY;
    let table = [
        (good, true, -0.2, -47.8, 4.7, 0.5, 3.0),
        (leak([100_000.0, open, open]), true, -0.3, -47.7, 478.0, 0.5, 8.0),
        (leak([open, open, 50_000.0]), true, -0.2, -47.7, 955.0, 0.5, 15.0),
        (good, false, 0.0, 0.0, 0.0, 0.5, 3.0),
        (
            Condition {
                foreign: Some(foreign),
                ..good
            },
            false,
            0.0,
            -40.0,
            0.0,
            0.5,
            3.0,
        ),
    ];
    for (n, (condition, power, tip, ring, current, volts, micro)) in table.into_iter().enumerate() {
        let mut bench = Bench::new();
        bench.card.ports[1].pair.condition = condition;
        if !power {
            bench.outputs(FED & !(output::POWER << 1));
        }
        // The bells' capacitor is charged, or discharged by the bias resistor.
        bench.silence(300);
        let measured = measure(&mut bench);
        println!("{n}: {measured:?}");
        assert!((measured.1 - ring).abs() < volts, "{n}: {measured:?}");
        if n != 4 {
            assert!((measured.0 - tip).abs() < volts, "{n}: {measured:?}");
        }
        assert!((measured.2 * 1e6 - current).abs() < micro, "{n}: {measured:?}");
    }
}

#[test]
fn the_line_test_counts_bells_by_their_charge() {
    // A reversal pushes 2 · 48 V into 1 µF a bell; it flows in some 10 ms and 860 samples a second see it.
    for bells in [0.0, 1.0, 2.0, 3.0] {
        let mut bench = Bench::new();
        bench.card.ports[1].pair.condition.bells = bells;
        bench.silence(300);
        bench.outputs(FED & !(output::FORWARD << 1) | output::TEST << 1);
        let mut charge = 0.0;
        for _ in 0..10 {
            // 1/860 s each, 10 frames here; the rest of 2 blocks is not seen.
            let [high, low] = (0x81E3u16 | 3 << 12 | 4 << 9).to_be_bytes();
            bench.adc(&[1, high, low], 0);
            bench.silence(5);
            let octets = bench.adc(&[0], 2);
            charge += f64::from(i16::from_be_bytes([octets[0], octets[1]])) / 32_768.0 * 0.0512 * 0.005;
        }
        let microfarad = charge.abs() / 96.0 * 1e6;
        println!("{bells} bells: {microfarad:.2} µF");
        assert!(
            (microfarad - bells).abs() < 0.3 * bells.max(0.3),
            "{bells}: {microfarad}"
        );
    }
}

#[test]
fn mains_on_the_line_is_seen_at_its_frequency() {
    let mut bench = Bench::new();
    bench.card.ports[1].pair.condition.foreign = Some(Foreign {
        wire: Wire::Tip,
        volts: 60.0,
        hertz: 50.0,
        ohms: 100_000.0,
    });
    bench.outputs(FED & !(output::POWER << 1) | output::TEST << 1);
    bench.silence(1000);
    // Continuous conversion at 860 a second: the largest and the smallest of 100 ms.
    let [high, low] = (0x00E3u16 | 1 << 12 | 2 << 9).to_be_bytes();
    bench.adc(&[1, high, low], 0);
    let (mut least, mut most) = (f64::MAX, f64::MIN);
    for _ in 0..40 {
        bench.silence(5);
        let octets = bench.adc(&[0], 2);
        let volts = f64::from(i16::from_be_bytes([octets[0], octets[1]])) / 32_768.0 * 2.048 * 101.0;
        (least, most) = (least.min(volts), most.max(volts));
    }
    assert!(most > 50.0 && most < 62.0 && least < -50.0, "{least} {most}");
}
