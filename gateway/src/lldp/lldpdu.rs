//! LLDPDUs as they are on the wire: IEEE 802.1AB-2016 §8 and §9.2.7, power via MDI of IEEE 802.3 §79.3.2, LLDP-MED of
//! ANSI/TIA-1057 §10.
//!
//! What a neighbour must say is checked, and a message without it is refused; of the rest, what cannot be read is passed over.

use core::net::IpAddr;

/// Network Policy TLVs that are kept: the application types that there are (TIA-1057 table 12).
const POLICIES: usize = 8;
const MED: [u8; 3] = [0x00, 0x12, 0xBB];
const DOT3: [u8; 3] = [0x00, 0x12, 0x0F];

mod kind {
    pub const END: u8 = 0;
    pub const CHASSIS: u8 = 1;
    pub const PORT: u8 = 2;
    pub const TTL: u8 = 3;
    pub const PORT_DESCRIPTION: u8 = 4;
    pub const NAME: u8 = 5;
    pub const DESCRIPTION: u8 = 6;
    pub const CAPABILITIES: u8 = 7;
    pub const ADDRESS: u8 = 8;
    pub const ORGANISATION: u8 = 127;
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A TLV goes on behind the end.
    Cut,
    /// Chassis ID, Port ID and Time To Live are not the first three.
    Order,
    /// One of the first three comes again.
    Twice,
    /// One of the first three is too short or too long.
    Length,
}

/// What a neighbour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lldpdu<'a> {
    /// Which device.
    pub chassis: Id<'a>,
    /// Which of its ports.
    pub port: Id<'a>,
    /// For how long this is true, seconds; 0: it says good-bye.
    pub ttl: u16,
    /// What the port is called.
    pub port_description: &'a [u8],
    /// What the device is called.
    pub name: &'a [u8],
    /// What it is.
    pub description: &'a [u8],
    /// What it can be and is.
    pub capabilities: Option<Capabilities>,
    /// Where it is managed: the first such address.
    pub address: Option<IpAddr>,
    /// Power over its wires (802.3).
    pub power: Option<Power>,
    /// It speaks LLDP-MED.
    pub med: Option<Med<'a>>,
}

/// The name of a device or of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'a> {
    /// What kind of name (802.1AB tables 8-2 and 8-3).
    pub kind: u8,
    /// At least 1 byte, at most 255.
    pub value: &'a [u8],
}

impl<'a> Id<'a> {
    /// Of a device: a MAC address.
    pub const CHASSIS_MAC: u8 = 4;
    /// Of a port: a MAC address.
    pub const PORT_MAC: u8 = 3;
    /// Of a port: whatever the device calls it.
    pub const PORT_LOCAL: u8 = 7;

    fn parse(value: &'a [u8]) -> Result<Self, Error> {
        match value.split_first() {
            Some((&kind, value)) if (1..=255).contains(&value.len()) => Ok(Self { kind, value }),
            _ => Err(Error::Length),
        }
    }
}

/// System capabilities (802.1AB table 8-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What it can be.
    pub can: u16,
    /// What it is.
    pub is: u16,
}

impl Capabilities {
    /// Bridge.
    pub const BRIDGE: u16 = 1 << 2;
    /// Telephone.
    pub const TELEPHONE: u16 = 1 << 5;
}

/// Power via MDI (802.3 §79.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Which end it is, and whether there is power (table 79-2).
    pub support: u8,
    /// Which pairs: 1 those of data, 2 the others.
    pub pairs: u8,
    /// Class of the device, plus one.
    pub class: u8,
    /// How much.
    pub agreed: Option<Agreed>,
}

impl Power {
    /// This end feeds.
    pub const IS_SUPPLY: u8 = 1 << 0;
    /// This end feeds, can, does, and cannot choose the pairs.
    pub const FEEDS: u8 = 0b0111;
}

/// How much power (802.3 §79.3.2.4 to .6), at the device's end of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Type, source and priority, as in table 79-4.
    pub how: u8,
    /// What the device asks for, 0.1 W.
    pub requested: u16,
    /// What it is given, 0.1 W.
    pub allocated: u16,
}

impl Agreed {
    /// The end that feeds, of type 2 (IEEE 802.3at), from its main supply, with high priority.
    pub const SUPPLY: u8 = 0b0001_0010;
}

/// What LLDP-MED adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Med<'a> {
    /// What of LLDP-MED it knows (TIA-1057 table 10).
    pub capabilities: u16,
    /// What it is: see [`Med::NETWORK`]; 1 to 3 are end points, 3 a telephone.
    pub class: u8,
    /// A policy for each application, the first at 0.
    pub policies: [Option<Policy>; POLICIES],
    /// Power over its wires.
    pub power: Option<MedPower>,
    /// What stands on its label.
    pub inventory: Inventory<'a>,
}

impl Med<'_> {
    /// Class of a device of the network.
    pub const NETWORK: u8 = 4;
    /// Knows: these capabilities, policies, power that it gives.
    pub const SUPPLY: u16 = 1 << 0 | 1 << 1 | 1 << 3;
    /// Policy of the telephones' audio.
    pub const VOICE: u8 = 1;
    /// Policy of their signalling.
    pub const SIGNALLING: u8 = 2;

    /// An end point: something that is told policies.
    pub fn is_end_point(&self) -> bool {
        (1..=3).contains(&self.class)
    }

    /// The policy for an application.
    pub fn policy(&self, application: u8) -> Option<Policy> {
        let at = usize::from(application).checked_sub(1)?;
        *self.policies.get(at)?
    }
}

/// How packets of an application are marked (TIA-1057 §10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// It does not know, and wants to be told.
    pub is_unknown: bool,
    /// With the tag of a VLAN.
    pub is_tagged: bool,
    /// The VLAN, below 4096; 0: only the priority counts.
    pub vlan: u16,
    /// Priority in the tag, below 8.
    pub priority: u8,
    /// Code point in the IP header, below 64.
    pub dscp: u8,
}

impl Policy {
    fn parse(bytes: [u8; 3]) -> Self {
        let [a, b, c] = bytes;
        let word = u32::from_be_bytes([0, a, b, c]);
        Self {
            is_unknown: word & 1 << 23 != 0,
            is_tagged: word & 1 << 22 != 0,
            vlan: (word >> 9 & 0x0FFF) as u16,
            priority: (word >> 6 & 7) as u8,
            dscp: (word & 0x3F) as u8,
        }
    }

    fn bytes(self) -> [u8; 3] {
        let word = u32::from(self.is_unknown) << 23
            | u32::from(self.is_tagged) << 22
            | u32::from(self.vlan & 0x0FFF) << 9
            | u32::from(self.priority & 7) << 6
            | u32::from(self.dscp & 0x3F);
        let [_, a, b, c] = word.to_be_bytes();
        [a, b, c]
    }
}

/// Extended power via MDI (TIA-1057 §10.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MedPower {
    /// Type, source and priority, as in table 16.
    pub how: u8,
    /// What a device needs, or what it is given, at its end of the cable, 0.1 W.
    pub value: u16,
}

impl MedPower {
    /// The end that feeds, from its main supply, with high priority.
    pub const SUPPLY: u8 = 0b0001_0010;

    /// It is the end that is fed.
    pub fn is_device(&self) -> bool {
        self.how >> 6 == 1
    }
}

/// What stands on a device's label (TIA-1057 §10.2.6); empty: not said. At most 32 bytes each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the field's")]
pub struct Inventory<'a> {
    pub hardware: &'a [u8],
    pub firmware: &'a [u8],
    pub software: &'a [u8],
    pub serial: &'a [u8],
    pub manufacturer: &'a [u8],
    pub model: &'a [u8],
    pub asset: &'a [u8],
}

/// Type and value, and what is behind them.
type Tlv<'a> = (u8, &'a [u8], &'a [u8]);

/// The next TLV, and what is behind it. `None`: the message ends.
fn next(bytes: &[u8]) -> Result<Option<Tlv<'_>>, Error> {
    let Some((head, rest)) = bytes.split_first_chunk::<2>() else {
        // The TLV that ends a message may be missing (802.1AB §8.5.1), a part of one not.
        return if bytes.is_empty() {
            Ok(None)
        } else {
            Err(Error::Cut)
        };
    };
    let head = u16::from_be_bytes(*head);
    let kind = (head >> 9) as u8;
    let (value, rest) = rest
        .split_at_checked(usize::from(head & 0x01FF))
        .ok_or(Error::Cut)?;
    Ok((kind != kind::END).then_some((kind, value, rest)))
}

impl<'a> Lldpdu<'a> {
    /// Reads a message, without its Ethernet header; what is behind its end is padding.
    ///
    /// # Errors
    /// It is not whole, or does not say who speaks and for how long that is true.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let mut first = |wanted| match next(rest)? {
            Some((kind, value, behind)) if kind == wanted => {
                rest = behind;
                Ok(value)
            }
            _ => Err(Error::Order),
        };
        let chassis = Id::parse(first(kind::CHASSIS)?)?;
        let port = Id::parse(first(kind::PORT)?)?;
        let ttl = *first(kind::TTL)?.first_chunk().ok_or(Error::Length)?;
        let mut said = Lldpdu::new(chassis, port, u16::from_be_bytes(ttl));
        // LLDP-MED counts only from who says what it knows of it.
        let mut med = Med {
            capabilities: 0,
            class: 0,
            policies: [None; POLICIES],
            power: None,
            inventory: Inventory::default(),
        };
        let mut speaks_med = false;
        while let Some((kind, value, behind)) = next(rest)? {
            rest = behind;
            match kind {
                kind::CHASSIS | kind::PORT | kind::TTL => return Err(Error::Twice),
                kind::PORT_DESCRIPTION => said.port_description = value,
                kind::NAME => said.name = value,
                kind::DESCRIPTION => said.description = value,
                kind::CAPABILITIES => said.capabilities = capabilities(value).or(said.capabilities),
                kind::ADDRESS => said.address = said.address.or_else(|| address(value)),
                kind::ORGANISATION => {
                    if let Some(value) = value.strip_prefix(&DOT3) {
                        said.power = power(value).or(said.power);
                    } else if let Some(value) = value.strip_prefix(&MED) {
                        speaks_med |= med.read(value);
                    }
                }
                _ => {}
            }
        }
        said.med = speaks_med.then_some(med);
        Ok(said)
    }

    /// A message that says who speaks, and nothing else.
    pub const fn new(chassis: Id<'a>, port: Id<'a>, ttl: u16) -> Self {
        Self {
            chassis,
            port,
            ttl,
            port_description: &[],
            name: &[],
            description: &[],
            capabilities: None,
            address: None,
            power: None,
            med: None,
        }
    }

    /// Writes the message; how long it is. `None`: it does not fit, or a text is too long for its TLV.
    pub fn write(&self, to: &mut [u8]) -> Option<usize> {
        let mut out = Writer { to, at: 0 };
        out.tlv(kind::CHASSIS, &[&[self.chassis.kind], self.chassis.value])?;
        out.tlv(kind::PORT, &[&[self.port.kind], self.port.value])?;
        out.tlv(kind::TTL, &[&self.ttl.to_be_bytes()])?;
        out.text(kind::PORT_DESCRIPTION, &[], self.port_description)?;
        out.text(kind::NAME, &[], self.name)?;
        out.text(kind::DESCRIPTION, &[], self.description)?;
        if let Some(Capabilities { can, is }) = self.capabilities {
            out.tlv(kind::CAPABILITIES, &[&can.to_be_bytes(), &is.to_be_bytes()])?;
        }
        // Interface number unknown, no object identifier.
        const NO_INTERFACE: [u8; 6] = [1, 0, 0, 0, 0, 0];
        match self.address {
            Some(IpAddr::V4(ip)) => out.tlv(kind::ADDRESS, &[&[5, 1], &ip.octets(), &NO_INTERFACE])?,
            Some(IpAddr::V6(ip)) => out.tlv(kind::ADDRESS, &[&[17, 2], &ip.octets(), &NO_INTERFACE])?,
            None => {}
        }
        if let Some(power) = self.power {
            let fixed = [2, power.support, power.pairs, power.class];
            match power.agreed {
                None => out.tlv(kind::ORGANISATION, &[&DOT3, &fixed])?,
                Some(Agreed {
                    how,
                    requested,
                    allocated,
                }) => out.tlv(
                    kind::ORGANISATION,
                    &[
                        &DOT3,
                        &fixed,
                        &[how],
                        &requested.to_be_bytes(),
                        &allocated.to_be_bytes(),
                    ],
                )?,
            }
        }
        if let Some(med) = &self.med {
            med.write(&mut out)?;
        }
        out.tlv(kind::END, &[])?;
        Some(out.at)
    }
}

impl<'a> Med<'a> {
    /// Reads what is behind the organisation's number. `true`: it says what it knows.
    fn read(&mut self, value: &'a [u8]) -> bool {
        let inventory = &mut self.inventory;
        match value {
            [1, high, low, class, ..] => {
                self.capabilities = u16::from_be_bytes([*high, *low]);
                self.class = *class;
                return true;
            }
            [2, application, a, b, c, ..] => {
                let at = usize::from(*application).checked_sub(1);
                if let Some(policy) = at.and_then(|at| self.policies.get_mut(at)) {
                    *policy = Some(Policy::parse([*a, *b, *c]));
                }
            }
            [4, how, high, low, ..] => {
                self.power = Some(MedPower {
                    how: *how,
                    value: u16::from_be_bytes([*high, *low]),
                });
            }
            [5, text @ ..] => inventory.hardware = text,
            [6, text @ ..] => inventory.firmware = text,
            [7, text @ ..] => inventory.software = text,
            [8, text @ ..] => inventory.serial = text,
            [9, text @ ..] => inventory.manufacturer = text,
            [10, text @ ..] => inventory.model = text,
            [11, text @ ..] => inventory.asset = text,
            _ => {}
        }
        false
    }

    fn write(&self, out: &mut Writer<'_>) -> Option<()> {
        let [high, low] = self.capabilities.to_be_bytes();
        out.tlv(kind::ORGANISATION, &[&MED, &[1, high, low, self.class]])?;
        for (application, policy) in (1..).zip(self.policies) {
            if let Some(policy) = policy {
                out.tlv(kind::ORGANISATION, &[&MED, &[2, application], &policy.bytes()])?;
            }
        }
        if let Some(MedPower { how, value }) = self.power {
            out.tlv(kind::ORGANISATION, &[&MED, &[4, how], &value.to_be_bytes()])?;
        }
        let Inventory {
            hardware,
            firmware,
            software,
            serial,
            manufacturer,
            model,
            asset,
        } = self.inventory;
        let texts = [hardware, firmware, software, serial, manufacturer, model, asset];
        for (subtype, text) in (5..).zip(texts) {
            let [a, b, c] = MED;
            out.text(kind::ORGANISATION, &[a, b, c, subtype], text)?;
        }
        Some(())
    }
}

fn capabilities(value: &[u8]) -> Option<Capabilities> {
    let [a, b, c, d] = *value.first_chunk()?;
    Some(Capabilities {
        can: u16::from_be_bytes([a, b]),
        is: u16::from_be_bytes([c, d]),
    })
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let (length, rest) = value.split_first()?;
    let (kind, address) = rest.get(..usize::from(*length))?.split_first()?;
    match kind {
        1 => Some(<[u8; 4]>::try_from(address).ok()?.into()),
        2 => Some(<[u8; 16]>::try_from(address).ok()?.into()),
        _ => None,
    }
}

fn power(value: &[u8]) -> Option<Power> {
    let [2, support, pairs, class, rest @ ..] = value else {
        return None;
    };
    let agreed = match rest {
        [how, a, b, c, d, ..] => Some(Agreed {
            how: *how,
            requested: u16::from_be_bytes([*a, *b]),
            allocated: u16::from_be_bytes([*c, *d]),
        }),
        _ => None,
    };
    Some(Power {
        support: *support,
        pairs: *pairs,
        class: *class,
        agreed,
    })
}

struct Writer<'a> {
    to: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn tlv(&mut self, kind: u8, parts: &[&[u8]]) -> Option<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u16::try_from(length).ok().filter(|length| *length < 512)?;
        let head = u16::from(kind) << 9 | length;
        self.put(&head.to_be_bytes())?;
        parts.iter().try_for_each(|part| self.put(part))
    }

    /// A text, if there is one.
    fn text(&mut self, kind: u8, head: &[u8], text: &[u8]) -> Option<()> {
        if text.is_empty() {
            return Some(());
        }
        self.tlv(kind, &[head, text])
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at + bytes.len();
        self.to.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }
}
