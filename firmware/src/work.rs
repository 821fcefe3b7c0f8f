//! The flash: runs the store's operations, one after the other, in the executor `work`.

use core::future::Future;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use gateway::store::{Done, Fault, Key, Op, Store, Token, UNDER_WAY};
use netshim::Lease;

use crate::{board, log, watchdog};

/// Operations on their way: all that the brain has under way.
static OPERATIONS: Channel<CriticalSectionRawMutex, (Token, Op), UNDER_WAY> = Channel::new();

/// The lease to be kept; only the last counts.
static LEASE: Signal<CriticalSectionRawMutex, Lease> = Signal::new();

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

/// Owns the flash.
#[embassy_executor::task]
pub async fn store(store: &'static mut Store<board::Flash>) -> ! {
    loop {
        let order = select(OPERATIONS.ready_to_receive(), LEASE.wait());
        if let Either::Second(lease) = watchdog::patient(watchdog::Part::Work, order).await
            && let Err(fault) = store.set(Key::LEASE, &lease.encode()).await
        {
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
