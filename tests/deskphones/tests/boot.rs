//! The phones' boot sequences against an office that answers as their documents say.

mod office;

use deskphones::model::{Discovery, GXP1628, HT801, KX_HDV230, KX_HDV230N, Model, Vendor};
use deskphones::rng::Rng;
use deskphones::{Mac, Millis, Phone};
use office::Office;

const TAIL: [u8; 3] = [0x2B, 0xD8, 0x59];
/// When everything has been tried that is tried at once.
const LATER: Millis = 300_000;

fn phone(model: &'static Model) -> Phone {
    let [a, b, c] = model.oui;
    let [d, e, f] = TAIL;
    Phone::new(model, Mac([a, b, c, d, e, f]), Rng::new(1))
}

fn grandstream(phone: &Phone) -> Vec<u8> {
    let values = "<P271>1</P271><P47>office.example</P47><P48>10.0.0.2</P48><P2333>10.0.0.1</P2333><P35>201</P35><P34>secret</P34><P32>3</P32><P4428>1</P4428><P323>1</P323><P303>202</P303>";
    let mac = phone.mac;
    format!("<?xml version=\"1.0\"?><gs_provision version=\"1\"><mac>{mac}</mac><config version=\"1\">{values}</config></gs_provision>").into_bytes()
}

fn panasonic(lines: &[&str]) -> Vec<u8> {
    let first = "# Panasonic SIP Phone Standard Format File # DO NOT CHANGE THIS LINE!";
    format!("{first}\r\n\r\n{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

/// The office has all files of this phone, and no way to tell it.
fn ready(phone: &Phone) -> Office {
    let mut office = Office::default();
    match phone.model.vendor {
        Vendor::Grandstream => {
            office
                .files
                .insert(format!("p/cfg{}.xml", phone.mac), grandstream(phone));
        }
        Vendor::Panasonic => {
            let first = panasonic(&["CFG_STANDARD_FILE_PATH=\"http://10.0.0.2/p/Config{MAC}.cfg\""]);
            office.files.insert(format!("p/{}.cfg", phone.model.name), first);
            let last = panasonic(&[
                "SIP_URI_1=\"201\"",
                "SIP_SVCDOMAIN_1=\"office.example\"",
                "SIP_RGSTR_ADDR_1=\"10.0.0.2\"",
                "SIP_PRXY_ADDR_1=\"10.0.0.2\"",
                "SIP_2NDPROXY_ADDR_1=\"10.0.0.1\"",
                "SIP_PASS_1=\"secret\"",
                "REG_EXPIRE_TIME_1=\"180\"",
                "CFG_RESYNC_FROM_SIP=\"check-sync\"",
                "FLEX_BUTTON_FACILITY_ACT2=\"X_PANASONIC_IPTEL_BLF\"",
                "FLEX_BUTTON_FACILITY_ARG2=\"202\"",
            ]);
            office
                .files
                .insert(format!("p/Config{}.cfg", phone.mac.upper()), last);
        }
    }
    office
}

/// Tells it by this way.
fn tell(office: &mut Office, phone: &mut Phone, how: Discovery) {
    let folder = "http://10.0.0.2/p/";
    let panasonic = phone.model.vendor == Vendor::Panasonic;
    match how {
        Discovery::Pnp if panasonic => office.pnp = Some("http://10.0.0.2/p/{MODEL}.cfg".into()),
        Discovery::Pnp => office.pnp = Some(folder.into()),
        Discovery::Manual if panasonic => {
            phone.set("CFG_STANDARD_FILE_PATH", "http://10.0.0.2/p/Config{MAC}.cfg");
        }
        Discovery::Manual => {
            phone.set("P212", "1");
            phone.set("P237", "10.0.0.2/p");
        }
        Discovery::Option66 => drop(office.options.insert(66, folder.into())),
        Discovery::Option159 => drop(office.options.insert(159, folder.into())),
        Discovery::Option160 => drop(office.options.insert(160, folder.into())),
        Discovery::Option43 => {
            let option = [&[1, folder.len() as u8], folder.as_bytes()].concat();
            office.options.insert(43, option);
        }
    }
}

#[test]
fn each_way_alone_leads_to_a_registration() {
    for model in [&GXP1628, &KX_HDV230, &KX_HDV230N, &HT801] {
        for &how in model.looks {
            for alone in [false, true] {
                let mut phone = phone(model);
                let mut office = ready(&phone);
                tell(&mut office, &mut phone, how);
                if alone {
                    phone.looks = vec![how];
                }
                phone.power(0, true);
                office.run(&mut phone, 90_000);
                let name = model.name;
                assert!(phone.problems.is_empty(), "{name} {how:?}: {:?}", phone.problems);
                assert!(phone.is_registered(90_000), "{name} {how:?}: {:#?}", office.heard);
                assert_eq!(phone.found_by(), Some(how), "{name}");
            }
        }
    }
}

#[test]
fn without_any_way_nothing_is_asked_of_the_box() {
    for model in [&GXP1628, &KX_HDV230N, &HT801] {
        let mut phone = phone(model);
        let mut office = ready(&phone);
        phone.power(0, true);
        office.run(&mut phone, LATER);
        assert!(
            office
                .heard
                .iter()
                .all(|line| line == "SUBSCRIBE to 224.0.1.75:5060"),
            "{:?}",
            office.heard
        );
        assert_eq!(office.heard.len(), 4);
    }
}

#[test]
fn a_way_that_is_switched_off_is_not_gone() {
    for (model, how) in [(&GXP1628, Discovery::Pnp), (&KX_HDV230N, Discovery::Option66)] {
        let mut phone = phone(model);
        let mut office = ready(&phone);
        tell(&mut office, &mut phone, how);
        phone.looks.retain(|known| *known != how);
        phone.power(0, true);
        office.run(&mut phone, LATER);
        assert_eq!(phone.progress().found, None);
    }
}

/// What the phone asks for on its way to its registration, when this discovery alone tells it where.
fn gets(office: &mut Office, phone: &mut Phone, by: Discovery) -> Vec<String> {
    tell(office, phone, by);
    phone.power(0, true);
    office.run(phone, 60_000);
    assert!(phone.is_registered(60_000));
    let gets = office.heard.iter().filter(|line| line.starts_with("GET"));
    gets.cloned().collect()
}

#[test]
fn files_in_the_vendors_order_with_their_user_agent() {
    let mut phone = phone(&GXP1628);
    let mut office = ready(&phone);
    let own = office.files.remove("p/cfgc074ad2bd859.xml").expect("its own");
    office.files.insert("p/cfg.xml".into(), own);
    let agent = "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId c074ad2bd859";
    let names = [
        "cfgc074ad2bd859",
        "cfgc074ad2bd859.xml",
        "cfggxp1628.xml",
        "cfg.xml",
    ];
    assert_eq!(
        gets(&mut office, &mut phone, Discovery::Pnp),
        names.map(|name| format!("GET p/{name} {agent}"))
    );

    let mut phone = self::phone(&KX_HDV230N);
    let mut office = ready(&phone);
    let agent = "Panasonic_KX-HDV230N/06.001 (0080f02bd859)";
    let names = ["KX-HDV230N.cfg", "Config0080F02BD859.cfg"];
    assert_eq!(
        gets(&mut office, &mut phone, Discovery::Option160),
        names.map(|name| format!("GET p/{name} {agent}"))
    );
}

#[test]
fn by_tftp_where_no_scheme_is_told() {
    for (model, value, first) in [
        (&GXP1628, "10.0.0.2/p", "RRQ p/cfgc074ad2bd859"),
        (&HT801, "10.0.0.2/p", "RRQ p/cfgc074ad2bd859"),
        (&KX_HDV230N, "10.0.0.2/p", "RRQ p/KX-HDV230N.cfg"),
    ] {
        let mut phone = phone(model);
        let mut office = ready(&phone);
        office.options.insert(66, value.into());
        phone.power(0, true);
        office.run(&mut phone, 60_000);
        let asked = office.heard.iter().find(|line| line.starts_with("RRQ"));
        assert_eq!(asked.map(String::as_str), Some(first));
        assert!(
            phone.is_registered(60_000),
            "{:?} {:?}",
            office.heard,
            phone.problems
        );
    }
}

#[test]
fn the_file_of_another_phone_is_refused() {
    let mut phone = phone(&GXP1628);
    let mut office = ready(&phone);
    tell(&mut office, &mut phone, Discovery::Pnp);
    let own = office.files.get_mut("p/cfgc074ad2bd859.xml").expect("its own");
    *own = String::from_utf8_lossy(own)
        .replace("c074ad2bd859", "c074ad2bd858")
        .into_bytes();
    phone.power(0, true);
    office.run(&mut phone, 90_000);
    assert!(!phone.is_registered(90_000));
    assert_eq!(phone.problems.len(), 1);
    assert!(phone.store.is_empty());
}

#[test]
fn settings_survive_the_loss_of_power_and_of_their_lines() {
    for (model, secret) in [(&GXP1628, "P34"), (&KX_HDV230N, "SIP_PASS_1")] {
        let mut phone = phone(model);
        let mut office = ready(&phone);
        tell(&mut office, &mut phone, Discovery::Pnp);
        phone.power(0, true);
        office.run(&mut phone, 90_000);
        assert!(phone.is_registered(90_000));
        // From now on the files have no password any more.
        for file in office.files.values_mut() {
            let text = String::from_utf8_lossy(file).replace("<P34>secret</P34>", "");
            *file = text.replace("SIP_PASS_1=\"secret\"\r\n", "").into_bytes();
        }
        phone.power(100_000, false);
        office.run(&mut phone, 110_000);
        assert!(!phone.is_registered(110_000));
        phone.power(110_000, true);
        office.run(&mut phone, 200_000);
        assert!(phone.is_registered(200_000), "{:?}", office.heard);
        assert_eq!(phone.store.get(secret).map(String::as_str), Some("secret"));
    }
}

#[test]
fn check_sync_fetches_again() {
    for model in [&GXP1628, &KX_HDV230N] {
        let mut phone = phone(model);
        let mut office = ready(&phone);
        tell(&mut office, &mut phone, Discovery::Pnp);
        phone.power(0, true);
        office.run(&mut phone, 90_000);
        let files = phone.fetched.len();
        office.notify("talk");
        office.run(&mut phone, 95_000);
        assert_eq!(phone.fetched.len(), files);
        office.notify("check-sync");
        office.run(&mut phone, 120_000);
        assert!(phone.fetched.len() > files, "{}", model.name);
        assert!(phone.is_registered(120_000));
    }
}

#[test]
fn a_silent_box_sends_it_to_the_backup_and_back() {
    for model in [&GXP1628, &KX_HDV230N] {
        let mut phone = phone(model);
        let mut office = ready(&phone);
        tell(&mut office, &mut phone, Discovery::Pnp);
        phone.power(0, true);
        office.run(&mut phone, 90_000);
        office.deaf = true;
        office.heard.clear();
        office.run(&mut phone, 400_000);
        assert!(
            office
                .heard
                .contains(&"REGISTER with credentials to 10.0.0.1:5060".into()),
            "{:?}",
            office.heard
        );
        assert!(phone.is_registered(400_000));
        office.deaf = false;
        office.run(&mut phone, 600_000);
        office.heard.clear();
        office.run(&mut phone, 900_000);
        assert!(
            office.heard.iter().all(|line| !line.ends_with("10.0.0.1:5060")),
            "{:?}",
            office.heard
        );
    }
}

#[test]
fn lamps_are_subscribed_to() {
    for model in [&GXP1628, &KX_HDV230N] {
        let mut phone = phone(model);
        let mut office = ready(&phone);
        tell(&mut office, &mut phone, Discovery::Pnp);
        phone.power(0, true);
        office.run(&mut phone, 90_000);
        let agent = phone.agent(0).expect("an account");
        let lamps: Vec<_> = agent
            .lamps(90_000)
            .map(|(user, stands, _)| (user, stands))
            .collect();
        assert_eq!(lamps, [("202", true)]);
    }
}
