//! The models: what each one says of itself, draws from its port, and looks for.

use crate::Millis;

/// Whose firmware it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// P-values in XML: [`crate::grandstream`].
    Grandstream,
    /// `NAME="value"` lines: [`crate::panasonic`].
    Panasonic,
}

/// How a phone may come to the address of its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Discovery {
    /// Set by hand at the phone, or stored from an earlier time.
    Manual,
    /// SIP multicast (`ua-profile`, draft-petrie, RFC 6080 §5.1.1).
    Pnp,
    /// DHCP option 160.
    Option160,
    /// DHCP option 159.
    Option159,
    /// DHCP option 66 (RFC 2132 §9.4).
    Option66,
    /// DHCP option 43 (RFC 2132 §8.4).
    Option43,
}

/// What a phone draws from its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Class of its signature (IEEE 802.3 §33.3.5).
    pub class: u8,
    /// Charge of its input capacitor when the port is switched on, microfarad (IEEE 802.3 §33.3.7.3: below 180 µF the
    /// source limits the current).
    pub inrush_uf: u32,
    /// Power at the port from so many milliseconds after switching on, in mW, without a call.
    pub load_mw: &'static [(Millis, u32)],
    /// More of it while somebody speaks.
    pub call_mw: u32,
}

impl Power {
    /// The most that it ever draws, mW: what it asks for by LLDP-MED.
    pub fn most_mw(&self) -> u32 {
        let loads = self.load_mw.iter().map(|(_, load)| *load);
        loads.max().unwrap_or(0) + self.call_mw
    }
}

/// A model.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// As it calls itself.
    pub name: &'static str,
    /// Whose.
    pub vendor: Vendor,
    /// Firmware version.
    pub firmware: &'static str,
    /// First half of its MAC addresses.
    pub oui: [u8; 3],
    /// None: it has an adaptor of its own.
    pub power: Option<Power>,
    /// From power to link and first frame.
    pub boot: Millis,
    /// Does it speak LLDP?
    pub lldp: bool,
    /// DHCP option 60.
    pub dhcp_class: &'static str,
    /// DHCP option 55.
    pub dhcp_asks: &'static [u8],
    /// Where it looks, first to last; what is not listed it does not know.
    pub looks: &'static [Discovery],
    /// Lines with an account each.
    pub accounts: u8,
    /// Keys with a lamp.
    pub keys: u8,
}

/// Grandstream GXP1628: two accounts, eight keys with lamps.
///
/// Name, version and OUI as in its User-Agent (wazo-provd-plugins, wazo_grandstream/common/common.py); DHCP class as sent by
/// its elder GXP1405 (taxonomy of vendor classes in Google Fiber's wifi code: `Grandstream GXP1405 dslforum.org`); options as in
/// the DHCP Options Guide (documentation.grandstream.com/knowledge-base/dhcp-options-linux-server-guide), of which 66 and 43
/// count from the factory (P145 = 1, P8337 = 0: `fusionpbx` gxp16xx template); PnP is on (P1414 = 1).
pub const GXP1628: Model = Model {
    name: "GXP1628",
    vendor: Vendor::Grandstream,
    firmware: "1.0.4.138",
    oui: [0xC0, 0x74, 0xAD],
    power: Some(Power {
        class: 2,
        inrush_uf: 47,
        load_mw: &[(0, 900), (2_000, 2_600), (20_000, 3_200), (60_000, 2_400)],
        call_mw: 700,
    }),
    boot: 30_000,
    lldp: true,
    dhcp_class: "Grandstream GXP1628 dslforum.org",
    dhcp_asks: &[
        1, 3, 6, 2, 12, 15, 28, 42, 43, 66, 67, 120, 125, 132, 133, 150, 160,
    ],
    looks: &[
        Discovery::Option66,
        Discovery::Option43,
        Discovery::Pnp,
        Discovery::Manual,
    ],
    accounts: 2,
    keys: 8,
};

/// Panasonic KX-HDV230, the model of other countries.
///
/// Order: KX-HDV130 Administrator Guide §2.1.2 (PnP, then DHCP) and KX-HDV100 Administrator Guide p. 36 (160, 159, 66), both of
/// its family; what is set by hand goes first (KX-UTG200 Administrator Guide p. 47). User-Agent as in the guide's macro
/// `Panasonic_{MODEL}/{fwver} ({mac})`.
pub const KX_HDV230: Model = Model {
    name: "KX-HDV230",
    vendor: Vendor::Panasonic,
    firmware: "06.001",
    oui: [0x00, 0x80, 0xF0],
    power: Some(Power {
        class: 2,
        inrush_uf: 47,
        load_mw: &[(0, 1_000), (3_000, 3_000), (25_000, 3_800), (60_000, 2_900)],
        call_mw: 800,
    }),
    boot: 35_000,
    lldp: true,
    dhcp_class: "Panasonic",
    dhcp_asks: &[1, 3, 6, 15, 42, 66, 67, 159, 160],
    looks: &[
        Discovery::Manual,
        Discovery::Pnp,
        Discovery::Option160,
        Discovery::Option159,
        Discovery::Option66,
    ],
    accounts: 6,
    keys: 24,
};

/// The same for Japan, which calls itself so in `{MODEL}.cfg` (seen at real phones of the family: `KX-HDV130N.cfg`, the
/// provisioning of "millicall").
pub const KX_HDV230N: Model = Model {
    name: "KX-HDV230N",
    ..KX_HDV230
};

/// Grandstream HT801: an adapter for one telephone, fed by its own adaptor and not by the port.
///
/// Files: HT801/HT802 Administration Guide p. 68; User-Agent: wazo (as above); DHCP class: `HT8XX dslforum.org`
/// (github.com/0lesen/Grandstream-HT801); options 66 or 160, PnP on: HT813 Administration Guide p. 32, of its family.
pub const HT801: Model = Model {
    name: "HT801",
    vendor: Vendor::Grandstream,
    firmware: "1.0.17.5",
    oui: [0xC0, 0x74, 0xAD],
    power: None,
    boot: 25_000,
    lldp: false,
    dhcp_class: "HT8XX dslforum.org",
    dhcp_asks: &[1, 3, 6, 2, 12, 15, 28, 42, 43, 66, 67, 120, 125, 150, 160],
    looks: &[
        Discovery::Option66,
        Discovery::Option160,
        Discovery::Option43,
        Discovery::Pnp,
        Discovery::Manual,
    ],
    accounts: 1,
    keys: 0,
};

impl Model {
    /// What it says of itself when it fetches a file.
    pub fn user_agent(&self, mac: crate::Mac) -> String {
        let (name, firmware) = (self.name, self.firmware);
        match self.vendor {
            // `HW HT801 V1.1A SW 1.0.17.5`, `HW GXP1628 SW 1.0.4.138`: adapters name their board.
            Vendor::Grandstream if self.keys == 0 => {
                format!("Grandstream Model HW {name} V1.1A SW {firmware} DevId {mac}")
            }
            Vendor::Grandstream => format!("Grandstream Model HW {name} SW {firmware} DevId {mac}"),
            Vendor::Panasonic => format!("Panasonic_{name}/{firmware} ({mac})"),
        }
    }

    /// What it says of itself in SIP.
    pub fn sip_user_agent(&self, mac: crate::Mac) -> String {
        let (name, firmware) = (self.name, self.firmware);
        match self.vendor {
            Vendor::Grandstream => format!("Grandstream {name} {firmware}"),
            Vendor::Panasonic => format!("Panasonic_{name}/{firmware} ({mac})"),
        }
    }

    /// The power that it draws, so long after its port was switched on, in mW; 0 with an adaptor of its own.
    pub fn load_mw(&self, since: Millis, calling: bool) -> u32 {
        let Some(power) = &self.power else { return 0 };
        let steps = power.load_mw.iter().take_while(|(from, _)| *from <= since);
        let idle = steps.last().map_or(0, |(_, load)| *load);
        idle + if calling { power.call_mw } else { 0 }
    }
}
