//! Why dialled digits are refused.

use core::fmt;

use crate::number::NumberError;
use crate::number::plan::Kind;

/// Why dialled digits are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a number at all, and where.
    NotANumber(NumberError),
    /// No ID of the contract has this extension.
    NoSuchExtension,
    /// No such feature code.
    UnknownFeature,
    /// The terminal belongs to fewer representative numbers (R22).
    NoSuchRep(u8),
    /// The site's outside-line digit is missing.
    NeedsOutsidePrefix,
    /// A carrier was selected (00XY), which this service does not have.
    CarrierSelection,
    /// Calls to other countries are not allowed here.
    International,
    /// Numbers of this kind are not called: 0990, 0180, 020.
    Barred(Kind),
    /// The service behind this code has ended.
    Ended,
    /// The numbering plan has no such number.
    Unassigned,
}

impl Refusal {
    /// The cause of ITU-T Q.850: 1 no such number, 21 not allowed, 28 not a whole number.
    pub const fn q850(self) -> u8 {
        match self {
            Self::NotANumber(_) => 28,
            Self::NoSuchExtension | Self::UnknownFeature | Self::Ended | Self::Unassigned => 1,
            Self::NoSuchRep(_)
            | Self::NeedsOutsidePrefix
            | Self::CarrierSelection
            | Self::International
            | Self::Barred(_) => 21,
        }
    }

    /// In English, short enough for a Reason header; with its rule where it has one.
    pub const fn short(self) -> &'static str {
        match self {
            Self::NotANumber(_) => "Not a telephone number",
            Self::NoSuchExtension => "Nobody has this extension",
            Self::UnknownFeature => "No such feature code",
            Self::NoSuchRep(_) => "Not in so many groups (R22)",
            Self::NeedsOutsidePrefix => "Dial 9 for an outside line",
            Self::CarrierSelection => "Carriers cannot be selected",
            Self::International => "International calls are off",
            Self::Barred(_) => "Numbers of this kind are not called",
            Self::Ended => "The service of this number has ended",
            Self::Unassigned => "No such number is assigned",
        }
    }

    /// In Japanese, with what to do next.
    pub fn japanese(self) -> impl fmt::Display {
        fmt::from_fn(move |f| match self {
            Self::NotANumber(error) => {
                write!(
                    f,
                    "電話番号として読めません ({} 文字目)。",
                    u16::from(error.at) + 1
                )
            }
            Self::NoSuchExtension => f.write_str("この内線番号は使われていません。"),
            Self::UnknownFeature => f.write_str("この特番はありません。"),
            Self::NoSuchRep(place) => {
                write!(f, "この端末が属する代表番号は {place} 個ありません (R22)。")
            }
            Self::NeedsOutsidePrefix => f.write_str("外線は 9 を押してから番号を押してください。"),
            Self::CarrierSelection => {
                f.write_str("事業者識別番号 (00XY) は使えません。番号だけを押してください。")
            }
            Self::International => {
                f.write_str("国際電話は許可されていません。管理者が拠点の設定で許可できます。")
            }
            Self::Barred(_) => f.write_str("この種類の番号には発信できません。"),
            Self::Ended => f.write_str("この番号のサービスは終了しました。"),
            Self::Unassigned => f.write_str("この番号は割り当てられていません。番号をお確かめください。"),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber(error) => fmt::Display::fmt(error, f),
            Self::NoSuchExtension => f.write_str("nobody has this extension"),
            Self::UnknownFeature => f.write_str("there is no such feature code"),
            Self::NoSuchRep(place) => write!(
                f,
                "this terminal does not belong to {place} representative numbers (R22)"
            ),
            Self::NeedsOutsidePrefix => f.write_str("dial 9 before a number outside"),
            Self::CarrierSelection => {
                f.write_str("carriers (00XY) cannot be selected: dial the number alone")
            }
            Self::International => {
                f.write_str("international calls are off: the administrator can allow them for the site")
            }
            Self::Barred(_) => f.write_str("numbers of this kind are not called"),
            Self::Ended => f.write_str("the service of this number has ended"),
            Self::Unassigned => f.write_str("no such number is assigned: check it"),
        }
    }
}

impl core::error::Error for Refusal {}
