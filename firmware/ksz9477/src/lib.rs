//! Driver of the KSZ9477 switch: see the README.
#![no_std]
#![forbid(unsafe_code)]

mod regs;

use embedded_hal_async::spi::SpiDevice;
use regs::*;

/// Index of the port to the office's network.
pub const UPLINK: u8 = 4;
/// Index of the port to the processor.
pub const HOST: u8 = 5;
/// The VLAN of frames without a tag.
pub const OFFICE: u16 = 1;

/// All ports in use.
const PORTS: u32 = (1 << (HOST + 1)) - 1;
/// Longest frame with FCS: a VLAN tag and the host's tail tag more than Ethernet's 1,518.
const LONGEST: u16 = 1_524;
/// The static entry that sends LLDP to the host.
const TRAP: u32 = 0;
/// The nearest bridge's address.
const LLDP: [u8; 6] = [0x01, 0x80, 0xC2, 0x00, 0x00, 0x0E];
/// Looks at a table's operation before it counts as stuck.
const PATIENCE: u32 = 20;

/// Why the switch cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The bus fails.
    Bus(E),
    /// No KSZ9477 answers; what was read instead of its number.
    Absent([u8; 4]),
    /// It does not end what it was told to do with a table.
    Stuck,
    /// It does not say what was written.
    Forgotten,
}

/// The link of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// None.
    Down,
    /// 10 Mbit/s.
    Mbps10,
    /// 100 Mbit/s.
    Mbps100,
    /// 1000 Mbit/s.
    Mbps1000,
}

/// What a port counts; a counter begins anew when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Frames with symbols that there are not.
    SymbolErrors = 0x05,
    /// Frames with a wrong FCS.
    CrcErrors = 0x06,
    /// Frames received for which there was no room.
    ReceiveDrops = 0x82,
    /// Frames that could not be sent.
    SendDrops = 0x83,
}

/// The switch: mode 0 of SPI, at most 50 MHz.
pub struct Ksz9477<S> {
    spi: S,
}

impl<S: SpiDevice> Ksz9477<S> {
    /// The switch at this chip select.
    pub const fn new(spi: S) -> Self {
        Ksz9477 { spi }
    }

    /// Sets the switch up, or finds that it is: only what differs is written, so that frames go on between ports while the
    /// processor starts again. `voice`: the VLAN of the telephones. `true`: something was written.
    pub async fn set(&mut self, voice: Option<u16>) -> Result<bool, Error<S::Error>> {
        self.identify().await?;
        let mut changed = false;
        changed |= self.modify(SERIAL, SERIAL_AUTO_EDGE, 0).await?;
        changed |= self.modify(MAC_0, MAC_0_CHECK_LENGTH, 0).await?;
        changed |= self.modify(MAC_1, 0, MAC_1_LONG).await?;
        changed |= self.keep(MTU, LONGEST.to_be_bytes()).await?;
        let queues = u32::from_be_bytes(self.read(QUEUES).await?) | QUEUES_BOUNDARY;
        changed |= self.keep(QUEUES, queues.to_be_bytes()).await?;
        changed |= self.trap().await?;
        changed |= self.vlans(voice).await?;
        changed |= self.modify(OPERATION, 0, OPERATION_START).await?;
        // The last one: from now on frames to and from the processor are other ones.
        changed |= self.modify(port(HOST, PORT_CONTROL), 0, PORT_TAIL_TAG).await?;
        self.check(voice).await?;
        Ok(changed)
    }

    /// Is it still as it was set up? One whose supply was too low for a moment has forgotten everything.
    pub async fn check(&mut self, voice: Option<u16>) -> Result<(), Error<S::Error>> {
        self.identify().await?;
        let [control] = self.read(port(HOST, PORT_CONTROL)).await?;
        let [lookup] = self.read(LOOKUP).await?;
        match control & PORT_TAIL_TAG != 0 && (lookup & LOOKUP_VLAN != 0) == voice.is_some() {
            true => Ok(()),
            false => Err(Error::Forgotten),
        }
    }

    /// The link of a port with a PHY: 0 to 4.
    pub async fn link(&mut self, at: u8) -> Result<Link, Error<S::Error>> {
        // A link that was lost is said to be lost once, even if it has come back.
        self.read::<2>(port(at, PHY_STATUS)).await?;
        let status = u16::from_be_bytes(self.read(port(at, PHY_STATUS)).await?);
        // A bus at rest reads as ones, and no PHY can be everything at once.
        if status & PHY_LINK == 0 || status == u16::MAX {
            return Ok(Link::Down);
        }
        let [status] = self.read(port(at, PORT_STATUS)).await?;
        Ok(match status >> 3 & 3 {
            0 => Link::Mbps10,
            1 => Link::Mbps100,
            _ => Link::Mbps1000,
        })
    }

    /// A counter of a port since it was read last.
    pub async fn counter(&mut self, at: u8, counter: Counter) -> Result<u32, Error<S::Error>> {
        let order = MIB_READ | (counter as u32) << 16;
        let control = port(at, MIB_CONTROL);
        self.write(control, order.to_be_bytes()).await?;
        for _ in 0..PATIENCE {
            if u32::from_be_bytes(self.read(control).await?) & MIB_READ == 0 {
                return Ok(u32::from_be_bytes(self.read(port(at, MIB_DATA)).await?));
            }
        }
        Err(Error::Stuck)
    }

    async fn identify(&mut self) -> Result<(), Error<S::Error>> {
        let id: [u8; 4] = self.read(CHIP_ID).await?;
        match id {
            [_, family, chip, _] if [family, chip] == ID => Ok(()),
            other => Err(Error::Absent(other)),
        }
    }

    /// LLDP goes to the host, and nowhere else. It is a static address: the table of reserved ones has others in the same group.
    async fn trap(&mut self) -> Result<bool, Error<S::Error>> {
        let mut changed = self.modify(LOOKUP, LOOKUP_RESERVED, 0).await?;
        let [a, b, c, d, e, f] = LLDP;
        let wanted = [
            STATIC_VALID,
            STATIC_OVERRIDE | 1 << HOST,
            u32::from_be_bytes([0, 0, a, b]),
            u32::from_be_bytes([c, d, e, f]),
        ];
        self.statics(TRAP << 16 | STATIC_READ).await?;
        let mut found = [0; 4];
        for (value, register) in found.iter_mut().zip(STATIC_VALUES) {
            *value = u32::from_be_bytes(self.read(register).await?);
        }
        if found != wanted {
            for (value, register) in wanted.into_iter().zip(STATIC_VALUES) {
                self.write(register, value.to_be_bytes()).await?;
            }
            self.statics(TRAP << 16).await?;
            changed = true;
        }
        Ok(changed)
    }

    async fn statics(&mut self, order: u32) -> Result<(), Error<S::Error>> {
        self.write(STATIC_CONTROL, (order | STATIC_START).to_be_bytes())
            .await?;
        for _ in 0..PATIENCE {
            if u32::from_be_bytes(self.read(STATIC_CONTROL).await?) & STATIC_START == 0 {
                return Ok(());
            }
        }
        Err(Error::Stuck)
    }

    /// Without a voice network tags are none of the switch's business. With one, everything without a tag is the office's, and the
    /// telephones' VLAN is tagged at every port: at the uplink too, for those at other switches of the office.
    async fn vlans(&mut self, voice: Option<u16>) -> Result<bool, Error<S::Error>> {
        let Some(voice) = voice else {
            return self.modify(LOOKUP, LOOKUP_VLAN | LOOKUP_DROP_INVALID, 0).await;
        };
        let mut changed = false;
        // VLAN, its filter (what is learned in one is not known in another), ports without tag, ports.
        let office = (OFFICE, 1, PORTS, PORTS);
        let voice = (voice, 2, 0, PORTS);
        let is_as_wanted = self.vlan(voice).await? && self.vlan(office).await?;
        if !is_as_wanted {
            // Another VLAN may be left from before.
            self.vlan_order(VLAN_CLEAR).await?;
            for (vid, filter, untagged, ports) in [office, voice] {
                self.write(VLAN_ENTRY, (VLAN_VALID | filter).to_be_bytes())
                    .await?;
                self.write(VLAN_UNTAGGED, untagged.to_be_bytes()).await?;
                self.write(VLAN_PORTS, ports.to_be_bytes()).await?;
                self.write(VLAN_INDEX, vid.to_be_bytes()).await?;
                self.vlan_order(VLAN_WRITE).await?;
            }
            changed = true;
        }
        for at in 0..=HOST {
            changed |= self.keep(port(at, PORT_VID), OFFICE.to_be_bytes()).await?;
            changed |= self.modify(port(at, PORT_LOOKUP), 0, PORT_INGRESS_FILTER).await?;
        }
        changed |= self.modify(LOOKUP, 0, LOOKUP_VLAN | LOOKUP_DROP_INVALID).await?;
        Ok(changed)
    }

    /// Is this VLAN in the table, with this filter, these ports without tag and these in all?
    async fn vlan(&mut self, wanted: (u16, u32, u32, u32)) -> Result<bool, Error<S::Error>> {
        let (vid, filter, untagged, ports) = wanted;
        self.write(VLAN_INDEX, vid.to_be_bytes()).await?;
        self.vlan_order(VLAN_READ).await?;
        let mut found = [0; 3];
        for (value, register) in found.iter_mut().zip([VLAN_ENTRY, VLAN_UNTAGGED, VLAN_PORTS]) {
            *value = u32::from_be_bytes(self.read(register).await?);
        }
        Ok(found == [VLAN_VALID | filter, untagged, ports])
    }

    async fn vlan_order(&mut self, order: u8) -> Result<(), Error<S::Error>> {
        self.write(VLAN_CONTROL, [VLAN_START | order]).await?;
        for _ in 0..PATIENCE {
            let [control] = self.read(VLAN_CONTROL).await?;
            if control & VLAN_START == 0 {
                return Ok(());
            }
        }
        Err(Error::Stuck)
    }

    /// `true`: it was another value.
    async fn keep<const N: usize>(&mut self, register: u16, value: [u8; N]) -> Result<bool, Error<S::Error>> {
        let differs = self.read(register).await? != value;
        if differs {
            self.write(register, value).await?;
        }
        Ok(differs)
    }

    async fn modify(&mut self, register: u16, clear: u8, set: u8) -> Result<bool, Error<S::Error>> {
        let [value] = self.read(register).await?;
        self.keep(register, [value & !clear | set]).await
    }

    async fn read<const N: usize>(&mut self, register: u16) -> Result<[u8; N], Error<S::Error>> {
        let octets = self.transfer(READ, register, [0; N]).await?;
        Ok(octets)
    }

    async fn write<const N: usize>(&mut self, register: u16, value: [u8; N]) -> Result<(), Error<S::Error>> {
        self.transfer(WRITE, register, value).await?;
        Ok(())
    }

    /// What to do in three bits, the address in 24, five clocks to turn around; then the octets of the register and of those
    /// behind it.
    async fn transfer<const N: usize>(
        &mut self,
        what: u32,
        register: u16,
        octets: [u8; N],
    ) -> Result<[u8; N], Error<S::Error>> {
        let mut words = [0; 8];
        let (head, body) = words.split_at_mut(4);
        head.copy_from_slice(&(what << 29 | u32::from(register) << 5).to_be_bytes());
        for (to, from) in body.iter_mut().zip(octets) {
            *to = from;
        }
        let length = (4 + N).min(words.len());
        let words = words.get_mut(..length).unwrap_or_default();
        self.spi.transfer_in_place(words).await.map_err(Error::Bus)?;
        let mut read = [0; N];
        for (to, from) in read.iter_mut().zip(words.iter().skip(4)) {
            *to = *from;
        }
        Ok(read)
    }
}

const WRITE: u32 = 0b010;
const READ: u32 = 0b011;
