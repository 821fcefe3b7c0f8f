//! The documents of event packages: byte by byte, and read by an XML parser of others with the rules of the schema of RFC 4235
//! §4.4, written out here once more.

use proptest::prelude::*;
use roxmltree::{Document, Node};
use sip::Message;
use sip::events::dialog_info::{Dialog, DialogId, DialogInfo, Direction, Scope, State};
use sip::events::summary::{Count, Summary};
use sip::events::{Event, SubscriptionState};
use sip::header::Name;
use sip::refer::{REPLACES_MAX, ReferTo, ReferredBy, Replaces};
use std::path::Path;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:dialog-info";

type Lamp<'a> = Dialog<&'a str, &'a str>;

fn ringing() -> Lamp<'static> {
    Dialog {
        id: 0x1a,
        ids: Some(DialogId {
            call_id: "c&1",
            local_tag: "l",
            remote_tag: "r",
        }),
        direction: Some(Direction::Recipient),
        state: State::Early,
        remote: Some("sip:202@office.example"),
    }
}

fn document(version: u32, scope: Scope, entity: &str, dialogs: &[Lamp<'_>]) -> String {
    let dialogs = dialogs.iter().copied();
    DialogInfo {
        version,
        scope,
        entity,
        dialogs,
    }
    .to_string()
}

#[test]
fn byte_by_byte() {
    let talking = Dialog {
        id: 2,
        ids: None,
        direction: Some(Direction::Initiator),
        state: State::Confirmed,
        remote: None,
    };
    let got = document(7, Scope::Full, "sip:201@office.example", &[ringing(), talking]);
    let want = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"7\" state=\"full\" \
        entity=\"sip:201@office.example\">\n\
        <dialog id=\"1a\" call-id=\"c&amp;1\" local-tag=\"l\" remote-tag=\"r\" direction=\"recipient\">\n\
        <state>early</state>\n\
        <remote>\n\
        <identity>sip:202@office.example</identity>\n\
        <target uri=\"sip:202@office.example\"/>\n\
        </remote>\n\
        </dialog>\n\
        <dialog id=\"2\" direction=\"initiator\">\n\
        <state>confirmed</state>\n\
        </dialog>\n\
        </dialog-info>\n";
    assert_eq!(got, want);
    let got = document(0, Scope::Partial, "sip:201@office.example", &[]);
    assert!(got.contains("version=\"0\" state=\"partial\""), "{got}");
}

#[test]
fn summaries_byte_by_byte() {
    let account = "sip:201@office.example";
    let summary = |voice| Summary { account, voice }.to_string();
    let count = |new, old| Count {
        new,
        old,
        ..Count::default()
    };
    // RFC 3842 §5.2: nothing but the first two lines where no count is known.
    assert_eq!(
        summary(None),
        "Messages-Waiting: no\r\nMessage-Account: sip:201@office.example\r\n"
    );
    let table = [
        (count(0, 0), "no", "0/0 (0/0)"),
        (count(0, 8), "no", "0/8 (0/0)"),
        (count(2, 8), "yes", "2/8 (0/0)"),
        (
            Count {
                urgent_new: 1,
                urgent_old: 3,
                ..count(2, 8)
            },
            "yes",
            "2/8 (1/3)",
        ),
    ];
    for (count, waiting, line) in table {
        let want =
            format!("Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {line}\r\n");
        assert_eq!(summary(Some(count)), want);
    }
}

fn names<'a>(node: Node<'a, '_>) -> Vec<&'a str> {
    let own = |name: &str| node.tag_name().namespace() == Some(NAMESPACE) && !name.is_empty();
    assert!(own(node.tag_name().name()), "{node:?}");
    node.children()
        .filter(Node::is_element)
        .map(|child| child.tag_name().name())
        .collect()
}

/// The children that a sequence of optional elements, each at most once, allows.
fn sequence(node: Node<'_, '_>, allowed: &[&str]) {
    let mut rest = allowed.iter();
    for name in names(node) {
        assert!(rest.any(|next| *next == name), "{name} in {node:?}");
    }
}

fn attributes(node: Node<'_, '_>, required: &[&str], optional: &[&str]) {
    for name in required {
        assert!(node.has_attribute(*name), "{name} in {node:?}");
    }
    for attribute in node.attributes() {
        let name = attribute.name();
        assert!(
            required.contains(&name) || optional.contains(&name),
            "{name} in {node:?}"
        );
    }
}

/// RFC 4235 §4.4, as far as it is used.
fn check(text: &str) -> Document<'_> {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "dialog-info");
    attributes(root, &["version", "state", "entity"], &[]);
    assert!(root.attribute("version").unwrap().parse::<u32>().is_ok());
    assert!(["full", "partial"].contains(&root.attribute("state").unwrap()));
    let mut seen = Vec::new();
    for dialog in root.children().filter(Node::is_element) {
        assert_eq!(dialog.tag_name().name(), "dialog");
        attributes(
            dialog,
            &["id"],
            &["call-id", "local-tag", "remote-tag", "direction"],
        );
        let id = dialog.attribute("id").unwrap();
        assert!(!seen.contains(&id), "{id} twice");
        seen.push(id);
        let direction = dialog.attribute("direction").unwrap_or("initiator");
        assert!(["initiator", "recipient"].contains(&direction));
        assert_eq!(names(dialog).first(), Some(&"state"));
        sequence(
            dialog,
            &[
                "state",
                "duration",
                "replaces",
                "referred-by",
                "route-set",
                "local",
                "remote",
            ],
        );
        for part in dialog.children().filter(Node::is_element) {
            match part.tag_name().name() {
                "state" => {
                    attributes(part, &[], &["event", "code"]);
                    let states = ["trying", "proceeding", "early", "confirmed", "terminated"];
                    assert!(states.contains(&part.text().unwrap()));
                }
                _ => {
                    attributes(part, &[], &[]);
                    sequence(part, &["identity", "target", "session-description", "cseq"]);
                    for target in part
                        .children()
                        .filter(|node| node.has_tag_name((NAMESPACE, "target")))
                    {
                        attributes(target, &["uri"], &[]);
                    }
                }
            }
        }
    }
    document
}

proptest! {
    /// Whatever a name or a number is, the document is one, and says just that.
    #[test]
    fn anything_is_a_document(
        version in any::<u32>(),
        state in 0usize..5,
        texts in proptest::collection::vec(any::<String>(), 5..6),
    ) {
        let state = [State::Trying, State::Proceeding, State::Early, State::Confirmed, State::Terminated][state];
        let [entity, call_id, local_tag, remote_tag, uri] = [0, 1, 2, 3, 4].map(|n| texts[n].as_str());
        let dialog = Dialog {
            id: version,
            ids: Some(DialogId { call_id, local_tag, remote_tag }),
            direction: None,
            state,
            remote: Some(uri),
        };
        let text = document(version, Scope::Partial, entity, &[dialog, ringing()][..1 + usize::from(version != 0x1a)]);
        let document = check(&text);
        let root = document.root_element();
        let plain = |text: &str| {
            let allowed = |c: char| if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c };
            text.chars().map(allowed).collect::<String>()
        };
        prop_assert_eq!(root.attribute("entity").map(str::to_owned), Some(plain(entity)));
        let dialog = root.first_element_child().unwrap();
        for (name, want) in [("call-id", call_id), ("local-tag", local_tag), ("remote-tag", remote_tag)] {
            prop_assert_eq!(dialog.attribute(name).map(str::to_owned), Some(plain(want)));
        }
        let remote = dialog.last_element_child().unwrap();
        prop_assert_eq!(remote.first_element_child().unwrap().text().unwrap_or_default(), plain(uri));
    }
}

/// What telephones and servers say of events and transfers, as it is read: file, header, and what is in it.
#[test]
fn of_the_field() {
    type Read = fn(&[u8]) -> String;
    let event: Read = |value| {
        let event = Event::parse(value).unwrap();
        let id = event.id.map(String::from_utf8_lossy);
        format!("{} {id:?}", String::from_utf8_lossy(event.package))
    };
    let state: Read = |value| SubscriptionState::parse(value).unwrap().to_string();
    let refer: Read = |value| {
        let to = ReferTo::parse(value).unwrap();
        let mut out = [0; REPLACES_MAX];
        let replaces = to
            .replaces(&mut out)
            .unwrap()
            .map(|r| [r.call_id, r.to_tag, r.from_tag]);
        let replaces = replaces.map(|r| r.map(|text| String::from_utf8_lossy(text).into_owned()));
        format!("{} {:?}", String::from_utf8_lossy(to.uri.user.unwrap()), replaces)
    };
    let by: Read =
        |value| String::from_utf8_lossy(ReferredBy::parse(value).unwrap().address.uri).into_owned();
    let table: [(&str, Name, Read, &str); 12] = [
        (
            "grandstream-gxp-subscribe-dialog",
            Name::Event,
            event,
            "dialog None",
        ),
        ("snom-subscribe-line", Name::Event, event, "dialog None"),
        (
            "panasonic-subscribe-mwi",
            Name::Event,
            event,
            "message-summary None",
        ),
        (
            "pjsip-subscribe-presence",
            Name::Event,
            event,
            "presence Some(\"a1\")",
        ),
        ("notify-check-sync", Name::Event, event, "check-sync None"),
        (
            "asterisk-notify-dialog",
            Name::SubscriptionState,
            state,
            "active;expires=3599",
        ),
        (
            "baresip-sipfrag-notify",
            Name::SubscriptionState,
            state,
            "terminated;reason=noresource",
        ),
        ("grandstream-gxp-refer-blind", Name::ReferTo, refer, "203 None"),
        (
            "grandstream-gxp-refer-blind",
            Name::ReferredBy,
            by,
            "sip:201@192.168.77.1",
        ),
        (
            "baresip-refer-attended",
            Name::ReferTo,
            refer,
            "203 Some([\"99aa88bb77cc66dd\", \"0000000e\", \"1f2e3d4c\"])",
        ),
        (
            "baresip-refer-attended",
            Name::ReferredBy,
            by,
            "sip:221@192.168.77.1",
        ),
        (
            "invite-replaces",
            Name::Replaces,
            |value| format!("{:?}", Replaces::parse(value).map(|r| r.early_only)),
            "Some(true)",
        ),
    ];
    for (file, name, read, want) in table {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/field/{file}.sip"));
        let bytes = std::fs::read(path).unwrap();
        let message = Message::parse_datagram(&bytes).unwrap();
        assert_eq!(read(message.header(name).unwrap()), want, "{file}");
    }
}
