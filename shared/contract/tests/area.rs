//! Address and number area (R18): the answers that are known, and files that are wrong.

use contract::area::{Column, Found, Problem, Reason, Table, Verdict, Zone};
use proptest::collection::vec;
use proptest::prelude::*;

fn zone(text: &str) -> Zone {
    text.parse().unwrap()
}

#[derive(Debug, PartialEq)]
enum Answer {
    Allowed,
    Denied,
    Review,
}

fn answer(table: &Table, address: &str, of: &str) -> Answer {
    match table.judge(address, &[zone(of)]) {
        Verdict::Allowed => Answer::Allowed,
        Verdict::Denied(_) => Answer::Denied,
        Verdict::NeedsReview { .. } => Answer::Review,
    }
}

#[test]
fn shipped_answers() {
    use Answer::*;
    let table = Table::shipped();
    for (address, of, expected) in [
        // 23 wards: all of them, however they are written.
        ("東京都千代田区丸の内一丁目1番1号", "219", Allowed),
        ("〒160-0023 東京都新宿区西新宿２－８－１", "219", Allowed),
        ("東京都江戸川区", "219", Allowed),
        // 埼玉県 has no 03, wherever.
        ("埼玉県さいたま市浦和区高砂3-15-1", "219", Denied),
        ("埼玉県", "219", Denied),
        ("埼玉県所沢市並木", "219", Denied),
        ("埼玉県所沢市並木", "227", Review),
        ("埼玉県さいたま市", "363", Denied),
        ("埼玉県さいたま市", "254", Review),
        // The split towns.
        ("東京都三鷹市中原一丁目", "219", Allowed),
        ("三鷹市中原一丁目", "219", Allowed),
        ("東京都三鷹市中原１丁目２５－３", "219", Allowed),
        ("東京都三鷹市中原1-25-3", "219", Allowed),
        ("東京都三鷹市中原二丁目", "219", Denied),
        ("東京都三鷹市下連雀一丁目", "219", Denied),
        ("東京都三鷹市中原", "219", Review),
        ("東京都三鷹市", "219", Review),
        ("東京都狛江市西和泉", "219", Denied),
        ("東京都狛江市西和泉1丁目", "219", Denied),
        ("東京都狛江市和泉本町1丁目", "219", Allowed),
        ("東京都狛江市", "219", Review),
        ("東京都調布市国領町八丁目", "219", Allowed),
        ("東京都調布市国領町8-2", "219", Allowed),
        ("東京都調布市国領町七丁目", "219", Denied),
        ("東京都調布市国領町十八丁目", "219", Denied),
        ("東京都調布市入間町2丁目", "219", Allowed),
        ("東京都調布市仙川町", "219", Allowed),
        ("東京都調布市西つつじケ丘2丁目", "219", Allowed),
        ("東京都調布市西つつじヶ丘三丁目", "219", Denied),
        ("東京都調布市東つつじヶ丘1丁目", "219", Allowed),
        ("東京都調布市緑ケ丘1丁目", "219", Allowed),
        ("東京都調布市若葉町2丁目", "219", Allowed),
        ("東京都調布市布田1丁目", "219", Denied),
        ("東京都三鷹市中原一-25-3", "219", Allowed),
        ("東京都三鷹市中原（一丁目）", "219", Allowed),
        ("東京都三鷹市中原（二丁目）", "219", Denied),
        ("東京都三鷹市中原の一丁目", "219", Review),
        // Elsewhere in 東京都 there is no 03.
        ("東京都八王子市元本郷町", "219", Denied),
        ("東京都八王子市元本郷町", "222", Review),
        ("東京都武蔵野市緑町", "219", Denied),
        ("東京都大島町元町", "219", Denied),
        ("東京都西多摩郡檜原村", "219", Denied),
        ("東京都青ヶ島村", "219", Denied),
        ("東京都江東区大島町", "219", Allowed),
        ("東京都歌舞伎町", "219", Review),
        // An address with 03 has no other area's numbers.
        ("東京都新宿区西新宿2丁目", "222", Denied),
        ("東京都新宿区西新宿2丁目", "363", Denied),
        // What the tables do not know.
        ("東京都新宿", "219", Review),
        ("中央区銀座", "219", Review),
        ("大阪府大阪市北区", "363", Review),
        ("大阪府大阪市北区", "219", Denied),
        ("somewhere", "219", Review),
        ("", "219", Review),
    ] {
        assert_eq!(answer(&table, address, of), expected, "{address} {of}");
    }
}

#[test]
fn reasons_and_options() {
    let table = Table::shipped();
    let judge = |address, of| table.judge(address, &[zone(of)]);
    let expected = Verdict::Denied(Reason::Prefecture("埼玉県".into()));
    assert_eq!(judge("埼玉県川口市", "219"), expected);
    let expected = Verdict::Denied(Reason::Town("狛江市西和泉".into()));
    assert_eq!(judge("東京都狛江市西和泉", "219"), expected);
    let expected = Verdict::Denied(Reason::Elsewhere(zone("219")));
    assert_eq!(judge("東京都港区", "220"), expected);
    let expected = Verdict::Denied(Reason::Municipality("八王子市".into()));
    assert_eq!(judge("東京都八王子市", "219"), expected);
    let options = ["219", "220", "222"].map(zone).to_vec();
    assert_eq!(judge("東京都新宿", "219"), Verdict::NeedsReview { options });
    // All areas of §2.1 are there for 埼玉県.
    let Verdict::NeedsReview { options } = judge("埼玉県", "254") else {
        panic!("埼玉県 has no area");
    };
    let all = "188 189 194 222 227 228 254 255 256 257-2 258 259 260 261 262";
    assert_eq!(options, all.split(' ').map(zone).collect::<Vec<_>>());
    // A number of an area in no table: denied where everything is known, else unknown.
    assert!(matches!(table.judge("埼玉県川口市", &[]), Verdict::Denied(_)));
    assert!(matches!(table.judge("東京都港区", &[]), Verdict::Denied(_)));
    assert!(matches!(
        table.judge("大阪府堺市", &[]),
        Verdict::NeedsReview { .. }
    ));
}

const AREAS: &str = "市外局番の一覧,,,\r\n\r\n番号区画コード,番号区画,市外局番,市内局番\r\n\
    219.0,\"東京都特別区、狛江市（西和泉を除く。）\",3.0,CDEF\r\n257-2,埼玉県熊谷市,48,CDE\r\n,,,\r\n";

#[test]
fn official_areas() {
    let read = Table::import(AREAS.as_bytes()).unwrap();
    assert_eq!(answer(&read, "埼玉県熊谷市", "257-2"), Answer::Allowed);
    assert_eq!(answer(&read, "埼玉県熊谷市", "219"), Answer::Denied);
    // The official list is complete: what it does not have, there is not.
    assert_eq!(answer(&read, "大阪府堺市", "219"), Answer::Denied);
    // The same in cp932, with a mark, and with tabs.
    let (cp932, _, _) = encoding_rs::SHIFT_JIS.encode(AREAS);
    let tabs = "番号区画コード\t番号区画\t市外局番\n219\t東京都特別区、狛江市(西和泉を除く。)\t03\n257-2\t埼玉県熊谷市\t048\n";
    for bytes in [&cp932[..], format!("\u{feff}{AREAS}").as_bytes(), tabs.as_bytes()] {
        assert_eq!(Table::import(bytes).unwrap(), read);
    }
}

/// The official list of areas, which has no names, without that of the numbers.
#[test]
fn a_code_of_several_areas() {
    use Answer::*;
    let list = "番号区画コード,番号区画,市外局番\n219,東京都特別区,3\n224,東京都立川市,42\n225,東京都八王子市,42\n\
        226,神奈川県相模原市,42\n254,埼玉県さいたま市,48\n255,埼玉県川口市,48\n\
        10,北海道伊達市,142\n11,福島県伊達市,24\n";
    let table = Table::import(list.as_bytes()).unwrap();
    let judge =
        |address: &str, number: &str| match table.judge(address, &table.zones(number.parse().unwrap())) {
            Verdict::Allowed => Allowed,
            Verdict::Denied(_) => Denied,
            Verdict::NeedsReview { .. } => Review,
        };
    for (address, number, expected) in [
        // The shipped table knows what 254 is called, and so which numbers are in it.
        ("埼玉県さいたま市浦和区高砂", "0488301234", Allowed),
        ("埼玉県川口市", "0488301234", Denied),
        // It does not know of 042 立川: it is one of three.
        ("東京都立川市曙町", "0425241234", Review),
        ("東京都八王子市元本郷町", "0425241234", Review),
        ("東京都港区", "0425241234", Denied),
        ("大阪府堺市", "0425241234", Denied),
        // Two prefectures have a 伊達市.
        ("伊達市末永町", "0142231234", Review),
        ("北海道伊達市末永町", "0142231234", Allowed),
        ("福島県伊達市保原町", "0142231234", Denied),
        ("立川市曙町", "0331234567", Denied),
    ] {
        assert_eq!(judge(address, number), expected, "{address} {number}");
    }
    let evidence = |text: &str| text.parse::<Found>().unwrap();
    let number = "0425241234".parse().unwrap();
    assert!("立川".parse::<Found>().is_err());
    for (found, expected) in [("042立川", true), ("042八王子", false), ("224", false)] {
        assert_eq!(table.settles(&evidence(found), number), expected, "{found}");
    }
    assert!(table.settles(&evidence("254"), "0488301234".parse().unwrap()));
    assert!(!table.settles(&evidence("254"), "0482531234".parse().unwrap()));
}

#[test]
fn wrong_areas_say_where() {
    use Column::*;
    let header = "番号区画コード,番号区画,市外局番\n";
    let malformed = |text: &str| Problem::Malformed(text.into());
    for (rows, row, column, problem) in [
        (
            "219,東京都千代田区,3\nx,東京都港区,3\n",
            3,
            Some(Zone),
            malformed("x"),
        ),
        ("2月57日,埼玉県熊谷市,48\n", 2, Some(Zone), malformed("2月57日")),
        (",東京都港区,3\n", 2, Some(Zone), Problem::Missing),
        ("219,,3\n", 2, Some(Places), Problem::Missing),
        ("219,東京都港,3\n", 2, Some(Places), malformed("東京都港")),
        ("219,東京都港区,三\n", 2, Some(AreaCode), malformed("三")),
        ("219,東京都港区,3.5\n", 2, Some(AreaCode), malformed("3.5")),
        ("219,東京都港区,00\n", 2, Some(AreaCode), malformed("0")),
        (
            "219,東京都港区,3\n219,東京都北区,3\n",
            3,
            Some(Zone),
            Problem::Contradiction("219".into()),
        ),
        ("219,\"東京都港区,3\n", 2, None, Problem::Quote),
        ("", 1, None, Problem::Empty),
    ] {
        let error = Table::import(format!("{header}{rows}").as_bytes()).unwrap_err();
        assert_eq!(
            (error.row, error.column, error.problem),
            (row, column, problem),
            "{rows}"
        );
    }
    assert_eq!(
        Table::import(b"a,b\n1,2\n").unwrap_err().problem,
        Problem::NoHeader
    );
    assert_eq!(Table::import(b"\x81").unwrap_err().problem, Problem::Encoding);
    let error = Table::import(format!("{header}219,東京都港,3\n").as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 2, column 番号区画: cannot read \"東京都港\""
    );
}

#[test]
fn official_numbers() {
    let header = "番号区画コード,番号,市外局番,市内局番,事業者,使用状況,備考\n";
    let mut table = Table::import(AREAS.as_bytes()).unwrap();
    let before = table.clone();
    for (rows, row, column) in [
        // A good row, then a bad one: nothing is added.
        (
            "219,032340,03,2340,A,使用中,\n219,032341,03,2342,A,使用中,\n",
            3,
            Column::LocalCode,
        ),
        ("219,32340,3,234,A,使用中,\n", 2, Column::LocalCode),
        ("219,3234,3,234,A,使用中,\n", 2, Column::Head),
        ("254,048640,048,640,A,使用中,\n", 2, Column::Zone),
        (
            "219,032340,03,2340,A,使用中,\n257-2,032340,03,2340,A,使用中,\n",
            3,
            Column::Head,
        ),
    ] {
        let error = table
            .import_numbers(format!("{header}{rows}").as_bytes())
            .unwrap_err();
        assert_eq!((error.row, error.column), (row, Some(column)), "{rows}");
        assert_eq!(table, before);
    }
    // Leading zeros lost to decimal fractions; notes without a row.
    let rows = "219,32340.0,3.0,2340.0,A,使用中,x\n257-2.0,048520,048,520,,空き,\n,,,,,,（注）\n";
    table
        .import_numbers(format!("{header}{rows}").as_bytes())
        .unwrap();
    assert_eq!(table.zones("03-2340-1234".parse().unwrap()), [zone("219")]);
    assert_eq!(table.zones("048-520-1234".parse().unwrap()), [zone("257-2")]);
}

proptest! {
    /// Whatever is typed or uploaded gets an answer, and an address of 埼玉県 never one that allows 03.
    #[test]
    fn any_text_and_any_file(town in "[所沢市大字郡区町村一十丁目0-9０-９ヶ-]{0,12}|\\PC{0,20}", file in vec(any::<u8>(), 0..200)) {
        let table = Table::shipped();
        let _ = table.judge(&town, &[zone("219")]);
        let address = format!("埼玉県{town}");
        prop_assert!(matches!(table.judge(&address, &[zone("219")]), Verdict::Denied(_)), "{}", address);
        let header = "番号区画コード,番号区画,市外局番\n".as_bytes();
        let _ = Table::import(&[header, &file].concat());
        let _ = Table::shipped().import_numbers(&file);
    }

    /// A row of words that the grammar knows is read or refused by its place, and nothing in between.
    #[test]
    fn any_wording(text in "(東京都|埼玉県|港区|三鷹市|（|）|中原|一丁目|に限る。|を除く。|、|及び|の一部|ほか){0,10}") {
        let file = format!("番号区画コード,番号区画,市外局番\n219,{text},3\n");
        if let Err(error) = Table::import(file.as_bytes()) {
            prop_assert_eq!((error.row, error.column), (2, Some(Column::Places)));
        }
    }
}

#[test]
fn codes() {
    for good in ["1", "219", "257-2", "582"] {
        assert_eq!(zone(good).to_string(), good);
    }
    for bad in [
        "",
        "0",
        "2190",
        "257-",
        "-2",
        "257-2-1",
        "257-0",
        "２１９",
        "a",
        "+1",
    ] {
        assert!(bad.parse::<Zone>().is_err(), "{bad}");
    }
}
