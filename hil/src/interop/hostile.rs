//! SIPVicious: who scans the box learns nothing, and it serves on.

use super::call::{connect, hear_each_other};
use super::lab::{BOX, Lab, PASSWORD, SEATS};
use super::phone::{Habits, Kind, Make::*, News, Transport::*};
use super::{Case, pjsua};
use crate::sniff::Mark;
use crate::switch::Direction::Received;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;

pub fn cases() -> Vec<Case> {
    let war = ["REGISTER", "INVITE", "OPTIONS"].map(|method| {
        Case::new(
            format!("svwar-{}", method.to_lowercase()),
            "svwar asks for users that exist and that do not: the answers are the same",
            move |run| war(Lab::build(run)?, method),
        )
    });
    let crack = Case::new(
        "svcrack",
        "svcrack tries passwords and does not find the right one, even if it is among them",
        |run| crack(Lab::build(run)?),
    );
    let map = Case::new("svmap", "svmap finds a box that says little", |run| {
        map(Lab::build(run)?)
    });
    war.into_iter().chain([crack, map]).collect()
}

fn tool(lab: &Lab, name: &str, arguments: &[&str]) -> Result<String> {
    lab.program(
        2,
        pjsua::environment()
            .join("bin")
            .join(format!("sipvicious_{name}")),
        arguments,
    )
}

/// Whoever scanned: the phones of the office call each other.
fn serves(mut lab: Lab) -> Result<()> {
    lab.box_is_well()?;
    let [mut a, mut b] = lab.phones([
        (Kind(Baresip, Udp), Habits::NONE),
        (Kind(Pjsua, Udp), Habits::NONE),
    ])?;
    connect(&mut a, &mut b, SEATS[1].extension)?;
    hear_each_other(&lab, &a, &b)?;
    lab.box_is_well()
}

fn war(lab: Lab, method: &str) -> Result<()> {
    // One of them is registered, which must not show either.
    let mut phone = lab.phone(0, Kind(Pjsua, Udp), PASSWORD, Habits::NONE)?;
    phone.tells(&News::Registered)?;
    let names: String = SEATS
        .iter()
        .flat_map(|seat| [seat.user, seat.extension])
        .chain(["800", "804", "1000", "admin", "0312340009", "test"])
        .map(|name| format!("{name}\n"))
        .collect();
    std::fs::write(lab.folder.join("names"), names)?;
    let said = tool(
        &lab,
        "svwar",
        &["-m", method, "-d", "names", "--force", "-v", BOX],
    )?;
    ensure!(!said.contains("Traceback"), "svwar failed:\n{said}");
    let found: Vec<_> = SEATS
        .iter()
        .flat_map(|seat| [seat.user, seat.extension])
        .filter(|name| {
            said.lines()
                .any(|line| line.starts_with('|') && line.contains(name))
        })
        .collect();
    ensure!(found.is_empty(), "svwar found {found:?}:\n{said}");
    let statuses: BTreeSet<_> = lab
        .wire
        .messages(Mark::default(), |sip| {
            sip.port == "lan/seat-3" && sip.direction == Received && sip.status().is_some()
        })
        .iter()
        .map(|sip| sip.status())
        .collect();
    ensure!(statuses.len() == 1, "the answers differ: {statuses:?}");
    drop(phone);
    serves(lab)
}

fn crack(lab: Lab) -> Result<()> {
    let words = ["1234", "0312340001", "801", "admin", "password", "secret"];
    let words: Vec<_> = words
        .iter()
        .cycle()
        .take(60)
        .chain([&PASSWORD])
        .map(|word| format!("{word}\n"))
        .collect();
    std::fs::write(lab.folder.join("passwords"), words.concat())?;
    let user = SEATS[0].user;
    let said = tool(
        &lab,
        "svcrack",
        &["-u", user, "-d", "passwords", "--maximumtime=5", BOX],
    )?;
    ensure!(!said.contains(PASSWORD), "svcrack found the password:\n{said}");
    serves(lab)
}

fn map(lab: Lab) -> Result<()> {
    let said = tool(&lab, "svmap", &[&format!("{BOX}/32")])?;
    ensure!(said.contains(BOX), "svmap got no answer:\n{said}");
    let told = lab.wire.messages(Mark::default(), |sip| {
        sip.port == "lan/seat-3" && sip.direction == Received
    });
    for answer in &told {
        let server = answer.header("Server").unwrap_or_default();
        ensure!(
            !server.chars().any(|c| c.is_ascii_digit()),
            "the answer tells a version: {server:?}"
        );
    }
    serves(lab)
}
