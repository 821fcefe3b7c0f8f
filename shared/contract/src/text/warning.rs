//! The texts of warnings.

use super::Lang;
use crate::effect::Warning;
use crate::refusal::Rule;

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
