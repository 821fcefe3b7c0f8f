//! The spoken announcements, as µ-law at 8,000 samples/s (`prompts/README.md` has the words and how they are made).

/// An announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// No way outside: the line to the cloud is down.
    OutsideLineDown,
    /// An emergency call is impossible here: use a mobile phone.
    EmergencyImpossible,
    /// All channels of the contract are in use.
    ChannelsBusy,
    /// The called number is not in use.
    NumberNotInUse,
    /// Nobody answers at this time of day.
    #[cfg(feature = "cloud")]
    AfterHours,
}

impl Prompt {
    /// Every announcement.
    pub const ALL: &[Prompt] = &[
        Prompt::OutsideLineDown,
        Prompt::EmergencyImpossible,
        Prompt::ChannelsBusy,
        Prompt::NumberNotInUse,
        #[cfg(feature = "cloud")]
        Prompt::AfterHours,
    ];

    /// The samples: one octet of µ-law each.
    pub const fn ulaw(self) -> &'static [u8] {
        match self {
            Prompt::OutsideLineDown => include_bytes!("../prompts/outside-line-down.ulaw"),
            Prompt::EmergencyImpossible => include_bytes!("../prompts/emergency-impossible.ulaw"),
            Prompt::ChannelsBusy => include_bytes!("../prompts/channels-busy.ulaw"),
            Prompt::NumberNotInUse => include_bytes!("../prompts/number-not-in-use.ulaw"),
            #[cfg(feature = "cloud")]
            Prompt::AfterHours => include_bytes!("../prompts/after-hours.ulaw"),
        }
    }

    /// Length in milliseconds, rounded up.
    pub const fn duration_ms(self) -> u32 {
        (self.ulaw().len() as u32).div_ceil(8)
    }
}
