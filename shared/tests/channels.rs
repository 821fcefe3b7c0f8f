//! R15 with A4, A9, A10 and A20: every mix of calls against an independent statement, and the cases of the rule table.

mod common;

use common::{number, office};
use shared::Site;
use shared::channels::{Full, Use, admit, used};

const REP: &str = "0312340000";
const DIRECT: &str = "0312340001";

fn site(channels: u8, sub_cap: Option<u8>) -> Site {
    let mut site = office();
    site.sys.channels = channels;
    site.reps[0].sub_cap = sub_cap;
    site
}

/// Channels, cap of the number, calls, the next call: is it admitted?
type Row<'a> = (u8, Option<u8>, &'a [Use], Use, Result<(), Full>);

#[test]
fn the_cases_of_the_rule_table() {
    let (rep, direct) = (number(REP), number(DIRECT));
    // Two calls are up, in whatever state: ringing (A9), held or parked (A10) is the same.
    let two = [Use::Outside(rep), Use::Outside(direct)];
    let extensions = [Use::Inside; 9];
    #[rustfmt::skip]
    let table: [Row; 12] = [
        (2, None, &[], Use::Outside(rep), Ok(())),
        (2, None, &two[..1], Use::Outside(rep), Ok(())), // R2: several on one number
        (2, None, &two, Use::Outside(rep), Err(Full::Contract)),
        (2, None, &two, Use::Outside(direct), Err(Full::Contract)), // all numbers share them
        (3, None, &two, Use::Outside(direct), Ok(())),
        (2, None, &two, Use::Emergency(rep), Ok(())),
        (2, None, &two, Use::Inside, Ok(())), // R30, A20
        (2, None, &extensions, Use::Outside(rep), Ok(())),
        (2, None, &[Use::Emergency(rep), Use::Emergency(rep)], Use::Outside(rep), Err(Full::Contract)),
        (3, Some(1), &two[..1], Use::Outside(rep), Err(Full::Number)), // A4
        (3, Some(1), &two[..1], Use::Outside(direct), Ok(())),
        (3, Some(1), &two[..1], Use::Emergency(rep), Ok(())),
    ];
    for (row, (channels, cap, calls, next, expected)) in table.into_iter().enumerate() {
        let site = site(channels, cap);
        assert_eq!(admit(&site, next, calls.iter().copied()), expected, "row {row}");
    }
    assert_eq!((Full::Contract.rule(), Full::Number.rule()), ("R15", "A4"));
}

#[test]
fn fewer_channels_than_calls_end_no_call_and_admit_none() {
    let rep = number(REP);
    let calls = [Use::Outside(rep); 3];
    assert_eq!(
        admit(&site(1, None), Use::Outside(rep), calls),
        Err(Full::Contract)
    );
    // Two have ended by themselves; still one too many for another.
    assert_eq!(
        admit(&site(1, None), Use::Outside(rep), calls[2..].iter().copied()),
        Err(Full::Contract)
    );
    assert_eq!(admit(&site(1, None), Use::Outside(rep), []), Ok(()));
}

#[test]
fn every_mix_of_up_to_four_calls() {
    let (rep, direct) = (number(REP), number(DIRECT));
    let kinds = [
        Use::Inside,
        Use::Outside(rep),
        Use::Outside(direct),
        Use::Emergency(direct),
    ];
    // Channels and channels on the representative number, written down once more.
    let weight = [(0, 0), (1, 1), (1, 0), (1, 0)];
    for mix in 0..4usize.pow(4) {
        let picks = [1, 4, 16, 64].map(|place| mix / place % 4);
        let calls = picks.map(|pick| kinds[pick]);
        let total: usize = picks.iter().map(|pick| weight[*pick].0).sum();
        let of_rep: usize = picks.iter().map(|pick| weight[*pick].1).sum();
        assert_eq!(used(calls), total);
        for channels in 1..=8u8 {
            for cap in [None, Some(1), Some(2), Some(channels)] {
                for (next, (more, more_of_rep)) in kinds.into_iter().zip(weight) {
                    let exempt = matches!(next, Use::Inside | Use::Emergency(_));
                    let fits = total + more <= usize::from(channels);
                    let below =
                        more_of_rep == 0 || cap.is_none_or(|cap| of_rep + more_of_rep <= usize::from(cap));
                    let got = admit(&site(channels, cap), next, calls);
                    assert_eq!(
                        got.is_ok(),
                        exempt || fits && below,
                        "{next:?} of {channels}, {cap:?}: {calls:?}"
                    );
                }
            }
        }
    }
}
