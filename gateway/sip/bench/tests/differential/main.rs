//! Our core beside other parsers, on the messages of its own tests and on thousands of made and changed ones.
//!
//! The judge is the grammar of RFC 3261 (`referee.rs`): what we refuse is outside of it, and of what is within we take every
//! message and read the values that the grammar gives. What we take beyond it, and where others differ from us within it, is told
//! class by class in `differences.rs`.

mod corpus;
mod differences;
mod referee;

use std::collections::BTreeMap;

use differences::{DIFFERENCES, Difference, LENIENT, Where};
use referee::Part;
use regex::bytes::Regex;
use sip::{Fault, Message};
use sip_bench::read::{self, Unread};

/// Messages of each kind.
const COUNT: usize = 10_000;
const SEED: u64 = 1;

/// As [`read::Values`], for keeping.
#[derive(Clone, Debug, PartialEq)]
struct Values {
    status: Option<u16>,
    branch: Option<Vec<u8>>,
    from_tag: Option<Vec<u8>>,
    to_tag: Option<Vec<u8>>,
    call_id: Vec<u8>,
    cseq: u32,
    max_forwards: Option<u32>,
    body: Vec<u8>,
}

impl Values {
    fn of(values: read::Values<'_>) -> Values {
        let own = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
        Values {
            status: values.status,
            branch: own(values.branch),
            from_tag: own(values.from_tag),
            to_tag: own(values.to_tag),
            call_id: values.call_id.to_vec(),
            cseq: values.cseq,
            max_forwards: values.max_forwards,
            body: values.body.to_vec(),
        }
    }

    /// Which of them are not the other's.
    fn differing(&self, other: &Values) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut compare = |name, same: bool| {
            if !same {
                names.push(name);
            }
        };
        compare("status", self.status == other.status);
        compare("branch", self.branch == other.branch);
        compare("from tag", self.from_tag == other.from_tag);
        compare("to tag", self.to_tag == other.to_tag);
        compare("call-id", self.call_id == other.call_id);
        compare("cseq", self.cseq == other.cseq);
        compare("max-forwards", self.max_forwards == other.max_forwards);
        compare("body", self.body == other.body);
        names
    }
}

type Reader = fn(&[u8]) -> Result<Values, Unread>;
const OTHERS: [(&str, Reader); 3] = [
    ("rsip", |bytes| read::rsip(bytes, Values::of)),
    ("rsipstack", |bytes| read::rsipstack(bytes, Values::of)),
    ("ezk", |bytes| read::ezk(bytes, Values::of)),
];

/// True where the referee finds outside the grammar what the fault names.
fn agrees(fault: Fault, outside: &[Part]) -> bool {
    let found = |part| outside.contains(&part);
    match fault {
        Fault::KeepAlive | Fault::NotSip | Fault::StartLine | Fault::Version => {
            found(Part::StartLine) || found(Part::Version)
        }
        Fault::Truncated => found(Part::End),
        Fault::Line => found(Part::Line) || found(Part::StartLine),
        Fault::Missing(name) => found(Part::Missing(name.as_str())),
        Fault::Repeated(name) => found(Part::Repeated(name.as_str())),
        Fault::Malformed(name) => found(Part::Value(name.as_str())),
        Fault::ContentLength => found(Part::Length),
        Fault::MethodMismatch => found(Part::Method),
        // Limits, and what is asked of a message only after it was taken.
        Fault::TooLarge | Fault::TooManyHeaders | Fault::Scheme | Fault::TooManyHops | Fault::Extension => {
            false
        }
    }
}

#[test]
fn every_difference_is_of_a_class() {
    let shows: Vec<_> = DIFFERENCES
        .iter()
        .map(|class| {
            let pattern = class.shows.trim_start_matches('!');
            Regex::new(&format!("(?s-u){pattern}")).expect(pattern)
        })
        .collect();
    let known = corpus::known();
    let mut random = corpus::Random(SEED);
    let cases = corpus::generated(&mut random, COUNT)
        .into_iter()
        .chain(corpus::changed(&mut random, &known, COUNT));
    let cases: Vec<_> = cases.chain(known).collect();

    // What is of no class, with an example; and how many are of each.
    let mut unpinned: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut lenient = [0usize; LENIENT.len()];
    let mut different = vec![0usize; DIFFERENCES.len()];
    let (mut taken, mut within) = (0, 0);
    for case in &cases {
        let mut complain = |what: String| {
            let example = || format!("{}: {}", case.name, case.bytes.escape_ascii());
            unpinned.entry(what).or_insert_with(|| (0, example())).0 += 1;
        };
        let reading = referee::read(&case.bytes);
        let ours = match read::ours(&case.bytes, Values::of) {
            Ok(ours) => ours,
            Err(_) => {
                let fault = Message::parse_datagram(&case.bytes)
                    .err()
                    .map(|rejected| rejected.fault);
                if fault.is_none_or(|fault| !agrees(fault, &reading.outside)) {
                    complain(format!("we refuse it for {fault:?}, which the grammar does not"));
                }
                continue;
            }
        };
        taken += 1;
        let Some(right) = reading.values else {
            for part in reading.outside {
                match LENIENT.iter().position(|(lenient, ..)| *lenient == part) {
                    Some(class) => lenient[class] += 1,
                    None => complain(format!("we take it, with {part:?} outside the grammar")),
                }
            }
            continue;
        };
        within += 1;
        // What it shows, it shows before the body.
        let end = case.bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let head = &case.bytes[..end.map_or(case.bytes.len(), |end| end + 4)];
        for name in ours.differing(&right) {
            complain(format!("we read another {name} than the grammar gives"));
        }
        for (whose, other) in OTHERS {
            let places = match other(&case.bytes) {
                Err(unread) => vec![Where::Refuses(unread)],
                Ok(theirs) => theirs.differing(&right).into_iter().map(Where::Reads).collect(),
            };
            for place in places {
                let mut classes = DIFFERENCES.iter().zip(&shows);
                let class = classes.position(|(class, shows)| {
                    let shown = || shows.is_match(head) != class.shows.starts_with('!');
                    class.whose == whose && class.places.contains(&place) && shown()
                });
                match class {
                    Some(class) => different[class] += 1,
                    None => complain(format!("{whose} {place:?}")),
                }
            }
        }
    }

    println!(
        "{} messages, {taken} taken, {within} of them within the grammar",
        cases.len()
    );
    for ((part, rfc, why), count) in LENIENT.iter().zip(lenient) {
        println!("{count:6} we take {part:?} outside the grammar: {rfc}: {why}");
    }
    for (class, count) in DIFFERENCES.iter().zip(&different) {
        let Difference {
            whose,
            places,
            rfc,
            why,
            ..
        } = class;
        println!("{count:6} {whose} {places:?}: {rfc}: {why}");
    }
    assert!(unpinned.is_empty(), "of no class: {unpinned:#?}");
    for ((part, ..), count) in LENIENT.iter().zip(lenient) {
        assert!(count > 0, "nothing is of the class {part:?}");
    }
    for (class, count) in DIFFERENCES.iter().zip(different) {
        assert!(
            count > 0,
            "nothing is of the class {}: {}",
            class.whose,
            class.why
        );
    }
    assert!(within > 4_000, "{within} within the grammar");
}
