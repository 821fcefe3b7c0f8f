//! The analog ports.
mod bell;
mod hook;
mod line;
mod line_test;
