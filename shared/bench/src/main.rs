#![doc = include_str!("../README.md")]
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod size;
#[cfg(not(target_os = "none"))]
mod speed;

#[cfg(not(target_os = "none"))]
fn main() {
    speed::area_lookup();
    speed::classify();
}
