//! Fuzzes the target that the variable `FUZZ_TARGET` names: libFuzzer's program, with its flags, where it is built by
//! `cargo x fuzz`. Built as usual it runs the target on the files named, once each, to look into what was found.
#![cfg_attr(fuzzing, no_main)]

use gateway_fuzz::{TARGETS, Target};

fn chosen() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(n, _)| *n == name);
    found
        .unwrap_or_else(|| panic!("FUZZ_TARGET={name:?} is none of {:?}", TARGETS.map(|(n, _)| n)))
        .1
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static CHOSEN: std::sync::LazyLock<Target> = std::sync::LazyLock::new(chosen);
    CHOSEN(bytes);
});

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    let target = chosen();
    for path in std::env::args_os().skip(1) {
        target(&std::fs::read(path)?);
    }
    Ok(())
}
