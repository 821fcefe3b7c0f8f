//! Files of Panasonic: lines `NAME="value"`, each ended by CR LF, the first of them as it is below and the last one empty
//! (KX-HDV230 administrator guide §5, "Configuration File Specifications").
//!
//! The names are those of the KX-UT and KX-HDV families as public templates have them; what is from memory alone is marked.

use core::fmt::{self, Display, Write};

use super::file::{ASKS_EVERY, Content, Facts, Key, Line, PICK_UP, REGISTERS_FOR, Waits};
use super::window::Quoted;
use crate::budget::SIP_PORT;
use shared::dial::ParkSlot;
use shared::hub::PhoneModel;

/// The first line. A file without its first 44 bytes is not read.
const FIRST: &str = "# Panasonic SIP Phone Standard Format File # DO NOT CHANGE THIS LINE!";

/// Keys of a KX-HDV230, on two pages, from the bottom to the top.
const KEYS: usize = 24;

fn set(w: &mut dyn Write, name: &str, value: impl Display) -> fmt::Result {
    write!(w, "{name}=\"{value}\"\r\n")
}

fn all(w: &mut dyn Write, values: &[(&str, &str)]) -> fmt::Result {
    values.iter().try_for_each(|(name, value)| set(w, name, value))
}

pub(super) fn write(w: &mut dyn Write, facts: &Facts<'_>, content: &Content<'_>) -> fmt::Result {
    write!(w, "{FIRST}\r\n")?;
    match *content {
        Content::Common(_) => common(w, facts)?,
        Content::Waiting(_, mac) => {
            all(
                w,
                &[
                    ("LINE_ENABLE_1", "Disabled"),
                    ("PHONE_NUMBER_1", ""),
                    ("SIP_AUTHID_1", ""),
                ],
            )?;
            all(
                w,
                &[
                    ("SIP_PASS_1", ""),
                    ("FLEX_BUTTON_FACILITY_ACT1", "X_PANASONIC_IPTEL_LINE"),
                ],
            )?;
            set(w, "DISPLAY_NAME_1", Waits(mac))?;
            set(w, "FLEX_BUTTON_LABEL1", Waits(mac))?;
            cyclic(w, ASKS_EVERY)?;
            all(w, &[NO_FIRMWARE])?;
        }
        Content::Phone(_, _, lines) => {
            // Once a day.
            cyclic(w, 24 * 60)?;
            firmware(w, facts)?;
            for line in lines.iter().take(1) {
                account(w, facts, line)?;
            }
            keys(w, facts, lines)?;
        }
    }
    w.write_str("\r\n")
}

/// How often the phone asks for its files by itself, minutes (names from memory).
fn cyclic(w: &mut dyn Write, minutes: u32) -> fmt::Result {
    all(w, &[("CFG_CYCLIC", "Y")])?;
    set(w, "CFG_CYCLIC_INTVL", minutes)
}

/// What is so for all of them: where the other files are, time, language, log. The phone itself puts its address and model where
/// the braces are.
fn common(w: &mut dyn Write, facts: &Facts<'_>) -> fmt::Result {
    let address = facts.address;
    set(
        w,
        "CFG_STANDARD_FILE_PATH",
        format_args!("http://{address}/Config{{MAC}}.cfg"),
    )?;
    set(
        w,
        "CFG_PRODUCT_FILE_PATH",
        format_args!("http://{address}/Config{{MODEL}}.cfg"),
    )?;
    all(
        w,
        &[
            ("CFG_MASTER_FILE_PATH", ""),
            ("CFG_RESYNC_FROM_SIP", "check-sync"),
        ],
    )?;
    set(w, "NTP_ADDR", address)?;
    all(w, &[("TIME_ZONE", "540"), ("DST_ENABLE", "N")])?;
    // From memory; a KX-HDV230N knows no other language.
    all(w, &[("DEFAULT_LANGUAGE", "ja")])?;
    set(w, "SYSLOG_ADDR", address)
}

/// The phone keeps the firmware that it has.
const NO_FIRMWARE: (&str, &str) = ("FIRM_UPGRADE_ENABLE", "N");

/// The phone takes the firmware that the box has, by itself if its own version is another (names and values as a public template
/// for the KX-UT has them; that the KX-HDV compares the versions is from memory).
fn firmware(w: &mut dyn Write, facts: &Facts<'_>) -> fmt::Result {
    let Some(file) = facts.firmware(PhoneModel::KxHdv230n) else {
        return all(w, &[NO_FIRMWARE]);
    };
    all(w, &[("FIRM_UPGRADE_ENABLE", "Y"), ("FIRM_UPGRADE_AUTO", "Y")])?;
    set(w, "FIRM_VERSION", &file.version)?;
    let (address, name) = (facts.address, &file.name);
    set(w, "FIRM_FILE_PATH", format_args!("http://{address}/{name}"))
}

fn account(w: &mut dyn Write, facts: &Facts<'_>, line: &Line<'_>) -> fmt::Result {
    let realm = Quoted(&facts.site.sys.realm);
    let user = line.id.user();
    let (cloud, port) = facts.cloud;
    all(w, &[("LINE_ENABLE_1", "Enabled")])?;
    set(w, "PHONE_NUMBER_1", line.id.user())?;
    set(w, "SIP_URI_1", format_args!("sip:{user}@{realm}"))?;
    set(w, "SIP_AUTHID_1", line.id.user())?;
    if let Some(password) = line.password {
        set(w, "SIP_PASS_1", Quoted(password))?;
    }
    set(w, "DISPLAY_NAME_1", Quoted(&line.id.label))?;
    // Everything goes to the box; the second address of each pair is what comes after it.
    for name in ["SIP_PRXY", "SIP_RGSTR", "SIP_PRSNC"] {
        write!(
            w,
            "{name}_ADDR_1=\"{}\"\r\n{name}_PORT_1=\"{SIP_PORT}\"\r\n",
            facts.address
        )?;
    }
    for name in ["SIP_2NDPROXY", "SIP_2NDRGSTR", "SIP_2NDPRSNC"] {
        write!(
            w,
            "{name}_ADDR_1=\"{}\"\r\n{name}_PORT_1=\"{port}\"\r\n",
            Quoted(cloud)
        )?;
    }
    // With an outbound proxy besides, nothing would come to the second addresses.
    all(w, &[("SIP_OUTPROXY_ADDR_1", "")])?;
    set(w, "SIP_SVCDOMAIN_1", &realm)?;
    set(w, "REG_EXPIRE_TIME_1", 60 * REGISTERS_FOR)?;
    all(
        w,
        &[
            ("REG_INTERVAL_RATE_1", "90"),
            ("REG_RTX_INTVL_1", "10"),
            ("SIP_TRANSPORT_1", "0"),
            ("SIP_DNSSRV_ENA_1", "N"),
            ("SIP_FOVR_NORSP_1", "Y"),
            ("SIP_FOVR_MAX_1", "4"),
            ("SIP_SESSION_TIME_1", "0"),
            ("SIP_100REL_ENABLE_1", "N"),
            ("SIP_SUBS_EXPIRE_1", "300"),
            ("SIP_ADD_RPORT_1", "Y"),
            ("SIP_HOLD_HOLDRECEIVE_1", "Y"),
            ("SIP_RESPONSE_CODE_DND", "486"),
            ("SIP_RESPONSE_CODE_CALL_REJECT", "603"),
            ("NUM_PLAN_PICKUP_DIRECT", PICK_UP),
        ],
    )
}

/// The line, the others of the site, and at the end the slots for parked calls.
fn keys(w: &mut dyn Write, facts: &Facts<'_>, lines: &[Line<'_>]) -> fmt::Result {
    let key = |w: &mut dyn Write, at: usize, act: &str, number: &dyn Display, label: &str| {
        write!(w, "FLEX_BUTTON_FACILITY_ACT{at}=\"{act}\"\r\n")?;
        write!(w, "FLEX_BUTTON_FACILITY_ARG{at}=\"{number}\"\r\n")?;
        write!(w, "FLEX_BUTTON_LABEL{at}=\"{}\"\r\n", Quoted(label))
    };
    if let Some(line) = lines.first() {
        key(w, 1, "X_PANASONIC_IPTEL_LINE", &"", &line.id.label)?;
    }
    let first = 1 + lines.len().min(1);
    let keys = facts.keys(lines, KEYS + 1 - first, ParkSlot::COUNT.into());
    for (at, does) in (first..).zip(keys) {
        let act = match does {
            Key::Phone(_) | Key::Park(_) => "X_PANASONIC_IPTEL_BLF",
            Key::Free => "",
        };
        key(w, at, act, &does.number(), does.label())?;
    }
    Ok(())
}
