//! The messages that are read by all: those of the core's own tests, generated ones, and changed ones.

use std::fs;
use std::path::Path;

/// A message, and where it comes from.
pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Numbers that are the same in every run (SplitMix64).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// The messages that the core's own tests judge one by one.
pub fn known() -> Vec<Case> {
    let folders =
        ["rfc4475", "field"].map(|folder| format!("{}/../tests/{folder}", env!("CARGO_MANIFEST_DIR")));
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(Path::new(folder)).expect(folder));
    let mut cases: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|kind| kind == "dat" || kind == "sip")
        })
        .map(|path| Case {
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            bytes: fs::read(path).expect("a message"),
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 150, "{} messages", cases.len());
    cases
}

/// What a message is made of, right and wrong; the first of each is as most write it.
const START: [&str; 25] = [
    "INVITE sip:bob@biloxi.example SIP/2.0",
    "INVITE sips:bob@biloxi.example:5061;transport=tls SIP/2.0",
    "INVITE sip:biloxi.example SIP/2.0",
    "INVITE sip:bob:secret@192.0.2.4;lr SIP/2.0",
    "INVITE sip:bob@[2001:db8::4]:5060 SIP/2.0",
    "INVITE tel:+81312340001 SIP/2.0",
    "INVITE tel:0001;phone-context=+81 SIP/2.0",
    "INVITE sip:%62ob@biloxi.example SIP/2.0",
    "INVITE sip:bob;x=y@biloxi.example SIP/2.0",
    "INVITE sip:bob@biloxi.example;user=phone SIP/2.0",
    "INVITE sip:bob@biloxi.example;flag;n=v SIP/2.0",
    "INVITE sip:bob@biloxi.example;a:b SIP/2.0",
    "INVITE im:bob@biloxi.example SIP/2.0",
    "INVITE sip:bob@biloxi.example?Subject=x SIP/2.0",
    "INVITE sip:bob@biloxi.example  SIP/2.0",
    "INVITE  sip:bob@biloxi.example SIP/2.0",
    "INVITE sip:bob@biloxi.example SIP/2.0 ",
    "INVITE <sip:bob@biloxi.example> SIP/2.0",
    "INVITE sip:bob@biloxi.example SIP/3.0",
    "INVITE sip:bob@biloxi.example sip/2.0",
    "INVITE sip:bob@biloxi.example:99999 SIP/2.0",
    "INVITE sip:@biloxi.example SIP/2.0",
    "INVITE sip:bob@ SIP/2.0",
    "INVITE sip:bob@bi loxi.example SIP/2.0",
    "INVITE sip:bob@192.0.2.400 SIP/2.0",
];
const STATUS: [&str; 9] = [
    "SIP/2.0 200 OK",
    "SIP/2.0 200 ",
    "SIP/2.0 200",
    "SIP/2.0 599 \u{E9}trange",
    "SIP/2.0 299 Fine",
    "SIP/2.0 700 No",
    "SIP/2.0 099 No",
    "SIP/2.0 20 No",
    "SIP/3.0 200 OK",
];
const VIA: [&str; 25] = [
    "Via: SIP/2.0/UDP pc33.atlanta.example:5060;branch=z9hG4bK776asdhds",
    "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1;rport",
    "Via: SIP/2.0/TLS [2001:db8::1]:5061;received=2001:db8::2;branch=z9hG4bK2",
    "v: SIP/2.0/UDP h;branch=z9hG4bK3",
    "VIA: SIP/2.0/UDP h;branch=z9hG4bK4",
    "Via : SIP/2.0/UDP h;branch=z9hG4bK5",
    "Via:SIP/2.0/UDP h;branch=z9hG4bK6",
    "Via: SIP/2.0/UDP h ; branch = z9hG4bK7",
    "Via: SIP / 2.0 / UDP h : 5060;branch=z9hG4bK8",
    "Via: SIP/2.0/UDP h: 5060;branch=z9hG4bKn",
    "Via: SIP/2.0/UDP h;branch=z9hG4bK9, SIP/2.0/TCP i;branch=z9hG4bKa",
    "Via: SIP/2.0/UDP h;branch=z9hG4bKb\r\nVia: SIP/2.0/UDP i;branch=z9hG4bKc",
    "Via: SIP/2.0/UDP h\r\n ;branch=z9hG4bKd",
    "Via: SIP/2.0/UDP h;ttl=4;maddr=224.0.0.1;branch=z9hG4bKe",
    "Via: SIP/2.0/FOO h;branch=z9hG4bKf",
    "Via: SIP/2.0/UDP h;branch=\"z9hG4bKg\"",
    "Via: SIP/2.0/UDP h",
    "Via: SIP/1.0/UDP h;branch=z9hG4bKh",
    "Via: SIP/2.0/UDP",
    "Via: SIP/2.0/UDP h;;branch=z9hG4bKi",
    "Via: SIP/2.0/UDP h;branch=",
    "Via: SIP/2.0/UDP h:99999;branch=z9hG4bKj",
    "Via: SIP/2.0/UDP h i;branch=z9hG4bKk",
    "Via: SIP/2.0/UDP h;branch=z9hG4bKl;branch=z9hG4bKm",
    "X: y",
];
const FROM: [&str; 27] = [
    "From: Alice <sip:alice@atlanta.example>;tag=1928301774",
    "From: \"Alice\" <sip:alice@atlanta.example>;tag=a1",
    "From: <sip:alice@atlanta.example>;tag=a2",
    "From: sip:alice@atlanta.example;tag=a3",
    "f: <sip:alice@atlanta.example>;tag=a4",
    "From: \"Alice <ext 10>\" <sip:alice@atlanta.example>;tag=a5",
    "From: \"A \\\"B\\\" C\" <sip:alice@atlanta.example>;tag=a6",
    "From: \"A;tag=no\" <sip:alice@atlanta.example>;tag=a7",
    "From: \u{53D7}\u{4ED8} <sip:alice@atlanta.example>;tag=a8",
    "From: \"\u{53D7}\u{4ED8}\" <sip:alice@atlanta.example>;tag=a9",
    "From: <sip:alice@atlanta.example> ; tag = b1",
    "From: <sip:alice@atlanta.example;tag=no>;tag=b2",
    "From: <sip:alice@atlanta.example>;x=\"a;tag=no\";tag=b3",
    "From: <sip:alice@atlanta.example>;TAG=b4",
    "From: <sip:alice@atlanta.example>;tag=b5;tag=b6",
    "From: <sip:alice@atlanta.example>;tag;tag=c7",
    "From: <tel:+81312340001>;tag=b7",
    "From: <sip:alice@[::1]>;tag=b8",
    "From:\r\n <sip:alice@atlanta.example>;tag=b9",
    "From: <sip:alice@atlanta.example>",
    "From: <im:alice@atlanta.example>;tag=c1",
    "From: Alice <sip:alice@atlanta.example;tag=c2",
    "From: \"Alice <sip:alice@atlanta.example>;tag=c3",
    "From: Alice, B <sip:alice@atlanta.example>;tag=c4",
    "From: <sip:alice@atlanta.example>tag=c5",
    "From: < sip:alice@atlanta.example >;tag=c6",
    "From: *",
];
const TO: [&str; 9] = [
    "To: Bob <sip:bob@biloxi.example>",
    "To: <sip:bob@biloxi.example>;tag=314159",
    "t: <sip:bob@biloxi.example>",
    "To: sip:bob@biloxi.example",
    "To: sip:bob@biloxi.example?Subject=x",
    "To: <sip:bob@biloxi.example?Subject=x>",
    "To: <sip:bob@biloxi.example>;tag=",
    "To: <sip:bob@biloxi.example>;tag=1\r\nTo: <sip:carol@biloxi.example>;tag=2",
    "To:",
];
const CALL_ID: [&str; 7] = [
    "Call-ID: a84b4c76e66710",
    "i: a84b4c76e66710@pc33.atlanta.example",
    "Call-ID: <a>:\\\"/[]?{}@b",
    "Call-ID: a84b4c76e66710 ",
    "Call-ID: a b",
    "Call-ID:",
    "Call-ID: a\r\nCall-ID: b",
];
const CSEQ: [&str; 12] = [
    "CSeq: 314159 INVITE",
    "CSeq: 0009 INVITE",
    "CSeq: 1\tINVITE",
    "CSeq: 1\r\n INVITE",
    "CSeq: 2147483647 INVITE",
    "CSeq: 2147483648 INVITE",
    "CSeq: 4294967296 INVITE",
    "CSeq: INVITE",
    "CSeq: 1",
    "CSeq: 1 OPTIONS",
    "CSeq: 1 invite",
    "CSeq: -1 INVITE",
];
const MAX_FORWARDS: [&str; 8] = [
    "Max-Forwards: 70",
    "max-forwards: 0070",
    "X-Nothing: 1",
    "Max-Forwards: 70 ",
    "Max-Forwards: 255",
    "Max-Forwards: 256",
    "Max-Forwards: seventy",
    "Max-Forwards: 70\r\nMax-Forwards: 69",
];
const OTHER: [&str; 15] = [
    "Contact: <sip:alice@pc33.atlanta.example>",
    "m: <sip:alice@pc33.atlanta.example>;expires=60;+sip.instance=\"<urn:uuid:1>\"",
    "Contact: <sip:a@b>, <sip:c@d>",
    "Contact: <sip:a@b",
    "Route: <sip:p1.example;lr>, \"x, y\" <sip:p2.example;lr>",
    "Route: <sip:p_1.example;lr>",
    "Record-Route: <sip:p_1.example;lr>",
    "Subject: a: b; c, \"d",
    "Subject:",
    "Subject: a\r\n b\r\n\tc",
    "Subject: \u{53D7}\u{4ED8}",
    "Folded\r\n: x",
    "No colon",
    "Bad name: x",
    ": x",
];
const LENGTH: [&str; 10] = [
    "Content-Length: 4",
    "l: 4",
    "X-Nothing: 2",
    "Content-Length: 2",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: -4",
    "Content-Length: 4, 4",
    "Content-Length: 4\r\nl: 2",
    "Content-Length:",
];

/// As many messages, each usual but for two places or three.
pub fn generated(random: &mut Random, count: usize) -> Vec<Case> {
    let message = |i| {
        let mut parts = [
            START[0],
            VIA[0],
            MAX_FORWARDS[0],
            FROM[0],
            TO[0],
            CALL_ID[0],
            CSEQ[0],
            OTHER[0],
            LENGTH[0],
        ];
        let choices: [&[&str]; 9] = [
            &START,
            &VIA,
            &MAX_FORWARDS,
            &FROM,
            &TO,
            &CALL_ID,
            &CSEQ,
            &OTHER,
            &LENGTH,
        ];
        if random.below(5) == 0 {
            parts[0] = random.of(&STATUS);
        }
        for _ in 0..2 + random.below(2) {
            let place = random.below(parts.len());
            parts[place] = random.of(choices[place]);
        }
        Case {
            name: format!("generated {i}"),
            bytes: format!("{}\r\n\r\nbody", parts.join("\r\n")).into_bytes(),
        }
    };
    (0..count).map(message).collect()
}

/// As many of `seeds`, each with a place or two changed.
pub fn changed(random: &mut Random, seeds: &[Case], count: usize) -> Vec<Case> {
    const BYTES: &[u8] = b"\r\n \t:;,=\"\\<>@[]%/?*\0\x7F\x83\xFF09aS";
    let message = |_| {
        let seed = &seeds[random.below(seeds.len())];
        let mut bytes = seed.bytes.clone();
        for _ in 0..1 + random.below(2) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 if at < bytes.len() => bytes[at] = random.of(BYTES),
                1 => bytes.insert(at, random.of(BYTES)),
                2 => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
                _ => {
                    let part = bytes[at..(at + random.below(30)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        Case {
            name: format!("{} changed", seed.name),
            bytes,
        }
    };
    (0..count).map(message).collect()
}
