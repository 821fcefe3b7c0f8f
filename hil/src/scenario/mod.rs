//! The scenarios: each is one story told in its own office, verified by what was measured.

use crate::run::Run;
use anyhow::Result;

mod rig;

/// A story.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// Does it need the firmware image?
    pub image: bool,
    /// Tells it.
    pub tell: fn(&Run) -> Result<()>,
}

/// All of them, in the order in which they are told.
pub const ALL: &[Scenario] = &[Scenario {
    name: "rig-phones",
    about: "the rig's phones and the carrier hear one another, without a box",
    image: false,
    tell: rig::phones,
}];
