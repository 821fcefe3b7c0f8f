//! The TCP connection to the cloud's SIP: opened, fed and closed as the brain says.

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, with_timeout};
use embedded_io_async::Write;
use gateway::trunk::CHUNK_MAX;
use gateway::{Input, TrunkInput, budget};

use shared::factory::Factory;

use crate::brain::Brain;
use crate::log;
use crate::net::{Resolver, address_of};

/// What the brain may have written and the cloud not yet taken: one message of the largest size. A cloud that leaves more
/// standing has its connection closed.
pub const BACKLOG: usize = budget::STREAM_MAX;
/// How long opening may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Nothing acknowledged for so long: the connection is dead.
const DEAD: Duration = Duration::from_secs(10);
/// An idle connection is probed as often.
const PROBE: Duration = Duration::from_secs(3);

/// What the brain wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open, closing what is open.
    Connect,
    /// Close.
    Close,
}

/// The last command counts.
pub static COMMAND: Signal<CriticalSectionRawMutex, Command> = Signal::new();
/// Bytes for the cloud. What does not fit is for the brain to notice.
pub static OUT: Pipe<CriticalSectionRawMutex, BACKLOG> = Pipe::new();

/// Owns the connection.
#[embassy_executor::task]
pub async fn run(
    stack: Stack<'static>,
    resolver: &'static Resolver,
    factory: &'static Factory,
    buffers: (&'static mut [u8], &'static mut [u8]),
    brain: &'static Brain,
) -> ! {
    let mut socket = TcpSocket::new(stack, buffers.0, buffers.1);
    socket.set_timeout(Some(DEAD));
    socket.set_keep_alive(Some(PROBE));
    socket.set_nagle_enabled(false);
    let mut command = COMMAND.wait().await;
    loop {
        while command != Command::Connect {
            command = COMMAND.wait().await;
        }
        OUT.clear();
        let open = with_timeout(CONNECT, async {
            let to = resolver.find(&factory.cloud_host).await?;
            socket.connect((to, factory.sip_port)).await.ok()
        });
        // A new command while opening is obeyed at once.
        let opened = match select(open, COMMAND.wait()).await {
            Either::First(opened) => opened.ok().flatten().is_some(),
            Either::Second(next) => {
                socket.abort();
                command = next;
                continue;
            }
        };
        let ends = (
            socket.local_endpoint().map(address_of),
            socket.remote_endpoint().map(address_of),
        );
        command = Command::Close;
        if let (true, (Some(local), Some(peer))) = (opened, ends) {
            log!("trunk: open to {peer}");
            let connected = Input::Trunk(TrunkInput::Connected { local, peer });
            brain.turn().await.tell(connected);
            let (mut reader, mut writer) = socket.split();
            let receive = async {
                // Whether there is something, before others are kept from their turn.
                while reader.read_with(|_| (0, ())).await.is_ok() {
                    let turn = brain.turn().await;
                    let told = reader.read_with(|bytes| {
                        let bytes = bytes.get(..CHUNK_MAX).unwrap_or(bytes);
                        turn.tell(Input::Trunk(TrunkInput::Data(bytes)));
                        (bytes.len(), ())
                    });
                    if told.await.is_err() {
                        break;
                    }
                }
            };
            let transmit = async {
                let mut bytes = [0; 256];
                loop {
                    let length = OUT.read(&mut bytes).await;
                    if writer
                        .write_all(bytes.get(..length).unwrap_or_default())
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            };
            if let Either3::Third(next) = select3(receive, transmit, COMMAND.wait()).await {
                command = next;
            }
            log!("trunk: closed");
        }
        socket.abort();
        // The reset leaves before the socket is used again.
        let _ = with_timeout(Duration::from_millis(100), socket.flush()).await;
        if command != Command::Connect {
            brain.turn().await.tell(Input::Trunk(TrunkInput::Closed));
        }
    }
}
