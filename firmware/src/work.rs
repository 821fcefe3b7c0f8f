//! The flash: runs the store's operations, one after the other, in the executor `work`.

use embassy_futures::select::select;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use gateway::Input;
use gateway::store::{Done, Fault, Key, OPERATIONS, Op, Store, Token};
use netshim::Lease;

use crate::brain::Brain;
use crate::{board, log, watchdog};

/// Operations on their way; each carries up to a kibibyte.
const DEPTH: usize = 2;

/// Token of the network's own operation (the lease); never given by the brain.
pub const LEASE: Token = Token(u32::MAX);

static OPERATIONS: Channel<CriticalSectionRawMutex, (Token, Op), DEPTH> = Channel::new();

/// Results for the brain.
static DONE: Channel<CriticalSectionRawMutex, Done, 1> = Channel::new();

/// Hands an operation over; waits while the queue is full.
pub fn run(token: Token, operation: Op) -> impl Future<Output = ()> {
    send(&OPERATIONS, (token, operation))
}

/// As [`Channel::send`], whose future has room for two of what it sends.
fn send<T, const N: usize>(
    channel: &'static Channel<CriticalSectionRawMutex, T, N>,
    item: T,
) -> impl Future<Output = ()> {
    let mut waiting = Some(item);
    poll_fn(move |cx| {
        while let Some(item) = waiting.take() {
            if let Err(TrySendError::Full(back)) = channel.try_send(item) {
                waiting = Some(back);
                if channel.poll_ready_to_send(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    })
}

/// Owns the flash.
#[embassy_executor::task]
pub async fn store(store: &'static mut Store<board::Flash>) -> ! {
    loop {
        watchdog::patient(watchdog::Part::Work, OPERATIONS.ready_to_receive()).await;
        let Ok((token, operation)) = OPERATIONS.try_receive() else {
            continue;
        };
        let done = store.execute(token, &operation).await;
        if let Err(fault @ (Fault::Flash | Fault::Corrupted)) = done.result {
            log!("flash: {fault:?}");
        }
        if token != LEASE {
            send(&DONE, done).await;
        }
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
