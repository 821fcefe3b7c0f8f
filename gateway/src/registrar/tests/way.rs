//! What lies between phone and box, which of its flows a phone uses, and its own name.

use super::*;
use sip::b2bua::ROUTE_MAX;

const INSTANCE: &str = "+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";

/// A phone whose REGISTERs have these further lines, on a connection of this number; 0: datagrams.
fn phone(id: u16, host: u8, stream: u16, contact: &str, lines: &str) -> Phone {
    let mut phone = Phone::new(id, host);
    phone.contact = contact.into();
    phone.agent += lines;
    if stream > 0 {
        (phone.flow.transport, phone.flow.stream) = (Transport::Tcp, stream);
    }
    phone
}

/// (stream, Contact's parameters, further lines, status, Require, Flow-Timer): RFC 5626 §6.
#[test]
fn outbound_is_granted_where_the_first_hop_keeps_the_flow() {
    let proxy = "Via: SIP/2.0/UDP 192.0.2.90;branch=z9hG4bKp\r\n";
    let supported = "Supported: outbound, path\r\n";
    let path = "Path: <sip:x@192.0.2.91;lr>, <sip:y@192.0.2.90;lr;ob>\r\n";
    let blind = "Path: <sip:x@192.0.2.91;lr;ob>, <sip:y@192.0.2.90;lr>\r\n";
    let both = format!("{INSTANCE};reg-id=1");
    let table = [
        (
            1,
            &*both,
            supported.to_string(),
            200,
            Some("outbound"),
            Some("120"),
        ),
        // Over datagrams the box keeps nothing open: a registration as any other.
        (0, &both, supported.into(), 200, None, None),
        (1, &both, "Supported: path\r\n".into(), 200, None, None),
        (1, "reg-id=1", supported.into(), 200, None, None),
        (1, INSTANCE, supported.into(), 200, None, None),
        (1, &both, format!("{supported}{proxy}"), 439, None, None),
        (
            1,
            &both,
            "Require: outbound\r\n".into(),
            200,
            Some("outbound"),
            Some("120"),
        ),
        (1, &both, "Require: outbound, magic\r\n".into(), 420, None, None),
        (
            1,
            &both,
            format!("{supported}{proxy}{path}"),
            200,
            Some("outbound"),
            None,
        ),
        (1, &both, format!("{supported}{proxy}{blind}"), 439, None, None),
    ];
    for (row, (stream, params, lines, status, require, timer)) in table.into_iter().enumerate() {
        if lines.contains("Path: ") && ROUTE_MAX == 0 {
            continue;
        }
        let mut office = Office::new(8, 1);
        let contact = format!("<sip:p@192.0.2.11:5062;ob>;{params}");
        let mut phone = phone(1, 11, stream, &contact, &lines);
        let answer = phone.register(&mut office, at(0));
        assert_eq!(answer.status, status, "row {row}: {}", answer.text);
        assert_eq!(
            (answer.header("Require"), answer.header("Flow-Timer")),
            (require, timer),
            "row {row}"
        );
        if status == 420 {
            assert_eq!(answer.header("Unsupported"), Some("magic"));
        }
        if status == 200 {
            // What it said of itself is said back: it knows its own contact by it.
            let said = answer.header("Contact").unwrap();
            assert!(
                params.split(';').all(|param| said.contains(param)),
                "row {row}: {said}"
            );
        }
    }
    // Two flows in one request make no sense.
    let mut office = Office::new(8, 1);
    let two = format!("<sip:p@192.0.2.11>;{both}, <sip:p@192.0.2.12>;{both}");
    let mut phone = phone(1, 11, 1, &two, supported);
    assert_eq!(phone.register(&mut office, at(0)).status, 400);
}

/// RFC 5626 §5.3: a phone with two flows rings once, on the flow it registered last; on the other when that one is gone.
#[test]
fn a_phone_with_two_flows_rings_once() {
    let mut office = Office::new(8, 1);
    let register = |office: &mut Office, id, stream, now, contact: &str| {
        let mut phone = phone(id, 11, stream, contact, "Supported: outbound\r\n");
        phone.call_id = format!("{stream}");
        assert_eq!(phone.register(office, at(now)).status, 200);
        phone.flow
    };
    let first = register(
        &mut office,
        1,
        1,
        0,
        &format!("<sip:p@192.0.2.11>;{INSTANCE};reg-id=1"),
    );
    let second = register(
        &mut office,
        1,
        2,
        100,
        &format!("<sip:p@192.0.2.11>;{INSTANCE};reg-id=2"),
    );
    let other = register(
        &mut office,
        2,
        3,
        100,
        &format!("<sip:p@192.0.2.11>;{INSTANCE};reg-id=1"),
    );
    let targets = |office: &Office| {
        office
            .registrar
            .targets(None)
            .map(Binding::flow)
            .collect::<Vec<_>>()
    };
    assert_eq!(office.contacts(1).len(), 2);
    assert_eq!(
        targets(&office),
        [second, other],
        "the same device under another ID is another phone"
    );
    office.registrar.drop_flow(&second);
    assert_eq!(targets(&office), [first, other]);
    // The same flow again, on a new connection, takes its own place.
    let third = register(
        &mut office,
        1,
        4,
        200,
        &format!("<sip:p@192.0.2.11>;{INSTANCE};reg-id=1"),
    );
    assert_eq!(office.contacts(1).len(), 1);
    assert_eq!(targets(&office), [third, other]);
    // Phones that do not say who they are all ring.
    let mut office = Office::new(8, 1);
    for host in [11, 12] {
        Phone::new(1, host).register(&mut office, at(0));
    }
    assert_eq!(office.registrar.targets(None).count(), 2);
}

/// RFC 5627: whoever supports it gets a name of its own, always the same.
#[test]
fn a_gruu_reaches_one_phone() {
    let mut office = Office::new(8, 1);
    let mut named = phone(
        1,
        11,
        0,
        &format!("<sip:p@192.0.2.11>;{INSTANCE}"),
        "Supported: gruu\r\n",
    );
    let mut plain = phone(1, 12, 0, "<sip:p@192.0.2.12>", "Supported: gruu\r\n");
    let gruus = |answer: &Answer| {
        let lines = answer.headers("Contact").into_iter();
        let gruu = |line: &str| Some(line.split_once("pub-gruu=\"")?.1.split_once('"')?.0.to_string());
        lines.filter_map(gruu).collect::<Vec<_>>()
    };
    let first = gruus(&named.register(&mut office, at(0)));
    let [gruu] = &first[..] else { panic!("{first:?}") };
    assert!(gruu.starts_with("sip:0312340001@office.example;gr="), "{gruu}");
    // Told to another phone of the ID too; one that says nothing of itself has none.
    let answer = plain.register(&mut office, at(1));
    assert_eq!(
        (answer.headers("Contact").len(), gruus(&answer)),
        (2, first.clone())
    );
    // Not to one that did not ask.
    let mut silent = phone(1, 12, 0, "<sip:p@192.0.2.12>", "");
    silent.call_id = plain.call_id.clone();
    assert!(gruus(&silent.register(&mut office, at(2))).is_empty());
    // The same after a restart, and from elsewhere.
    let mut moved = Office::new(8, 2);
    named.flow.peer.set_port(9);
    assert_eq!(gruus(&named.register(&mut moved, at(9))), first);

    let uri = |text: &str| gruu_of(text);
    let reached = |gruu| {
        office
            .registrar
            .targets(gruu)
            .map(|b| b.contact().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(reached(uri(gruu)), [b"sip:p@192.0.2.11".to_vec()]);
    assert_eq!(reached(uri("sip:0312340001@office.example")).len(), 2);
    for nobody in [
        "gr",
        "gr=",
        "gr=x",
        "gr=00000000000000",
        "gr=00000000000001",
        "gr=ffffffffffffffff",
    ] {
        let nobody = format!("sip:0312340001@office.example;{nobody}");
        assert!(
            uri(&nobody).is_some() && reached(uri(&nobody)).is_empty(),
            "{nobody}"
        );
    }
}

fn gruu_of(uri: &str) -> Option<NonZeroU64> {
    gruu(&Uri::parse(uri.as_bytes()).unwrap())
}

/// (further lines, status, Route for the phone): RFC 3327 §5.3.
#[test]
fn a_path_is_kept_and_given_back() {
    let long = format!("Path: <sip:{}@192.0.2.90;lr>\r\n", "x".repeat(90));
    let table: [(&str, u16, &str); 8] = [
        ("", 200, ""),
        (
            "Supported: path\r\nPath: <sip:tok@192.0.2.90;lr>\r\n",
            200,
            "<sip:tok@192.0.2.90;lr>",
        ),
        (
            "Supported: path\r\nPath: <sip:a@192.0.2.91;lr>\r\nPath: <sip:b@192.0.2.90;lr>\r\n",
            200,
            "<sip:a@192.0.2.91;lr>, <sip:b@192.0.2.90;lr>",
        ),
        ("Path: <sip:tok@192.0.2.90;lr>\r\n", 420, ""),
        ("Supported: path\r\nPath: <sip:tok@192.0.2.90>\r\n", 400, ""),
        ("Supported: path\r\nPath: nonsense\r\n", 400, ""),
        ("Supported: path\r\nPath: <tel:1;lr>\r\n", 400, ""),
        (&format!("Supported: path\r\n{long}"), 400, ""),
    ];
    for (lines, status, route) in table {
        let mut office = Office::new(8, 1);
        let mut phone = phone(1, 11, 0, "<sip:p@10.0.0.9:5062>", lines);
        let answer = phone.register(&mut office, at(0));
        if ROUTE_MAX == 0 && lines.contains("Path") {
            assert_eq!((answer.status, answer.header("Unsupported")), (420, Some("path")));
            continue;
        }
        assert_eq!(answer.status, status, "{lines}");
        if status == 420 {
            assert_eq!(answer.header("Unsupported"), Some("path"));
        }
        if status != 200 {
            assert_eq!(office.registrar.iter().count(), 0, "{lines}");
            continue;
        }
        assert_eq!(answer.headers("Path").join(", "), route);
        let binding = office.registrar.of(key(1)).next().unwrap();
        assert_eq!(
            (binding.contact(), binding.path()),
            (&b"sip:p@10.0.0.9:5062"[..], route.as_bytes())
        );
        // Flash keeps it too.
        let mut bytes = [0; STORED_MAX];
        let bytes = office.registrar.store(0, &mut bytes).unwrap().to_vec();
        let mut later = Office::new(8, 2);
        assert!(later.registrar.restore(at(0), 0, &bytes, |_| true));
        let restored = later.registrar.of(key(1)).next().unwrap();
        assert_eq!(
            (restored.contact(), restored.path()),
            (&b"sip:p@10.0.0.9:5062"[..], route.as_bytes())
        );
    }
}
