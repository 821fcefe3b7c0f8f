//! Ten thousand sequences of devices that are plugged in and out of the hub and draw what they like: how often the budget was
//! violated. Prints `figure poe.budget_violations <n> sequences` and ends with 1 if there was one.

#[path = "../tests/power/world.rs"]
mod world;

use std::process::ExitCode;

const SEQUENCES: u64 = 10_000;

fn main() -> ExitCode {
    let (mut violated, mut all) = (0, world::Findings::default());
    for seed in 0..SEQUENCES {
        let found = world::sequence(seed);
        violated += u64::from(found.violations > 0);
        all.started += found.started;
        all.shed += found.shed;
        all.cut += found.cut;
        all.short += found.short;
    }
    println!(
        "{SEQUENCES} sequences: {} ports switched on, {} switched off for want of power, {} cut by the controller",
        all.started, all.shed, all.cut
    );
    println!("figure poe.budget_violations {violated} sequences");
    ExitCode::from(u8::from(violated > 0))
}
