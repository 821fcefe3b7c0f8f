//! The network: stack, address, names. Everything here and everything that owns a socket runs in the executor `net`.

use core::cell::RefCell;
use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::task::Waker;
use embassy_futures::join::join;
use embassy_net::dns::DnsQueryType;
use embassy_net::{ConfigV4, IpAddress, IpEndpoint, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use gateway::office::Subnet;
use gateway::{Input, Network, Station, budget};
use netshim::{Clock, Event, Lease, Link, Net, NetShim};
use shared::hub::Voice;
use static_cell::StaticCell;

use crate::brain::Brain;
use crate::{board, log, services, work};

/// Hosts of the office network kept in mind: as many as there may be registrations.
const HOSTS: usize = budget::BINDINGS;
/// Bytes of packets waiting for their hosts: an INVITE of 1 KiB for each of six phones. More wait in the SIP socket until the
/// first have answered.
const HELD: usize = 6 * 1024;
/// The SIP socket, a player and an analog line each, two for TFTP, those for files, and the services.
const PHONE_SOCKETS: usize =
    1 + budget::PLAYERS + budget::LINES + 2 + budget::HTTP_CONNECTIONS + services::SOCKETS;
/// The trunk, MQTT, the stack's own for DNS, and the one that names and the time are asked for from.
const CLOUD_SOCKETS: usize = 1 + 1 + 1 + 1;
/// How long a name server may take.
const DNS_PATIENCE: Duration = Duration::from_secs(3);

/// Address book and DHCP lease, shared by the driver and the task that hears their events.
pub type Shared = RefCell<netshim::State<HOSTS, HELD>>;
type Ethernet = Link<'static, &'static mut board::Mac, EmbassyClock, HOSTS, HELD>;
type Shim = NetShim<'static, 'static, &'static mut board::Mac, EmbassyClock, HOSTS, HELD>;

/// embassy-time for the shim.
pub struct EmbassyClock;

impl Clock for EmbassyClock {
    fn now(&self) -> u64 {
        Instant::now().as_millis()
    }

    fn wake_at(&self, at: u64, waker: &Waker) {
        embassy_time_driver::schedule_wake(Instant::from_millis(at).as_ticks(), waker);
    }
}

/// The stack that the phones are reached by: SIP, RTP and their files.
#[derive(Clone, Copy)]
pub struct Phones {
    /// It.
    pub stack: Stack<'static>,
    /// Its network.
    pub net: Net,
    /// The voice network, if there is one; else the phones are in the office's.
    pub voice: Option<Voice>,
}

/// Both stacks, and who moves their packets.
pub struct Stacks {
    /// That of the office's network: the cloud, names.
    pub office: Stack<'static>,
    /// That of the phones.
    pub phones: Phones,
    /// Moves packets.
    pub runners: Runners,
    /// What the shim shares.
    pub shared: &'static Shared,
}

/// Who moves the packets of both networks.
pub struct Runners {
    office: &'static mut Runner<'static, Shim>,
    voice: Option<&'static mut Runner<'static, Shim>>,
}

/// Packets are moved from now on: it is known whether the switch has tail tags.
pub static START: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Builds the stacks. Call in the executor `net`.
pub fn stacks(mac: &'static mut board::Mac, last: Option<Lease>, seed: u64, voice: Option<Voice>) -> Stacks {
    static SHARED: StaticCell<Shared> = StaticCell::new();
    static LINK: StaticCell<Ethernet> = StaticCell::new();
    static OFFICE: StaticCell<Runner<'static, Shim>> = StaticCell::new();
    static PHONES_RESOURCES: StaticCell<StackResources<{ PHONE_SOCKETS + CLOUD_SOCKETS }>> =
        StaticCell::new();
    static CLOUD_RESOURCES: StaticCell<StackResources<CLOUD_SOCKETS>> = StaticCell::new();
    static VOICE: StaticCell<Runner<'static, Shim>> = StaticCell::new();
    let address = match embassy_net_driver::Driver::hardware_address(mac) {
        embassy_net_driver::HardwareAddress::Ethernet(address) => address,
        _ => panic!("the MAC is not of Ethernet"),
    };
    let shared = SHARED.init_with(|| RefCell::new(netshim::State::new(address, last, seed as u32)));
    let link = LINK.init(Link::new(mac, EmbassyClock, shared));
    let config = embassy_net::Config::default();
    let shim = NetShim::new(link, Net::Office);
    // The phones' sockets are in the network that the phones are in.
    let (office, runner) = match voice {
        None => stack(shim, config, &PHONES_RESOURCES, seed),
        Some(_) => stack(shim, config, &CLOUD_RESOURCES, seed),
    };
    let office_runner = OFFICE.init(runner);
    let mut phones = Phones {
        stack: office,
        net: Net::Office,
        voice,
    };
    let mut voice_runner = None;
    if let Some(Voice {
        vlan,
        address,
        prefix,
    }) = voice
    {
        shared.borrow_mut().set_voice(Some(netshim::Voice {
            vlan,
            address,
            prefix,
        }));
        let config = embassy_net::Config::ipv4_static(StaticConfigV4 {
            address: Ipv4Cidr::new(address, prefix),
            gateway: None,
            dns_servers: Default::default(),
        });
        let shim = NetShim::new(link, Net::Voice);
        let (voice, runner) = stack(shim, config, &PHONES_RESOURCES, seed.rotate_left(32));
        voice_runner = Some(VOICE.init(runner));
        phones.stack = voice;
        phones.net = Net::Voice;
    }
    Stacks {
        office,
        phones,
        runners: Runners {
            office: office_runner,
            voice: voice_runner,
        },
        shared,
    }
}

/// A stack in its room. What it is made of passes over the processor's stack, 38 KiB: in a frame of its own, never in two at once.
#[inline(never)]
fn stack<const SOCKETS: usize>(
    shim: Shim,
    config: embassy_net::Config,
    room: &'static StaticCell<StackResources<SOCKETS>>,
    seed: u64,
) -> (Stack<'static>, Runner<'static, Shim>) {
    embassy_net::new(shim, config, room.init_with(StackResources::new), seed)
}

/// Moves packets, of both networks: they share the MAC and its waker.
#[embassy_executor::task]
pub async fn run(runners: Runners) -> ! {
    START.wait().await;
    match runners.voice {
        Some(voice) => join(runners.office.run(), voice.run()).await.0,
        None => runners.office.run().await,
    }
}

/// Configures the stack with what DHCP says, keeps the lease in flash, and tells the brain.
#[embassy_executor::task]
pub async fn address(
    stack: Stack<'static>,
    shared: &'static Shared,
    mut kept: Option<Lease>,
    brain: &'static Brain,
) -> ! {
    let mut current = None;
    loop {
        let event = poll_fn(|cx| shared.borrow_mut().poll_event(cx)).await;
        let input = match event {
            Event::Address { lease, fresh } => {
                let config = StaticConfigV4 {
                    address: Ipv4Cidr::new(lease.address, lease.prefix),
                    gateway: lease.router,
                    dns_servers: lease.dns.clone(),
                };
                let subnet = Subnet {
                    address: lease.address,
                    prefix: lease.prefix,
                    router: lease.router,
                    names: lease.dns.clone(),
                    times: lease.times.clone(),
                };
                if fresh && kept.as_ref().is_none_or(|kept| kept.encode() != lease.encode()) {
                    work::keep(lease.clone());
                    kept = Some(lease);
                }
                // A lease that was only prolonged changes nothing.
                if current.as_ref() == Some(&subnet) {
                    continue;
                }
                log!(
                    "net: {} {}",
                    config.address,
                    if fresh { "granted" } else { "kept" }
                );
                stack.set_config_v4(ConfigV4::Static(config));
                current = Some(subnet.clone());
                Input::Network(Network::Up(subnet))
            }
            Event::AddressLost => {
                log!("net: no address");
                current = None;
                stack.set_config_v4(ConfigV4::None);
                Input::Network(Network::Down)
            }
            Event::Unreachable(ip) => Input::Unreachable(ip.into()),
            Event::Server(net, address) => Input::DhcpServer {
                interface: net as u8,
                address,
            },
        };
        brain.turn().await.tell(input);
    }
}

/// Says every ten seconds what was lost, if anything was.
#[embassy_executor::task]
pub async fn report(shared: &'static Shared) -> ! {
    let mut last = netshim::Counters::default();
    loop {
        Timer::after_secs(10).await;
        // Frames of others' protocols and our own questions are no loss.
        let now = netshim::Counters {
            ignored: 0,
            asked: 0,
            ..shared.borrow().counters()
        };
        if now != last {
            log!("net: {now:?}");
            last = now;
        }
    }
}

/// Who has this address, if it was heard lately.
pub fn station(shared: &Shared, net: Net, address: SocketAddr) -> Option<Station> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    let netshim::Station { mac, port } = shared.borrow().who(net, ip)?;
    Some(Station { mac, port })
}

/// As the stack has it; `None` for IPv6, which no socket here speaks.
pub fn endpoint(address: SocketAddr) -> Option<IpEndpoint> {
    match address {
        SocketAddr::V4(v4) => Some(IpEndpoint::new(IpAddress::Ipv4(*v4.ip()), v4.port())),
        SocketAddr::V6(_) => None,
    }
}

/// As the brain has it.
pub fn address_of(end: IpEndpoint) -> SocketAddr {
    let IpAddress::Ipv4(ip) = end.addr;
    SocketAddr::new(ip.into(), end.port)
}

/// Finds the cloud's address: by DNS, or the last one found when no name server answers.
pub struct Resolver {
    stack: Stack<'static>,
    last: RefCell<Option<Ipv4Addr>>,
}

impl Resolver {
    /// Nothing found yet.
    pub const fn new(stack: Stack<'static>) -> Self {
        Resolver {
            stack,
            last: RefCell::new(None),
        }
    }

    /// The address of `host`, which is always the same name.
    pub async fn find(&self, host: &str) -> Option<Ipv4Addr> {
        let answer = with_timeout(DNS_PATIENCE, self.stack.dns_query(host, DnsQueryType::A)).await;
        let found = answer
            .ok()
            .and_then(Result::ok)
            .and_then(|all| all.into_iter().map(|IpAddress::Ipv4(ip)| ip).next());
        if found.is_some() {
            *self.last.borrow_mut() = found;
        }
        *self.last.borrow()
    }
}
