//! The budget holds.

use crate::world::{Findings, sequence};

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
