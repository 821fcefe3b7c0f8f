//! The scenarios: each is one story told in its own office, verified by what was measured.

use crate::run::Run;
use anyhow::Result;

mod analog;
mod backup;
mod bench;
mod demo;
mod faults;
mod firmware;
mod load;
mod network;
mod park;
mod power;
mod provision;
mod rig;
mod rules;
mod stage;
mod vlan;

/// A story.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// Does it need the firmware image?
    pub image: bool,
    /// It waits most of the time, for other people's timers: it is told beside others of the kind.
    pub waits: bool,
    /// Tells it.
    pub tell: fn(&Run) -> Result<()>,
}

/// All of them, in the order in which they are told.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "rig-phones",
        about: "the rig's phones and the carrier hear one another, without a box",
        image: false,
        waits: false,
        tell: rig::phones,
    },
    of_box(
        "park",
        "a call is parked and taken back, with the line cut",
        park::tell,
    ),
    of_box(
        "analog",
        "telephones and FAX machines at the line sockets: DTMF, pulses, number display, a page",
        analog::tell,
    ),
    of_box(
        "analog-faults",
        "tests of damaged lines; converter, codec and line circuit that fail",
        analog::faults,
    ),
    of_box(
        "power",
        "ports with power: phones are fed within their class, and while the box starts again",
        power::tell,
    ),
    of_box(
        "vlan",
        "the phones in a VLAN of their own, which LLDP-MED names; the switch goes on while the box starts again",
        vlan::tell,
    ),
    of_box(
        "provision",
        "a port powers a phone, which finds the box, configures itself and calls; a thief is refused",
        provision::tell,
    ),
    of_box(
        "garbage",
        "broken, oversized and fragmented datagrams, SIP without Content-Length",
        faults::garbage,
    ),
    of_box(
        "claim",
        "a registered number claimed without its password",
        faults::claim,
    ),
    of_box(
        "dhcp-gone-at-boot",
        "power cut right after the phones' 200: they are known, the last lease is used",
        faults::no_dhcp_at_boot,
    ),
    of_box(
        "silent-cloud",
        "a broker and a trunk that accept and stay silent",
        faults::silent_cloud,
    ),
    of_box(
        "power-cuts",
        "power cuts inside flash operations while configured",
        faults::power_cuts,
    ),
    of_box(
        "power-cuts-registering",
        "power cuts inside flash operations while a phone registers: with its 200 it is known after",
        faults::cuts_while_registering,
    ),
    of_box(
        "panic",
        "the firmware panics, starts again and the cloud hears why",
        faults::panic,
    ),
    of_box(
        "hang",
        "a task hangs and the watchdog starts the box again",
        faults::hang,
    ),
    of_box(
        "bad-network",
        "loss, duplicates, jitter and reordering around the box",
        faults::bad_network,
    ),
    waiting(
        "backup",
        "the box dies, its phones go to the cloud, call each other and outside through it, and come home to the box",
        backup::tell,
    ),
    waiting(
        "firmware",
        "a maker's file comes to the box through cuts of line and power, and a phone takes it while the line is away",
        firmware::tell,
    ),
    waiting(
        "dhcp-gone-in-operation",
        "the address is kept beyond the lease",
        faults::no_dhcp_in_operation,
    ),
    waiting(
        "router-vanishes",
        "names, time, addresses and calls go on without the router",
        network::router_vanishes,
    ),
    waiting(
        "two-dhcp-servers",
        "the box gives addresses while nobody else does, and falls silent when the router is back",
        network::two_dhcp_servers,
    ),
    waiting(
        "renumbering",
        "the office gets another network: the box and the phones find each other again",
        network::renumbering,
    ),
];

const fn of_box(name: &'static str, about: &'static str, tell: fn(&Run) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about,
        image: true,
        waits: false,
        tell,
    }
}

const fn waiting(name: &'static str, about: &'static str, tell: fn(&Run) -> Result<()>) -> Scenario {
    Scenario {
        waits: true,
        ..of_box(name, about, tell)
    }
}

/// The main job.
pub const DEMO: Scenario = Scenario {
    name: "demo",
    about: "an office with a box: calls with the cloud alive and with the cloud dead",
    image: true,
    waits: false,
    tell: demo::tell,
};

/// The figures of the image.
pub const BENCH: Scenario = Scenario {
    name: "bench-firmware",
    about: "how fast the image starts and how many instructions a request takes",
    image: true,
    waits: false,
    tell: bench::tell,
};
