//! Tones against the standard library's floating point and the cadences of E.180.

use media::g711::Law;
use media::tone::{Generator, Goertzel, PEAK_0_DBM0, Shape, Sine, Tone, peak};

fn samples(tone: Tone, count: usize) -> Vec<i16> {
    let mut generator = Generator::new(tone);
    (0..count).map(|_| generator.next_sample()).collect()
}

fn measure(hertz: u16, samples: &[i16]) -> Goertzel {
    let mut filter = Goertzel::new(hertz);
    samples.iter().for_each(|&s| filter.push(s));
    filter
}

/// RMS in dBm0, with the standard library.
fn rms_dbm0(samples: &[i16]) -> f64 {
    let mean = samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64;
    20.0 * (mean.sqrt() * 2f64.sqrt() / f64::from(PEAK_0_DBM0)).log10()
}

#[test]
fn sine_is_a_sine() {
    for hertz in [16, 400, 425, 1_000, 1_633, 3_900] {
        let mut sine = Sine::new(hertz);
        for n in 0..8_000 {
            let want = 32_767.0 * (std::f64::consts::TAU * f64::from(hertz) * f64::from(n) / 8_000.0).sin();
            assert!(
                (f64::from(sine.next_value()) - want).abs() < 4.0,
                "{hertz} Hz, sample {n}"
            );
        }
    }
}

#[test]
fn zero_dbm0_is_3_17_below_full_scale() {
    let full_scale = f64::from(Law::Pcmu.decode(0x80));
    assert!((20.0 * (full_scale / f64::from(PEAK_0_DBM0)).log10() - 3.17).abs() < 0.001);
}

#[test]
fn goertzel_agrees_with_the_rms_of_a_sine() {
    for hertz in [400, 697, 1_000, 1_633, 3_400] {
        let tone = samples(Tone::Test(hertz), 4_000);
        let filter = measure(hertz, &tone);
        assert!(
            (f64::from(filter.level_dbm0()) - rms_dbm0(&tone)).abs() < 0.05,
            "{hertz} Hz"
        );
        assert!(
            (filter.purity() - 1.0).abs() < 0.01,
            "{hertz} Hz: {}",
            filter.purity()
        );
        let other = measure(hertz / 2, &tone);
        assert!(
            other.level_dbm0() < filter.level_dbm0() - 30.0 && other.purity() < 0.01,
            "{hertz} Hz"
        );
    }
    let silence = measure(400, &[0; 800]);
    assert_eq!((silence.level_dbm0(), silence.purity()), (-100.0, 0.0));
    assert_eq!(measure(400, &[]).level_dbm0(), -100.0);
}

#[test]
fn level_survives_g711() {
    for law in [Law::Pcmu, Law::Pcma] {
        // Not 400 Hz, which would meet only five magnitudes of the codec.
        let coded: Vec<i16> = samples(Tone::Test(404), 8_000)
            .into_iter()
            .map(|s| law.decode(law.encode(s)))
            .collect();
        let filter = measure(404, &coded);
        assert!(
            (filter.level_dbm0() + 15.0).abs() < 0.1,
            "{law:?}: {}",
            filter.level_dbm0()
        );
        assert!(filter.purity() > 0.999, "{law:?}: {}", filter.purity());
    }
}

#[test]
fn tones_sound_and_pause_as_in_japan() {
    // (tone, [(from ms, to ms, sounds)])
    type Table<'a> = &'a [(Tone, &'a [(usize, usize, bool)])];
    let table: Table = &[
        (Tone::Dial, &[(0, 1_000, true), (1_000, 6_000, true)]),
        (
            Tone::Busy,
            &[
                (0, 500, true),
                (500, 1_000, false),
                (1_000, 1_500, true),
                (1_500, 2_000, false),
            ],
        ),
        (
            Tone::Congestion,
            &[(0, 500, true), (500, 1_000, false), (5_000, 5_500, true)],
        ),
        (
            Tone::SecondDial,
            &[
                (0, 250, true),
                (250, 500, false),
                (5_000, 5_250, true),
                (5_250, 5_500, false),
            ],
        ),
        (
            Tone::Acceptance,
            &[
                (0, 100, true),
                (100, 200, false),
                (200, 300, true),
                (300, 400, false),
                (400, 500, true),
                (500, 6_000, false),
            ],
        ),
        (
            Tone::Ringback,
            &[
                (0, 1_000, true),
                (1_000, 3_000, false),
                (3_000, 4_000, true),
                (4_000, 6_000, false),
            ],
        ),
    ];
    for (tone, spans) in table {
        let all = samples(*tone, 48_000);
        for &(from, to, sounds) in *spans {
            let span = &all[from * 8..to * 8];
            if sounds {
                let level = measure(400, span).level_dbm0();
                assert!((-22.0..=-14.0).contains(&level), "{tone:?} {from}: {level}");
            } else {
                assert!(span.iter().all(|&s| s == 0), "{tone:?} {from}");
            }
        }
    }
}

#[test]
fn howler_is_loud_and_quick() {
    let all = samples(Tone::Howler, 8_000);
    assert!((rms_dbm0(&all[..1_000]) + 3.0).abs() < 0.1);
    assert!(all[1_000..2_000].iter().all(|&sample| sample == 0));
    assert!((rms_dbm0(&all[2_000..3_000]) + 3.0).abs() < 0.1);
}

#[test]
fn levels_are_dbm0() {
    for dbm0 in -60..=3i8 {
        let want = f64::from(PEAK_0_DBM0) * 10f64.powf(f64::from(dbm0) / 20.0);
        assert!((f64::from(peak(dbm0)) - want).abs() < 0.51, "{dbm0} dBm0");
        let mut generator = Generator::of(Shape {
            dbm0,
            ..Tone::Test(1_004).shape()
        });
        let level = rms_dbm0(&(0..8_000).map(|_| generator.next_sample()).collect::<Vec<_>>());
        // Of a peak of 22 a sample is but a few steps.
        assert!((level - f64::from(dbm0)).abs() < 0.5, "{dbm0} dBm0: {level}");
    }
    assert_eq!((peak(4), peak(127), peak(-128)), (i16::MAX, i16::MAX, 0));
}

#[test]
fn ringback_has_sidebands_at_16_hertz() {
    let second = &samples(Tone::Ringback, 8_000)[..];
    let carrier = measure(400, second).level_dbm0();
    for sideband in [384, 416] {
        // Amplitude modulation of depth m puts m/2 into each sideband: 20 log10(0.85/2) = -7.4 dB.
        let level = measure(sideband, second).level_dbm0();
        assert!(
            (level - carrier + 7.43).abs() < 0.3,
            "{sideband} Hz: {level} and {carrier}"
        );
    }
    assert!(measure(392, second).level_dbm0() < carrier - 30.0);
}
