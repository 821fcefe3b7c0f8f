//! Figures of the audio of a line: see the README.
#![forbid(unsafe_code)]

mod concealment;
mod echo;
mod fax;
#[path = "../../tests/hybrid/mod.rs"]
mod hybrid;
mod line;
mod page;
mod peer;
#[path = "../../tests/signal/mod.rs"]
mod signal;
mod sound;

/// Prints the figures of the part that is named.
fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["line"] => line::print(),
        ["media"] => {
            echo::print()?;
            concealment::print()?;
            fax::print()
        }
        _ => anyhow::bail!("line or media"),
    }
}
