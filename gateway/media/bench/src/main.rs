//! Figures of the audio of a line: see the README.
#![forbid(unsafe_code)]
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
mod concealment;
#[cfg(target_os = "none")]
mod instructions;
#[cfg(not(target_os = "none"))]
#[path = "../../tests/line/mod.rs"]
mod line;
#[cfg(not(target_os = "none"))]
mod peer;

/// Prints the figures of the part that is named.
#[cfg(not(target_os = "none"))]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["line"] => {
            let mut peer = peer::Peer::start("dtmf")?;
            println!("{}", peer.ask(&[0; 800])?);
            Ok(())
        }
        ["media"] => concealment::print(),
        _ => anyhow::bail!("line"),
    }
}
