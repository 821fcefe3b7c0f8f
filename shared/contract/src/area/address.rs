//! Reading an address as people write it.

/// The prefectures, by their JIS code (JIS X 0401).
#[rustfmt::skip]
pub(super) const PREFECTURES: [&str; 47] = [
    "北海道", "青森県", "岩手県", "宮城県", "秋田県", "山形県", "福島県", "茨城県", "栃木県", "群馬県", "埼玉県", "千葉県",
    "東京都", "神奈川県", "新潟県", "富山県", "石川県", "福井県", "山梨県", "長野県", "岐阜県", "静岡県", "愛知県", "三重県",
    "滋賀県", "京都府", "大阪府", "兵庫県", "奈良県", "和歌山県", "鳥取県", "島根県", "岡山県", "広島県", "山口県", "徳島県",
    "香川県", "愛媛県", "高知県", "福岡県", "佐賀県", "長崎県", "熊本県", "大分県", "宮崎県", "鹿児島県", "沖縄県",
];

/// The wards that are municipalities of their own (特別区).
#[rustfmt::skip]
pub(super) const WARDS: [&str; 23] = [
    "千代田区", "中央区", "港区", "新宿区", "文京区", "台東区", "墨田区", "江東区", "品川区", "目黒区", "大田区", "世田谷区",
    "渋谷区", "中野区", "杉並区", "豊島区", "北区", "荒川区", "板橋区", "練馬区", "足立区", "葛飾区", "江戸川区",
];

/// The other municipalities of 東京都, without their counties.
#[rustfmt::skip]
pub(super) const TOKYO: [&str; 39] = [
    "八王子市", "立川市", "武蔵野市", "三鷹市", "青梅市", "府中市", "昭島市", "調布市", "町田市", "小金井市", "小平市",
    "日野市", "東村山市", "国分寺市", "国立市", "福生市", "狛江市", "東大和市", "清瀬市", "東久留米市", "武蔵村山市",
    "多摩市", "稲城市", "羽村市", "あきる野市", "西東京市", "瑞穂町", "日の出町", "檜原村", "奥多摩町", "大島町", "利島村",
    "新島村", "神津島村", "三宅村", "御蔵島村", "八丈町", "青ケ島村", "小笠原村",
];

/// An address in its normal form, see [`normal`].
pub(super) struct Address {
    pub prefecture: Option<&'static str>,
    /// What comes behind the prefecture, from the municipality on.
    pub rest: String,
}

impl Address {
    pub fn read(text: &str) -> Self {
        let text = normal(text);
        let text = text
            .trim_start_matches('〒')
            .trim_start_matches(|character: char| character.is_ascii_digit() || character == '-');
        let prefecture = prefecture(text);
        let rest = text.strip_prefix(prefecture.unwrap_or("")).unwrap_or(text);
        Self {
            prefecture,
            rest: without_county(rest).to_owned(),
        }
    }
}

/// The prefecture a text begins with.
pub(super) fn prefecture(text: &str) -> Option<&'static str> {
    PREFECTURES.into_iter().find(|name| text.starts_with(name))
}

/// Without 郡 in front of a 町 or 村: people leave it out, and no two of a prefecture differ by it alone in use.
pub(super) fn without_county(text: &str) -> &str {
    let Some((county, rest)) = text.split_once('郡') else {
        return text;
    };
    // 郡山市, 蒲郡市 and 小郡町 are names of their own.
    let town = rest
        .find(['町', '村'])
        .is_some_and(|at| at > 0 && !rest.get(..at).unwrap_or("").contains(['市', '区']));
    if county.is_empty() || county.contains(['市', '区']) || !town {
        text
    } else {
        rest
    }
}

/// One spelling for each address: no spaces, ASCII digits and hyphens, 丁目 with digits, small ケ as ケ, no 大字.
pub(super) fn normal(text: &str) -> String {
    let folded: String = text
        .chars()
        .filter(|character| !character.is_whitespace() && *character != '\u{feff}')
        .map(|character| match character {
            '０'..='９' => char::from(b'0' + (character as u32 - '０' as u32) as u8),
            '－' | '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | 'ｰ' | '─' => '-',
            'ヶ' | 'ｹ' => 'ケ',
            _ => character,
        })
        .collect();
    let folded = folded.replace("大字", "");
    let mut parts = folded.split("丁目");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let name = out.trim_end_matches(|character| digit(character).is_some());
        let value = out.get(name.len()..).and_then(kanji);
        if let Some(value) = value {
            out.truncate(name.len());
            out += &value.to_string();
        }
        out += "丁目";
        out += part;
    }
    out
}

pub(super) fn digit(character: char) -> Option<u32> {
    let digits = "一二三四五六七八九十";
    let place = digits.chars().position(|one| one == character)?;
    u32::try_from(place + 1).ok()
}

/// A number in kanji from 一 to 九十九; nothing if there is none.
pub(super) fn kanji(text: &str) -> Option<u32> {
    let (mut value, mut pending) = (0, 0);
    for character in text.chars() {
        match digit(character)? {
            10 => {
                value += 10 * if pending == 0 { 1 } else { pending };
                pending = 0;
            }
            one if pending == 0 => pending = one,
            _ => return None,
        }
    }
    Some(value + pending).filter(|value| (1..100).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        for (given, expected) in [
            ("東京都三鷹市中原一丁目", "東京都三鷹市中原1丁目"),
            ("東京都　三鷹市 中原１丁目２−３", "東京都三鷹市中原1丁目2-3"),
            ("調布市西つつじヶ丘二丁目", "調布市西つつじケ丘2丁目"),
            ("札幌市中央区北三十条西二十三丁目", "札幌市中央区北三十条西23丁目"),
            ("所沢市大字下安松", "所沢市下安松"),
            ("丁目", "丁目"),
            ("十丁目", "10丁目"),
            ("一一丁目", "一一丁目"),
        ] {
            assert_eq!(normal(given), expected);
        }
    }

    #[test]
    fn counties_go_and_names_stay() {
        for (given, expected) in [
            ("入間郡三芳町藤久保", "三芳町藤久保"),
            ("秩父郡東秩父村", "東秩父村"),
            ("郡山市朝日", "郡山市朝日"),
            ("蒲郡市旭町", "蒲郡市旭町"),
            ("大和郡山市北郡山町", "大和郡山市北郡山町"),
            ("吉敷郡小郡町", "小郡町"),
            ("小郡町", "小郡町"),
            ("小郡市大崎", "小郡市大崎"),
        ] {
            assert_eq!(without_county(given), expected);
        }
    }

    #[test]
    fn prefecture_and_rest() {
        let address = Address::read("〒182-0022 東京都調布市国領町８丁目");
        assert_eq!(address.prefecture, Some("東京都"));
        assert_eq!(address.rest, "調布市国領町8丁目");
        assert_eq!(Address::read("三鷹市中原").prefecture, None);
        // 京都府 is not 東京都府.
        assert_eq!(Address::read("京都府京都市").prefecture, Some("京都府"));
    }
}
