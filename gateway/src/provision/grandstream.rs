//! Files of Grandstream: XML with a number for each setting ("P value").
//!
//! The numbers are those of the makers' configuration templates for GXP1610/1620/1625/1628/1630 (firmware 1.0.4) and HT801/HT802
//! (1.0.10), as they are in public repositories; what only one of them has, or memory alone, is marked.

use core::fmt::{self, Display, Write};

use shared::hub::PhoneModel;

use super::file::{ASKS_EVERY, Bare, Content, Facts, Key, Line, PICK_UP, REGISTERS_FOR, Waits};
use super::window::Xml;

/// Keys with a lamp of a GXP1628, and the settings of each: what it does, account, label, number. The first seven are in a row.
const KEYS: [[u16; 4]; 8] = [
    [323, 301, 302, 303],
    [324, 304, 305, 306],
    [325, 307, 308, 309],
    [326, 310, 311, 312],
    [327, 313, 314, 315],
    [328, 316, 317, 318],
    [329, 319, 320, 321],
    [353, 354, 355, 356],
];

/// The settings of a line.
struct Numbers {
    active: u16,
    server: u16,
    proxy: u16,
    backup: u16,
    user: u16,
    login: u16,
    password: u16,
    name: u16,
    expires: u16,
}

const LINES: [Numbers; 2] = [
    Numbers {
        active: 271,
        server: 47,
        proxy: 48,
        backup: 2333,
        user: 35,
        login: 36,
        password: 34,
        name: 3,
        expires: 32,
    },
    // The second socket of an HT802. 732 from memory, as 32 of the first.
    Numbers {
        active: 401,
        server: 747,
        proxy: 748,
        backup: 2433,
        user: 735,
        login: 736,
        password: 734,
        name: 703,
        expires: 732,
    },
];

fn p(w: &mut dyn Write, number: u16, value: impl Display) -> fmt::Result {
    writeln!(w, "<P{number}>{value}</P{number}>")
}

fn all(w: &mut dyn Write, values: &[(u16, &str)]) -> fmt::Result {
    values.iter().try_for_each(|(number, value)| p(w, *number, value))
}

pub(super) fn write(w: &mut dyn Write, facts: &Facts<'_>, content: &Content<'_>) -> fmt::Result {
    w.write_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gs_provision version=\"1\">\n")?;
    if let Content::Waiting(_, mac) | Content::Phone(_, mac, _) = content {
        writeln!(w, "<mac>{}</mac>", Bare(*mac))?;
    }
    w.write_str("<config version=\"1\">\n")?;
    let model = match *content {
        Content::Phone(model, ..) => Some(model),
        _ => None,
    };
    common(w, facts, model)?;
    match *content {
        Content::Common(_) => {}
        Content::Waiting(_, mac) => {
            // An account of that name which does not register.
            all(
                w,
                &[
                    (271, "1"),
                    (31, "0"),
                    (47, ""),
                    (48, ""),
                    (35, ""),
                    (36, ""),
                    (34, ""),
                ],
            )?;
            p(w, 270, Waits(mac))?;
            p(w, 1465, Waits(mac))?;
            all(w, &[(194, "3")])?;
            p(w, 193, ASKS_EVERY)?;
        }
        Content::Phone(model, _, lines) => {
            // Every day at three, or some minutes later, so that not all come at once (194, 285, 8458).
            all(w, &[(194, "1"), (285, "3"), (8458, "1")])?;
            match model {
                PhoneModel::Ht801 | PhoneModel::Ht802 => adapter(w, facts, model, lines)?,
                _ => desk(w, facts, lines)?,
            }
        }
    }
    w.write_str("</config>\n</gs_provision>\n")
}

/// What is so for all of them: where files come from, time, language, log.
fn common(w: &mut dyn Write, facts: &Facts<'_>, model: Option<PhoneModel>) -> fmt::Result {
    let address = facts.address;
    // Files over HTTP (212, for firmware 6767), from the box (237, 192). Where it has firmware for the model, that is looked for
    // whenever the phone asks for its files, and else not (238: 0 always, 2 never).
    all(w, &[(212, "1"), (6767, "1")])?;
    p(w, 237, address)?;
    p(w, 192, address)?;
    let has_firmware = model.is_some_and(|model| facts.firmware(model).is_some());
    p(w, 238, if has_firmware { 0 } else { 2 })?;
    all(w, &[(145, "1"), (1414, "1"), (1684, "1")])?;
    // A check-sync is obeyed unasked: the phone would want a password for a realm of its own (4428); nobody resets a phone by
    // SIP (26015) or manages it otherwise (1409).
    all(w, &[(4428, "1"), (26015, "0"), (1409, "0")])?;
    // NTP, whatever DHCP says of it (144).
    p(w, 30, address)?;
    all(
        w,
        &[(144, "0"), (64, "JST-9"), (102, "0"), (122, "1"), (1362, "ja")],
    )?;
    // Warnings and what is worse; no SIP messages.
    p(w, 207, address)?;
    all(w, &[(208, "3"), (1387, "0")])
}

/// The account of a line.
fn account(w: &mut dyn Write, facts: &Facts<'_>, line: &Line<'_>, numbers: &Numbers) -> fmt::Result {
    p(w, numbers.active, 1)?;
    p(w, numbers.server, Xml(&facts.site.sys.realm))?;
    p(w, numbers.proxy, facts.proxy())?;
    let (cloud, port) = facts.cloud;
    p(w, numbers.backup, format_args!("{}:{port}", Xml(cloud)))?;
    p(w, numbers.user, line.id.user())?;
    p(w, numbers.login, line.id.user())?;
    if let Some(password) = line.password {
        p(w, numbers.password, Xml(password))?;
    }
    p(w, numbers.name, Xml(&line.id.label))?;
    p(w, numbers.expires, REGISTERS_FOR)
}

/// Digits that are complete: 110, 118, 119; 10 digits, or 11 after 0x0 (numbering plan). Where an outside line has a digit of its
/// own, only the first three are sure.
fn dial_plan(facts: &Facts<'_>) -> &'static str {
    match facts.site.sys.outside_prefix {
        None => "{ 11[089] | 0[1-9][1-9]xxxxxxx | 0[256789]0xxxxxxxx | x+ | *x+ | **x+ | #x+ }",
        Some(_) => "{ 11[089] | x+ | *x+ | **x+ | #x+ }",
    }
}

/// Keys for parked calls that every desk phone has.
const PARKS: usize = 2;

/// A desk phone: account, line keys, keys with a lamp.
fn desk(w: &mut dyn Write, facts: &Facts<'_>, lines: &[Line<'_>]) -> fmt::Result {
    let [numbers, _] = &LINES;
    for line in lines.iter().take(1) {
        account(w, facts, line, numbers)?;
        p(w, 270, Xml(&line.id.label))?;
        // The first line key; the second shows the extension.
        all(w, &[(1363, "0"), (1364, "0")])?;
        p(w, 1465, Xml(&line.id.label))?;
        all(w, &[(1365, "0"), (1366, "0")])?;
        p(w, 1467, line.id.extension)?;
    }
    // UDP, always by the proxy, no 100rel, no SRTP, G.711 and G.722, no early dial; others' voice messages are not asked for.
    all(
        w,
        &[
            (31, "1"),
            (81, "0"),
            (26051, "5"),
            (130, "0"),
            (2305, "2"),
            (288, "1"),
            (99, "1"),
            (272, "0"),
            (183, "0"),
            (198, "100"),
            (2389, "0"),
            (1347, PICK_UP),
            (57, "0"),
            (58, "8"),
            (59, "9"),
            (29, "0"),
            (85, "4"),
        ],
    )?;
    p(w, 290, dial_plan(facts))?;
    let keys = facts.keys(lines, KEYS.len(), PARKS);
    for ([mode, account, label, number], key) in KEYS.into_iter().zip(keys) {
        let does = match key {
            Key::Phone(_) => 1,
            Key::Park(_) => 9,
            // A speed dial of nothing.
            Key::Free => 0,
        };
        p(w, mode, does)?;
        p(w, account, 0)?;
        p(w, label, Xml(key.label()))?;
        p(w, number, key.number())?;
    }
    Ok(())
}

/// An analog adapter: an account a socket, and the telephones of Japan.
fn adapter(w: &mut dyn Write, facts: &Facts<'_>, model: PhoneModel, lines: &[Line<'_>]) -> fmt::Result {
    let sockets = LINES.iter().zip(1..).take(model.lines().into());
    for (numbers, socket) in sockets {
        match lines.iter().find(|line| line.number == socket) {
            Some(line) => account(w, facts, line, numbers)?,
            None => p(w, numbers.active, 0)?,
        }
    }
    // Back to the box as soon as it is there (28096, 28097); 20 s until the next try, after a 403 too (26002); FAX as it sounds
    // (228, 4416); impedance, number display and reversal as in Japan (854, 853, 205; 864, 863 for the second socket).
    all(
        w,
        &[
            (31, "1"),
            (81, "0"),
            (130, "0"),
            (28096, "1"),
            (28097, "1"),
            (138, "20"),
            (26002, "20"),
            (288, "1"),
            (272, "0"),
            (183, "0"),
            (57, "0"),
            (58, "8"),
            (228, "1"),
            (4416, "0"),
            (854, "2"),
            (853, "10"),
            (205, "1"),
            (29, "0"),
            (85, "4"),
            // One second of ringing, two of silence; tones of 400 Hz.
            (4429, "20"),
            (4040, "c=1000/2000;"),
            (4010, "c=1000/2000;"),
            (4000, "f1=400@-13,c=0/0;"),
            (4001, "f1=385@-19,f2=415@-19,c=1000/2000;"),
            (4002, "f1=400@-13,c=500/500;"),
            (4003, "f1=400@-13,c=500/500;"),
        ],
    )?;
    if model == PhoneModel::Ht802 {
        all(w, &[(864, "2"), (863, "10")])?;
    }
    p(w, 4200, dial_plan(facts))
}
