//! `application/simple-message-summary` (RFC 3842): the lamp of a voice mail box.

use core::fmt;

/// The package.
pub const PACKAGE: &str = "message-summary";
/// The type of its documents.
pub const CONTENT_TYPE: &str = "application/simple-message-summary";

/// How many messages of a kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Not heard yet.
    pub new: u32,
    /// Heard.
    pub old: u32,
    /// Not heard yet, and urgent: some of `new`.
    pub urgent_new: u32,
    /// Heard, and urgent: some of `old`.
    pub urgent_old: u32,
}

/// What is known of a box.
pub struct Summary<A> {
    /// Its URI.
    pub account: A,
    /// Its voice messages, as last heard of; `None`: nothing was, and no count is said.
    pub voice: Option<Count>,
}

impl<A: fmt::Display> fmt::Display for Summary<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.voice.is_some_and(|count| count.new > 0);
        let answer = if waiting { "yes" } else { "no" };
        write!(
            f,
            "Messages-Waiting: {answer}\r\nMessage-Account: {}\r\n",
            self.account
        )?;
        if let Some(Count {
            new,
            old,
            urgent_new,
            urgent_old,
        }) = self.voice
        {
            write!(f, "Voice-Message: {new}/{old} ({urgent_new}/{urgent_old})\r\n")?;
        }
        Ok(())
    }
}
