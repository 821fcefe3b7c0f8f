//! Registers, from the data sheet DS00002392 as far as it could be had, checked with Linux `drivers/net/dsa/microchip`
//! (`ksz9477_reg.h`, `ksz9477.c`, `ksz_common.c`). Numbers are big-endian.

/// Four octets: 0, family, chip, revision.
pub const CHIP_ID: u16 = 0x0000;
pub const ID: [u8; 2] = [0x94, 0x77];
/// Serial settings: bit 1 has the chip find the SPI edge itself, which Linux turns off.
pub const SERIAL: u16 = 0x0100;
pub const SERIAL_AUTO_EDGE: u8 = 1 << 1;
/// Operation: it runs.
pub const OPERATION: u16 = 0x0300;
pub const OPERATION_START: u8 = 1 << 0;
/// Longest frame, two octets.
pub const MTU: u16 = 0x0308;
/// Look-up.
pub const LOOKUP: u16 = 0x0310;
pub const LOOKUP_VLAN: u8 = 1 << 7;
pub const LOOKUP_DROP_INVALID: u8 = 1 << 6;
pub const LOOKUP_RESERVED: u8 = 1 << 2;
/// MAC: the length field is checked, which tail tags break.
pub const MAC_0: u16 = 0x0330;
pub const MAC_0_CHECK_LENGTH: u8 = 1 << 3;
/// MAC: longer frames, as [`MTU`] says.
pub const MAC_1: u16 = 0x0331;
pub const MAC_1_LONG: u8 = 1 << 2;
/// Queues, four octets: unicast keeps to its VLAN.
pub const QUEUES: u16 = 0x0390;
pub const QUEUES_BOUNDARY: u32 = 1 << 1;

/// VLAN table, four octets each: entry, ports without tag, ports.
pub const VLAN_ENTRY: u16 = 0x0400;
pub const VLAN_UNTAGGED: u16 = 0x0404;
pub const VLAN_PORTS: u16 = 0x0408;
/// Two octets.
pub const VLAN_INDEX: u16 = 0x040C;
pub const VLAN_CONTROL: u16 = 0x040E;
pub const VLAN_VALID: u32 = 1 << 31;
pub const VLAN_START: u8 = 1 << 7;
pub const VLAN_WRITE: u8 = 1;
pub const VLAN_READ: u8 = 2;
pub const VLAN_CLEAR: u8 = 3;

/// Static addresses: what to do, four octets, and the entry, four words.
pub const STATIC_CONTROL: u16 = 0x041C;
pub const STATIC_START: u32 = 1 << 7;
pub const STATIC_READ: u32 = 1 << 0;
pub const STATIC_VALUES: [u16; 4] = [0x0420, 0x0424, 0x0428, 0x042C];
pub const STATIC_VALID: u32 = 1 << 31;
pub const STATIC_OVERRIDE: u32 = 1 << 31;

/// Of a port: tag of what has none, two octets.
pub const PORT_VID: u16 = 0x0000;
pub const PORT_CONTROL: u16 = 0x0020;
pub const PORT_TAIL_TAG: u8 = 1 << 2;
/// Speed in bits 4 and 3.
pub const PORT_STATUS: u16 = 0x0030;
/// PHY: status, two octets; the link's bit latches low.
pub const PHY_STATUS: u16 = 0x0102;
pub const PHY_LINK: u16 = 1 << 2;
/// Counters: what to do, and the value, four octets each.
pub const MIB_CONTROL: u16 = 0x0500;
pub const MIB_READ: u32 = 1 << 25;
pub const MIB_DATA: u16 = 0x0504;
/// Look-up of a port.
pub const PORT_LOOKUP: u16 = 0x0B00;
pub const PORT_INGRESS_FILTER: u8 = 1 << 6;

/// A register of a port, counted from 0.
pub const fn port(port: u8, register: u16) -> u16 {
    register | (port as u16 + 1) << 12
}
