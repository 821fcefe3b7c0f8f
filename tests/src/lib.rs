#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod check;
pub mod cloud_node;
pub mod desk_box;
pub mod desk_phone;
pub mod desks;
pub mod network;
pub mod office;
pub mod phone;
pub mod pse;
pub use deskphones::rng;
pub mod router;
pub mod scene;
pub mod story;
pub mod telephone;
pub mod world;
