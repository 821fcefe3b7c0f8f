//! The analog lines of a box (FXS): their ports, and what a test of a line found.

use serde::{Deserialize, Serialize};

/// Ports of a box, numbered from 1.
pub const PORTS: u8 = 4;

/// The port an ID's telephone or FAX machine is plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Its number, 1 to [`PORTS`].
    pub number: u8,
    /// The caller's number is sent before it rings (ナンバー・ディスプレイ). An old telephone would ring oddly and take it for a
    /// call.
    pub number_display: bool,
    /// A FAX machine: nothing is done to its sound from the first moment on.
    pub fax: bool,
}

/// A fault of a line's circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LineFault {
    /// Told by no box: no line circuit says that it is too hot. It keeps the numbers of the others.
    OverTemperature,
    /// A test of the line has found too little voltage: the supply of its circuit is low, or it has switched itself off.
    BrownOut,
    /// The codec gives no sound.
    Codec,
}

/// What came of a test of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineTestResult {
    /// It was measured.
    Measured(LineTest),
    /// The telephone was in use, or rang.
    InUse,
    /// The box could not measure.
    Failed,
}

/// What a test of a line measured. The limits are those of Telcordia GR-909 §2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTest {
    /// Voltage on the line while the box feeds nothing, of the wire with more of it, millivolts.
    pub foreign_dc_mv: i32,
    /// The same, alternating, millivolts root mean square.
    pub foreign_ac_mv: u32,
    /// What hangs on the line; not measured where there is a voltage that is not ours.
    pub load: Option<LineLoad>,
}

/// What hangs on a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineLoad {
    /// What the box feeds while the handset is down, millivolts.
    pub feed_mv: u32,
    /// Resistance from wire to wire, ohms; [`u32::MAX`] if no current flows.
    pub leakage_ohm: u32,
    /// Capacity of the bells, nanofarads; [`u32::MAX`] if they were not counted.
    pub ringer_nf: u32,
}

impl LineTest {
    /// Voltages of a line that nobody else feeds: 6 V, and 10 V alternating.
    const FOREIGN_DC_MV: u32 = 6_000;
    const FOREIGN_AC_MV: u32 = 10_000;

    /// Somebody else's voltage is on the line.
    pub const fn is_foreign(&self) -> bool {
        self.foreign_dc_mv.unsigned_abs() > Self::FOREIGN_DC_MV || self.foreign_ac_mv > Self::FOREIGN_AC_MV
    }
}

impl LineLoad {
    /// Least voltage that a port feeds to a telephone on hook.
    const FEED_MV: u32 = 40_000;
    /// Least resistance of a line in order, ohms.
    const LEAKAGE_OHM: u32 = 150_000;
    /// Capacitor of one bell, nanofarads: the 1 µF of Japanese telephones; most electronic ringers have less.
    const RINGER_NF: u32 = 1_000;
    /// Most that a port rings (端末設備等規則 §13: 3 µF).
    const RINGER_MAX_NF: u32 = 3_000;

    /// The line has less voltage than a telephone needs, and that is not the line's fault.
    pub const fn is_underfed(&self) -> bool {
        self.feed_mv < Self::FEED_MV && !self.leaks()
    }

    /// The wires touch each other, or are wet.
    pub const fn leaks(&self) -> bool {
        self.leakage_ohm < Self::LEAKAGE_OHM
    }

    /// Bells, as so many of the usual kind; one of less than half its capacity counts as none. `None`: not counted.
    pub const fn ringers(&self) -> Option<u32> {
        match self.ringer_nf {
            u32::MAX => None,
            nf => Some(nf.saturating_add(Self::RINGER_NF / 2) / Self::RINGER_NF),
        }
    }

    /// More hangs on the line than the port can ring.
    pub const fn overloads(&self) -> bool {
        self.ringer_nf > Self::RINGER_MAX_NF && self.ringer_nf != u32::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let test = |foreign_dc_mv, foreign_ac_mv| LineTest {
            foreign_dc_mv,
            foreign_ac_mv,
            load: None,
        };
        for (dc, ac, foreign) in [
            (0, 0, false),
            (6_000, 10_000, false),
            (6_001, 0, true),
            (-6_001, 0, true),
            (i32::MIN, 0, true),
            (0, 10_001, true),
        ] {
            assert_eq!(test(dc, ac).is_foreign(), foreign, "{dc} {ac}");
        }
        let load = |leakage_ohm, ringer_nf| LineLoad {
            feed_mv: 48_000,
            leakage_ohm,
            ringer_nf,
        };
        assert!(load(149_999, 0).leaks() && !load(150_000, 0).leaks());
        for (feed_mv, leakage_ohm, underfed) in [
            (40_000, u32::MAX, false),
            (39_999, u32::MAX, true),
            (0, 150_000, true),
            (0, 149_999, false),
        ] {
            let load = LineLoad {
                feed_mv,
                ..load(leakage_ohm, 0)
            };
            assert_eq!(load.is_underfed(), underfed, "{feed_mv} {leakage_ohm}");
        }
        for (nf, ringers, overloads) in [
            (0, Some(0), false),
            (499, Some(0), false),
            (500, Some(1), false),
            (3_000, Some(3), false),
            (3_001, Some(3), true),
            (u32::MAX - 1, Some(4_294_967), true),
            (u32::MAX, None, false),
        ] {
            assert_eq!(
                (load(0, nf).ringers(), load(0, nf).overloads()),
                (ringers, overloads),
                "{nf}"
            );
        }
    }
}
