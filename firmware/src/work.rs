//! The flash: runs the store's operations, one after the other, in the executor `work`.

use core::future::Future;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::{Mutex, MutexGuard};
use embassy_sync::signal::Signal;
use gateway::budget::DOWNLOADS;
use gateway::store::{Done, Fault, Key, MAX_PIECE, Op, Store, Token, UNDER_WAY};
use netshim::Lease;

use crate::{board, log, watchdog};

/// Operations on their way: all that the brain has under way.
static OPERATIONS: Channel<CriticalSectionRawMutex, (Token, Op), UNDER_WAY> = Channel::new();

/// The lease to be kept; only the last counts.
static LEASE: Signal<CriticalSectionRawMutex, Lease> = Signal::new();

/// Firmware for a phone that is to be read: from where, and how many bytes.
static READ: Signal<CriticalSectionRawMutex, (u32, usize)> = Signal::new();

/// What was read, and whether it could be.
static PIECE: Mutex<CriticalSectionRawMutex, [u8; MAX_PIECE]> = Mutex::new([0; MAX_PIECE]);
static IS_READ: Signal<CriticalSectionRawMutex, bool> = Signal::new();

// One connection at a time reads: there is one piece.
const _: () = assert!(DOWNLOADS == 1);

/// Results for the brain.
static DONE: Channel<CriticalSectionRawMutex, Done, 1> = Channel::new();

/// Hands over an operation of the brain.
pub fn run(token: Token, operation: Op) {
    if OPERATIONS.try_send((token, operation)).is_err() {
        panic!("more than {UNDER_WAY} operations under way");
    }
}

/// Keeps the lease of the address.
pub fn keep(lease: Lease) {
    LEASE.signal(lease);
}

/// Reads at most [`MAX_PIECE`] bytes of the phones' firmware; to its end, once begun. `None`: they cannot be read.
pub async fn read(
    place: u32,
    len: usize,
) -> Option<MutexGuard<'static, CriticalSectionRawMutex, [u8; MAX_PIECE]>> {
    READ.signal((place, len));
    match IS_READ.wait().await {
        true => Some(PIECE.lock().await),
        false => None,
    }
}

/// Owns the flash.
#[embassy_executor::task]
pub async fn store(store: &'static mut Store<board::Flash>) -> ! {
    loop {
        let order = select3(OPERATIONS.ready_to_receive(), LEASE.wait(), READ.wait());
        let done = match watchdog::patient(watchdog::Part::Work, order).await {
            Either3::First(()) => Ok(()),
            Either3::Second(lease) => store.set(Key::LEASE, &lease.encode()).await,
            Either3::Third((place, len)) => {
                let done = match PIECE.lock().await.get_mut(..len) {
                    Some(piece) => store.read_file(place, piece).await,
                    None => Err(Fault::Refused),
                };
                IS_READ.signal(done.is_ok());
                done
            }
        };
        if let Err(fault) = done {
            log!("flash: {fault:?}");
        }
        let Ok((token, operation)) = OPERATIONS.try_receive() else {
            continue;
        };
        let done = store.execute(token, &operation).await;
        if let Err(fault @ (Fault::Flash | Fault::Corrupted)) = done.result {
            log!("flash: {fault:?}");
        }
        DONE.send(done).await;
    }
}

/// Waits until an operation has ended. The brain alone does.
pub fn is_done() -> impl Future<Output = ()> {
    DONE.ready_to_receive()
}

/// What became of it.
pub fn done() -> Option<Done> {
    DONE.try_receive().ok()
}
