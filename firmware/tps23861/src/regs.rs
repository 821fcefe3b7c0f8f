//! Registers: number, codes, and where they are from.
//!
//! *DS* is the data sheet, SLUSBX9I (2014, revised 2019); *API* is what TI gives out for it in C, as published in
//! `truptimr/m1_eph_fw` (`SSC/scr/TPS238x.h`, the parts for `TPS23861 == 1`); *Linux* is `drivers/hwmon/tps23861.c`.

/// What happened, of all ports (API: `TPS238X_Interrupt_Register_t`).
pub const INTERRUPT: u8 = 0x00;
/// DISF, IFAULT, STRTF and SUPF of [`INTERRUPT`] (API); detection and changes of power are looked at, not waited for.
pub const FAULTS: u8 = 0b1110_0100;
/// DISF4-1, ICUT4-1, cleared by reading (API: command 07h).
pub const FAULT_EVENT: u8 = 0x07;
/// ILIM4-1, STRT4-1, cleared by reading (DS §7.5.6).
pub const START_EVENT: u8 = 0x09;
/// Events of the supply, cleared by reading (API: command 0Bh).
pub const SUPPLY_EVENT: u8 = 0x0B;
/// Bits of [`SUPPLY_EVENT`] (API: `TPS238X_Supply_Event_Register_t`).
pub const TSD: u8 = 1 << 7;
/// VDD was too low: the chip has started anew.
pub const VDUV: u8 = 1 << 5;
/// VPWR was too low to feed.
pub const VPUV: u8 = 1 << 4;
/// Class and detection of port 1, the others follow; cleared when the port is turned off (DS §7.5.8).
pub const STATUS: u8 = 0x0C;
/// PG4-1, PE4-1 (API: `TPS238x_Power_Stauts_Register_t`).
pub const POWER_STATUS: u8 = 0x10;
/// Two bits a port (DS §7.5.10: 10 is semi-auto).
pub const MODE: u8 = 0x12;
/// All ports semi-automatic.
pub const SEMI_AUTO: u8 = 0b1010_1010;
/// DCDE4-1 in the lower half (API: command 13h).
pub const DISCONNECT: u8 = 0x13;
/// All ports.
pub const ALL: u8 = 0b0000_1111;
/// CLE4-1, DETE4-1 (API: command 14h; DS §7.4.5).
pub const ENABLE: u8 = 0x14;
/// Bit 0: the sense resistors have 250 mΩ, not 255 (API: `_250M`; Linux: `TPS23861_CURRENT_SHUNT_MASK`).
pub const GENERAL: u8 = 0x17;
/// See [`GENERAL`].
pub const SHUNT_250: u8 = 1 << 0;
/// POFF4-1, PWON4-1 (DS §7.5.17).
pub const POWER: u8 = 0x19;
/// Maker in the upper five bits, version in the lower three (API: `TPS238x_ID_Register_t`).
pub const ID: u8 = 0x1B;
/// TI (API: `MFR_ID_DEFAULT`).
pub const MAKER: u8 = 0x0A;
/// Two bits a port (API: command 21h).
pub const TWO_EVENT: u8 = 0x21;
/// A second classification after class 4, at all ports (API: `TWO_EVENT_AFTER_CLASS_4`).
pub const AFTER_CLASS_4: u8 = 0b0101_0101;
/// Current at which ports 1 and 2 are cut, four bits each; ports 3 and 4 follow (API: commands 2Ah, 2Bh).
pub const ICUT: u8 = 0x2A;
/// Of the die; 0.652 °C a step from -20 °C (Linux: `TEMPERATURE_LSB`; API: `CONVERT_TEMP`).
pub const TEMPERATURE: u8 = 0x2C;
/// VPWR, low octet first, 3.662 mV a step in 14 bits (Linux: `VOLTAGE_LSB`, `VOLTAGE_CURRENT_MASK`).
pub const INPUT_VOLTAGE: u8 = 0x2E;
/// Of port 1, low octet first, 61.039 µA a step in 14 bits; the next port's is four further (Linux: `CURRENT_LSB_255`).
pub const CURRENT: u8 = 0x30;
/// As [`CURRENT`], 3.662 mV a step (Linux: `PORT_1_VOLTAGE_LSB`).
pub const VOLTAGE: u8 = 0x32;
/// POEP4-1 in the upper half: twice the current limit (API: command 40h).
pub const POE_PLUS: u8 = 0x40;
