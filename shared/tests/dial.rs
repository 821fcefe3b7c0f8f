//! What dialled digits mean.

mod common;

use common::{key, number, office};
use shared::dial::{Dialled, Privacy, Refusal, dial};
use shared::number::NumberProblem;

fn outside(text: &str, privacy: Privacy) -> Dialled {
    Dialled::Outside {
        number: number(text),
        privacy,
    }
}

#[test]
fn an_emergency_call_is_one_whatever_stands_before_it() {
    for prefix in [None, Some(0), Some(9)] {
        let mut site = office();
        site.sys.outside_prefix = prefix;
        for code in ["110", "118", "119"] {
            for before in ["", "0", "184", "186", "0184", "1840", "1860", "00", "tel:", " "] {
                let text = format!("{before}{code}");
                assert_eq!(
                    dial(&site, &text),
                    Dialled::Emergency(number(code)),
                    "{text}, prefix {prefix:?}"
                );
            }
        }
        let nine = dial(&site, "9119");
        assert_eq!(
            nine == Dialled::Emergency(number("119")),
            prefix == Some(9),
            "{nine:?}"
        );
        assert_eq!(dial(&site, "１１９"), Dialled::Emergency(number("119")));
    }
    // Numbers that only begin so.
    let site = office();
    for text in ["0119123456", "0110123456", "1100", "11"] {
        assert!(!matches!(dial(&site, text), Dialled::Emergency(_)), "{text}");
    }
}

#[test]
fn an_extension_that_begins_with_9_is_one_where_9_is_no_outside_digit() {
    let mut site = office();
    site.ids[0].extension = "9119".parse().unwrap();
    site.validate().unwrap();
    assert_eq!(dial(&site, "9119"), Dialled::Extension(key(0)));
    site.sys.outside_prefix = Some(9);
    assert!(site.validate().is_err(), "and where it is, there can be none");
}

#[test]
fn what_is_dialled_without_an_outside_digit() {
    let mut site = office();
    site.sys.international = true;
    for (text, meaning) in [
        ("201", Dialled::Extension(key(0))),
        ("２０２", Dialled::Extension(key(1))),
        ("0312340003", Dialled::Extension(key(2))),
        ("+81312340001", Dialled::Extension(key(0))),
        ("1840312340001", Dialled::Extension(key(0))),
        ("0312340000", Dialled::Rep(0)),
        ("03-9999-8888", outside("0399998888", Privacy::Default)),
        ("184 03-9999-8888", outside("0399998888", Privacy::Withhold)),
        ("186-03-9999-8888", outside("0399998888", Privacy::Show)),
        ("0184221234", outside("0184221234", Privacy::Default)),
        ("0186221234", outside("0186221234", Privacy::Default)),
        ("184-0184-22-1234", outside("0184221234", Privacy::Withhold)),
        ("010-1-650-555-0100", outside("+16505550100", Privacy::Default)),
        (
            "117",
            Dialled::Service {
                number: number("117"),
                privacy: Privacy::Default,
            },
        ),
        (
            "184117",
            Dialled::Service {
                number: number("117"),
                privacy: Privacy::Withhold,
            },
        ),
        ("299", Dialled::Refused(Refusal::NoSuchExtension)),
        ("*21", Dialled::Refused(Refusal::UnknownFeature)),
        ("#", Dialled::Refused(Refusal::UnknownFeature)),
    ] {
        assert_eq!(dial(&site, text), meaning, "{text}");
    }
    site.sys.international = false;
    assert_eq!(
        dial(&site, "+16505550100"),
        Dialled::Refused(Refusal::International)
    );
    for (text, problem) in [
        ("", NumberProblem::Empty),
        ("00312345678", NumberProblem::CarrierPrefix),
        ("03123456789", NumberProblem::TooLong),
        ("alice", NumberProblem::Character),
        ("184", NumberProblem::TooShort),
        ("0186", NumberProblem::TooShort),
    ] {
        let Dialled::Refused(Refusal::NotANumber(error)) = dial(&site, text) else {
            panic!("{text} was taken")
        };
        assert_eq!(error.problem, problem, "{text}");
    }
}

#[test]
fn what_is_dialled_with_0_for_a_line() {
    let mut site = office();
    site.sys.outside_prefix = Some(0);
    for (text, meaning) in [
        ("0 03-9999-8888", outside("0399998888", Privacy::Default)),
        ("03-9999-8888", outside("0399998888", Privacy::Default)),
        ("0 184 03-9999-8888", outside("0399998888", Privacy::Withhold)),
        ("184 0 03-9999-8888", outside("0399998888", Privacy::Withhold)),
        ("0184221234", outside("0184221234", Privacy::Default)),
        ("0 0184221234", outside("0184221234", Privacy::Default)),
        (
            "0117",
            Dialled::Service {
                number: number("117"),
                privacy: Privacy::Default,
            },
        ),
        ("0 0312340001", Dialled::Extension(key(0))),
        ("201", Dialled::Extension(key(0))),
    ] {
        assert_eq!(dial(&site, text), meaning, "{text}");
    }
}

#[test]
fn what_is_dialled_with_9_for_a_line() {
    let mut site = office();
    site.sys.outside_prefix = Some(9);
    for (text, meaning) in [
        ("9 03-9999-8888", outside("0399998888", Privacy::Default)),
        ("9 186 03-9999-8888", outside("0399998888", Privacy::Show)),
        ("03-9999-8888", Dialled::Refused(Refusal::NeedsOutsidePrefix)),
        ("+81399998888", outside("0399998888", Privacy::Default)),
        (
            "9117",
            Dialled::Service {
                number: number("117"),
                privacy: Privacy::Default,
            },
        ),
        ("201", Dialled::Extension(key(0))),
    ] {
        assert_eq!(dial(&site, text), meaning, "{text}");
    }
}
