//! Figures of the SIP core: see the README.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
mod messages;
#[cfg(target_os = "none")]
mod size;
#[cfg(not(target_os = "none"))]
mod speed;

/// Prints times; with `ours <n>` or `httparse <n>` it reads `n` times, for callgrind.
#[cfg(not(target_os = "none"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            speed::print();
            Ok(())
        }
        [whose, count] => Ok(speed::repeat(whose, count.parse()?)?),
        _ => Err("nothing, or whose reading and a number".into()),
    }
}
