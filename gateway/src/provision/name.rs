//! What a phone asks for by the name of a file.

use shared::hub::{FileKind, Mac, PhoneModel};

/// Which family of files, by the form of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// XML, `cfg...xml`.
    Grandstream,
    /// Lines of text, `....cfg`.
    Panasonic,
}

impl Maker {
    /// Who makes this model.
    pub const fn of(model: PhoneModel) -> Self {
        match model {
            PhoneModel::Gxp1628 | PhoneModel::Ht801 | PhoneModel::Ht802 => Self::Grandstream,
            PhoneModel::KxHdv230n => Self::Panasonic,
        }
    }
}

/// A file that phones ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The configuration of one phone.
    Phone(Maker, Mac),
    /// What all phones of the maker, or of a model, have in common.
    Common(Maker),
    /// Firmware of a phone.
    Firmware,
    /// None that there is.
    Unknown,
}

impl Name {
    /// Reads a path, as it stands in a URL or a read request of TFTP. Folders mean nothing: some phones put their own before a
    /// name, and some ask for `/a.xml/a.xml` when they were told `/a.xml`.
    ///
    /// - Grandstream: `cfg000b82123456.xml`, `cfggxp1628.xml`, `cfg.xml`, in this order. First comes `cfg000b82123456`, whose
    ///   format is not documented (GXP16xx and HT801/HT802 administration guides, "Configuration File Download").
    /// - Panasonic: `{MODEL}.cfg`, then what it names: `Config{MAC}.cfg` and `Config{MODEL}.cfg` (KX-HDV230 administrator
    ///   guide §2.2, "Provisioning").
    pub fn parse(path: &str) -> Self {
        let name = file_name(path);
        let lower = |prefix: &str, suffix: &str| {
            let rest = strip_prefix(name, prefix)?;
            let len = rest.len().checked_sub(suffix.len())?;
            let (middle, end) = rest.split_at_checked(len)?;
            end.eq_ignore_ascii_case(suffix).then_some(middle)
        };
        if let Some(middle) = lower("cfg", ".xml") {
            return match (mac(middle), middle) {
                (Some(mac), _) => Self::Phone(Maker::Grandstream, mac),
                (None, "") => Self::Common(Maker::Grandstream),
                (None, model) if is_one(model, &["gxp1628", "ht801", "ht802"]) => {
                    Self::Common(Maker::Grandstream)
                }
                _ => Self::Unknown,
            };
        }
        if let Some(middle) = lower("", ".cfg") {
            let (prefix, rest) = match strip_prefix(middle, "Config") {
                Some(rest) => (true, rest),
                None => (false, middle),
            };
            return match mac(rest).filter(|_| prefix) {
                Some(mac) => Self::Phone(Maker::Panasonic, mac),
                None if is_one(rest, &["KX-HDV230", "KX-HDV230N"]) => Self::Common(Maker::Panasonic),
                None => Self::Unknown,
            };
        }
        // gxp1600fw.bin, ht802fw.bin, KX-HDV230-01.234.fw and the like; `cfg000b82123456.bin` is a configuration.
        let is_firmware = [".bin", ".fw"]
            .iter()
            .any(|end| name.len() > end.len() && name.get(name.len() - end.len()..) == Some(*end));
        match is_firmware && !name.starts_with("cfg") {
            true => Self::Firmware,
            false => Self::Unknown,
        }
    }

    /// As it is told to the cloud.
    pub const fn kind(self) -> FileKind {
        match self {
            Self::Phone(..) => FileKind::Phone,
            Self::Common(_) => FileKind::Common,
            Self::Firmware => FileKind::Firmware,
            Self::Unknown => FileKind::Unknown,
        }
    }
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    let name = path.rsplit(['/']).next().unwrap_or_default();
    name.split(['?']).next().unwrap_or_default()
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn is_one(model: &str, of: &[&str]) -> bool {
    of.iter().any(|name| name.eq_ignore_ascii_case(model))
}

/// Twelve hexadecimal digits and nothing else.
fn mac(text: &str) -> Option<Mac> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.parse().ok().filter(|_| digits)
}

/// The hardware address that a phone names in its User-Agent, if it does: the first run of twelve hexadecimal digits, with or
/// without separators. `Grandstream Model HW GXP1628 SW 1.0.4.138 DevId c074ad2bd859`, `Panasonic_KX-HDV230N/01.234
/// (0080f0123456)`.
pub fn mac_in(agent: &str) -> Option<Mac> {
    agent
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, ':' | '-')))
        .find_map(|word| match word.len() {
            12 => mac(word),
            17 => word.parse().ok(),
            _ => None,
        })
}

/// The model that a phone names.
pub fn model_in(text: &str) -> Option<PhoneModel> {
    let has = |name: &str| {
        text.as_bytes()
            .windows(name.len())
            .any(|window| window.eq_ignore_ascii_case(name.as_bytes()))
    };
    let models = [
        ("GXP1628", PhoneModel::Gxp1628),
        ("KX-HDV230", PhoneModel::KxHdv230n),
        ("HT801", PhoneModel::Ht801),
        ("HT802", PhoneModel::Ht802),
    ];
    models
        .into_iter()
        .find(|(name, _)| has(name))
        .map(|(_, model)| model)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x00, 0x0b, 0x82, 0x12, 0x34, 0xab]);

    #[test]
    fn names() {
        use Maker::{Grandstream, Panasonic};
        for (path, name) in [
            ("/cfg000b821234ab.xml", Name::Phone(Grandstream, MAC)),
            ("cfg000B821234AB.xml", Name::Phone(Grandstream, MAC)),
            ("/gs/cfg000b821234ab.xml", Name::Phone(Grandstream, MAC)),
            (
                "/cfg000b821234ab.xml/cfg000b821234ab.xml",
                Name::Phone(Grandstream, MAC),
            ),
            ("/cfg000b821234ab", Name::Unknown),
            ("/cfg000b821234ab.bin", Name::Unknown),
            ("/cfg00-0b-82-12-34-ab.xml", Name::Unknown),
            ("/cfggxp1628.xml", Name::Common(Grandstream)),
            ("/cfgHT802.xml", Name::Common(Grandstream)),
            ("/cfg.xml", Name::Common(Grandstream)),
            ("/cfggrp2614.xml", Name::Unknown),
            ("/KX-HDV230.cfg", Name::Common(Panasonic)),
            ("/KX-HDV230N.cfg", Name::Common(Panasonic)),
            ("/ConfigKX-HDV230N.cfg", Name::Common(Panasonic)),
            ("/Config000B821234AB.cfg", Name::Phone(Panasonic, MAC)),
            ("/000B821234AB.cfg", Name::Unknown),
            ("/KX-UT123.cfg", Name::Unknown),
            ("/gxp1600fw.bin", Name::Firmware),
            ("/.bin", Name::Unknown),
            ("/", Name::Unknown),
            ("", Name::Unknown),
            ("/電話.cfg", Name::Unknown),
            ("../../etc/passwd", Name::Unknown),
        ] {
            assert_eq!(Name::parse(path), name, "{path}");
        }
    }

    #[test]
    fn agents() {
        for (agent, mac, model) in [
            (
                "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId 000b821234ab",
                Some(MAC),
                Some(PhoneModel::Gxp1628),
            ),
            (
                "Panasonic_KX-HDV230N/01.234 (000b821234ab)",
                Some(MAC),
                Some(PhoneModel::KxHdv230n),
            ),
            (
                "Grandstream HT802 1.0.10.6 00:0B:82:12:34:AB",
                Some(MAC),
                Some(PhoneModel::Ht802),
            ),
            ("curl/7.88.1", None, None),
            ("a 000b821234abcd", None, None),
            ("", None, None),
        ] {
            assert_eq!((mac_in(agent), model_in(agent)), (mac, model), "{agent}");
        }
    }
}
