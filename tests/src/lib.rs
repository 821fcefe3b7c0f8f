#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod check;
pub mod cloud_node;
pub mod desk_box;
pub mod network;
pub mod office;
pub mod phone;
pub use deskphones::rng;
pub mod scene;
pub mod story;
pub mod telephone;
pub mod world;
