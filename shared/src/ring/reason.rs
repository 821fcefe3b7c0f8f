//! "Why did it not ring?"

/// Why a terminal is offered the call, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Offered: the called direct number or extension is its own (R8, R30).
    Own,
    /// Offered: a fixed terminal of the group (R19).
    Fixed,
    /// Offered: an app, and no fixed terminal of the group is ringing (R19).
    NoFixedRings,
    /// Offered: an app in the foreground rings with the fixed terminals (R19, R21).
    Foreground,
    /// Offered: it made an emergency call, and this may be the call-back.
    CalledEmergency,
    /// Not offered: another ID's direct number was called (R8).
    NotCalled,
    /// Not offered: not in the ring group (R4).
    NotMember,
    /// Not offered: its ringing for this number is off (R44).
    RingOff,
    /// Not offered: its direct number is not in use for incoming calls (R25).
    DirectOff,
    /// Not offered: it is the calling terminal.
    Caller,
    /// Not offered from here: another site's box rings it.
    OtherSite,
    /// Not offered: a fixed terminal without registration (R20, A18).
    NotRegistered,
    /// Not offered: an app nobody is logged in to (R20).
    NotLoggedIn,
    /// Not offered: an app in the background while fixed terminals ring (R19).
    FixedFirst,
    /// Not offered yet: the terminal that made an emergency call rings first.
    CallBackFirst,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Own,
        Self::Fixed,
        Self::NoFixedRings,
        Self::Foreground,
        Self::CalledEmergency,
        Self::NotCalled,
        Self::NotMember,
        Self::RingOff,
        Self::DirectOff,
        Self::Caller,
        Self::OtherSite,
        Self::NotRegistered,
        Self::NotLoggedIn,
        Self::FixedFirst,
        Self::CallBackFirst,
    ];

    /// Is the terminal offered the call?
    pub const fn offered(self) -> bool {
        matches!(
            self,
            Self::Own | Self::Fixed | Self::NoFixedRings | Self::Foreground | Self::CalledEmergency
        )
    }

    /// The rule behind it; a word where the rule has no number.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Own | Self::NotCalled => "R8",
            Self::Fixed | Self::NoFixedRings | Self::FixedFirst => "R19",
            Self::Foreground => "R21",
            Self::NotMember => "R4",
            Self::RingOff => "R44",
            Self::DirectOff => "R25",
            Self::NotRegistered => "A18",
            Self::NotLoggedIn => "R20",
            Self::CalledEmergency | Self::CallBackFirst => "guard",
            Self::Caller => "caller",
            Self::OtherSite => "site",
        }
    }

    /// The reason in Japanese, to stand before the rule in brackets.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::Own => "この端末の番号が呼ばれたため",
            Self::Fixed => "着信グループの固定電話機のため",
            Self::NoFixedRings => "着信する固定電話機がグループにないため",
            Self::Foreground => "アプリが前面にあるため",
            Self::CalledEmergency => "緊急通報した端末で、呼び返しの可能性があるため",
            Self::NotCalled => "ほかの端末の番号が呼ばれたため",
            Self::NotMember => "この代表番号のグループに入っていないため",
            Self::RingOff => "この代表番号の着信がオフのため",
            Self::DirectOff => "直通番号の着信を利用しない設定のため",
            Self::Caller => "電話をかけた端末自身のため",
            Self::OtherSite => "ほかの拠点の端末で、この拠点からは呼び出せないため",
            Self::NotRegistered => "固定電話機がつながっていないため",
            Self::NotLoggedIn => "アプリにログインしていないため",
            Self::FixedFirst => "バックグラウンドで、固定電話機が優先されるため",
            Self::CallBackFirst => "緊急通報した端末を先に呼び出しているため",
        }
    }

    /// The reason in English, to stand before the rule in brackets.
    pub const fn english(self) -> &'static str {
        match self {
            Self::Own => "its own number was called",
            Self::Fixed => "a desk phone of the ring group",
            Self::NoFixedRings => "no desk phone of the group rings",
            Self::Foreground => "the app is in the foreground",
            Self::CalledEmergency => "it made an emergency call, and this may be the call-back",
            Self::NotCalled => "another terminal's number was called",
            Self::NotMember => "not in this representative number's group",
            Self::RingOff => "ringing for this representative number is off",
            Self::DirectOff => "its direct number is not used for incoming calls",
            Self::Caller => "it is the calling terminal",
            Self::OtherSite => "at another site, not to be rung from this one",
            Self::NotRegistered => "the desk phone is not connected",
            Self::NotLoggedIn => "nobody is logged in to the app",
            Self::FixedFirst => "in the background, and desk phones go first",
            Self::CallBackFirst => "the terminal that made an emergency call rings first",
        }
    }
}
