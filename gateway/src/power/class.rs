//! What a device may draw, in tenths of a watt, at its end of the cable and at ours.

/// Its class (IEEE 802.3 table 33-9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Class {
    /// It does not say: as much as class 3.
    #[default]
    Zero,
    /// 3.84 W.
    One,
    /// 6.49 W.
    Two,
    /// 12.95 W.
    Three,
    /// 25.5 W (802.3at).
    Four,
}

impl Class {
    /// Class `number`; one that there is not is taken for 0.
    pub const fn new(number: u8) -> Self {
        match number {
            1 => Self::One,
            2 => Self::Two,
            3 => Self::Three,
            4 => Self::Four,
            _ => Self::Zero,
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What the port must be able to supply, 0.1 W (IEEE 802.3 table 33-7).
    pub const fn supplied(self) -> u16 {
        match self {
            Self::Zero | Self::Three => 154,
            Self::One => 40,
            Self::Two => 70,
            Self::Four => 300,
        }
    }

    /// What the device may draw at most, 0.1 W.
    pub const fn drawn(self) -> u16 {
        match self {
            Self::Zero | Self::Three => 130,
            Self::One => 39,
            Self::Two => 65,
            Self::Four => 255,
        }
    }

    /// What the port must supply for `drawn` tenths of a watt at the device, with the longest cable and the least voltage: 20 Ω
    /// and 44 V, for class 4 12.5 Ω and 50 V (IEEE 802.3 table 33-1).
    pub const fn with_cable(self, drawn: u16) -> u16 {
        // U·(U - √(U² - 4·R·P)) / 2·R, the root in hundredths of a volt.
        let drawn = drawn as u32;
        let supplied = match self {
            Self::Four => {
                let root = (10_000 * 2_500_u32.saturating_sub(5 * drawn)).isqrt();
                (20 * (5_000 - root)).div_ceil(100)
            }
            _ => {
                let root = (10_000 * 1_936_u32.saturating_sub(8 * drawn)).isqrt();
                (11 * (4_400 - root)).div_ceil(100)
            }
        };
        let most = self.supplied();
        if supplied < most as u32 {
            supplied as u16
        } else {
            most
        }
    }

    /// What the device may draw where the port supplies at most `supplied`, 0.1 W.
    pub fn without_cable(self, supplied: u16) -> u16 {
        let fits = |drawn: &u16| self.with_cable(*drawn) <= supplied;
        (0..=self.drawn()).rev().find(fits).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn the_standards_own_pairs() {
        // IEEE 802.3 tables 33-7 and 33-18.
        for (class, drawn, supplied) in [
            (Class::Zero, 130, 154),
            (Class::One, 39, 40),
            (Class::Two, 65, 70),
            (Class::Three, 130, 154),
            (Class::Four, 255, 300),
        ] {
            assert_eq!((class.drawn(), class.supplied()), (drawn, supplied));
            assert_eq!(class.with_cable(drawn), supplied, "{class:?}");
            assert_eq!(class.without_cable(supplied), drawn, "{class:?}");
            assert_eq!(Class::new(class.number()), class);
        }
        assert_eq!(Class::new(5), Class::Zero);
    }

    #[test]
    fn less_than_the_class() {
        for (class, drawn, supplied) in [
            (Class::Three, 0, 0),
            (Class::Three, 50, 53),
            (Class::Three, 100, 114),
            (Class::Four, 130, 140),
        ] {
            assert_eq!(class.with_cable(drawn), supplied, "{class:?} {drawn}");
        }
        for class in (0..=4).map(Class::new) {
            for supplied in 0..=400 {
                let drawn = class.without_cable(supplied);
                assert!(class.with_cable(drawn) <= supplied);
                assert!(drawn == class.drawn() || class.with_cable(drawn + 1) > supplied);
            }
        }
    }
}
