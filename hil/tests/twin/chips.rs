//! Tables of register accesses.

use crate::bench::{Bench, FED, dbm0, sine};
use hil::tone;
use hil::twin::ads1115::Ads1115;
use hil::twin::idt821034::{Idt821034, Path};
use hil_wire::lines::{I2cFault, Octets, Report, Request, input, output};
use hil_wire::pcm::SILENCE;

/// Octets with the clocks that they need.
fn write(chip: &mut Idt821034, octets: &[u8]) -> Vec<u8> {
    let clocked = octets.iter().flat_map(|&octet| {
        let read = chip.spi(true, &[octet]);
        chip.spi(false, &[octet]);
        read
    });
    clocked.collect()
}

#[test]
fn codec_configuration_slots_and_power() {
    let up = |slot| Path {
        slot: Some(slot),
        coefficient: 0,
    };
    let down = Path::default();
    // (octets, channel, transmit, receive, A-law and delay mode)
    let table: [(&[u8], usize, _, (bool, bool)); 7] = [
        (&[], 0, (down, down), (false, false)),
        (&[0x81, 5], 0, (down, up(5)), (false, false)),
        (&[0x82, 7], 0, (up(7), up(5)), (false, false)),
        (&[0x86, 127], 1, (up(127), down), (false, false)),
        (&[0xAE, 3], 3, (up(3), down), (true, false)),
        (&[0x94, 0], 1, (down, down), (false, true)),
        (&[0x80, 0], 0, (down, down), (false, false)),
    ];
    let mut chip = Idt821034::new();
    for (octets, channel, paths, configuration) in table {
        write(&mut chip, octets);
        assert_eq!(chip.paths(channel), Some(paths), "{octets:x?}");
        assert_eq!(chip.configuration(), configuration, "{octets:x?}");
    }
    assert_eq!(chip.refused(), 0);
}

#[test]
fn codec_gains_in_two_halves() {
    let mut chip = Idt821034::new();
    // The example of Linux: +3 dB of transmit are 2571 = 0b0010100_0001011, -3.5 dB of receive are 1675.
    write(&mut chip, &[0xCA, 0b000_1011, 0xCB, 0b001_0100]);
    write(&mut chip, &[0xC8, 0b000_1011, 0xC9, 0b000_1101]);
    let (transmit, receive) = chip.paths(2).unwrap();
    assert_eq!((transmit.coefficient, receive.coefficient), (2571, 1675));
    // At most 8192.
    write(&mut chip, &[0xCB, 0x7F]);
    assert_eq!(chip.paths(2).unwrap().0.coefficient, 8192);
    assert_eq!(chip.refused(), 0);
}

#[test]
fn codec_slic_pins_come_back_reversed_with_the_neighbours() {
    let mut chip = Idt821034::new();
    chip.drive(1, 0b01);
    chip.drive(3, 0b01);
    // Channel 2: outputs O_4 and O_2 high, I/O_1 an output at 1, I/O_0 an input at 0.
    let read = write(&mut chip, &[0xD9, 0b1_0110, 0xD9, 0b1_0110]);
    // The levels of before come back with the first pair: all inputs, O low.
    assert_eq!(read, [0xFF, 0b0000_0101, 0xFF, 0b0110_1101]);
    assert_eq!(chip.pins(2), Some(0b1_0110));
    chip.drive(2, 0b01);
    assert_eq!(write(&mut chip, &[0xD9, 0b1_0110])[1], 0b1110_1111);
}

#[test]
fn codec_refuses_what_linux_never_does() {
    type Transfer<'a> = (bool, &'a [u8]);
    // (transfers: selected and octets; octets refused)
    let table: [(&[Transfer], u32); 5] = [
        // No clocks after the first octet: it is lost, the second has no control before it.
        (&[(true, &[0x81]), (true, &[5]), (false, &[0])], 2),
        (&[(true, &[0x81, 5]), (false, &[0])], 1),
        (&[(true, &[5]), (false, &[0])], 1),
        (
            &[(true, &[0x81]), (false, &[0]), (true, &[0x82]), (false, &[0])],
            1,
        ),
        (&[(true, &[0xF0]), (false, &[0]), (true, &[1]), (false, &[0])], 1),
    ];
    for (transfers, refused) in table {
        let mut chip = Idt821034::new();
        for (selected, octets) in transfers {
            chip.spi(*selected, octets);
        }
        assert_eq!(chip.refused(), refused, "{transfers:x?}");
        assert_eq!(chip.paths(0), Some((Path::default(), Path::default())));
    }
}

#[test]
fn codec_levels_laws_slots_and_delay() {
    let mut chip = Idt821034::new();
    write(&mut chip, &[0x81, 2, 0x82, 1]);
    write(&mut chip, &[0xC0, (2506 & 0x7F) as u8, 0xC1, (2506 >> 7) as u8]);
    write(&mut chip, &[0xC2, (1820 & 0x7F) as u8, 0xC3, (1820 >> 7) as u8]);
    for alaw in [false, true] {
        write(&mut chip, &[0x80 | u8::from(alaw) << 5 | 1, 2]);
        let code = |sample| {
            if alaw {
                tone::to_alaw(sample)
            } else {
                tone::to_ulaw(sample)
            }
        };
        let decode = |octet| {
            if alaw {
                tone::from_alaw(octet)
            } else {
                tone::from_ulaw(octet)
            }
        };
        // The output into the input: a sine of 0 dBm0 comes back as one, 5 frames later.
        let (mut analog, mut back, mut peak) = (0.0, Vec::new(), 0.0f64);
        let full = if alaw {
            (32_768.0, 3.17 - 0.03)
        } else {
            (32_636.0, 3.17)
        };
        for n in 0..4000 {
            let angle = 2.0 * std::f64::consts::PI * 1000.0 * f64::from(n) / 8000.0;
            let sample = full.0 * 10f64.powf(-full.1 / 20.0) * (angle + 0.3).sin();
            let mut slots = [SILENCE; 4];
            slots[2] = code(sample as i16);
            let (up, volts) = chip.frame(&slots, &[analog, 0.0, 0.0, 0.0]);
            analog = volts[0];
            peak = peak.max(analog);
            back.push(decode(up[1]));
            assert_eq!(
                (up[0], up[2], up[3]),
                (0xFF, 0xFF, 0xFF),
                "nobody drives the other slots"
            );
        }
        // 0 dBm0 is 0.775 V; the phase of the sine gives 98 % of the peak.
        assert!((1.05..1.11).contains(&peak), "{peak}");
        let level = tone::level(&back[800..], 1000.0) + full.1;
        assert!(level.abs() < 0.15, "{level} dBm0, A-law: {alaw}");
    }
    // A click: where it comes back.
    let mut chip = Idt821034::new();
    write(
        &mut chip,
        &[0x81, 0, 0x82, 0, 0xC0, 74, 0xC1, 19, 0xC2, 28, 0xC3, 14],
    );
    let mut analog = 0.0;
    let found = (0..20).position(|n| {
        let octet = if n == 0 { 0x80 } else { SILENCE };
        let (up, volts) = chip.frame(&[octet], &[analog, 0.0, 0.0, 0.0]);
        analog = volts[0];
        tone::from_ulaw(up[0]).abs() > 8000
    });
    assert_eq!(
        found,
        Some(6),
        "2 frames down, 3 up, one between output and input here"
    );
}

#[test]
fn converter_registers() {
    let mut chip = Ads1115::default();
    let read = |chip: &mut Ads1115, register: u8| {
        chip.write(&[register]);
        let octets = chip.read(2);
        u16::from_be_bytes([octets[0], octets[1]])
    };
    for (register, value) in [(0, 0), (1, 0x8583), (2, 0x8000), (3, 0x7FFF)] {
        assert_eq!(read(&mut chip, register), value, "register {register} at reset");
    }
    chip.write(&[2, 0x12, 0x34]);
    assert_eq!(chip.read(2), [0x12, 0x34], "the pointer stays");
    chip.write(&[0, 0xFF, 0xFF]);
    assert_eq!(read(&mut chip, 0), 0, "the result is read only");
    // AIN0 against AIN3 at 2.048 V, 128 a second, single shot: 63 frames of 125 µs.
    chip.write(&[1, 0x95, 0x83]);
    for frame in 1..=63 {
        assert_eq!(read(&mut chip, 1) >> 15, 0, "it runs in frame {frame}");
        assert_eq!(read(&mut chip, 0), 0);
        chip.frame([2.15, 0.0, 0.0, 1.65]);
    }
    assert_eq!(read(&mut chip, 1), 0x9583);
    assert_eq!(read(&mut chip, 0), 8000);
}

#[test]
fn converter_inputs_ranges_and_rates() {
    // (mux, pga, rate, result, frames); inputs 1.0, 0.5, 3.0 and 1.65 V; (1.0 - 0.5) / 6.144 * 32768 is 2667
    let table = [
        (0, 0, 7, 2667, 10),
        (1, 1, 6, -5200, 17),
        (2, 2, 5, -18400, 32),
        (3, 1, 4, 10800, 63),
        (4, 2, 3, 16000, 125),
        (5, 4, 2, 32000, 250),
        (6, 0, 1, 16000, 500),
        (7, 0, 0, 8800, 1000),
        (2, 5, 7, -32768, 10),
        (6, 2, 7, 32767, 10),
    ];
    for (mux, pga, rate, result, frames) in table {
        let mut chip = Ads1115::default();
        let config: u16 = 0x8103 | mux << 12 | pga << 9 | rate << 5;
        let [high, low] = config.to_be_bytes();
        chip.write(&[1, high, low]);
        let taken = (1..).find(|_| {
            chip.frame([1.0, 0.5, 3.0, 1.65]);
            chip.read(1)[0] & 0x80 != 0
        });
        assert_eq!(taken, Some(frames), "mux {mux}");
        chip.write(&[0]);
        let octets = chip.read(2);
        assert_eq!(
            i16::from_be_bytes([octets[0], octets[1]]),
            result,
            "mux {mux} pga {pga}"
        );
    }
}

#[test]
fn converter_alerts() {
    let convert = |chip: &mut Ads1115, volts: f64| (0..10).for_each(|_| chip.frame([volts, 0.0, 0.0, 0.0]));
    // Continuous at 860 a second, AIN0 at 4.096 V, thresholds 1 V and 2 V; comparator by the low 5 bits.
    let start = |comparator: u8| {
        let mut chip = Ads1115::default();
        chip.write(&[2, 0x1F, 0x40]);
        chip.write(&[3, 0x3E, 0x80]);
        chip.write(&[1, 0x42, 0xE0 | comparator]);
        chip
    };
    // (comparator, volts of the conversions, level of ALERT after each)
    let table: [(u8, &[f64], &[bool]); 6] = [
        (0b0_0011, &[2.5], &[true]),
        (0b0_0000, &[1.5, 2.5, 1.5, 0.5], &[true, false, false, true]),
        (0b0_1000, &[1.5, 2.5, 1.5, 0.5], &[false, true, true, false]),
        (0b1_0000, &[1.5, 0.5, 1.5, 2.5], &[true, false, true, false]),
        (0b0_0001, &[2.5, 0.5, 2.5, 2.5], &[true, true, true, false]),
        (0b0_0100, &[2.5, 0.5], &[false, false]),
    ];
    for (comparator, volts, levels) in table {
        let mut chip = start(comparator);
        let shown: Vec<_> = volts
            .iter()
            .map(|&volts| {
                convert(&mut chip, volts);
                chip.alert()
            })
            .collect();
        assert_eq!(shown, levels, "{comparator:05b}");
    }
    let mut chip = start(0b0_0100);
    convert(&mut chip, 2.5);
    convert(&mut chip, 0.5);
    chip.write(&[0]);
    chip.read(2);
    assert!(chip.alert(), "reading the result ends a latched alert");
    // Conversion ready, single shot: high while it runs.
    let mut chip = Ads1115::default();
    chip.write(&[3, 0x80, 0x00]);
    chip.write(&[2, 0x00, 0x00]);
    chip.write(&[1, 0xC3, 0xE0]);
    assert!(chip.alert());
    convert(&mut chip, 1.0);
    assert!(!chip.alert());
}

#[test]
fn slic_pins() {
    let mut bench = Bench::new();
    let near = |a: f64, b: f64| (a - b).abs() < 1.5;
    let line = bench.card.ports[0].line;
    assert!(near(line.tip, 0.0) && near(line.ring, -48.0), "{line:?}");
    bench.outputs(FED & !output::FORWARD);
    bench.silence(40);
    let line = bench.card.ports[0].line;
    assert!(
        near(line.tip, -48.0) && near(line.ring, 0.0),
        "reversed: {line:?}"
    );
    assert!(!bench.off_hook(0));
    bench.outputs(FED & !(output::POWER | output::POWER << 1));
    bench.silence(300);
    assert!(
        bench.card.ports[0].line.tip.abs() < 0.1,
        "{:?}",
        bench.card.ports[0].line
    );
    assert!(near(bench.card.ports[2].line.ring, -48.0), "port 2 is fed on");
}

#[test]
fn a_slic_needs_50_ms_after_power_down_and_after_heat() {
    let mut bench = Bench::new();
    let set = hil::twin::telephone::Telephone::new(1);
    bench.card.plug(0, &set);
    set.lift();
    bench.silence(200);
    assert!(bench.off_hook(0));
    for heat in [false, true] {
        if heat {
            bench.card.ports[0].slic.heat(true);
        } else {
            bench.outputs(FED & !output::POWER);
        }
        bench.silence(50);
        assert!(!bench.off_hook(0) && bench.card.ports[0].line.sensed == 0.0);
        bench.forget();
        bench.card.ports[0].slic.heat(false);
        bench.outputs(FED);
        let begin = bench.blocks * 40;
        bench.silence(100);
        let [(true, at)] = bench.shk(0)[..] else {
            panic!("{:?}", bench.shk(0))
        };
        assert!((399..440).contains(&(at - begin)), "{} frames", at - begin);
    }
}

#[test]
fn faults_of_the_buses() {
    let mut bench = Bench::new();
    let ask = |bench: &mut Bench| {
        bench.card.request(Request::I2c {
            id: 7,
            address: 0x48,
            write: Octets::from_slice(&[1]).unwrap(),
            read: 2,
        })
    };
    let answer = |result| Some(Report::I2c { id: 7, result });
    let good = || answer(Ok(Octets::from_slice(&[0x85, 0x83]).unwrap()));
    bench.card.faults.no_address = 1;
    assert_eq!(ask(&mut bench), answer(Err(I2cFault::NoAddress)));
    bench.card.faults.no_data = 1;
    assert_eq!(ask(&mut bench), answer(Err(I2cFault::NoData)));
    bench.card.faults.stuck = 2;
    assert_eq!(ask(&mut bench), answer(Err(I2cFault::Stuck)));
    assert_eq!(ask(&mut bench), answer(Err(I2cFault::Stuck)));
    bench.card.faults.hangs = 1;
    assert_eq!(ask(&mut bench), None);
    bench.card.faults.i2c_flips = 1;
    assert_eq!(
        ask(&mut bench),
        answer(Ok(Octets::from_slice(&[0x95, 0x83]).unwrap()))
    );
    assert_eq!(ask(&mut bench), good());
    let wrong = Request::I2c {
        id: 1,
        address: 0x49,
        write: Octets::new(),
        read: 2,
    };
    let nobody = Report::I2c {
        id: 1,
        result: Err(I2cFault::NoAddress),
    };
    assert_eq!(bench.card.request(wrong), Some(nobody));
    // A bit of the codec's slot flips: 5 becomes 1.
    bench.spi(0x81);
    bench.card.faults.spi_flips = 1;
    bench.spi(5);
    assert_eq!(bench.card.codec.paths(0).unwrap().1.slot, Some(1));
}

#[test]
fn a_brown_out_makes_every_chip_forget() {
    let mut bench = Bench::new();
    bench.adc(&[2, 1, 2], 0);
    bench.card.brown_out();
    assert_eq!(bench.adc(&[2], 2), [0x80, 0x00]);
    let down = (Path::default(), Path::default());
    assert_eq!(bench.card.codec.paths(0), Some(down));
    bench.run(100, sine(1000.0, 0.0));
    assert!(
        dbm0(&bench.heard(0), 1000.0) < -60.0,
        "no audio without configuration"
    );
    assert_eq!(bench.card.inputs() & input::ALERT, input::ALERT);
}

#[test]
fn general_call_resets_the_converter() {
    let mut bench = Bench::new();
    bench.adc(&[3, 1, 2], 0);
    let reset = Request::I2c {
        id: 0,
        address: 0,
        write: Octets::from_slice(&[6]).unwrap(),
        read: 0,
    };
    let done = Report::I2c {
        id: 0,
        result: Ok(Octets::new()),
    };
    assert_eq!(bench.card.request(reset), Some(done));
    assert_eq!(bench.adc(&[3], 2), [0x7F, 0xFF]);
}
