//! Where the phones' logs go (RFC 3164, RFC 5424, and what phones make of them).
//!
//! They are counted. Of each phone the last line that warns is kept, and goes to the box's own log, at most one in ten seconds: a
//! phone that cannot register says why, and nobody has to stand beside it. A phone that floods is heard ten times a second.

use core::net::Ipv4Addr;
use core::time::Duration;

use heapless::String;
use sip::Instant;

use crate::budget::{LOG_LINE, LOGS};

/// Port of syslog servers (RFC 5426 §3.3).
pub const PORT: u16 = 514;
/// Between two lines of one phone that go to the box's own log.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Lines a second that are heard of one phone.
const PER_SECOND: u8 = 10;
/// Warning (RFC 5424 §6.2.1, table 2): it and what is worse are kept.
const WARNING: u8 = 4;
/// Where a line without a number belongs: user, notice (RFC 3164 §4.3.3).
const NO_PRIORITY: u8 = 13;

/// The log of one phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its address.
    pub address: Ipv4Addr,
    /// When it was last heard.
    pub heard: Instant,
    /// Lines heard.
    pub lines: u32,
    /// Of these, warnings and worse.
    pub warnings: u32,
    /// Lines not heard: too many, or no text.
    pub dropped: u32,
    /// The last that warned: its severity, 0 (emergency) to 4.
    pub severity: u8,
    /// And its text, as far as there is room.
    pub text: String<LOG_LINE>,
    /// The second it is in, and the lines heard in it.
    window: (u64, u8),
    /// When a warning goes to the box's log, if there is one; and when the next may.
    say: Option<Instant>,
    said: Instant,
}

/// The logs of all phones.
pub struct Syslog {
    logs: heapless::Vec<Log, LOGS>,
}

impl Syslog {
    /// None.
    pub const fn new() -> Self {
        Self {
            logs: heapless::Vec::new(),
        }
    }

    /// The phones' logs, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Log> {
        self.logs.iter()
    }

    /// A datagram at port 514.
    pub fn receive(&mut self, now: Instant, address: Ipv4Addr, bytes: &[u8]) {
        let Some(log) = self.log(now, address) else {
            return;
        };
        let second = now.as_millis() / 1_000;
        let (begun, count) = log.window;
        let count = if begun == second { count } else { 0 };
        log.heard = now;
        log.window = (second, count.saturating_add(1));
        let (priority, text) = parse(bytes);
        if count >= PER_SECOND || text.is_empty() {
            log.dropped = log.dropped.saturating_add(1);
            return;
        }
        log.lines = log.lines.saturating_add(1);
        let severity = priority & 7;
        if severity > WARNING {
            return;
        }
        log.warnings = log.warnings.saturating_add(1);
        log.severity = severity;
        log.say = log.say.or(Some(now.max(log.said)));
        log.text.clear();
        for chunk in text.utf8_chunks() {
            let broken = if chunk.invalid().is_empty() { "" } else { "?" };
            // What is not to be shown is a space: a line is one line.
            let valid = chunk.valid().chars().chain(broken.chars());
            for letter in valid.map(|letter| if letter.is_control() { ' ' } else { letter }) {
                if log.text.push(letter).is_err() {
                    return;
                }
            }
        }
    }

    /// The next phone whose last warning goes to the box's log.
    pub fn poll(&mut self, now: Instant) -> Option<&Log> {
        let due = |log: &Log| log.say.is_some_and(|at| at <= now);
        let log = self.logs.iter_mut().find(|log| due(log))?;
        log.say = None;
        log.said = now + SAY_EVERY;
        Some(log)
    }

    /// When [`Syslog::poll`] has something next.
    pub fn next_deadline(&self) -> Instant {
        self.logs
            .iter()
            .filter_map(|log| log.say)
            .min()
            .unwrap_or(Instant::NEVER)
    }

    /// The log of this phone, made if need be in the place of the one that was silent the longest.
    fn log(&mut self, now: Instant, address: Ipv4Addr) -> Option<&mut Log> {
        if let Some(at) = self.logs.iter().position(|log| log.address == address) {
            return self.logs.get_mut(at);
        }
        if self.logs.is_full() {
            let (at, _) = self.logs.iter().enumerate().min_by_key(|(_, log)| log.heard)?;
            self.logs.swap_remove(at);
        }
        let log = Log {
            address,
            heard: now,
            lines: 0,
            warnings: 0,
            dropped: 0,
            severity: 0,
            text: String::new(),
            window: (0, 0),
            say: None,
            said: Instant::ZERO,
        };
        self.logs.push(log).ok()?;
        self.logs.last_mut()
    }
}

impl Default for Syslog {
    fn default() -> Self {
        Self::new()
    }
}

/// Facility and severity, `<PRI>`, 0 to 191 (RFC 5424 §6.2.1), and the text. Of headers that are not of RFC 5424 phones have ideas of
/// their own: they stay part of the text.
fn parse(bytes: &[u8]) -> (u8, &[u8]) {
    let numbered = bytes.strip_prefix(b"<").and_then(|rest| {
        let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
        let (digits, text) = rest.split_at_checked(end)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let priority: u8 = core::str::from_utf8(digits).ok()?.parse().ok()?;
        (priority <= 191).then_some((priority, text.get(1..)?))
    });
    let (priority, text) = numbered.unwrap_or((NO_PRIORITY, bytes));
    let text = without_header(text).unwrap_or(text).trim_ascii_start();
    // RFC 5424 §6.4: a text may begin with a byte order mark; a datagram may end in a line's end.
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    (priority, text.trim_ascii())
}

/// What is behind version, time, host, application, process, message and the structured data (RFC 5424 §6.2, §6.3).
fn without_header(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"1 ")?;
    for _ in 0..5 {
        let end = rest.iter().position(|byte| *byte == b' ')?;
        rest = rest.get(end + 1..)?;
    }
    if let Some(text) = rest.strip_prefix(b"-") {
        return Some(text);
    }
    while let Some(element) = rest.strip_prefix(b"[") {
        let mut escaped = false;
        let end = element.iter().position(|byte| {
            let ends = *byte == b']' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        rest = element.get(end + 1..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 21);

    fn heard(syslog: &Syslog) -> (u32, u32, u32, u8, &str) {
        let log = syslog.logs.last().unwrap();
        (log.lines, log.warnings, log.dropped, log.severity, &log.text)
    }

    /// A line, and what is made of it.
    type Row = (&'static [u8], (u32, u32, u32, u8, &'static str));

    /// The examples of RFC 3164 §5.4 and RFC 5424 §6.5, and what phones send.
    #[test]
    fn lines() {
        let table: [Row; 13] = [
            (
                b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
                (1, 1, 0, 2, "Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"),
            ),
            (
                b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
                (1, 0, 0, 0, ""),
            ),
            (b"<12>\xEF\xBB\xBFregister failed: 403\r\n", (1, 1, 0, 4, "register failed: 403")),
            (b"<11>1 2003-10-11T22:14:15.003Z h.example.com evntslog - ID47 - \xEF\xBB\xBFfailed", (1, 1, 0, 3, "failed")),
            (b"<11>1 - - - - - [x@1 a=\"\\]\"][y] no answer", (1, 1, 0, 3, "no answer")),
            (b"<11>1 - - - - - [x@1 a=\"\\]", (1, 1, 0, 3, "1 - - - - - [x@1 a=\"\\]")),
            (b"<11>1 line of the other kind", (1, 1, 0, 3, "1 line of the other kind")),
            (b"<11>a\tb\x00c\n", (1, 1, 0, 3, "a b c")),
            (b"<11>\xFF!", (1, 1, 0, 3, "?!")),
            // Not a number, too large a number, none: a notice.
            (b"<192>x", (1, 0, 0, 0, "")),
            (b"<+4>x", (1, 0, 0, 0, "")),
            (b"Use the BFG!", (1, 0, 0, 0, "")),
            (b"<4> \n", (0, 0, 1, 0, "")),
        ];
        for (bytes, expected) in table {
            let mut syslog = Syslog::new();
            syslog.receive(Instant(5), PHONE, bytes);
            assert_eq!(heard(&syslog), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let mut syslog = Syslog::new();
        let mut line = b"<3>x".to_vec();
        line.extend("電".repeat(200).bytes());
        syslog.receive(Instant(5), PHONE, &line);
        let (.., text) = heard(&syslog);
        assert!(text.len() > LOG_LINE - 3 && text.starts_with("x電電"), "{text}");
    }

    #[test]
    fn a_flood_is_dropped_and_the_longest_silent_makes_room() {
        let mut syslog = Syslog::new();
        for _ in 0..25 {
            syslog.receive(Instant(1_500), PHONE, b"<12>again");
        }
        assert_eq!(heard(&syslog), (10, 10, 15, 4, "again"));
        syslog.receive(Instant(2_000), PHONE, b"<12>more");
        assert_eq!(heard(&syslog), (11, 11, 15, 4, "more"));
        // The box says the last of them at once, and the next after ten seconds.
        let said = |syslog: &mut Syslog, at| syslog.poll(Instant(at)).map(|log| log.text.clone());
        assert_eq!(said(&mut syslog, 2_000).as_deref(), Some("more"));
        syslog.receive(Instant(2_100), PHONE, b"<12>later");
        assert_eq!(
            (said(&mut syslog, 11_999), syslog.next_deadline()),
            (None, Instant(12_000))
        );
        assert_eq!(said(&mut syslog, 12_000).as_deref(), Some("later"));
        assert_eq!(
            (said(&mut syslog, 99_000), syslog.next_deadline()),
            (None, Instant::NEVER)
        );
        for host in 0..LOGS as u8 {
            let address = Ipv4Addr::new(10, 0, 0, host);
            syslog.receive(Instant(3_000 + u64::from(host)), address, b"<12>x");
        }
        assert_eq!(syslog.iter().count(), LOGS);
        assert!(syslog.iter().all(|log| log.address != PHONE));
    }
}
