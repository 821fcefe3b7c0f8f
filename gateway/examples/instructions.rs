//! Work for counting instructions of the brain alone: 64 registered phones on the box's own storage, and then `n` times the
//! same operation.
//!
//! ```text
//! instructions register <n>   a phone refreshes its registration with credentials (SHA-256): REGISTER, 200
//! instructions invite <n>     a whole call from phone to phone: INVITE with credentials, 100, INVITE, 180, 180, 200, ACK,
//!                             200, ACK, BYE, 200, BYE, 200, with its timers and its two records
//! instructions lamps <n>      the same, while 24 phones watch each of the two: prints how many NOTIFYs went out and were
//!                             answered
//! ```
//!
//! Phones and clock run in the same process: count only what happens in the functions `brain_*`, and take the difference of
//! two runs (see `benches/README.md`).

#[path = "../tests/office/mod.rs"]
mod office;

use office::{Office, Phone, REALM, Seen, answer, offer};

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

/// A phone watches another one's extension.
fn watch(o: &mut Office, desk: &mut Desk, line: u16) {
    let id = format!("w{}-{line}", desk.phone.index);
    let mut dialog = desk.phone.calls(&format!("{}", 200 + line), &id);
    let credentials = desk
        .authorization("SUBSCRIBE", &dialog.target)
        .replace("Authorization", "Proxy-Authorization");
    dialog.cseq = 2;
    let extra = format!(
        "Contact: <{}>\r\nEvent: dialog\r\nExpires: 3600\r\n{credentials}",
        dialog.contact
    );
    o.rx(dialog.peer, &dialog.request("SUBSCRIBE", "2", &extra, ""));
    o.expect(dialog.peer, "200");
}

/// Every NOTIFY is answered; how many there were.
fn notified(o: &mut Office) -> usize {
    let mut count = 0;
    while let Some(place) = o.seen.iter().position(|seen| seen.what() == "NOTIFY") {
        let Some(notify) = o.seen.remove(place) else { break };
        o.reply(&notify, &answer(&notify, 200, ""));
        count += 1;
    }
    count
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
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(what), Some(Ok(n))) = (args.next(), args.next().map(|n| n.parse::<u32>())) else {
        eprintln!("usage: instructions register|invite|lamps <n>");
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
    if what == "lamps" {
        // One half watches the other.
        for index in 32..64u16 {
            for key in 0..24 {
                watch(&mut o, &mut desks[usize::from(index)], (index + key) % 32);
                o.wait(2);
                notified(&mut o);
            }
        }
    }
    let callers = if what == "lamps" { 32 } else { 64 };
    let mut notifies = 0;
    for n in 0..n {
        let index = n as usize % callers;
        match what.as_str() {
            "register" => desks[index].register(&mut o, 10 + n),
            "invite" | "lamps" => {
                let to = Phone::new(((n as usize + 1) % callers) as u16);
                call(&mut o, &mut desks[index], &to, n);
            }
            _ => panic!("register, invite or lamps"),
        }
        // A hundred REGISTERs or twenty calls a second.
        for _ in 0..if what == "register" { 10 } else { 50 } {
            o.wait(1);
            notifies += notified(&mut o);
        }
        o.quiet();
        o.media.clear();
    }
    assert_eq!(o.gateway.registered().count(), 64);
    println!("{what} {n}, {notifies} NOTIFYs");
}
