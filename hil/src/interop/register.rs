//! Registration: the right password and a wrong one, both digests, coming and going.

use super::lab::{BOX, DOMAIN, Lab, PASSWORD, SEATS};
use super::phone::{Habits, Kind, Make, News, Order, Transport};
use super::{Case, KINDS};
use crate::sipp;
use crate::switch::Direction::{Received, Sent};
use crate::wait::s;
use anyhow::{Context, Result, ensure};

pub fn cases() -> Vec<Case> {
    let phones = KINDS.into_iter().map(|kind| {
        Case::new(
            format!("register-{kind}"),
            "a wrong password is refused, the right one taken; unregistered it is called no more",
            move |run| comes_and_goes(&Lab::build(run)?, kind),
        )
    });
    let digests = ["MD5", "SHA-256"].into_iter().flat_map(|algorithm| {
        [Transport::Udp, Transport::Tcp, Transport::Tls].map(|transport| {
            Case::new(
                format!("digest-{}-pjsua.{}", algorithm.to_lowercase(), transport.name()),
                "a phone that knows both algorithms takes SHA-256; one that has only the hash by MD5 takes that",
                move |run| digest(&Lab::build(run)?, algorithm, transport),
            )
        })
    });
    // baresip 1.0 verifies nothing.
    let distrust = [Make::Pjsua, Make::Linphone].map(|make| {
        let kind = Kind(make, Transport::Tls);
        Case::new(
            format!("distrust-{kind}"),
            "a phone that does not trust the box's certificate does not register",
            move |run| distrust(&Lab::build(run)?, kind),
        )
    });
    let sipp = [("udp", "u1"), ("tcp", "t1")].map(|(name, transport)| {
        Case::new(
            format!("register-sipp.{name}"),
            "SIPp registers with digest; a wrong password is refused",
            move |run| sipp_registers(&Lab::build(run)?, transport),
        )
    });
    let sipsak = Case::new(
        "register-sipsak.udp",
        "sipsak registers with digest and asks for OPTIONS; a wrong password is refused",
        |run| sipsak_registers(&Lab::build(run)?),
    );
    phones
        .chain(digests)
        .chain(distrust)
        .chain(sipp)
        .chain([sipsak])
        .collect()
}

fn comes_and_goes(lab: &Lab, kind: Kind) -> Result<()> {
    let mut wrong = lab.phone(2, kind, "wrong", Habits::NONE)?;
    wrong.tells(&News::Refused).context("a wrong password")?;
    // On a seat of its own: its address has to wait now.
    drop(wrong);

    let caller = Kind(Make::Baresip, Transport::Udp);
    let mut caller = lab.phone(1, caller, PASSWORD, Habits::NONE)?;
    caller.tells(&News::Registered)?;
    let mut phone = lab.phone(0, kind, PASSWORD, Habits::NONE)?;
    phone.tells(&News::Registered)?;

    caller.order(Order::Dial(SEATS[0].extension))?;
    phone.tells(&News::Rings)?;
    caller.order(Order::HangUp)?;
    phone.ends()?;

    phone.order(Order::Unregister)?;
    phone.tells(&News::Unregistered)?;
    caller.order(Order::Dial(SEATS[0].extension))?;
    let status = caller.tells_any("a call to nobody ends", |news| {
        matches!(news, News::Ended(Some(_)))
    })?;
    ensure!(
        status == News::Ended(Some(480)),
        "a call to a phone that is gone: {status:?}, not 480"
    );
    Ok(())
}

fn distrust(lab: &Lab, kind: Kind) -> Result<()> {
    let habits = Habits {
        distrusts: true,
        ..Habits::NONE
    };
    lab.phone(0, kind, PASSWORD, habits)?.tells(&News::Refused)
}

fn digest(lab: &Lab, algorithm: &'static str, transport: Transport) -> Result<()> {
    let habits = Habits {
        md5: algorithm == "MD5",
        ..Habits::NONE
    };
    let mut phone = lab.phone(0, Kind(Make::Pjsua, transport), PASSWORD, habits)?;
    phone.tells(&News::Registered)?;
    if transport != Transport::Tls {
        let used = lab.wire.find(Default::default(), "lan/seat-1", Sent, |sip| {
            sip.is("REGISTER")
                && sip
                    .header("Authorization")
                    .is_some_and(|value| value.contains(&format!("algorithm={algorithm},")))
        });
        ensure!(used.is_some(), "it registered by another algorithm");
    }
    Ok(())
}

fn sipp_registers(lab: &Lab, transport: &str) -> Result<()> {
    let options = sipp::Options {
        scenario: "phone-registers",
        transport,
        called: &["-"],
        words: &[("stay", "0")],
        ..sipp::Options::default()
    };
    ensure!(
        lab.sipp(0, &options)?.ends(s(20))?,
        "SIPp did not register; see its errors.log"
    );
    Ok(())
}

fn sipsak_registers(lab: &Lab) -> Result<()> {
    let uri = format!("sip:{}@{DOMAIN}", SEATS[0].user);
    let sipsak = |arguments: &[&str]| {
        lab.program(
            0,
            "sipsak",
            &[
                &[
                    "-vvv",
                    "-i",
                    "-H",
                    SEATS[0].address,
                    "-u",
                    SEATS[0].user,
                    "-p",
                    BOX,
                    "-s",
                    &uri,
                ],
                arguments,
            ]
            .concat(),
        )
    };
    let answers = |wire, method, status| {
        lab.wire
            .find(wire, "lan/seat-1", Received, |sip| sip.answers(method, status))
    };
    let wire = lab.wire.mark();
    sipsak(&["-U", "-x", "120", "-a", PASSWORD])?;
    ensure!(
        answers(wire, "REGISTER", 200).is_some(),
        "the right password was refused"
    );
    let wire = lab.wire.mark();
    sipsak(&[])?;
    ensure!(answers(wire, "OPTIONS", 200).is_some(), "no 200 to OPTIONS");
    let wire = lab.wire.mark();
    sipsak(&["-U", "-x", "120", "-a", "wrong"])?;
    ensure!(
        answers(wire, "REGISTER", 200).is_none(),
        "a wrong password was taken"
    );
    ensure!(
        answers(wire, "REGISTER", 401).is_some(),
        "a wrong password was not answered"
    );
    Ok(())
}
