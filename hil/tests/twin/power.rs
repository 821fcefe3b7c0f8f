//! Ports with power: the box's driver at the twin, written apart from the same data sheet, and its brain above both.

use embassy_futures::block_on;
use embedded_hal::i2c::{ErrorKind, ErrorType, Operation};
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::i2c::I2c;
use gateway::power::{self, Cut, Feed, Found, PortOrder, PortReading, Power, Reading};
use hil::twin::hub::Hub;
use hil::twin::powered::PoweredDevice;
use hil::twin::tps23861::Tps23861 as Twin;
use hil_wire::lines::PSE;
use shared::hub::{PortPower, PowerFault};
use shared::sync::PowerOrder;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tps23861::{Class, Detection, Draw, Error, Events, Limit, Tps23861};

/// The bus and the time.
#[derive(Clone, Default)]
struct World(Rc<RefCell<Hub>>);

impl ErrorType for World {
    type Error = ErrorKind;
}

impl I2c for World {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        assert_eq!(address, PSE);
        let mut hub = self.0.borrow_mut();
        for operation in operations {
            match operation {
                Operation::Write(octets) => assert!(hub.controller.write(octets)),
                Operation::Read(octets) => octets.copy_from_slice(&hub.controller.read(octets.len())),
            }
        }
        Ok(())
    }
}

impl DelayNs for World {
    async fn delay_ns(&mut self, ns: u32) {
        self.wait(u64::from(ns.div_ceil(1_000_000)));
    }
}

impl World {
    fn with(controller: Twin) -> World {
        let world = World::default();
        world.0.borrow_mut().controller = controller;
        world
    }

    fn wait(&self, ms: u64) {
        self.0.borrow_mut().elapse(Duration::from_millis(ms));
    }

    fn plug(&self, port: usize, device: PoweredDevice) {
        self.0.borrow_mut().plug(port, device);
    }

    fn fed(&self, port: usize) -> bool {
        self.0.borrow().fed(port).is_some()
    }

    /// A chip that is set up.
    fn chip(&self) -> Chip {
        let mut chip = self.driver();
        block_on(chip.start()).unwrap();
        chip
    }

    fn driver(&self) -> Chip {
        Tps23861::new(self.clone(), self.clone(), PSE)
    }
}

type Chip = Tps23861<World, World>;

fn status(chip: &mut Chip, port: usize) -> (Detection, Class) {
    let status = block_on(chip.status(port)).unwrap();
    (status.detection, status.class)
}

fn on(world: &World, chip: &mut Chip, port: usize, class: u8) {
    block_on(chip.on(port, Limit::of_class(class))).unwrap();
    world.wait(600);
}

#[test]
fn what_is_plugged_in_is_found() {
    use Detection::*;
    let phone = PoweredDevice::phone;
    let table = [
        (None, (Open, Class::Unknown)),
        (Some(phone(0)), (Valid, Class::Of(0))),
        (Some(phone(1)), (Valid, Class::Of(1))),
        (Some(phone(2)), (Valid, Class::Of(2))),
        (Some(phone(3)), (Valid, Class::Of(3))),
        (Some(phone(4)), (Valid, Class::Of(4))),
        (Some(PoweredDevice::COMPUTER), (Other, Class::Unknown)),
        (Some(PoweredDevice::SHORT), (Other, Class::Unknown)),
        (
            Some(PoweredDevice {
                ohms: 12_000.0,
                ..phone(1)
            }),
            (Other, Class::Unknown),
        ),
        (
            Some(PoweredDevice {
                ohms: 33_000.0,
                ..phone(1)
            }),
            (Other, Class::Unknown),
        ),
        (
            Some(PoweredDevice {
                nanofarads: 22_000.0,
                ..phone(1)
            }),
            (Other, Class::Unknown),
        ),
        // More than any class, and two classes in two events.
        (
            Some(PoweredDevice {
                class_ma: [60.0; 2],
                ..phone(1)
            }),
            (Valid, Class::Invalid),
        ),
        (
            Some(PoweredDevice {
                class_ma: [40.0, 10.5],
                ..phone(4)
            }),
            (Valid, Class::Invalid),
        ),
    ];
    for (device, found) in table {
        let world = World::default();
        let mut chip = world.chip();
        if let Some(device) = device {
            world.plug(2, device);
        }
        world.wait(1_000);
        assert_eq!(status(&mut chip, 2), found, "{device:?}");
        assert!(!world.fed(2), "only by order");
        on(&world, &mut chip, 2, 3);
        let is_good = matches!(found, (Valid, Class::Of(_)));
        assert_eq!(world.fed(2), is_good, "{device:?}");
        let events = block_on(chip.events()).unwrap();
        assert_eq!(events.start, if is_good { 0 } else { 0b0100 }, "{device:?}");
        assert_eq!(block_on(chip.events()), Ok(Events::default()), "read once");
    }
}

#[test]
fn a_phone_is_fed_within_its_class() {
    let world = World::default();
    let mut chip = world.chip();
    world.plug(0, PoweredDevice::phone(2));
    world.wait(500);
    on(&world, &mut chip, 0, 2);
    world.wait(5_000);
    let power = block_on(chip.power()).unwrap();
    assert!(power.is_enabled(0) && power.is_good(0) && !power.is_enabled(1));
    let draw: Draw = block_on(chip.draw(0)).unwrap();
    // 3.2 W at 54 V, by steps of 61 µA and 3.7 mV.
    assert!((3_190..=3_210).contains(&draw.milliwatts()), "{draw:?}");
    assert!((53_990..=54_010).contains(&block_on(chip.supply()).unwrap()));
    assert_eq!(block_on(chip.temperature()).unwrap(), 45);
    let fed = world.0.borrow().fed(0).unwrap();
    assert!((5_000..5_600).contains(&fed.as_millis()), "{fed:?}");
    // Its class has 204 mA: 11 W at 54 V.
    world.0.borrow_mut().draw(0, 10.9);
    world.wait(1_000);
    assert!(world.fed(0));
    world.0.borrow_mut().draw(0, 11.2);
    world.wait(59);
    assert!(world.fed(0));
    world.wait(10);
    assert!(!world.fed(0));
    let overload = Events {
        overload: 0b0001,
        ..Events::default()
    };
    let mut events = block_on(chip.events()).unwrap();
    // It has just been switched on: its supply was low before.
    (events.started, events.undervoltage) = (false, false);
    assert_eq!(events, overload);
    // A second of rest, in which orders are in vain.
    on(&world, &mut chip, 0, 2);
    assert!(!world.fed(0));
    world.0.borrow_mut().draw(0, 2.0);
    world.wait(500);
    on(&world, &mut chip, 0, 2);
    assert!(world.fed(0));
}

#[test]
fn limits_by_class() {
    // Class, watts at 54 V that it keeps, and at which it is cut.
    for (class, kept, cut) in [
        (0, 20.0, 20.5),
        (1, 5.9, 6.0),
        (2, 11.0, 11.1),
        (3, 20.0, 20.5),
        (4, 34.5, 35.2),
    ] {
        for port in 0..4 {
            let world = World::default();
            let mut chip = world.chip();
            world.plug(port, PoweredDevice::phone(class));
            world.wait(500);
            on(&world, &mut chip, port, class);
            world.0.borrow_mut().draw(port, kept);
            world.wait(2_000);
            assert!(world.fed(port), "class {class} port {port}");
            world.0.borrow_mut().draw(port, cut);
            world.wait(100);
            assert!(!world.fed(port), "class {class} port {port}");
        }
    }
}

#[test]
fn shorts_capacitors_and_cables() {
    let world = World::default();
    let mut chip = world.chip();
    let events = |chip: &mut Chip| Events {
        started: false,
        undervoltage: false,
        ..block_on(chip.events()).unwrap()
    };
    for port in 0..3 {
        world.plug(port, PoweredDevice::phone(1));
    }
    world.plug(
        3,
        PoweredDevice {
            bulk_uf: 600.0,
            ..PoweredDevice::phone(1)
        },
    );
    world.wait(500);
    for port in 0..4 {
        block_on(chip.on(port, Limit::Ma110)).unwrap();
    }
    world.wait(600);
    assert_eq!(
        [0, 1, 2, 3].map(|port| world.fed(port)),
        [true, true, true, false]
    );
    assert_eq!(
        events(&mut chip),
        Events {
            start: 0b1000,
            ..Events::default()
        }
    );
    world.plug(0, PoweredDevice::SHORT);
    world.0.borrow_mut().unplug(1);
    world.wait(359);
    assert_eq!([0, 1, 2].map(|port| world.fed(port)), [false, true, true]);
    world.wait(2);
    assert_eq!([0, 1, 2].map(|port| world.fed(port)), [false, false, true]);
    assert_eq!(
        events(&mut chip),
        Events {
            short: 0b0001,
            disconnect: 0b0010,
            ..Events::default()
        }
    );
    world.wait(2_000);
    assert_eq!(
        (status(&mut chip, 0).0, status(&mut chip, 1).0),
        (Detection::Other, Detection::Open)
    );
}

#[test]
fn what_feeds_goes_on_when_the_processor_starts_again() {
    let world = World::default();
    let mut chip = world.chip();
    for port in 0..4 {
        world.plug(port, PoweredDevice::phone(1));
    }
    world.wait(500);
    on(&world, &mut chip, 0, 1);
    on(&world, &mut chip, 1, 1);
    block_on(chip.off(1, false)).unwrap();
    // The processor stops between a power-off and what it writes then.
    on(&world, &mut chip, 2, 1);
    world.0.borrow_mut().controller.write(&[0x19, 0x40]);
    drop(chip);
    let before = world.0.borrow().fed(0).unwrap();
    world.wait(10_000);
    let mut chip = world.chip();
    assert_eq!(
        block_on(chip.searches()).unwrap(),
        0b1101,
        "port 2 is off by order, port 3 is not"
    );
    world.wait(1_000);
    assert!(world.0.borrow().fed(0).unwrap() > before + Duration::from_secs(10));
    assert_eq!(status(&mut chip, 0).1, Class::Of(1), "its class is still known");
    assert_eq!([1, 2, 3].map(|port| world.fed(port)), [false; 3]);
    on(&world, &mut chip, 1, 1);
    assert!(!world.fed(1));
    block_on(chip.search(1, true)).unwrap();
    world.wait(500);
    on(&world, &mut chip, 1, 1);
    assert!(world.fed(1));
    assert_eq!(block_on(chip.check()), Ok(()));
}

#[test]
fn a_chip_as_it_is_shipped() {
    // AUTO: it feeds by itself before the processor is up. Then only by order.
    let world = World::with(Twin::new(true));
    world.plug(0, PoweredDevice::phone(4));
    world.wait(1_000);
    assert!(world.fed(0));
    let mut chip = world.chip();
    world.plug(1, PoweredDevice::phone(1));
    world.wait(2_000);
    assert_eq!((world.fed(0), world.fed(1)), (true, false));
    on(&world, &mut chip, 1, 1);
    assert!(world.fed(1));
}

#[test]
fn supply_and_heat() {
    let world = World::default();
    let mut chip = world.chip();
    world.plug(0, PoweredDevice::phone(1));
    world.wait(500);
    on(&world, &mut chip, 0, 1);
    block_on(chip.events()).unwrap();
    // 48 V dips.
    world.0.borrow_mut().controller.volts = 26.0;
    world.wait(5);
    assert!(!world.fed(0));
    world.0.borrow_mut().controller.volts = 54.0;
    assert_eq!(
        block_on(chip.events()),
        Ok(Events {
            undervoltage: true,
            ..Events::default()
        })
    );
    assert_eq!(block_on(chip.check()), Ok(()));
    world.wait(500);
    on(&world, &mut chip, 0, 1);
    assert!(world.fed(0));
    // Too hot.
    world.0.borrow_mut().controller.celsius = 151.0;
    world.wait(5);
    assert!(!world.fed(0));
    assert_eq!(
        block_on(chip.events()),
        Ok(Events {
            thermal: true,
            ..Events::default()
        })
    );
    assert_eq!(block_on(chip.temperature()), Ok(146), "the most that it can say");
    world.0.borrow_mut().controller.celsius = 60.0;
    world.wait(500);
    on(&world, &mut chip, 0, 1);
    assert!(world.fed(0));
    // Its own supply fails: it has forgotten everything.
    world.0.borrow_mut().controller.brown_out();
    assert_eq!(block_on(chip.check()), Err(Error::Forgotten));
    assert!(block_on(chip.events()).unwrap().started);
    block_on(chip.start()).unwrap();
    world.wait(500);
    on(&world, &mut chip, 0, 1);
    assert!(world.fed(0));
}

/// The box: its brain above its driver, as the firmware joins them.
struct Box {
    world: World,
    chip: Chip,
    brain: Power,
    now: u64,
}

impl Box {
    fn start(world: &World, now: u64) -> Box {
        Box {
            world: world.clone(),
            chip: world.chip(),
            brain: Power::new(gateway::budget::POWER_SUPPLY),
            now,
        }
    }

    fn reading(&mut self) -> Reading {
        block_on(async {
            let chip = &mut self.chip;
            let events = chip.events().await.unwrap();
            let (power, searches) = (chip.power().await.unwrap(), chip.searches().await.unwrap());
            let mut ports = [PortReading {
                searches: false,
                feed: Feed::Off,
                found: Found::Unknown,
                cut: None,
                milliwatts: 0,
            }; 4];
            for (port, reading) in ports.iter_mut().enumerate() {
                let status = chip.status(port).await.unwrap();
                let has = |bits: u8| bits & 1 << port != 0;
                *reading = PortReading {
                    searches: has(searches),
                    feed: match (power.is_enabled(port), power.is_good(port)) {
                        (false, _) => Feed::Off,
                        (true, false) => Feed::Starting,
                        (true, true) => Feed::On,
                    },
                    found: match (status.detection, status.class) {
                        (Detection::Open, _) => Found::Nothing,
                        (Detection::Valid, Class::Of(class)) => Found::Device(power::Class::new(class)),
                        (Detection::Unknown, _) | (Detection::Valid, Class::Unknown) => Found::Unknown,
                        (Detection::Defect, _) => Found::Defect,
                        _ => Found::Other,
                    },
                    cut: [
                        (events.short, Cut::Short),
                        (events.overload, Cut::Overload),
                        (events.start, Cut::Start),
                        (events.disconnect, Cut::Unplugged),
                    ]
                    .into_iter()
                    .find_map(|(bits, cut)| has(bits).then_some(cut)),
                    milliwatts: match power.is_good(port) {
                        true => chip.draw(port).await.unwrap().milliwatts(),
                        false => 0,
                    },
                };
            }
            Reading {
                ports,
                supply_mv: chip.supply().await.unwrap(),
                celsius: chip.temperature().await.unwrap(),
                was_too_hot: events.thermal,
            }
        })
    }

    /// Lives on for so long.
    fn live(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.world.wait(500);
            self.now += 500;
            let reading = self.reading();
            self.brain
                .read(sip::Instant(self.now), Some(&reading), [false; 4]);
            self.obey();
        }
    }

    fn obey(&mut self) {
        while let Some((port, order)) = self.brain.poll() {
            let port = usize::from(port);
            block_on(async {
                match order {
                    PortOrder::On(class) => self.chip.on(port, Limit::of_class(class.number())).await,
                    PortOrder::Off => self.chip.off(port, true).await,
                    PortOrder::Disable => self.chip.off(port, false).await,
                    PortOrder::Enable => self.chip.search(port, true).await,
                }
            })
            .unwrap();
        }
    }

    fn shown(&self) -> [PortPower; 4] {
        [0, 1, 2, 3].map(|port| self.brain.shown(sip::Instant(self.now), port).unwrap().power)
    }
}

#[test]
fn the_brain_above_driver_and_twin() {
    use PortPower::{Fault, Off, On, Searching};
    let world = World::default();
    world.plug(0, PoweredDevice::phone(2));
    world.plug(1, PoweredDevice::phone(0));
    world.plug(2, PoweredDevice::COMPUTER);
    let mut desk = Box::start(&world, 0);
    desk.live(10_000);
    assert_eq!(desk.shown(), [On, On, Searching, Searching]);
    let shown = desk.brain.shown(sip::Instant(desk.now), 0).unwrap();
    assert_eq!(
        (shown.drawn, shown.kept, shown.class),
        (32, 70, Some(power::Class::Two))
    );
    // Overload, short, unplugged.
    world.0.borrow_mut().draw(0, 12.0);
    world.plug(1, PoweredDevice::SHORT);
    desk.live(1_000);
    assert_eq!(
        desk.shown(),
        [
            Fault(PowerFault::Overload),
            Fault(PowerFault::Short),
            Searching,
            Searching
        ]
    );
    world.plug(0, PoweredDevice::phone(2));
    world.0.borrow_mut().unplug(1);
    desk.live(20_000);
    assert_eq!(desk.shown(), [On, Searching, Searching, Searching]);
    // Off by order, and a processor that starts again: the phone at port 1 notices nothing.
    world.plug(3, PoweredDevice::phone(1));
    desk.live(5_000);
    desk.brain
        .switch(sip::Instant(desk.now), 3, PowerOrder::Off, false, [false; 4])
        .unwrap();
    desk.obey();
    desk.live(5_000);
    assert_eq!(desk.shown(), [On, Searching, Searching, Off]);
    let fed = world.0.borrow().fed(0).unwrap();
    let now = desk.now;
    drop(desk);
    world.wait(3_000);
    let mut desk = Box::start(&world, now + 3_000);
    desk.live(5_000);
    assert_eq!(desk.shown(), [On, Searching, Searching, Off]);
    assert_eq!(world.0.borrow().fed(0).unwrap() - fed, Duration::from_secs(8));
    desk.brain
        .switch(sip::Instant(desk.now), 3, PowerOrder::On, false, [false; 4])
        .unwrap();
    desk.obey();
    desk.live(3_000);
    assert_eq!(desk.shown(), [On, Searching, Searching, On]);
}
