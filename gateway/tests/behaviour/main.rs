//! The box by its behaviour: phones, cloud, line, power, bad input, load.

#[path = "../office/mod.rs"]
mod office;

mod analog;
mod analog_hook;
mod analog_line;
mod analog_park;
mod announcements;
mod bad_input;
mod claim;
mod connections;
mod emergency;
mod fetch_log;
mod firmware;
mod hub;
mod inside;
mod lamps;
mod line;
mod load;
mod outside;
mod park;
mod pickup;
mod power;
mod provision;
mod registration;
mod remembered;
mod restart;
mod scanner;
mod services;
mod sites;
mod transfer;
