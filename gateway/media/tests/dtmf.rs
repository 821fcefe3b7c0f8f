//! Push-button signals within the limits of ITU-T Q.24 for Japan.

mod signal;

use signal::{Dice, Push, digits};

#[test]
#[test]
fn sweep() {
    let mut dice = Dice::new(1);
    for off in [0.0, 0.010, 0.015, 0.018, 0.021, 0.024, 0.027, 0.030, 0.035] {
        let n = 1000;
        let mut ok = [0; 2];
        for (i, ms) in [40.0, 100.0].into_iter().enumerate() {
            for _ in 0..n {
                let mut push = Push::any(&mut dice, ms);
                push.off = (off * dice.sign(), off * dice.sign());
                let want = char::from(push.digit.name()).to_string();
                if digits(&push.sound(&mut dice)) == want {
                    ok[i] += 1;
                }
            }
        }
        println!("off {off}: {ok:?}");
    }
    for ms in [
        20.0, 22.0, 24.0, 26.0, 28.0, 30.0, 31.0, 32.0, 33.0, 34.0, 36.0, 38.0, 40.0,
    ] {
        let ok = (0..500)
            .filter(|_| {
                let push = Push::any(&mut dice, ms);
                !digits(&push.sound(&mut dice)).is_empty()
            })
            .count();
        println!("{ms} ms: {ok}");
    }
    for level in [-20.0, -24.0, -25.0, -26.0, -27.0, -28.0, -29.0] {
        let ok = (0..500)
            .filter(|_| {
                let mut push = Push::any(&mut dice, 50.0);
                push.levels = (level, level);
                !digits(&push.sound(&mut dice)).is_empty()
            })
            .count();
        println!("{level} dBm0: {ok}");
    }
    for twist in [-9.0, -8.0, -7.0, -6.0, -5.0, 0.0, 5.0, 6.0, 7.0, 8.0] {
        let ok = (0..500)
            .filter(|_| {
                let mut push = Push::any(&mut dice, 50.0);
                push.levels = (-12.0, -12.0 + twist);
                !digits(&push.sound(&mut dice)).is_empty()
            })
            .count();
        println!("{twist} dB: {ok}");
    }
    for snr in [6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 40.0] {
        let ok = (0..500)
            .filter(|_| {
                let mut push = Push::any(&mut dice, 50.0);
                push.snr_db = snr;
                let want = char::from(push.digit.name()).to_string();
                digits(&push.sound(&mut dice)) == want
            })
            .count();
        println!("{snr} dB SNR: {ok}");
    }
}
