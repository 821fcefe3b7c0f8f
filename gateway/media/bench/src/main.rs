//! Figures of the audio of a line: see the README.
#![forbid(unsafe_code)]

mod peer;
#[path = "../../tests/signal/mod.rs"]
mod signal;
mod sound;

/// Prints the figures of the part that is named.
fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make"] => {
            for (name, samples) in [("music", sound::music(300)), ("recorded", sound::recorded()?), ("spoken", sound::spoken(60)?)] {
                std::fs::write(format!("/tmp/dspwork/{name}.s16"), samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>())?;
            }
            Ok(())
        }
        ["try"] => {
            for name in ["music", "recorded", "spoken"] {
                let o = std::fs::read(format!("/tmp/dspwork/{name}.s16"))?;
                let samples: Vec<i16> = o.as_chunks().0.iter().map(|&two| i16::from_le_bytes(two)).collect();
                println!("{name} {} min ours {} {:?} theirs []", samples.len() / 480_000, signal::digits(&samples).len(), signal::events(&samples));
            }
            Ok(())
        }
        ["theirs"] => {
            for name in ["music", "recorded", "spoken"] {
                let o = std::fs::read(format!("/tmp/dspwork/{name}.s16"))?;
                let samples: Vec<i16> = o.as_chunks().0.iter().map(|&two| i16::from_le_bytes(two)).collect();
                let mut p = peer::Peer::start("dtmf")?;
                println!("{name} theirs {}", p.ask(&samples)?);
            }
            Ok(())
        }
        _ => anyhow::bail!("line"),
    }
}
