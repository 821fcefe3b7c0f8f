#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod apply;
pub mod area;
pub mod area_names;
pub mod catalogue;
pub mod check;
pub mod command;
pub mod context;
pub mod derive;
pub mod device;
pub mod effect;
pub mod model;
pub mod order;
pub mod plan;
pub mod refusal;
pub mod store;
pub mod tariff;
mod text;

pub use apply::apply;
pub use command::Command;
pub use context::{Actor, Context};
pub use effect::Effect;
pub use model::Contract;
pub use plan::{Plan, PlanVersion};
pub use refusal::{Refusal, Rule};
pub use text::{Lang, Text};
