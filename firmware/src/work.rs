//! The flash: runs the store's operations, one after the other, in the executor `work`.

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use gateway::Input;
use gateway::store::{Done, Fault, Key, Op, Store, Token, UNDER_WAY};
use netshim::Lease;

use crate::brain::Brain;
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

/// Tells the brain what became of its operations.
#[embassy_executor::task]
pub async fn report(brain: &'static Brain) -> ! {
    loop {
        DONE.ready_to_receive().await;
        let turn = brain.turn().await;
        if let Ok(done) = DONE.try_receive() {
            turn.tell(Input::Stored(done));
        }
    }
}
