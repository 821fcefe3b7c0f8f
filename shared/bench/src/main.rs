#![doc = include_str!("../README.md")]
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
mod group;
#[cfg(target_os = "none")]
mod size;
#[cfg(not(target_os = "none"))]
mod speed;

/// Prints times; with `ring <n>` it decides `n` times who rings, for callgrind.
#[cfg(not(target_os = "none"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            speed::area_lookup();
            speed::classify();
            Ok(())
        }
        ["ring", count] => group::decide(count.parse()?),
        _ => Err("nothing, or ring and a number".into()),
    }
}
