//! The network: stack, address, names. Everything here and everything that owns a socket runs in the executor `net`.

use core::cell::RefCell;
use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::task::Waker;
use embassy_net::dns::DnsQueryType;
use embassy_net::{ConfigV4, IpAddress, IpEndpoint, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use gateway::office::Subnet;
use gateway::{Input, Network, Station, budget};
use netshim::{Clock, Event, Lease, Link, Net, NetShim};
use static_cell::StaticCell;

use crate::brain::Brain;
use crate::{board, log, services, work};

/// Hosts of the office network kept in mind: as many as there may be registrations.
const HOSTS: usize = budget::BINDINGS;
/// Bytes of packets waiting for their hosts: an INVITE of 1 KiB for each of six phones. More wait in the SIP socket until the
/// first have answered.
const HELD: usize = 6 * 1024;
/// The SIP socket, a player and an analog line each, the trunk, MQTT, two for TFTP, those for files, the stack's own for DNS, and
/// the services.
const SOCKETS: usize =
    1 + budget::PLAYERS + budget::LINES + 1 + 1 + 2 + budget::HTTP_CONNECTIONS + 1 + services::SOCKETS;
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

/// Builds the stack. Call in the executor `net`.
pub fn stack(
    mac: &'static mut board::Mac,
    last: Option<Lease>,
    seed: u64,
) -> (
    Stack<'static>,
    &'static mut Runner<'static, Shim>,
    &'static Shared,
) {
    static SHARED: StaticCell<Shared> = StaticCell::new();
    static LINK: StaticCell<Ethernet> = StaticCell::new();
    static RUNNER: StaticCell<Runner<'static, Shim>> = StaticCell::new();
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let address = match embassy_net_driver::Driver::hardware_address(mac) {
        embassy_net_driver::HardwareAddress::Ethernet(address) => address,
        _ => panic!("the MAC is not of Ethernet"),
    };
    let shared = SHARED.init_with(|| RefCell::new(netshim::State::new(address, last, seed as u32)));
    let link = LINK.init(Link::new(mac, EmbassyClock, shared));
    let shim = NetShim::new(link, Net::Office);
    let config = embassy_net::Config::default();
    let (stack, runner) = embassy_net::new(shim, config, RESOURCES.init_with(StackResources::new), seed);
    (stack, RUNNER.init(runner), shared)
}

/// Moves packets.
#[embassy_executor::task]
pub async fn run(runner: &'static mut Runner<'static, Shim>) -> ! {
    runner.run().await
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
                    mac: shared.borrow().mac(),
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
                if current.as_ref() == Some(&config) {
                    continue;
                }
                log!(
                    "net: {} {}",
                    config.address,
                    if fresh { "granted" } else { "kept" }
                );
                stack.set_config_v4(ConfigV4::Static(config.clone()));
                current = Some(config);
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
pub fn station(shared: &Shared, address: SocketAddr) -> Option<Station> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    let netshim::Station { mac, port } = shared.borrow().who(Net::Office, ip)?;
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
