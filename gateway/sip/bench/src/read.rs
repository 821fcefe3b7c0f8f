//! The same values of a message, read by our core and by the crates it is compared with.

use bytes::Bytes;

/// What each of them is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'a> {
    /// Status code; `None` in a request.
    pub status: Option<u16>,
    /// Branch of the topmost Via.
    pub branch: Option<&'a [u8]>,
    /// Tag of From.
    pub from_tag: Option<&'a [u8]>,
    /// Tag of To.
    pub to_tag: Option<&'a [u8]>,
    /// Call-ID.
    pub call_id: &'a [u8],
    /// Number in CSeq.
    pub cseq: u32,
    /// Max-Forwards, where there.
    pub max_forwards: Option<u32>,
    /// The body.
    pub body: &'a [u8],
}

/// What cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// The message as a whole.
    Message,
    /// Its topmost Via.
    Via,
    /// From.
    From,
    /// To.
    To,
    /// Call-ID.
    CallId,
    /// CSeq.
    CSeq,
    /// Max-Forwards.
    MaxForwards,
}

/// Our core. All it is asked for was checked by [`sip::Message::parse_datagram`].
pub fn ours<T>(bytes: &[u8], see: impl FnOnce(Values<'_>) -> T) -> Result<T, Unread> {
    // Looked at where it is: a message is large to be moved.
    let parsed = sip::Message::parse_datagram(bytes);
    let message = parsed.as_ref().map_err(|_| Unread::Message)?;
    Ok(see(Values {
        status: message.status(),
        branch: message.via().ok_or(Unread::Via)?.branch,
        from_tag: message.from().ok_or(Unread::From)?.tag(),
        to_tag: message.to().ok_or(Unread::To)?.tag(),
        call_id: message.call_id().ok_or(Unread::CallId)?,
        cseq: message.cseq().ok_or(Unread::CSeq)?.seq,
        max_forwards: message.max_forwards().map(u32::from),
        body: message.body(),
    }))
}

/// rsip 0.4.
pub fn rsip<T>(bytes: &[u8], see: impl FnOnce(Values<'_>) -> T) -> Result<T, Unread> {
    use rsip::prelude::*;
    let message = rsip::SipMessage::try_from(bytes).map_err(|_| Unread::Message)?;
    let via = message.via_header().and_then(|via| via.typed());
    let via = via.map_err(|_| Unread::Via)?;
    let from = message.from_header().and_then(|from| from.typed());
    let from = from.map_err(|_| Unread::From)?;
    let to = message.to_header().and_then(|to| to.typed());
    let to = to.map_err(|_| Unread::To)?;
    let call_id = message.call_id_header().map_err(|_| Unread::CallId)?;
    let cseq = message.cseq_header().and_then(|cseq| cseq.typed());
    let cseq = cseq.map_err(|_| Unread::CSeq)?;
    let max_forwards = message.max_forwards_header().ok().map(|max| max.num());
    Ok(see(Values {
        status: match &message {
            rsip::SipMessage::Request(_) => None,
            rsip::SipMessage::Response(response) => Some(response.status_code.code()),
        },
        branch: via.branch().map(|branch| branch.value().as_bytes()),
        from_tag: from.tag().map(|tag| tag.value().as_bytes()),
        to_tag: to.tag().map(|tag| tag.value().as_bytes()),
        call_id: call_id.value().as_bytes(),
        cseq: cseq.seq,
        max_forwards: max_forwards.transpose().map_err(|_| Unread::MaxForwards)?,
        body: message.body(),
    }))
}

/// rsipstack 0.7.
pub fn rsipstack<T>(bytes: &[u8], see: impl FnOnce(Values<'_>) -> T) -> Result<T, Unread> {
    use rsipstack::sip::prelude::*;
    use rsipstack::sip::{SipMessage, typed};
    let message = SipMessage::try_from(bytes).map_err(|_| Unread::Message)?;
    let via = message
        .top_via_header()
        .and_then(|via| typed::Via::parse(via.value()));
    let via = via.map_err(|_| Unread::Via)?;
    let from = message.from_header().and_then(|from| from.typed());
    let from = from.map_err(|_| Unread::From)?;
    let to = message.to_header().and_then(|to| to.typed());
    let to = to.map_err(|_| Unread::To)?;
    let call_id = message.call_id_header().map_err(|_| Unread::CallId)?;
    let cseq = message.cseq_header().and_then(|cseq| cseq.typed());
    let cseq = cseq.map_err(|_| Unread::CSeq)?;
    let max_forwards = message.max_forwards_header().ok().map(|max| max.value().parse());
    Ok(see(Values {
        status: match &message {
            SipMessage::Request(_) => None,
            SipMessage::Response(response) => Some(response.status_code.code()),
        },
        branch: via.branch().map(|branch| branch.value().as_bytes()),
        from_tag: from.tag().map(|tag| tag.value().as_bytes()),
        to_tag: to.tag().map(|tag| tag.value().as_bytes()),
        call_id: call_id.value().as_bytes(),
        cseq: cseq.seq,
        max_forwards: max_forwards.transpose().map_err(|_| Unread::MaxForwards)?,
        body: match &message {
            SipMessage::Request(request) => &request.body,
            SipMessage::Response(response) => &response.body,
        },
    }))
}

/// ezk-sip-types 0.6: the lines and headers as its own endpoint takes them; the body is as long as Content-Length says there.
pub fn ezk<T>(bytes: &[u8], see: impl FnOnce(Values<'_>) -> T) -> Result<T, Unread> {
    use ezk_sip_types::header::typed::{CSeq, CallID, ContentLength, FromTo, MaxForwards, Via};
    use ezk_sip_types::msg::{Line, MessageLine, PullParser};
    use ezk_sip_types::parse::Parse;
    use ezk_sip_types::{Headers, Name};

    let bytes = Bytes::copy_from_slice(bytes);
    let mut lines = PullParser::new(&bytes, 0);
    let mut start = None;
    let mut headers = Headers::new();
    for line in &mut lines {
        let line = str::from_utf8(line.map_err(|_| Unread::Message)?).map_err(|_| Unread::Message)?;
        match start {
            None => start = Some(MessageLine::parse(&bytes)(line).map_err(|_| Unread::Message)?.1),
            Some(_) => {
                // A line that cannot be read is passed over.
                if let Ok((_, Line { name, value })) = Line::parse(&bytes, line) {
                    headers.insert(name, value);
                }
            }
        }
    }
    let start = start.ok_or(Unread::Message)?;
    let via: Vec<Via> = headers.get_named().map_err(|_| Unread::Via)?;
    let via = via.first().ok_or(Unread::Via)?;
    let from: FromTo = headers.get(Name::FROM).map_err(|_| Unread::From)?;
    let to: FromTo = headers.get(Name::TO).map_err(|_| Unread::To)?;
    let call_id: CallID = headers.get_named().map_err(|_| Unread::CallId)?;
    let cseq: CSeq = headers.get_named().map_err(|_| Unread::CSeq)?;
    let max_forwards: Option<Result<MaxForwards, _>> = headers.try_get_named();
    let max_forwards = max_forwards.transpose().map_err(|_| Unread::MaxForwards)?;
    let body = bytes.get(lines.head_end()..).unwrap_or_default();
    let length: Option<Result<ContentLength, _>> = headers.try_get_named();
    let body = match length.and_then(Result::ok) {
        Some(ContentLength(length)) => body.get(..length).ok_or(Unread::Message)?,
        None => body,
    };
    Ok(see(Values {
        status: match &start {
            MessageLine::Request(_) => None,
            MessageLine::Response(line) => Some(line.code.into_u16()),
        },
        branch: via.params.get_val("branch").map(|branch| branch.as_bytes()),
        from_tag: from.tag.as_ref().map(|tag| tag.as_bytes()),
        to_tag: to.tag.as_ref().map(|tag| tag.as_bytes()),
        call_id: call_id.0.as_bytes(),
        cseq: cseq.cseq,
        max_forwards: max_forwards.map(|max| u32::from(max.0)),
        body,
    }))
}
