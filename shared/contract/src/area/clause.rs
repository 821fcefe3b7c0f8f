//! Reading the places of a number area, as the official list words them: 「東京都特別区、狛江市（西和泉を除く。）及び三鷹市
//! （中原一丁目に限る。）」.
//!
//! Two wordings are ours, for lists that do not know everything: 「埼玉県の一部」 and 「ほか」 at the end.

use super::address::{WARDS, digit, kanji, normal, prefecture, without_county};

/// One municipality of a number area, or a prefecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub prefecture: &'static str,
    /// Empty for the prefecture as a whole.
    pub municipality: String,
    pub extent: Extent,
}

/// How much of a place is in the area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Nobody says which part (の一部).
    Some,
    /// These towns (に限る).
    Only(Vec<Town>),
    /// All but these towns (を除く).
    Except(Vec<Town>),
}

/// A town (町字) of a municipality, perhaps only one 丁目 of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Town {
    name: String,
    block: Option<u32>,
}

impl Town {
    fn read(text: &str) -> Self {
        let name = text.strip_suffix("丁目").map(|text| {
            let name = text.trim_end_matches(|character: char| character.is_ascii_digit());
            (name, text.get(name.len()..).and_then(|block| block.parse().ok()))
        });
        match name {
            Some((name, Some(block))) => Self {
                name: name.into(),
                block: Some(block),
            },
            _ => Self {
                name: text.into(),
                block: None,
            },
        }
    }

    /// Does an address behind its municipality begin with this town? Nothing if it is too short or unclear.
    pub fn matches(&self, address: &str) -> Option<bool> {
        if address.is_empty() {
            return None;
        }
        let address = address.strip_prefix('字').unwrap_or(address);
        let Some(rest) = address.strip_prefix(self.name.as_str()) else {
            return Some(false);
        };
        // 中原（1丁目）, and 中原一-25-3.
        let rest = rest.trim_start_matches(['（', '(']);
        let mut behind = rest.trim_start_matches(|character: char| character.is_ascii_digit());
        let mut number = rest
            .get(..rest.len() - behind.len())
            .and_then(|digits| digits.parse().ok());
        if number.is_none() {
            let after = rest.trim_start_matches(|character| digit(character).is_some());
            if after.starts_with('-') {
                number = rest.get(..rest.len() - after.len()).and_then(kanji);
                behind = after;
            }
        }
        match (self.block, number) {
            // 入間町 of 入間町1丁目; but 上野 may be or not be what 上野原 means.
            (None, Some(_)) => Some(true),
            (None, None) => rest.is_empty().then_some(true),
            // 中原1丁目 and, as people write it, 中原1-2-3; 中原1番 is no 丁目.
            (Some(block), Some(number)) => {
                let is_block = behind.starts_with("丁目") || behind.starts_with('-');
                is_block.then_some(block == number)
            }
            // 中原 alone, 中原の1丁目, or another town: 中原町.
            (Some(_), None) => None,
        }
    }
}

/// Reads the places; also whether the list is complete. The error is the part that cannot be read.
pub(super) fn places(text: &str) -> Result<(Vec<Place>, bool), String> {
    let text = normal(text).replace('(', "（").replace(')', "）");
    let (text, whole) = match text.strip_suffix("ほか") {
        Some(text) => (text, false),
        None => (text.as_str(), true),
    };
    let mut all = Vec::new();
    let mut last = None;
    for part in split(text)? {
        let found = prefecture(part).or(last).ok_or(part)?;
        last = Some(found);
        let rest = part.strip_prefix(found).unwrap_or(part);
        let (name, extent) = match rest.split_once('（') {
            Some((name, clause)) => (name, extent(clause).ok_or(part)?),
            None => match rest.strip_suffix("の一部") {
                Some(name) => (name, Extent::Some),
                None => (rest, Extent::Whole),
            },
        };
        let mut push = |name: &str| {
            all.push(Place {
                prefecture: found,
                municipality: name.into(),
                extent: extent.clone(),
            })
        };
        match without_county(name) {
            "特別区" | "23区" => WARDS.into_iter().for_each(push),
            name if name.is_empty() || name.ends_with(['市', '区', '町', '村']) => push(name),
            _ => return Err(part.into()),
        }
    }
    if all.is_empty() {
        return Err(text.into());
    }
    Ok((all, whole))
}

fn extent(clause: &str) -> Option<Extent> {
    let clause = clause.strip_suffix('）')?;
    let clause = clause.strip_suffix('。').unwrap_or(clause);
    let towns = |text| -> Option<Vec<Town>> {
        let towns: Vec<Town> = split(text).ok()?.into_iter().map(Town::read).collect();
        (!towns.is_empty()).then_some(towns)
    };
    if let Some(text) = clause.strip_suffix("に限る") {
        towns(text).map(Extent::Only)
    } else if let Some(text) = clause.strip_suffix("を除く") {
        towns(text).map(Extent::Except)
    } else {
        None
    }
}

/// Parts between 「、」, 「及び」 and 「並びに」 that are not in parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0usize, 0usize);
    for (at, character) in text.char_indices() {
        let rest = text.get(at..).unwrap_or("");
        match character {
            '（' => depth += 1,
            '）' => depth = depth.checked_sub(1).ok_or(rest)?,
            _ => {}
        }
        let separator = ["、", "及び", "並びに"]
            .into_iter()
            .find(|one| rest.starts_with(one));
        if let (0, Some(separator)) = (depth, separator)
            && at >= start
        {
            parts.push(text.get(start..at).unwrap_or(""));
            start = at + separator.len();
        }
    }
    if depth > 0 {
        return Err(text.into());
    }
    parts.push(text.get(start..).unwrap_or(""));
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wording_of_the_list() {
        let text = "東京都特別区、狛江市（西和泉を除く。）、調布市（入間町、国領町八丁目及び緑ヶ丘に限る。）並びに埼玉県入間郡三芳町";
        let (places, whole) = places(text).unwrap();
        assert!(whole);
        assert_eq!(places.len(), 26);
        assert_eq!(places[0].municipality, "千代田区");
        assert_eq!(places[23].extent, Extent::Except(vec![Town::read("西和泉")]));
        let towns = ["入間町", "国領町8丁目", "緑ケ丘"].map(Town::read).to_vec();
        assert_eq!(places[24].extent, Extent::Only(towns));
        assert_eq!(
            (places[25].prefecture, places[25].municipality.as_str()),
            ("埼玉県", "三芳町")
        );
    }

    #[test]
    fn what_cannot_be_read() {
        for text in [
            "",
            "三鷹市",
            "東京都三鷹",
            "東京都三鷹市（中原",
            "東京都三鷹市（中原等）",
            "東京都三鷹市（に限る。）",
            "東京都）",
        ] {
            assert!(places(text).is_err(), "{text}");
        }
    }

    #[test]
    fn towns_match_as_people_write_them() {
        for (town, address, answer) in [
            ("中原1丁目", "中原1丁目2", Some(true)),
            ("中原1丁目", "中原1-2-3", Some(true)),
            ("中原1丁目", "中原2-2-3", Some(false)),
            ("中原1丁目", "中原11丁目", Some(false)),
            ("中原1丁目", "中原一-25-3", Some(true)),
            ("中原1丁目", "中原二-25-3", Some(false)),
            ("中原1丁目", "中原（1丁目）", Some(true)),
            ("中原1丁目", "中原(2丁目)", Some(false)),
            ("中原1丁目", "中原", None),
            ("中原1丁目", "中原の1丁目", None),
            ("中原1丁目", "中原町", None),
            ("中原1丁目", "中原1番地", None),
            ("中原1丁目", "下連雀1丁目", Some(false)),
            ("入間町", "入間町3", Some(true)),
            ("入間町", "入間町", Some(true)),
            ("西和泉", "和泉本町", Some(false)),
            ("上野", "上野原", None),
            ("上野", "上野一-2", Some(true)),
            ("上野", "上野一色1-2", None),
            ("上野", "", None),
        ] {
            assert_eq!(Town::read(town).matches(address), answer, "{town} {address}");
        }
    }
}
