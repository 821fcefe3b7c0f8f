//! Grandstream's configuration: which files, in which order, and what is in them.
//!
//! - Files: `cfg<mac>` (binary), `cfg<mac>.xml`, `cfg<model>.xml`, `cfg.xml`, names in lower case; the first XML file that comes is
//!   the last that is asked for (SIP Device Provisioning Guide, documentation.grandstream.com/knowledge-base/
//!   sip-device-provisioning-guide, and its flow chart in the edition of 9/2012 p. 3). HT801 knows no `cfg<model>.xml` (HT801/HT802
//!   Administration Guide p. 68).
//! - XML: SIP Device Provisioning Guide (9/2012) p. 7; the MAC header is the phone's own or absent (HT801/HT802 Administration
//!   Guide p. 68).
//! - Numbers: `fusionpbx/fusionpbx` resources/templates/provision/grandstream/gxp16xx and ht801 (comments of the vendor's template).

use std::collections::BTreeMap;

use crate::account::{Account, Key, KeyUse, Server, Settings, terms};
use crate::firmware::Wanted;
use crate::model::Model;
use crate::{Mac, Millis};

/// Files of a phone, in the order in which it asks for them.
pub fn files(model: &Model, mac: Mac) -> Vec<String> {
    let mut files = vec![format!("cfg{mac}"), format!("cfg{mac}.xml")];
    if model.keys > 0 {
        files.push(format!("cfg{}.xml", model.name.to_ascii_lowercase()));
    }
    files.push("cfg.xml".into());
    files
}

/// The values of an XML file, or why the phone does not take it.
pub fn parse(bytes: &[u8], mac: Mac) -> Result<Vec<(String, String)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element();
    if root.tag_name().name() != "gs_provision" || root.attribute("version") != Some("1") {
        return Err("the root is not <gs_provision version=\"1\">".into());
    }
    let mut values = Vec::new();
    let mut configs = 0;
    for part in root.children().filter(roxmltree::Node::is_element) {
        match part.tag_name().name() {
            "mac"
                if part
                    .text()
                    .is_some_and(|text| text.eq_ignore_ascii_case(&mac.to_string())) => {}
            "mac" => return Err(format!("the MAC header {:?} is not {mac}", part.text())),
            "config" if part.attribute("version") == Some("1") => {
                configs += 1;
                for value in part.children().filter(roxmltree::Node::is_element) {
                    let name = value.tag_name().name();
                    if !is_number(name) || value.children().any(|child| child.is_element()) {
                        return Err(format!("<{name}> is no P-value"));
                    }
                    values.push((name.to_owned(), value.text().unwrap_or_default().to_owned()));
                }
            }
            name => return Err(format!("<{name}> is not known")),
        }
    }
    if configs != 1 {
        return Err(format!("{configs} <config version=\"1\">"));
    }
    Ok(values)
}

/// `P` and up to five digits.
fn is_number(name: &str) -> bool {
    let digits = name.strip_prefix('P').unwrap_or_default();
    (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Firmware is looked for if P238 says so, at P192 by the protocol of P6767 (0 TFTP, 1 HTTP), under a name that is the maker's for the
/// model: `_MODEL_FIRMWARE_MAPPING` of wazo-provd-plugins `wazo_grandstream`.
fn firmware<'a>(model: &Model, value: &impl Fn(u16) -> &'a str) -> Option<Wanted> {
    let name = match model.name {
        "GXP1628" => "gxp1600fw.bin",
        _ => "ht801fw.bin",
    };
    let scheme = match value(6767) {
        "1" => "http",
        _ => "tftp",
    };
    let server = Some(value(192)).filter(|server| !server.is_empty() && value(238) == "0")?;
    Some(Wanted {
        url: format!("{scheme}://{server}/{name}"),
        unless: None,
    })
}

/// P-values of an account: active, SIP server, outbound proxy, user, authentication ID, password, name, minutes of a
/// registration, backup outbound proxy, transport, seconds after a failure, seconds before the end.
type Numbers = [u16; 12];
const ACCOUNTS: [Numbers; 2] = [
    [271, 47, 48, 35, 36, 34, 3, 32, 2333, 130, 138, 2330],
    [401, 402, 403, 404, 405, 406, 407, 412, 2433, 448, 471, 2430],
];

/// What the phone makes of its values; what it cannot use is told in `problems`.
pub fn settings(model: &Model, store: &BTreeMap<String, String>, problems: &mut Vec<String>) -> Settings {
    let value = |number: u16| store.get(&format!("P{number}")).map_or("", String::as_str);
    let number = |at: u16, otherwise: u32| value(at).parse().unwrap_or(otherwise);
    let mut settings = Settings {
        // A NOTIFY is answered with a challenge unless P4428 = 1.
        resync: Some(("check-sync".into(), if value(4428) == "1" { 200 } else { 401 })),
        clock: Some(value(30).to_owned()).filter(|server| !server.is_empty()),
        syslog: Some(value(207).to_owned()).filter(|server| !server.is_empty()),
        language: value(1362).to_owned(),
        // P194: 3 is every so many minutes (P193); the other values name hours of the day.
        asks_every: (value(194) == "3").then(|| Millis::from(number(193, 10_080)) * 60_000),
        firmware: firmware(model, &value),
        ..Settings::default()
    };
    for numbers in ACCOUNTS.iter().take(usize::from(model.accounts)) {
        let [
            active,
            server,
            proxy,
            user,
            auth,
            password,
            name,
            expires,
            backup,
            transport,
            retry,
            before,
        ] = *numbers;
        if value(active) == "0" || value(server).is_empty() || value(user).is_empty() {
            continue;
        }
        if !matches!(value(transport), "" | "0") {
            problems.push(format!("P{transport} is not UDP"));
            continue;
        }
        let Some(server) = Server::parse(value(server)) else {
            problems.push(format!("P{server} is no server"));
            continue;
        };
        let seconds = number(expires, 60).max(1).saturating_mul(60);
        let before = number(before, 0);
        let renew = match before {
            0 => 500,
            before => u64::from(seconds.saturating_sub(before)) * 1_000 / u64::from(seconds),
        };
        settings.accounts.push(Account {
            user: value(user).to_owned(),
            auth: [value(auth), value(user)]
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or_default()
                .to_owned(),
            password: value(password).to_owned(),
            domain: server.host.clone(),
            proxy: Server::parse(value(proxy)).unwrap_or(server),
            backup: Server::parse(value(backup)),
            terms: terms(seconds, renew, number(retry, 20)),
            display: value(name).to_owned(),
        });
    }
    for key in 0..u16::from(model.keys.min(8)) {
        // Mode; then account, label and value.
        let (mode, place) = match key {
            7 => (353, 354),
            key => (323 + key, 301 + 3 * key),
        };
        let does = match value(mode) {
            "0" => KeyUse::Speed,
            "1" => KeyUse::Lamp,
            "9" => KeyUse::Park,
            _ => continue,
        };
        if !value(place + 2).is_empty() {
            settings.keys.push(Key {
                number: key as u8 + 1,
                does,
                account: value(place).parse().unwrap_or(0),
                value: value(place + 2).to_owned(),
                label: value(place + 1).to_owned(),
            });
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GXP1628, HT801};

    const MAC: Mac = Mac([0xC0, 0x74, 0xAD, 0x2B, 0xD8, 0x59]);

    #[test]
    fn the_files_of_the_guides() {
        let names = [
            "cfgc074ad2bd859",
            "cfgc074ad2bd859.xml",
            "cfggxp1628.xml",
            "cfg.xml",
        ];
        assert_eq!(files(&GXP1628, MAC), names);
        assert_eq!(files(&HT801, MAC), [names[0], names[1], names[3]]);
    }

    #[test]
    fn what_a_phone_takes_and_what_not() {
        let file = |mac: &str, inside: &str| {
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<gs_provision version=\"1\">{mac}<config version=\"1\">{inside}</config></gs_provision>"
            );
            parse(text.as_bytes(), MAC)
        };
        let own = "<mac>c074ad2bd859</mac>";
        let values = file(own, "<P271>1</P271><P270>A &amp; B &#x65E5;</P270><P34/>").expect("good");
        let pairs: Vec<_> = values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, [("P271", "1"), ("P270", "A & B 日"), ("P34", "")]);
        assert!(file("", "<P1>x</P1>").is_ok());
        assert!(file("<mac>c074ad2bd858</mac>", "<P1>x</P1>").is_err());
        assert!(file(own, "<P1>a & b</P1>").is_err());
        assert!(file(own, "<Q1>x</Q1>").is_err());
        assert!(file(own, "<P1><b/></P1>").is_err());
        assert!(parse(b"<gs_provision><config version=\"1\"/></gs_provision>", MAC).is_err());
        assert!(parse(b"P271=1\n", MAC).is_err());
    }

    #[test]
    fn accounts_and_keys() {
        let pairs = [
            ("P47", "office.example"),
            ("P48", "10.0.0.2"),
            ("P2333", "cloud.example:5062"),
            ("P35", "0312340001"),
            ("P34", "secret"),
            ("P32", "3"),
            ("P323", "1"),
            ("P302", "Desk 2"),
            ("P303", "202"),
            ("P353", "9"),
            ("P356", "701"),
            ("P324", "1"),
        ];
        let store = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let mut problems = Vec::new();
        let settings = settings(&GXP1628, &store, &mut problems);
        assert!(problems.is_empty());
        let [account] = &settings.accounts[..] else {
            panic!("one account")
        };
        assert_eq!(
            (account.user.as_str(), account.auth.as_str()),
            ("0312340001", "0312340001")
        );
        assert_eq!(
            (account.proxy.host.as_str(), account.domain.as_str()),
            ("10.0.0.2", "office.example")
        );
        assert_eq!(account.backup.as_ref().map(|server| server.port), Some(5_062));
        assert_eq!(account.terms.expires, 180);
        let keys: Vec<_> = settings
            .keys
            .iter()
            .map(|key| (key.number, key.does, key.value.as_str()))
            .collect();
        assert_eq!(keys, [(1, KeyUse::Lamp, "202"), (8, KeyUse::Park, "701")]);
        assert_eq!(settings.resync, Some(("check-sync".into(), 401)));
    }
}
