//! The ports with power: says twice a second how they are, and does what the brain wants.

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Delay, Duration, Ticker};
use gateway::Input;
use gateway::budget::POWER_PORTS;
use gateway::power::{self, Cut, Feed, Found, PortOrder, PortReading, Reading};
use tps23861::{ADDRESS, Class, Detection, Error, Events, Limit, Power, Status, Tps23861};

use crate::brain::Brain;
use crate::{board, log};

/// How often the controller is looked at: so long may more be drawn than there is.
const READING: Duration = Duration::from_millis(500);
/// How often one that does not answer is looked for.
const AWAY: Duration = Duration::from_secs(5);

type Controller = Tps23861<board::I2c, Delay>;
type Fault = Error<<board::I2c as embedded_hal_async::i2c::ErrorType>::Error>;

static ORDERS: Channel<CriticalSectionRawMutex, (u8, PortOrder), { 2 * POWER_PORTS }> = Channel::new();

/// An order for a port. False: it could not be taken; the brain gives it again.
pub fn order(port: u8, order: PortOrder) -> bool {
    ORDERS.try_send((port, order)).is_ok()
}

/// Owns the controller.
#[embassy_executor::task]
pub async fn run(i2c: board::I2c, brain: &'static Brain) -> ! {
    let mut controller = Tps23861::new(i2c, Delay, ADDRESS);
    let mut is_up = false;
    let mut failed = false;
    let mut ticker = Ticker::every(READING);
    loop {
        match select(ORDERS.receive(), ticker.next()).await {
            Either::First((port, order)) => {
                // What it did is in the readings; the brain gives an order again that did nothing.
                let _ = obey(&mut controller, port.into(), order).await;
                continue;
            }
            Either::Second(()) => {}
        }
        let reading = read(&mut controller, is_up).await.ok();
        // A disturbance on the bus is over by the next reading.
        if reading.is_none() && !core::mem::replace(&mut failed, true) {
            continue;
        }
        failed = reading.is_none();
        if failed {
            ticker.reset_after(AWAY);
        }
        let answers = reading.is_some();
        brain.turn().await.tell(Input::Power(reading));
        if answers != is_up {
            is_up = answers;
            log!(
                "power: {}",
                if is_up {
                    "up"
                } else {
                    "the controller does not answer"
                }
            );
        }
    }
}

async fn obey(controller: &mut Controller, port: usize, order: PortOrder) -> Result<(), Fault> {
    match order {
        PortOrder::On(class) => controller.on(port, Limit::of_class(class.number())).await,
        PortOrder::Off => controller.off(port, true).await,
        PortOrder::Disable => controller.off(port, false).await,
        PortOrder::Enable => controller.search(port, true).await,
    }
}

/// How the ports are. A controller that has not answered, or has started anew, is set up before.
async fn read(controller: &mut Controller, is_up: bool) -> Result<Reading, Fault> {
    if !is_up {
        controller.start().await?;
    }
    let (reading, events) = look(controller).await?;
    if !events.started {
        return Ok(reading);
    }
    controller.start().await?;
    Ok(look(controller).await?.0)
}

/// How the ports are, and what happened to them. The chip forgets that when it is read, which is why it comes last.
async fn look(controller: &mut Controller) -> Result<(Reading, Events), Fault> {
    let power = controller.power().await?;
    let searches = controller.searches().await?;
    let mut ports = [PortReading {
        searches: false,
        feed: Feed::Off,
        found: Found::Unknown,
        cut: None,
        milliwatts: 0,
    }; POWER_PORTS];
    for (port, reading) in ports.iter_mut().enumerate() {
        let status = controller.status(port).await?;
        let milliwatts = match power.is_enabled(port) {
            true => controller.draw(port).await?.milliwatts(),
            false => 0,
        };
        *reading = PortReading {
            searches: searches & 1 << port != 0,
            feed: feed(power, port),
            found: found(status),
            cut: None,
            milliwatts,
        };
    }
    let mut reading = Reading {
        ports,
        supply_mv: controller.supply().await?,
        celsius: controller.temperature().await?,
        was_too_hot: false,
    };
    let events = controller.events().await?;
    reading.was_too_hot = events.thermal;
    for (port, reading) in reading.ports.iter_mut().enumerate() {
        reading.cut = cut(events, port);
        // It may have been cut since it was looked at.
        if reading.cut.is_some() {
            (reading.feed, reading.milliwatts) = (Feed::Off, 0);
        }
    }
    Ok((reading, events))
}

fn feed(power: Power, port: usize) -> Feed {
    match (power.is_enabled(port), power.is_good(port)) {
        (false, _) => Feed::Off,
        (true, false) => Feed::Starting,
        (true, true) => Feed::On,
    }
}

fn found(status: Status) -> Found {
    match (status.detection, status.class) {
        (Detection::Open, _) => Found::Nothing,
        (Detection::Valid, Class::Of(class)) => Found::Device(power::Class::new(class)),
        (Detection::Unknown, _) | (Detection::Valid, Class::Unknown) => Found::Unknown,
        (Detection::Defect, _) => Found::Defect,
        (Detection::Other, _) | (Detection::Valid, Class::Invalid) => Found::Other,
    }
}

fn cut(events: Events, port: usize) -> Option<Cut> {
    let causes = [
        (events.short, Cut::Short),
        (events.overload, Cut::Overload),
        (events.start, Cut::Start),
        (events.disconnect, Cut::Unplugged),
    ];
    let mut causes = causes.into_iter();
    causes.find_map(|(ports, cut)| (ports & 1 << port != 0).then_some(cut))
}
