//! The texts of refusals and warnings, in Japanese and English.

/// A language of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// 日本語.
    Ja,
    /// English.
    En,
}

use crate::refusal::Refusal;

impl Refusal {
    /// What is wrong, with its parameters.
    pub fn what(&self, lang: Lang) -> String {
        let _ = lang;
        format!("{self:?}")
    }

    /// What the person can do next.
    pub fn next(&self, lang: Lang) -> String {
        let _ = lang;
        String::new()
    }
}
