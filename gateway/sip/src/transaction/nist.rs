//! One of the four machines.
