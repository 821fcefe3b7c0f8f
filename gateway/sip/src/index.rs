//! Where the header lines of a message stand: the one pass over all bytes of its header part.
use crate::fault::Fault;
use crate::header::Name;
use crate::message::MAX_HEADERS;
use crate::scan::{find_control, token_len, trim_end, trim_start};

/// A header line: its name, and where line and trimmed value begin in the message. A message is at most MAX_BYTES long, so no
/// offset in it is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) name: Name,
    at: u16,
    value_at: u16,
    value_len: u16,
}

impl Line {
    /// The name as written.
    pub(crate) fn name_in<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        let line = raw.get(usize::from(self.at)..).unwrap_or_default();
        line.get(..token_len(line)).unwrap_or_default()
    }

    /// The trimmed value.
    #[inline]
    pub(crate) fn value_in<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        let (at, len) = (usize::from(self.value_at), usize::from(self.value_len));
        raw.get(at..at + len).unwrap_or_default()
    }
}

/// All header lines of a message.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    lines: heapless::Vec<Line, MAX_HEADERS>,
    /// Where in `lines` each name stands first.
    first: [u8; Name::COUNT],
}

/// In [`Index::first`]: no such line.
const NOWHERE: u8 = u8::MAX;

impl Index {
    pub(crate) const fn new() -> Self {
        Index {
            lines: heapless::Vec::new(),
            first: [NOWHERE; Name::COUNT],
        }
    }

    /// All lines in order.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The first line of this name.
    #[inline]
    pub(crate) fn first(&self, name: Name) -> Option<&Line> {
        self.lines.get(usize::from(*self.first.get(name as usize)?))
    }

    /// The lines from the first of this name on.
    pub(crate) fn since_first(&self, name: Name) -> &[Line] {
        let first = self.first.get(name as usize).copied().unwrap_or(NOWHERE);
        self.lines.get(usize::from(first)..).unwrap_or_default()
    }

    /// Takes in the header lines that begin at `at` and gives where the body begins. Goes on after a fault, so that an answer
    /// finds what it needs, and keeps the first in `fault`.
    pub(crate) fn fill(&mut self, raw: &[u8], mut at: usize, fault: &mut Option<Fault>) -> usize {
        loop {
            let rest = match raw.get(at..) {
                Some([b'\r', b'\n', ..]) => return at + 2,
                None | Some([]) => {
                    fault.get_or_insert(Fault::Truncated);
                    return raw.len();
                }
                Some(rest) => rest,
            };
            // As nearly all lines are, and then as any may be.
            let (len, split) = match usual_line(rest) {
                Some((len, split)) => (len, Some(split)),
                None => match logical_line(rest, fault) {
                    Some(line) => (line.len(), split_line(line)),
                    None => {
                        fault.get_or_insert(Fault::Truncated);
                        return raw.len();
                    }
                },
            };
            match split {
                None => {
                    fault.get_or_insert(Fault::Line);
                }
                Some((name, value_at, value_len)) => self.push(
                    Line {
                        name,
                        at: at as u16,
                        value_at: (at + value_at) as u16,
                        value_len: value_len as u16,
                    },
                    fault,
                ),
            }
            at += len + 2;
        }
    }

    #[inline]
    fn push(&mut self, line: Line, fault: &mut Option<Fault>) {
        if let Some(first) = self.first.get_mut(line.name as usize) {
            if *first == NOWHERE {
                *first = self.lines.len() as u8;
            } else if once_only(line.name) {
                fault.get_or_insert(Fault::Repeated(line.name));
            }
        }
        if self.lines.push(line).is_err() {
            fault.get_or_insert(Fault::TooManyHeaders);
        }
    }
}

/// True for headers that may be there once only.
fn once_only(name: Name) -> bool {
    matches!(
        name,
        Name::From
            | Name::To
            | Name::CallId
            | Name::CSeq
            | Name::MaxForwards
            | Name::ContentLength
            | Name::ContentType
    )
}

/// The name of a header line, where in it the trimmed value begins and how long that is.
type Split = (Name, usize, usize);

/// The header line at the beginning and its length without its CRLF, where its name is in use, a colon and one space follow it,
/// its value is trimmed already and it is not folded; `None` says nothing.
#[inline]
fn usual_line(bytes: &[u8]) -> Option<(usize, Split)> {
    // Name and end are found apart, so that the processor can go on to the next line early.
    let (line, end) = bytes.split_at_checked(find_control(bytes)?)?;
    let ended = matches!(end, [b'\r', b'\n', next, ..] if !matches!(next, b' ' | b'\t'));
    let (name, name_len) = Name::before_colon(bytes)?;
    let [b' ', value @ ..] = line.get(name_len + 1..)? else {
        return None;
    };
    let trimmed = !matches!(value, [] | [b' ', ..] | [.., b' ']);
    (trimmed && ended).then_some((line.len(), (name, name_len + 2, value.len())))
}

/// The header line at the beginning, folds included and its last CRLF not; `None` where it does not end. A CR or LF that ends no
/// line is a fault: others might take it for a line end.
fn logical_line<'a>(bytes: &'a [u8], fault: &mut Option<Fault>) -> Option<&'a [u8]> {
    let mut i = 0;
    loop {
        i += memchr::memchr2(b'\r', b'\n', bytes.get(i..)?)?;
        match bytes.get(i..)? {
            [b'\r', b'\n', b' ' | b'\t', ..] => i += 2,
            [b'\r', b'\n', ..] => return bytes.get(..i),
            _ => {
                fault.get_or_insert(Fault::Line);
                i += 1;
            }
        }
    }
}

/// Splits any header line. White space before the colon is allowed.
fn split_line(line: &[u8]) -> Option<Split> {
    let (name, mut rest) = line.split_at_checked(token_len(line))?;
    while let [b' ' | b'\t', after @ ..] = rest {
        rest = after;
    }
    let value = trim_start(rest.strip_prefix(b":")?);
    let (at, len) = (line.len() - value.len(), trim_end(value).len());
    (!name.is_empty()).then(|| (Name::parse(name), at, len))
}
