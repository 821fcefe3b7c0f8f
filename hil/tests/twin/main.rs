//! The twins on the host, without QEMU: registers, the line, the sets, the server.

mod bench;
mod chips;
mod drivers;
mod line;
mod power;
mod server;
mod sets;
mod switch;
