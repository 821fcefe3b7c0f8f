//! Work for counting instructions of the brain alone: 64 registered phones on the box's own storage, and then `n` times the
//! same operation.
//!
//! ```text
//! instructions register <n>   a phone refreshes its registration with credentials (SHA-256): REGISTER, 200
//! instructions invite <n>     a whole call from phone to phone: INVITE with credentials, 100, INVITE, 180, 180, 200, ACK,
//!                             200, ACK, BYE, 200, BYE, 200, with its timers and its two records
//! ```
//!
//! Phones and clock run in the same process: count only what happens in the functions `brain_*`, and take the difference of
//! two runs (see `benches/README.md`).

#[path = "../tests/office/mod.rs"]
mod office;

use office::{Office, Phone, REALM, Seen, offer};

/// A phone, the challenge it answers, and how often it has.
struct Desk {
    phone: Phone,
    challenge: Option<Seen>,
    count: u32,
}

impl Desk {
    fn authorization(&mut self, method: &str, uri: &str) -> String {
        self.count += 1;
        match &self.challenge {
            Some(challenge) => self.phone.authorization_again(challenge, self.count, method, uri),
            None => String::new(),
        }
    }

    fn register(&mut self, o: &mut Office, n: u32) {
        let line = self.authorization("REGISTER", &format!("sip:{REALM}"));
        o.rx(self.phone.address, &self.phone.register(n, &line));
        let answer = o.seen.pop_front().expect("an answer");
        match answer.what() {
            "200" => {}
            "401" => {
                // Not known yet, or the nonce is used up.
                (self.challenge, self.count) = (Some(answer), 0);
                self.register(o, n + 1);
            }
            other => panic!("{other}"),
        }
    }
}

fn call(o: &mut Office, desk: &mut Desk, to: &Phone, n: u32) {
    let mut dialog = desk.phone.calls(&format!("{}", 200 + to.index), &format!("c{n}"));
    let sdp = offer(&desk.phone.address.ip().to_string(), 4_000);
    let line = desk
        .authorization("INVITE", &dialog.target)
        .replace("Authorization", "Proxy-Authorization");
    dialog.cseq = 2;
    o.rx(dialog.peer, &dialog.request("INVITE", "2", &line, &sdp));
    o.expect(dialog.peer, "100");
    let invite = o.expect(to.address, "INVITE");
    o.answer(&invite, 180);
    o.expect(dialog.peer, "180");
    let callee = o.take(&invite);
    let mut caller = o.connected(dialog);
    o.hang_up(&mut caller, &callee);
    o.quiet();
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(what), Some(Ok(n))) = (args.next(), args.next().map(|n| n.parse::<u32>())) else {
        eprintln!("usage: instructions register|invite <n>");
        std::process::exit(2);
    };
    let mut o = Office::new(&office::site(64, 64));
    o.forgetful = true;
    let mut desks: Vec<Desk> = (0..64)
        .map(|index| Desk {
            phone: Phone::new(index),
            challenge: None,
            count: 0,
        })
        .collect();
    for desk in &mut desks {
        desk.register(&mut o, 1);
    }
    for n in 0..n {
        let index = n as usize % 64;
        match what.as_str() {
            "register" => desks[index].register(&mut o, 10 + n),
            "invite" => {
                let to = Phone::new(((n + 1) % 64) as u16);
                call(&mut o, &mut desks[index], &to, n);
            }
            _ => panic!("register or invite"),
        }
        // A hundred REGISTERs or twenty calls a second.
        o.wait(if what == "register" { 10 } else { 50 });
        o.media.clear();
    }
    assert_eq!(o.gateway.registered().count(), 64);
    println!("{what} {n}");
}
