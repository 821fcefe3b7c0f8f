//! The hub's switch: set up and looked at once a second; the links of its ports, and what LLDP says there.

use core::future::poll_fn;
use embassy_embedded_hal::shared_bus::asynch::spi::SpiDevice;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_time::{Duration, Ticker};
use gateway::Input;
use gateway::budget::HUB_PORTS;
use ksz9477::{Counter, Ksz9477};
use shared::hub::{Link, Voice};

use crate::brain::Brain;
use crate::net::{self, Shared};
use crate::{board, log};

/// How often the switch is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two at the counters.
const REPORT: u32 = 10;

type Device = SpiDevice<'static, NoopRawMutex, board::Bus, board::Select>;
type Switch = Ksz9477<Device>;

/// Owns the switch. One that is set up already goes on as it was.
#[embassy_executor::task]
pub async fn switch(
    device: Device,
    voice: Option<Voice>,
    shared: &'static Shared,
    brain: &'static Brain,
) -> ! {
    let mut switch = Ksz9477::new(device);
    let vlan = voice.map(|voice| voice.vlan);
    let mut is_up = set(&mut switch, vlan, shared).await;
    net::START.signal(());
    let mut links = [None; HUB_PORTS];
    let mut known = false;
    let mut ticker = Ticker::every(LOOK);
    let mut look = 0_u32;
    loop {
        look = look.wrapping_add(1);
        if is_up && !known {
            let mac = shared.borrow().mac();
            brain.turn().await.tell(Input::Hub { mac });
            known = true;
        }
        if is_up {
            for (port, was) in (0..).zip(&mut links) {
                let Ok(link) = switch.link(port).await else {
                    continue;
                };
                if was.replace(link) != Some(link) {
                    let link = as_told(link);
                    brain.turn().await.tell(Input::Link { port, link });
                }
            }
            if look.is_multiple_of(REPORT) {
                report(&mut switch).await;
            }
        }
        ticker.next().await;
        if switch.check(vlan).await.is_err() {
            let was_up = is_up;
            is_up = set(&mut switch, vlan, shared).await;
            if was_up && !is_up {
                log!("switch: does not answer");
            }
        }
    }
}

/// Sets the switch up if it is not; from then on frames have tail tags.
async fn set(switch: &mut Switch, vlan: Option<u16>, shared: &Shared) -> bool {
    match switch.set(vlan).await {
        Ok(changed) => {
            log!("switch: {}", if changed { "set up" } else { "as it was" });
            shared.borrow_mut().set_tail_tags(true);
            true
        }
        Err(_) => false,
    }
}

/// Writes to the log what ports have lost.
async fn report(switch: &mut Switch) {
    const LOSSES: [Counter; 4] = [
        Counter::CrcErrors,
        Counter::SymbolErrors,
        Counter::ReceiveDrops,
        Counter::SendDrops,
    ];
    for port in 0..HUB_PORTS as u8 {
        for counter in LOSSES {
            if let Ok(count @ 1..) = switch.counter(port, counter).await {
                log!("switch: port {} {counter:?} {count}", port + 1);
            }
        }
    }
}

fn as_told(link: ksz9477::Link) -> Link {
    match link {
        ksz9477::Link::Down => Link::Down,
        ksz9477::Link::Mbps10 => Link::Mbps10,
        ksz9477::Link::Mbps100 => Link::Mbps100,
        ksz9477::Link::Mbps1000 => Link::Mbps1000,
    }
}

/// Tells the brain what neighbours say.
#[embassy_executor::task]
pub async fn lldp(shared: &'static Shared, brain: &'static Brain) -> ! {
    loop {
        poll_fn(|cx| shared.borrow_mut().poll_lldp(cx)).await;
        let turn = brain.turn().await;
        shared
            .borrow_mut()
            .take_lldp(|port, bytes| turn.tell(Input::Lldp { port, bytes }));
    }
}
