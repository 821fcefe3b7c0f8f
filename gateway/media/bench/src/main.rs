//! Figures of the audio of a line: see the README.
#![forbid(unsafe_code)]

mod concealment;
#[path = "../../tests/line/mod.rs"]
mod line;
mod peer;

/// Prints the figures of the part that is named.
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
