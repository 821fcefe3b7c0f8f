//! What things are called within a text, Japanese and English.

use shared::TerminalKind;
use shared::schedule::Fault;

use crate::area::{Reason, Zone};
use crate::device::{DeviceState, Interface};
use crate::model::SuspensionCause;
use crate::refusal::Obstacle;

pub(super) fn cause(cause: SuspensionCause) -> (&'static str, &'static str) {
    match cause {
        SuspensionCause::Legal => ("法令等による", "at the request of an authority"),
        SuspensionCause::Unpaid => ("料金未払いによる", "unpaid bills"),
    }
}

pub(super) fn obstacle(obstacle: &Obstacle) -> (String, String) {
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

pub(super) fn kind(kind: TerminalKind) -> (&'static str, &'static str) {
    match kind {
        TerminalKind::App => ("電話アプリ", "an app"),
        TerminalKind::Fixed => ("固定電話機", "a desk phone"),
        TerminalKind::Adapter => ("アダプタ", "an adapter"),
    }
}

pub(super) fn interface(interface: Interface) -> (&'static str, &'static str) {
    match interface {
        Interface::Analog => ("アナログ回線", "analog"),
        Interface::Isdn => ("ISDN", "ISDN"),
        Interface::Digital => ("デジタル内線", "digital"),
        Interface::Ip => ("IP", "IP"),
    }
}

pub(super) fn fault(fault: Fault) -> (String, String) {
    match fault {
        Fault::Hours => ("1日の時間帯".into(), "the hours of a day".into()),
        Fault::Exceptions(day) => (format!("例外日{day}"), format!("the exception on {day}")),
    }
}

pub(super) fn state(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Ordered(_) => "受注",
        DeviceState::Configured(_) => "設定済み",
        DeviceState::Shipped(_) => "出荷済み",
        DeviceState::Online(_) => "稼働中",
        DeviceState::Returned(_) => "返却済み",
        DeviceState::Purchased(_) => "お買い上げ済み",
    }
}
