//! The flash: runs the store's operations, one after the other, in the executor `work`.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use gateway::store::{Done, Fault, Op, Store, Token};

use crate::{board, log, watchdog};

/// Operations on their way; each carries up to a kibibyte.
const DEPTH: usize = 2;

/// Token of the network's own operation (the lease); never given by the brain.
pub const LEASE: Token = Token(u32::MAX);

static OPERATIONS: Channel<CriticalSectionRawMutex, (Token, Op), DEPTH> = Channel::new();

/// Results for the brain.
pub static DONE: Channel<CriticalSectionRawMutex, Done, 1> = Channel::new();

/// Hands an operation over; waits while the queue is full.
pub async fn run(token: Token, operation: Op) {
    OPERATIONS.send((token, operation)).await;
}

/// Owns the flash.
#[embassy_executor::task]
pub async fn store(store: &'static mut Store<board::Flash>) -> ! {
    loop {
        let (token, operation) = watchdog::patient(watchdog::Part::Work, OPERATIONS.receive()).await;
        let done = store.execute(token, &operation).await;
        if let Err(fault @ (Fault::Flash | Fault::Corrupted)) = done.result {
            log!("flash: {fault:?}");
        }
        if token != LEASE {
            DONE.send(done).await;
        }
    }
}
