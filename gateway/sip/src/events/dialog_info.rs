//! `application/dialog-info+xml` (RFC 4235): the lamp of a line.

use core::fmt::{self, Display, Write};

/// The package.
pub const PACKAGE: &str = "dialog";
/// The type of its documents.
pub const CONTENT_TYPE: &str = "application/dialog-info+xml";

/// Whether a document tells of all dialogs or of those that have changed (§4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Of all.
    Full,
    /// Of what has changed since the document before.
    Partial,
}

/// Who began a dialog (§4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The line that is watched.
    Initiator,
    /// The other one.
    Recipient,
}

/// Where a dialog stands (§3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its INVITE has no answer.
    Trying,
    /// The INVITE has a 100, or an answer without a tag.
    Proceeding,
    /// It rings.
    Early,
    /// Answered.
    Confirmed,
    /// Over, or never begun.
    Terminated,
}

impl State {
    /// As in a document: `early`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Proceeding => "proceeding",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
            Self::Terminated => "terminated",
        }
    }
}

/// How a dialog is told apart from others by who wants to replace it (RFC 3891), as the line that is watched sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialogId<T> {
    /// Call-ID.
    pub call_id: T,
    /// The line's own tag.
    pub local_tag: T,
    /// The other side's.
    pub remote_tag: T,
}

/// A dialog. Without `remote` nobody is named: who may not be known is left out (§7).
#[derive(Clone, Copy, Debug)]
pub struct Dialog<U, T> {
    /// Unique for this line, and the same in every document.
    pub id: u32,
    /// Its dialog identifiers, if it may be replaced.
    pub ids: Option<DialogId<T>>,
    /// Who began it, unless there never was a dialog.
    pub direction: Option<Direction>,
    /// Where it stands.
    pub state: State,
    /// The URI of the other side.
    pub remote: Option<U>,
}

/// A document. `dialogs` is gone through each time it is printed.
pub struct DialogInfo<E, I> {
    /// Counts the documents of a subscription, from 0.
    pub version: u32,
    /// Whether these are all dialogs.
    pub scope: Scope,
    /// The URI of the line that is watched.
    pub entity: E,
    /// The dialogs.
    pub dialogs: I,
}

impl<E, I, U, T> Display for DialogInfo<E, I>
where
    E: Display,
    I: Iterator<Item = Dialog<U, T>> + Clone,
    U: Display,
    T: Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = match self.scope {
            Scope::Full => "full",
            Scope::Partial => "partial",
        };
        write!(
            f,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" \
             version=\"{}\" state=\"{scope}\" entity=\"{}\">\n",
            self.version,
            Escaped(&self.entity)
        )?;
        for dialog in self.dialogs.clone() {
            dialog.print(f)?;
        }
        f.write_str("</dialog-info>\n")
    }
}

impl<U: Display, T: Display> Dialog<U, T> {
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<dialog id=\"{:x}\"", self.id)?;
        if let Some(DialogId {
            call_id,
            local_tag,
            remote_tag,
        }) = &self.ids
        {
            let [call_id, local, remote] = [call_id, local_tag, remote_tag].map(Escaped);
            write!(
                f,
                " call-id=\"{call_id}\" local-tag=\"{local}\" remote-tag=\"{remote}\""
            )?;
        }
        f.write_str(match self.direction {
            None => ">\n",
            Some(Direction::Initiator) => " direction=\"initiator\">\n",
            Some(Direction::Recipient) => " direction=\"recipient\">\n",
        })?;
        writeln!(f, "<state>{}</state>", self.state.as_str())?;
        if let Some(uri) = &self.remote {
            let uri = Escaped(uri);
            write!(
                f,
                "<remote>\n<identity>{uri}</identity>\n<target uri=\"{uri}\"/>\n</remote>\n"
            )?;
        }
        f.write_str("</dialog>\n")
    }
}

/// Text in a document: what means something there is written as a reference, and what must not be there (XML 1.0 §2.2) as a
/// space.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => self.0.write_char(' ')?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}
