//! The texts of warnings, and words for what refusals name.

use shared::TerminalKind;
use shared::schedule::Fault;

use super::Lang;
use crate::area::{Reason, Zone};
use crate::device::{DeviceState, Interface};
use crate::effect::Warning;
use crate::model::SuspensionCause;
use crate::refusal::{Obstacle, Rule};

impl Warning {
    /// The rule behind it.
    pub const fn rule(&self) -> Rule {
        match self {
            Self::NobodyRings(_) => Rule::R(2),
            Self::Unreachable(_) => Rule::R(25),
            Self::PresentsDirect(_) => Rule::R(22),
            Self::ForwardEnds { .. } => Rule::Named("routing"),
        }
    }

    /// Its text, with what can be done about it.
    pub fn text(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::NobodyRings(number), Lang::Ja) => {
                format!("{number}に着信する端末がありません。メンバーと鳴り分けを設定してください。")
            }
            (Self::NobodyRings(number), Lang::En) => {
                format!("nobody rings for {number}. Name members that ring.")
            }
            (Self::Unreachable(key), Lang::Ja) => {
                format!(
                    "ID {key}には外線からの着信がありません。直通番号か代表番号の着信を設定してください。"
                )
            }
            (Self::Unreachable(key), Lang::En) => {
                format!("no outside call rings the ID {key}. Let its direct number or a group ring it.")
            }
            (Self::PresentsDirect(key), Lang::Ja) => {
                format!(
                    "ID {key}の発信元番号は直通番号に戻りました。必要であれば、別の番号を選んでください。"
                )
            }
            (Self::PresentsDirect(key), Lang::En) => {
                format!("the ID {key} presents its direct number again. Choose another number if needed.")
            }
            (Self::ForwardEnds { line, gone }, Lang::Ja) => {
                format!(
                    "{gone}がなくなったため、{line}への着信は転送されなくなりました。転送先を設定してください。"
                )
            }
            (Self::ForwardEnds { line, gone }, Lang::En) => {
                format!("{gone} went, so calls to {line} are not forwarded any more. Choose where they go.")
            }
        }
    }
}

pub(super) fn cause_text(cause: SuspensionCause) -> (&'static str, &'static str) {
    match cause {
        SuspensionCause::Legal => ("法令等による", "at the request of an authority"),
        SuspensionCause::Unpaid => ("料金未払いによる", "unpaid bills"),
    }
}

pub(super) fn obstacle_text(obstacle: &Obstacle) -> (String, String) {
    match obstacle {
        Obstacle::Outside(Reason::Prefecture(name) | Reason::Municipality(name) | Reason::Town(name)) => (
            format!("{name}はこの番号区画に含まれません"),
            format!("{name} is not in that area"),
        ),
        Obstacle::Outside(Reason::Elsewhere(zone)) => (
            format!("所在地は番号区画{zone}にあります"),
            format!("the address is in number area {zone}"),
        ),
        Obstacle::Unknown(options) => {
            let options = options.iter().map(Zone::to_string).collect::<Vec<_>>().join(", ");
            (
                format!("所在地の番号区画を確認できません(候補: {options})"),
                format!("the address needs a review (it may be in: {options})"),
            )
        }
    }
}

pub(super) fn kind_text(kind: TerminalKind) -> (&'static str, &'static str) {
    match kind {
        TerminalKind::App => ("電話アプリ", "an app"),
        TerminalKind::Fixed => ("固定電話機", "a desk phone"),
        TerminalKind::Adapter => ("アダプタ", "an adapter"),
    }
}

pub(super) fn interface_text(interface: Interface) -> (&'static str, &'static str) {
    match interface {
        Interface::Analog => ("アナログ回線", "analog"),
        Interface::Isdn => ("ISDN", "ISDN"),
        Interface::Digital => ("デジタル内線", "digital"),
        Interface::Ip => ("IP", "IP"),
    }
}

pub(super) fn fault_text(fault: Fault) -> (String, String) {
    match fault {
        Fault::Hours => ("1日の時間帯".into(), "the hours of a day".into()),
        Fault::Exceptions(day) => (format!("例外日{day}"), format!("the exception on {day}")),
    }
}

pub(super) fn state_text(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Ordered(_) => "受注",
        DeviceState::Configured(_) => "設定済み",
        DeviceState::Shipped(_) => "出荷済み",
        DeviceState::Online(_) => "稼働中",
        DeviceState::Returned(_) => "返却済み",
        DeviceState::Purchased(_) => "お買い上げ済み",
    }
}
