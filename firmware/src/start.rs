//! From reset to running tasks: the flash is read, the brain is made, everything is spawned.

use ads1115::Ads1115;
use embassy_embedded_hal::shared_bus::asynch::spi::SpiDevice;
use embassy_executor::{SendSpawner, SpawnToken, Spawner};
use embassy_futures::block_on;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::zerocopy_channel::Channel;
use embedded_storage_async::nor_flash::ReadNorFlash;
use gateway::budget::HTTP_PORT;
use gateway::storage::BoxStorage;
use gateway::store::{Key, Store, map};
use gateway::{Boot, Gateway};
use media::player::Start;
use netshim::Lease;
use shared::factory::{Factory, FactoryError};
use shared::sync::{BootReason, PanicNote};
use static_cell::{ConstStaticCell, StaticCell};

use crate::board::retained::{self, LastRun, Reset};
use crate::brain::{Brain, Hands};
use crate::lights::Panel;
use crate::lines::circuit::Meter;
use crate::lines::{self, AudioEnds, RtpEnds, audio, circuit, report, rtp};
use crate::net::Resolver;
use crate::services::Services;
use crate::uplink::Outgoing;
use crate::{board, brain, files, hub, log, net, player, power, services, trunk, uplink, watchdog, work};

/// A static that is handed out once; the second time is a fault of the program.
macro_rules! once {
    ($type:ty = $value:expr) => {{
        static CELL: ConstStaticCell<$type> = ConstStaticCell::new($value);
        CELL.take()
    }};
}

/// What the executor `net` gets.
struct Setup {
    mac: &'static mut board::Mac,
    gateway: &'static mut Gateway<'static>,
    factory: &'static Factory,
    lease: Option<Lease>,
    seed: [u8; 32],
    /// Its ends of the queues of packets, where there are lines.
    lines: Option<RtpEnds>,
    hub: Option<board::Hub>,
    panel: Panel,
}

/// What runs, once everything is read and made.
pub struct Ready {
    watchdog: board::Watchdog,
    store: &'static mut Store<board::Flash>,
    setup: Setup,
    lines: Option<(board::Lines, AudioEnds)>,
}

/// Reads the flash and makes the brain. Called once. `None`: there is nobody to be.
///
/// No executor runs before this has returned: its frame is large, and interrupts use the same stack.
#[inline(never)]
pub fn prepare() -> Option<Ready> {
    static GATEWAY: StaticCell<Gateway<'static>> = StaticCell::new();
    static MAC: StaticCell<board::Mac> = StaticCell::new();
    static STORE: StaticCell<Store<board::Flash>> = StaticCell::new();
    static FACTORY: StaticCell<Factory> = StaticCell::new();

    let last_run = retained::take();
    let board = match board::init() {
        Ok(board) => board,
        Err(error) => panic!("board: {error:?}"),
    };
    log!("boot: {:?} {}", last_run.reset, last_run.panic());

    let store = STORE.init_with(|| Store::new(board.flash));
    let factory = match block_on(factory(store)) {
        Ok(factory) => FACTORY.init(factory),
        // Nobody to be and nobody to call: the box says so and waits for its factory data.
        Err(what) => {
            log!("factory: {what}");
            return None;
        }
    };
    let storage = once!(BoxStorage = BoxStorage::new());
    let gateway = GATEWAY.init_with(|| Gateway::new(storage.lend(), factory.clone(), board.seed));
    let [_, _, _, _, _, _, _, first] = *board.seed.as_chunks::<4>().0 else {
        return None;
    };
    let boot = Boot {
        first: u32::from_le_bytes(first),
        reason: reason(last_run.reset),
        panic: note(&last_run),
    };
    let mut lease = None;
    let loading = gateway.start(brain::now(), store, boot, |key, value| {
        if key == Key::LEASE {
            lease = Lease::decode(value);
        }
    });
    match block_on(loading) {
        Ok(loaded) => log!("box {} start {}", factory.box_id, loaded.boot),
        Err(fault) => panic!("flash: {fault:?}"),
    }

    let (rtp, lines) = match board.lines {
        Some(lines) => {
            let (audio, rtp) = lines::queues();
            (Some(rtp), Some((lines, audio)))
        }
        None => (None, None),
    };
    let setup = Setup {
        mac: MAC.init(board.mac),
        gateway,
        factory,
        lease,
        seed: board.seed,
        lines: rtp,
        hub: board.hub,
        panel: Panel::new(board.lights),
    };
    Some(Ready {
        watchdog: board.watchdog,
        store,
        setup,
        lines,
    })
}

/// Starts the executors. Called once.
#[inline(never)]
pub fn run(ready: Ready) {
    let executors = board::start_executors();
    executors.work.spawn(token(watchdog::run(ready.watchdog.start())));
    executors.work.spawn(token(work::store(ready.store)));
    // It runs at once, above us, to its end. What it makes the IP stacks of takes most of the processor's stack, on which the audio
    // chains would come on top: they begin after it.
    executors.net.spawn(token(network(ready.setup)));
    if let Some((lines, queues)) = ready.lines {
        start_lines(executors.audio, lines, queues);
    }
}

/// Who the box is.
async fn factory(store: &mut Store<board::Flash>) -> Result<Factory, &'static str> {
    let mut image = [0; shared::factory::MAX_FACTORY];
    store
        .flash()
        .read(map::FACTORY.start, &mut image)
        .await
        .map_err(|_| "the flash does not answer")?;
    Factory::decode(&image).map_err(|error| match error {
        FactoryError::Absent => "none",
        FactoryError::Version => "of an unknown version",
        FactoryError::Damaged | FactoryError::Room => "damaged",
    })
}

/// Spawns what lives in the executor `net`.
#[embassy_executor::task]
async fn network(setup: Setup) {
    static RESOLVER: StaticCell<Resolver> = StaticCell::new();
    static BRAIN: StaticCell<Brain> = StaticCell::new();
    static CHANNEL: StaticCell<Channel<'static, NoopRawMutex, Outgoing>> = StaticCell::new();
    let Setup {
        mac,
        gateway,
        factory,
        lease,
        seed,
        lines,
        hub,
        panel,
    } = setup;
    let spawner = board::spawner().await;
    // Each random word has one use.
    let [_, _, _, words @ ..] = seed.as_chunks::<4>().0 else {
        return;
    };
    let [a, b, c, d, e] = *words else { return };
    let stack_seed = u64::from_le_bytes([a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]);
    let voice = gateway.voice();
    let net::Stacks {
        office: stack,
        phones,
        runners,
        shared,
    } = net::stacks(mac, lease.clone(), stack_seed, voice);
    let resolver = RESOLVER.init(Resolver::new(stack));

    let brain = BRAIN.init(Brain::new(gateway));
    let (to_uplink, from_brain) = CHANNEL
        .init(Channel::new(once!([Outgoing; 2] = [Outgoing::NEW; 2])))
        .split();

    spawner.spawn(token(net::run(runners)));
    spawner.spawn(token(net::address(stack, shared, lease, brain)));
    spawner.spawn(token(net::report(shared)));
    let services = Services::open(stack, phones);
    spawner.spawn(token(services::run(brain, services)));
    let tftp = files::tftp_sockets(phones.stack);
    let hands = Hands {
        services,
        tftp,
        to_uplink,
        panel,
    };
    spawner.spawn(token(brain::run(phones, shared, brain, brain::memory(), hands)));
    spawner.spawn(token(files::tftp(tftp, phones.net, shared, brain)));
    shared.borrow_mut().set_busy_port(phones.net, HTTP_PORT);
    for (connection, memory) in (0..).zip(files::memory()) {
        spawner.spawn(token(files::http(phones, shared, brain, connection, memory)));
    }
    let buffers = (
        &mut once!([u8; 2048] = [0; 2048])[..],
        &mut once!([u8; 2048] = [0; 2048])[..],
    );
    spawner.spawn(token(trunk::run(stack, resolver, factory, buffers, brain)));
    let memory = uplink::Memory {
        tcp: (once!([u8; 2048] = [0; 2048]), once!([u8; 1460] = [0; 1460])),
        mqtt: (
            once!([u8; uplink::PACKET] = [0; uplink::PACKET]),
            once!([u8; uplink::IN_FLIGHT] = [0; uplink::IN_FLIGHT]),
        ),
    };
    spawner.spawn(token(uplink::run(
        stack, resolver, factory, memory, brain, from_brain,
    )));
    for (index, memory) in (0..).zip(player::memory()) {
        // Streams that start far apart (RFC 3550 §5.1).
        let start = Start {
            ssrc: u32::from_le_bytes(c) ^ u32::from(index) << 24,
            sequence: u16::from_le_bytes([d[0], d[1]]).wrapping_add(u16::from(index) << 12),
            timestamp: u32::from_le_bytes(e),
        };
        spawner.spawn(token(player::run(phones.stack, brain, index, memory, start)));
    }
    if let Some(queues) = lines {
        spawner.spawn(token(report::run(brain)));
        spawner.spawn(token(rtp::run(phones.stack, rtp::memory(), queues)));
    }
    match hub {
        Some(hub) => start_hub(spawner, phones, shared, brain, hub),
        None => net::START.signal(()),
    }
}

/// Spawns what belongs to the hub in the executor `net`.
fn start_hub(
    spawner: Spawner,
    phones: net::Phones,
    shared: &'static net::Shared,
    brain: &'static Brain,
    hub: board::Hub,
) {
    static SPI: StaticCell<Mutex<NoopRawMutex, board::Bus>> = StaticCell::new();
    let board::Hub { bus, select, i2c } = hub;
    let switch = SpiDevice::new(SPI.init(Mutex::new(bus)), select);
    spawner.spawn(token(hub::switch(switch, phones.voice, shared, brain)));
    spawner.spawn(token(hub::lldp(shared, brain)));
    spawner.spawn(token(power::run(i2c, brain)));
}

/// Spawns what belongs to the analog lines in the executor `audio`.
fn start_lines(spawner: SendSpawner, lines: board::Lines, queues: AudioEnds) {
    static METER: StaticCell<Meter> = StaticCell::new();
    let meter = METER.init(Meter::new(Ads1115::new(lines.i2c, ads1115::ADDRESS)));
    spawner.spawn(token(audio::run(lines.pcm, audio::chains(), queues)));
    watchdog::expect_audio();
    spawner.spawn(token(circuit::hooks(lines.hooks)));
    for (line, wiring) in (0..).zip(lines.wiring) {
        spawner.spawn(token(circuit::run(line, wiring, meter)));
    }
    spawner.spawn(token(circuit::codec(lines.bus, lines.select)));
}

/// A task's token. Every task is spawned once, and each pool has its size: anything else is a fault of the program.
fn token<S>(spawn: Result<SpawnToken<S>, embassy_executor::SpawnError>) -> SpawnToken<S> {
    match spawn {
        Ok(token) => token,
        Err(error) => panic!("task: {error:?}"),
    }
}

fn reason(reset: Reset) -> BootReason {
    match reset {
        Reset::PowerOn => BootReason::PowerOn,
        Reset::Panic => BootReason::Panic,
        Reset::Watchdog => BootReason::Watchdog,
    }
}

fn note(last_run: &LastRun) -> Option<PanicNote> {
    if last_run.reset != Reset::Panic {
        return None;
    }
    let mut message = heapless::String::new();
    for letter in last_run.panic().chars() {
        // The place comes first; a long message loses its end.
        if message.push(letter).is_err() {
            break;
        }
    }
    Some(PanicNote {
        message,
        uptime: last_run.uptime_ms,
    })
}
