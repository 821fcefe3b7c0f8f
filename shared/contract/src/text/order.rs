//! The texts of what is wrong with orders and prices.

use super::{Lang, Text};
use crate::device::Acquisition;
use crate::order::{Choice, Fault};
use crate::refusal::Refusal;
use crate::tariff::Error;

impl Fault {
    /// Its text.
    pub fn text(self, lang: Lang) -> Text {
        let what = match self {
            Self::AnalogOnly(interface) => return Refusal::AnalogOnly(interface).text(lang),
            Self::Price(error) => return error.text(lang),
            Self::NoPoePort { units, ports } => [
                format!("PoE給電が必要な機器が{units}台ありますが、給電できるポートは{ports}個です"),
                format!("{units} devices need a port with power (PoE), and there are {ports}"),
            ],
            Self::NotOnSale { model, until } => [
                format!("{}の販売は{until}に終了しました", model.name()),
                format!("{} was sold until {until}", model.name()),
            ],
            Self::TooManyIds { ids, most } => [
                format!("端末1台ごとにIDが1つ必要で、IDは{ids}個になりますが、1契約につき{most}個までです"),
                format!("every terminal needs an ID, which makes {ids}, and a contract has at most {most}"),
            ],
        };
        let choices = self.choices().into_iter();
        let [ja, en] = what;
        match lang {
            Lang::Ja => Text {
                what: ja,
                next: choices.map(Choice::ja).collect::<Vec<_>>().join("または、"),
            },
            Lang::En => Text {
                what: en,
                next: choices.map(Choice::en).collect::<Vec<_>>().join(" Or: "),
            },
        }
    }
}

impl Choice {
    fn ja(self) -> String {
        match self {
            Self::BuyHubs(hubs) => format!("PoE HUB(4port)を{hubs}台ご購入ください。"),
            Self::UseOwnPorts(ports) => {
                format!("お手持ちのPoE給電可能なHUBのポートを{ports}個ご用意ください。")
            }
            Self::ConnectAnalog => "アナログ回線用の電話機・FAX機をご用意ください。".into(),
            Self::OtherModel => "ほかの機種をお選びください。".into(),
            Self::FewerTerminals => "端末の台数を減らしてください。".into(),
            Self::AskOperator => "サポートにご連絡ください。".into(),
        }
    }

    fn en(self) -> String {
        match self {
            Self::BuyHubs(hubs) => format!("Buy PoE hubs with 4 ports: {hubs}."),
            Self::UseOwnPorts(ports) => format!("Provide ports with power of a hub of your own: {ports}."),
            Self::ConnectAnalog => "Connect an analog telephone or FAX machine.".into(),
            Self::OtherModel => "Choose another model.".into(),
            Self::FewerTerminals => "Order fewer terminals.".into(),
            Self::AskOperator => "Ask the operator.".into(),
        }
    }
}

impl Error {
    /// Its text.
    pub fn text(self, lang: Lang) -> Text {
        let [what, next] = match (lang, self) {
            (Lang::Ja, Self::NoPrice { price, day }) => [
                format!("{day}の料金が料金表にありません: {price}"),
                "料金表にこの料金を追加してください。".into(),
            ],
            (Lang::En, Self::NoPrice { .. }) => [self.to_string(), "Add it to the price list.".into()],
            (Lang::Ja, Self::NotOffered { model, terms }) => {
                let (terms, other) = match terms {
                    Acquisition::Purchase => ("買取", "レンタル"),
                    Acquisition::Rental => ("レンタル", "買取"),
                };
                [
                    format!("{}の{terms}はありません", model.name()),
                    format!("{other}をお選びください。"),
                ]
            }
            (Lang::En, Self::NotOffered { terms, .. }) => {
                let other = match terms {
                    Acquisition::Purchase => "rental",
                    Acquisition::Rental => "purchase",
                };
                [self.to_string(), format!("Choose {other}.")]
            }
            (Lang::Ja, Self::NotOurs(number)) => [
                format!("{number}はこの契約の番号ではありません"),
                "通話記録の発信番号をご確認ください。".into(),
            ],
            (Lang::En, Self::NotOurs(_)) => [self.to_string(), "Check the record of the call.".into()],
            (Lang::Ja, Self::WrongMonth(month)) => [
                format!("別の月({month})の通話が含まれています"),
                "その月の請求に含めてください。".into(),
            ],
            (Lang::En, Self::WrongMonth(_)) => [self.to_string(), "Bill it with that month.".into()],
            (Lang::Ja, Self::TooLarge) => ["金額が大きすぎます".into(), "料金表をご確認ください。".into()],
            (Lang::En, Self::TooLarge) => [self.to_string(), "Check the price list.".into()],
        };
        Text { what, next }
    }
}
