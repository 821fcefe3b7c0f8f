//! Power for the hub's ports: tables of (time, in, out), and a budget that holds whatever is plugged in.

mod bench;
mod budget;
mod ports;
mod watchdog;
mod world;
