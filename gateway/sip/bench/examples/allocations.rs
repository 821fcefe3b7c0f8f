//! `sip.parse.allocs`: how often our core asks for memory to read the INVITE. A program of its own, as counting takes time.
use sip_bench::messages::INVITE;
use sip_bench::read;

fn main() {
    let allocations = |read: &dyn Fn()| allocation_counter::measure(read).count_total;
    let ours = allocations(&|| assert!(read::ours(INVITE, |_| ()).is_ok()));
    println!("figure sip.parse.allocs {ours} allocations");
    // So that the counter is seen to count.
    let rsip = allocations(&|| assert!(read::rsip(INVITE, |_| ()).is_ok()));
    println!("figure sip.parse.rsip.allocs {rsip} allocations");
}
