//! The files of the phones, whole, as they are kept in `files/`; read by an XML parser of others, and by the rules of the makers.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::num::NonZeroU8;
use std::path::Path;

use gateway::provision::file::{Content, Facts, Line};
use gateway::provision::name::Maker;
use gateway::provision::window::Window;
use gateway::uplink::Models;
use shared::hub::{Mac, Phone, PhoneFirmware, PhoneModel};
use shared::site::{Id, Site, Sys};
use shared::{ContractId, IdKey, Number, SiteId, TerminalKind};

const MAC: Mac = Mac([0x00, 0x0b, 0x82, 0x12, 0x34, 0xab]);

/// Labels that mean something where they are written.
const LABELS: [&str; 4] = ["受付 & <1>", "営業\"部\"", "倉庫]]>", "FAX"];

fn site() -> Site {
    let mut site = Site {
        sys: Sys {
            contract: ContractId(1),
            site: SiteId(1),
            channels: 8,
            realm: "office.example".try_into().unwrap(),
            ..Sys::default()
        },
        ..Site::default()
    };
    for (index, label) in (0..).zip(LABELS) {
        let direct = Number::parse(&format!("031234{index:04}")).unwrap();
        let id = Id {
            key: IdKey::new(index).unwrap(),
            direct,
            extension: (200 + u32::from(index)).try_into().unwrap(),
            direct_in: true,
            direct_out: true,
            label: label.try_into().unwrap(),
            kind: TerminalKind::Fixed,
            outgoing: direct,
            site: SiteId(1),
            port: None,
            phone: None,
        };
        site.ids.push(id).unwrap();
    }
    site
}

fn facts(site: &Site) -> Facts<'_> {
    Facts {
        site,
        address: [192, 168, 1, 1].into(),
        cloud: ("cloud.example", 5060),
        firmware: Models::NONE,
    }
}

fn written(facts: &Facts<'_>, content: &Content<'_>) -> String {
    let mut text = String::new();
    facts.write(&mut text, content).unwrap();
    // In pieces it is the same.
    for size in [1, 7, 512, 1_468] {
        let mut pieces = Vec::new();
        let mut buffer = vec![0; size];
        loop {
            let mut window = Window::new(pieces.len(), &mut buffer);
            facts.write(&mut window, content).unwrap();
            let (len, total) = (window.filled(), window.total());
            assert_eq!(total, text.len());
            pieces.extend_from_slice(&buffer[..len]);
            if len == 0 {
                break;
            }
        }
        assert_eq!(pieces, text.as_bytes());
    }
    text
}

/// Every file there is, by name.
fn files() -> Vec<(&'static str, String)> {
    let site = site();
    let facts = facts(&site);
    let line = |number: u8, id: usize, password| Line {
        number,
        id: &site.ids[id],
        password,
    };
    let secret = Some("abcdefghij234567klmn");
    let with = [line(1, 0, secret)];
    let without = [line(1, 0, None)];
    let both = [line(1, 0, secret), line(2, 3, secret)];
    let second = [line(2, 3, secret)];
    [
        ("cfg.xml", Content::Common(Maker::Grandstream)),
        ("waiting.xml", Content::Waiting(Maker::Grandstream, MAC)),
        ("gxp1628.xml", Content::Phone(PhoneModel::Gxp1628, MAC, &with)),
        (
            "gxp1628-spent.xml",
            Content::Phone(PhoneModel::Gxp1628, MAC, &without),
        ),
        ("ht801.xml", Content::Phone(PhoneModel::Ht801, MAC, &with)),
        ("ht802.xml", Content::Phone(PhoneModel::Ht802, MAC, &both)),
        (
            "ht802-second.xml",
            Content::Phone(PhoneModel::Ht802, MAC, &second),
        ),
        ("KX-HDV230N.cfg", Content::Common(Maker::Panasonic)),
        ("waiting.cfg", Content::Waiting(Maker::Panasonic, MAC)),
        ("Config.cfg", Content::Phone(PhoneModel::KxHdv230n, MAC, &with)),
        (
            "Config-spent.cfg",
            Content::Phone(PhoneModel::KxHdv230n, MAC, &without),
        ),
    ]
    .map(|(name, content)| (name, written(&facts, &content)))
    .into()
}

/// `KEEP=1 cargo test -p gateway --test files` writes them anew.
#[test]
fn they_are_as_they_are_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    for (name, text) in files() {
        let path = folder.join(name);
        if std::env::var_os("KEEP").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, kept, "{name}");
    }
}

/// What GXP16xx and HT80x want: `gs_provision`, `mac`, `config` with each number at most once, and no value longer than a line.
#[test]
fn grandstream_files_are_xml() {
    for (name, text) in files().iter().filter(|(name, _)| name.ends_with(".xml")) {
        let document = roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = document.root_element();
        assert_eq!(
            (root.tag_name().name(), root.attribute("version")),
            ("gs_provision", Some("1"))
        );
        let elements: Vec<_> = root.children().filter(|node| node.is_element()).collect();
        let (config, mac) = elements.split_last().unwrap();
        assert_eq!(
            (config.tag_name().name(), config.attribute("version")),
            ("config", Some("1"))
        );
        match mac {
            [] => assert_eq!(*name, "cfg.xml"),
            [mac] => assert_eq!((mac.tag_name().name(), mac.text()), ("mac", Some("000b821234ab"))),
            more => panic!("{more:?}"),
        }
        let mut seen = HashSet::new();
        for setting in config.children().filter(|node| node.is_element()) {
            let tag = setting.tag_name().name();
            let number = tag
                .strip_prefix('P')
                .and_then(|digits| digits.parse::<u32>().ok());
            assert!(number.is_some(), "{name}: {tag}");
            // Those of a waiting phone come after what it would have otherwise, and there is none of them twice.
            assert!(seen.insert(number), "{name}: {tag} twice");
            assert!(setting.text().unwrap_or_default().len() <= 256, "{name}: {tag}");
        }
        let value = |number: u32| {
            let mut all = config.children().filter(|node| node.is_element());
            let tag = format!("P{number}");
            all.find(|node| node.tag_name().name() == tag)
                .map(|node| node.text().unwrap_or_default())
        };
        if name.starts_with("gxp1628") {
            assert_eq!(value(270), Some(LABELS[0]));
            assert_eq!(value(34).is_some(), !name.contains("spent"));
            // The keys: the other three, one of nothing, and the four slots for parked calls.
            assert_eq!(
                [323, 324, 325, 326, 327, 353].map(value),
                ["1", "1", "1", "0", "9", "9"].map(Some)
            );
            assert_eq!(
                [303, 306, 309, 312, 315, 356].map(value),
                ["201", "202", "203", "", "**01", "**04"].map(Some)
            );
            assert_eq!(
                [302, 305, 308].map(value),
                [LABELS[1], LABELS[2], LABELS[3]].map(Some)
            );
        }
        if name.starts_with("ht802") {
            let first = if name.contains("second") { "0" } else { "1" };
            assert_eq!([271, 401].map(value), [Some(first), Some("1")]);
            assert_eq!((value(735), value(703)), (Some("0312340003"), Some("FAX")));
        }
        if *name == "ht801.xml" {
            assert_eq!(
                (value(401), value(853), value(854)),
                (None, Some("10"), Some("2"))
            );
        }
    }
}

/// The maker's rules (KX-HDV230 administrator guide §5): the first 44 bytes; each line ends with CR LF and the last is empty; a name of at most 32 characters, a
/// value of at most 500 between quotes, nothing around the equals sign; the first of a name counts, so none comes twice.
#[test]
fn panasonic_files_keep_the_rules() {
    const FIRST: &[u8; 44] = b"# Panasonic SIP Phone Standard Format File #";
    for (name, text) in files().iter().filter(|(name, _)| name.ends_with(".cfg")) {
        assert_eq!(text.as_bytes().first_chunk(), Some(FIRST), "{name}");
        assert!(text.ends_with("\r\n\r\n") && text.len() < 120 * 1_024, "{name}");
        let lines: Vec<_> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
        let (first, rest) = lines.split_first().unwrap();
        assert_eq!(
            *first,
            "# Panasonic SIP Phone Standard Format File # DO NOT CHANGE THIS LINE!"
        );
        let mut seen = HashSet::new();
        for line in rest.iter().filter(|line| !line.is_empty()) {
            assert!(!line.contains(['\r', '\n']), "{name}: {line}");
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line}"));
            assert!(key.len() <= 32, "{name}: {line}");
            assert!(
                key.bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            );
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            let value = value.unwrap_or_else(|| panic!("{name}: {line}"));
            assert!(
                value.chars().count() <= 500 && !value.contains('"'),
                "{name}: {line}"
            );
            assert!(seen.insert(key), "{name}: {key} twice");
        }
        assert_eq!(
            seen.contains("SIP_PASS_1"),
            ["Config.cfg", "waiting.cfg"].contains(name),
            "{name}"
        );
    }
}

/// With an outside-line digit a number is not complete after ten digits.
#[test]
fn the_dial_plan_knows_the_outside_line() {
    let mut site = site();
    let plan = |site: &Site| {
        let line = [Line {
            number: 1,
            id: &site.ids[0],
            password: None,
        }];
        let text = written(&facts(site), &Content::Phone(PhoneModel::Gxp1628, MAC, &line));
        let (_, rest) = text.split_once("<P290>").unwrap();
        rest.split_once("</P290>").unwrap().0.to_string()
    };
    assert!(plan(&site).contains("0[1-9][1-9]xxxxxxx "));
    site.sys.outside_prefix = Some(0);
    assert!(!plan(&site).contains("0[1-9]"));
}

/// Keys for other phones come first; at the end there are always some for parked calls, and as many as are left.
#[test]
fn keys_for_parked_calls() {
    for (others, gxp) in [
        (0, "00009999"),
        (1, "10009999"),
        (4, "11119999"),
        (5, "11111999"),
        (6, "11111199"),
        (7, "11111199"),
        (30, "11111199"),
    ] {
        let mut site = site();
        let first = site.ids[0].clone();
        site.ids.clear();
        for index in 0..=others {
            let (key, extension) = (IdKey::new(index).unwrap(), 200 + u32::from(index));
            let id = Id {
                key,
                extension: extension.try_into().unwrap(),
                ..first.clone()
            };
            site.ids.push(id).unwrap();
        }
        let text = |model| {
            let line = [Line {
                number: 1,
                id: &site.ids[0],
                password: None,
            }];
            written(&facts(&site), &Content::Phone(model, MAC, &line))
        };
        let text_of = |text: &str, from: &str, to: &str| {
            let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
            rest.split_once(to).unwrap().0.to_owned()
        };
        let grandstream = text(PhoneModel::Gxp1628);
        let modes = [323, 324, 325, 326, 327, 328, 329, 353];
        let modes = modes.map(|number| text_of(&grandstream, &format!("<P{number}>"), "</P"));
        assert_eq!(modes.concat(), gxp, "{others} others");
        let slot = gxp.matches('9').count() - 1;
        let seventh = [320, 321].map(|number| text_of(&grandstream, &format!("<P{number}>"), "</P"));
        assert_eq!(seventh, [format!("パーク{slot}"), format!("**0{slot}")]);
        let panasonic = text(PhoneModel::KxHdv230n);
        let key = |number: u16| text_of(&panasonic, &format!("FLEX_BUTTON_FACILITY_ARG{number}=\""), "\"");
        assert_eq!([21, 22, 23, 24].map(key), ["**01", "**02", "**03", "**04"]);
        let before = if others < 19 { String::new() } else { "219".into() };
        assert_eq!(key(20), before, "{others} others");
    }
}

/// The largest office, with the longest of everything: how long a file is, and how long it takes is a multiple of that.
#[test]
fn files_are_short() {
    let mut site = site();
    site.ids.clear();
    for index in 0..64 {
        let direct = Number::parse(&format!("031234{index:04}")).unwrap();
        let mut label = String::new();
        write!(label, "{}", "電".repeat(16)).unwrap();
        site.ids
            .push(Id {
                key: IdKey::new(index).unwrap(),
                direct,
                extension: (900_000 + u32::from(index)).try_into().unwrap(),
                direct_in: true,
                direct_out: true,
                label: label.as_str().try_into().unwrap(),
                kind: TerminalKind::Fixed,
                outgoing: direct,
                site: SiteId(1),
                port: None,
                phone: Some(Phone {
                    mac: MAC,
                    model: PhoneModel::KxHdv230n,
                    line: 1,
                    port: NonZeroU8::new(1),
                    claim: 1,
                }),
            })
            .unwrap();
    }
    for model in PhoneModel::ALL {
        let line = [Line {
            number: 1,
            id: &site.ids[0],
            password: Some("abcdefghij234567klmn"),
        }];
        let text = written(&facts(&site), &Content::Phone(model, MAC, &line));
        assert!(text.len() < 6_000, "{model:?}: {}", text.len());
    }
}

/// Firmware is looked for when the box has it, and by the model alone whose it is.
#[test]
fn phones_look_for_the_firmware_that_is_there() {
    let mut site = site();
    for (model, name, version) in [
        (PhoneModel::Gxp1628, "gxp1600fw.bin", "1.0.7.76"),
        (PhoneModel::KxHdv230n, "HDV230-07.002.fw", "07.002"),
    ] {
        let firmware = PhoneFirmware {
            model,
            name: name.try_into().unwrap(),
            version: version.try_into().unwrap(),
            size: 1,
            hash: [model as u8; 32],
        };
        site.sys.firmware.push(firmware).unwrap();
    }
    let text = |here: &[PhoneModel], model| {
        let mut facts = facts(&site);
        here.iter().for_each(|model| facts.firmware.set(*model, true));
        let line = [Line {
            number: 1,
            id: &site.ids[0],
            password: None,
        }];
        written(&facts, &Content::Phone(model, MAC, &line))
    };
    let all = PhoneModel::ALL;
    for (here, model, looks) in [
        (&all[..], PhoneModel::Gxp1628, true),
        (&[PhoneModel::Gxp1628], PhoneModel::Gxp1628, true),
        (&[PhoneModel::KxHdv230n], PhoneModel::Gxp1628, false),
        (&[], PhoneModel::Gxp1628, false),
        // There is none for it.
        (&all, PhoneModel::Ht801, false),
    ] {
        let text = text(here, model);
        let is = |line: &str| text.lines().filter(|other| *other == line).count();
        assert_eq!(
            [is("<P238>0</P238>"), is("<P238>2</P238>")],
            [looks.into(), (!looks).into()],
            "{model:?}"
        );
        assert_eq!([is("<P192>192.168.1.1</P192>"), is("<P6767>1</P6767>")], [1, 1]);
    }
    let lines = |text: &str| -> Vec<String> {
        let firm = text.lines().filter(|line| line.starts_with("FIRM"));
        firm.map(str::to_owned).collect()
    };
    assert_eq!(
        lines(&text(&all, PhoneModel::KxHdv230n)),
        [
            "FIRM_UPGRADE_ENABLE=\"Y\"",
            "FIRM_UPGRADE_AUTO=\"Y\"",
            "FIRM_VERSION=\"07.002\"",
            "FIRM_FILE_PATH=\"http://192.168.1.1/HDV230-07.002.fw\"",
        ]
    );
    assert_eq!(
        lines(&text(&[PhoneModel::Gxp1628], PhoneModel::KxHdv230n)),
        ["FIRM_UPGRADE_ENABLE=\"N\""]
    );
}
