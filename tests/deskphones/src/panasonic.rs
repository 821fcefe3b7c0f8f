//! Panasonic's configuration: which files, in which order, and what is in them.
//!
//! - Pre-provisioning: `{MODEL}.cfg` of the server that PnP or DHCP tells has the paths of the others: KX-HDV230 Administrator
//!   Guide p. 37 to 39; formats of the addresses: the same, and KX-TGP700 Administrator Guide p. 28 for option 66.
//! - File format: KX-HDV230 Administrator Guide §2.4 (p. 51); lengths of a line: KX-UT123 Administrator Guide §2.4.
//! - The standard file wins over the product file, and that over the master file: KX-UTG200 Administrator Guide §2.4.4 and
//!   KX-UT123. The table in the guide of KX-HDV230 can be read either way, so a setting that two files give different values is a
//!   problem here.

use std::collections::BTreeMap;

use crate::account::{Account, Key, KeyUse, Server, Settings, terms};
use crate::firmware::Wanted;
use crate::model::{Discovery, Model};
use crate::url::{Scheme, Url};
use crate::{Mac, Millis};

/// What a file begins with.
const FIRST: &[u8; 44] = b"# Panasonic SIP Phone Standard Format File #";
// Longest line with its end, name and value.
const LINE: usize = 537;
const NAME: usize = 32;
const VALUE: usize = 500;
/// Where the files are; the first is worth most.
pub const PATHS: [&str; 3] = [
    "CFG_STANDARD_FILE_PATH",
    "CFG_PRODUCT_FILE_PATH",
    "CFG_MASTER_FILE_PATH",
];

/// Replaces `{MODEL}`, `{MAC}`, `{mac}` and `{fwver}`.
pub fn expand(text: &str, model: &Model, mac: Mac) -> String {
    text.replace("{MODEL}", model.name)
        .replace("{MAC}", &mac.upper())
        .replace("{mac}", &mac.to_string())
        .replace("{fwver}", model.firmware)
}

/// The pre-provisioning file, from what was found. `boot_file` is option 67.
pub fn first_file(
    model: &Model,
    mac: Mac,
    how: Discovery,
    text: &str,
    boot_file: Option<&str>,
) -> Option<Url> {
    let text = expand(text, model, mac);
    let own = format!("{}.cfg", model.name);
    match how {
        // A complete address, at most 384 characters (KX-HDV130 Administrator Guide §2.1.3).
        Discovery::Pnp | Discovery::Manual => {
            let url = Url::parse(&text, None).filter(|url| url.path.len() > 1)?;
            (text.len() <= 384 && !url.path.ends_with('/')).then_some(url)
        }
        // A scheme is mandatory; the file is that of option 67, or the model's.
        Discovery::Option160 | Discovery::Option159 => {
            let name = boot_file.map(|name| expand(name, model, mac)).unwrap_or(own);
            Some(Url::parse(&text, None)?.file(&name))
        }
        // Without a scheme, TFTP and the model's file; the same after a slash; else the file that is told.
        Discovery::Option66 => {
            let bare = !text.contains("://");
            let url = Url::parse(&text, Some(Scheme::Tftp))?;
            match bare || url.path.is_empty() || url.path.ends_with('/') {
                true => Some(url.file(&own)),
                false => Some(url),
            }
        }
        Discovery::Option43 => None,
    }
}

/// The values of a file, or why the phone does not take it.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    if !bytes.starts_with(FIRST) {
        return Err("the first line is not the designated one".into());
    }
    let Some(text) = text.strip_suffix("\r\n") else {
        return Err("no empty line at the end".into());
    };
    let mut values: Vec<(String, String)> = Vec::new();
    for line in text.split("\r\n") {
        if line.contains(['\r', '\n']) {
            return Err(format!("a line that does not end with CR LF: {line:?}"));
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.len() + 2 > LINE {
            return Err(format!("a line of {} bytes, which is ignored", line.len() + 2));
        }
        let pair = line.split_once('=').and_then(|(name, value)| {
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let plain = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let good = plain && !name.is_empty() && name.len() <= NAME;
            (good && value.chars().count() <= VALUE && !value.contains('"')).then_some((name, value))
        });
        let Some((name, value)) = pair else {
            return Err(format!("not NAME=\"value\": {line:?}"));
        };
        // The one that is specified first is applied.
        if values.iter().all(|(known, _)| known != name) {
            values.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(values)
}

/// What the phone makes of its values; what it cannot use is told in `problems`.
pub fn settings(model: &Model, store: &BTreeMap<String, String>, problems: &mut Vec<String>) -> Settings {
    let value = |name: &str| store.get(name).map_or("", String::as_str);
    let some = |name: &str| Some(value(name).to_owned()).filter(|value| !value.is_empty());
    let mut settings = Settings {
        resync: some("CFG_RESYNC_FROM_SIP").map(|event| (event, 200)),
        clock: some("NTP_ADDR"),
        syslog: some("SYSLOG_ADDR"),
        language: value("DEFAULT_LANGUAGE").to_owned(),
        asks_every: some("CFG_CYCLIC_INTVL")
            .filter(|_| value("CFG_CYCLIC") == "Y")
            .and_then(|minutes| Some(minutes.parse::<Millis>().ok()? * 60_000)),
        firmware: (value("FIRM_UPGRADE_ENABLE") == "Y" && value("FIRM_UPGRADE_AUTO") == "Y").then(|| {
            Wanted {
                url: value("FIRM_FILE_PATH").to_owned(),
                unless: some("FIRM_VERSION"),
            }
        }),
        ..Settings::default()
    };
    for line in 1..=model.accounts {
        let of = |name: &str| value(&format!("{name}_{line}"));
        let server = |name: &str| {
            let host = of(&format!("{name}_ADDR"));
            let port = of(&format!("{name}_PORT")).parse().unwrap_or(5_060);
            (!host.is_empty()).then(|| Server {
                host: host.to_owned(),
                port,
            })
        };
        // `user`, `user@domain` or `sip:user@domain`; without one, the line's number.
        let uri = of("SIP_URI").trim_start_matches("sip:");
        let (user, domain) = uri.split_once('@').unwrap_or((uri, of("SIP_SVCDOMAIN")));
        let user = [user, of("PHONE_NUMBER")]
            .into_iter()
            .find(|user| !user.is_empty());
        let registrar = server("SIP_RGSTR").or_else(|| server("SIP_PRXY"));
        let (Some(user), Some(registrar)) = (user, registrar) else {
            continue;
        };
        if !matches!(of("SIP_TRANSPORT"), "" | "0") {
            problems.push(format!("SIP_TRANSPORT_{line} is not UDP"));
            continue;
        }
        let domain = match domain {
            "" => registrar.host.clone(),
            domain => domain.to_owned(),
        };
        let seconds = of("REG_EXPIRE_TIME").parse().unwrap_or(3_600).max(1);
        let rate: u64 = of("REG_INTERVAL_RATE").parse().unwrap_or(90);
        let retry = of("REG_RTX_INTVL").parse().unwrap_or(10);
        let backup = match of("SIP_FOVR_NORSP") {
            "N" => None,
            _ => server("SIP_2NDPROXY").or_else(|| server("SIP_2NDRGSTR")),
        };
        settings.accounts.push(Account {
            user: user.to_owned(),
            auth: [of("SIP_AUTHID"), user]
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or_default()
                .to_owned(),
            password: of("SIP_PASS").to_owned(),
            domain,
            proxy: server("SIP_OUTPROXY").unwrap_or(registrar),
            backup,
            terms: terms(seconds, rate.min(100) * 10, retry),
            display: of("DISPLAY_NAME").to_owned(),
        });
    }
    for number in 1..=model.keys {
        let of = |name: &str| value(&format!("FLEX_BUTTON_{name}{number}"));
        let does = match of("FACILITY_ACT") {
            "X_PANASONIC_IPTEL_LINE" => KeyUse::Line,
            "X_PANASONIC_IPTEL_BLF" | "X_PANASONIC_IPTEL_CONTACT" => KeyUse::Lamp,
            "X_PANASONIC_IPTEL_ONETOUCH" => KeyUse::Speed,
            "" => continue,
            other => {
                problems.push(format!("FLEX_BUTTON_FACILITY_ACT{number} is {other:?}"));
                continue;
            }
        };
        let argument = of("FACILITY_ARG");
        settings.keys.push(Key {
            number,
            does,
            account: 0,
            value: argument
                .trim_start_matches("sip:")
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned(),
            label: of("LABEL").to_owned(),
        });
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KX_HDV230, KX_HDV230N};

    const MAC: Mac = Mac([0x00, 0x80, 0xF0, 0xC5, 0x71, 0xEB]);

    #[test]
    fn the_addresses_of_the_guides() {
        let first =
            |how, text, boot| first_file(&KX_HDV230N, MAC, how, text, boot).map(|url| url.to_string());
        use Discovery::{Option66, Option160, Pnp};
        for (how, text, boot, url) in [
            (
                Pnp,
                "http://10.0.0.2/{MODEL}.cfg",
                None,
                Some("http://10.0.0.2/KX-HDV230N.cfg"),
            ),
            (
                Pnp,
                "http://10.0.0.2/p/{mac}-{MAC}-{fwver}.cfg",
                None,
                Some("http://10.0.0.2/p/0080f0c571eb-0080F0C571EB-06.001.cfg"),
            ),
            (Pnp, "http://10.0.0.2/", None, None),
            (Pnp, "10.0.0.2/x.cfg", None, None),
            (
                Option160,
                "http://10.0.0.1/pana",
                None,
                Some("http://10.0.0.1/pana/KX-HDV230N.cfg"),
            ),
            (
                Option160,
                "http://10.0.0.1",
                Some("x/{MODEL}.cfg"),
                Some("http://10.0.0.1/x/KX-HDV230N.cfg"),
            ),
            (Option160, "10.0.0.1", None, None),
            (
                Option66,
                "10.0.0.1",
                Some("other.cfg"),
                Some("tftp://10.0.0.1/KX-HDV230N.cfg"),
            ),
            (
                Option66,
                "http://10.0.0.1/",
                None,
                Some("http://10.0.0.1/KX-HDV230N.cfg"),
            ),
            (
                Option66,
                "http://10.0.0.1/xxx.cfg",
                None,
                Some("http://10.0.0.1/xxx.cfg"),
            ),
        ] {
            assert_eq!(first(how, text, boot).as_deref(), url, "{text}");
        }
    }

    #[test]
    fn what_a_phone_takes_and_what_not() {
        let first = "# Panasonic SIP Phone Standard Format File # DO NOT CHANGE THIS LINE!\r\n";
        let file = |rest: &str| parse(format!("{first}{rest}").as_bytes());
        let values = file("\r\n# x\r\nA_1=\"John = \"\r\nA_1=\"second\"\r\nB=\"\"\r\n\r\n").expect("good");
        assert_eq!(
            values,
            [("A_1".into(), "John = ".into()), ("B".into(), String::new())]
        );
        let (name, value) = ("N".repeat(32), "あ".repeat(166));
        assert!(file(&format!("{name}=\"{value}\"\r\n")).is_ok());
        assert!(file(&format!("{name}=\"{value}aaa\"\r\n")).is_err(), "538 bytes");
        assert!(file(&format!("A=\"{}\"\r\n", "a".repeat(500))).is_ok());
        for bad in [
            "A=\"1\"\n",
            "A=\"1\"\r\nB=\"2\"",
            "A = \"1\"\r\n",
            "A=1\r\n",
            "A=\"1\" \r\n",
            "A=\"say \"x\"\"\r\n",
            "=\"1\"\r\n",
            "A=\"1\r\n2\"\r\n",
            &format!("{name}N=\"1\"\r\n"),
            &format!("A=\"{}\"\r\n", "a".repeat(501)),
        ] {
            assert!(file(bad).is_err(), "{bad:?}");
        }
        assert!(parse(b"#Panasonic SIP Phone Standard Format File #\r\n").is_err());
        assert!(parse(b"\xEF\xBB\xBF# Panasonic SIP Phone Standard Format File #\r\n").is_err());
    }

    #[test]
    fn lines_and_keys() {
        let pairs = [
            ("PHONE_NUMBER_1", "0312340001"),
            ("SIP_URI_1", "sip:0312340001@office.example"),
            ("SIP_RGSTR_ADDR_1", "10.0.0.2"),
            ("SIP_PRXY_ADDR_1", "10.0.0.2"),
            ("SIP_2NDPROXY_ADDR_1", "203.0.113.1"),
            ("SIP_PASS_1", "secret"),
            ("REG_EXPIRE_TIME_1", "180"),
            ("FLEX_BUTTON_FACILITY_ACT1", "X_PANASONIC_IPTEL_LINE"),
            ("FLEX_BUTTON_FACILITY_ACT2", "X_PANASONIC_IPTEL_BLF"),
            ("FLEX_BUTTON_FACILITY_ARG2", "sip:202@office.example"),
            ("FLEX_BUTTON_LABEL2", "Desk 2"),
        ];
        let store = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let mut problems = Vec::new();
        let settings = settings(&KX_HDV230, &store, &mut problems);
        assert!(problems.is_empty());
        let [account] = &settings.accounts[..] else {
            panic!("one line")
        };
        assert_eq!(
            (account.user.as_str(), account.domain.as_str()),
            ("0312340001", "office.example")
        );
        assert_eq!(account.backup, Server::parse("203.0.113.1"));
        assert_eq!((account.terms.expires, account.terms.renew), (180, (900, 900)));
        assert_eq!(settings.keys[1].value, "202");
        assert_eq!(settings.resync, None);
    }
}
