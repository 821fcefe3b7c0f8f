//! Compiles the programs of `peers/` against spandsp. They are processes of their own: its licence and its C stay out of ours.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=peers");
    println!("cargo::rustc-env=PEERS={}", out.display());
    for entry in fs::read_dir("peers")? {
        let source = entry?.path();
        let (Some("c"), Some(name)) = (source.extension().and_then(|e| e.to_str()), source.file_stem())
        else {
            continue;
        };
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-Werror", "-o"]).arg(out.join(name));
        let compiled = cc.arg(&source).args(["-lspandsp", "-ltiff", "-lm"]).status();
        if !compiled.is_ok_and(|status| status.success()) {
            println!(
                "cargo::error={}: {cc:?} failed: is libspandsp-dev there?",
                source.display()
            );
        }
    }
    Ok(())
}
