//! Chooses the board's memory map and hands the linker scripts over.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=memory");
    // On the host (documentation, lints of the whole workspace) there is nothing to link.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let qemu = env::var_os("CARGO_FEATURE_BOARD_QEMU").is_some();
    let map = if qemu { "memory/qemu.x" } else { "memory/h753.x" };
    fs::copy(map, out.join("memory.x")).expect("the memory map is copied");
    if qemu {
        // cortex-m-rt wants the names of the interrupt handlers; the vector table is in src/board/qemu/irq.rs.
        fs::write(out.join("device.x"), "").expect("device.x is written");
    }
    println!("cargo:rustc-link-search={}", out.display());
    // Without --nmagic the linker aligns sections to 64 KiB pages of a host.
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
}
