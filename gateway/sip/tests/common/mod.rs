//! What the tables of messages share: an answer made by string alone.

/// The unfolded values of the header lines of a name, in full or compact form. Bytes are taken for characters.
pub fn values(message: &[u8], full: &str, compact: &str) -> Vec<String> {
    let text: String = message.iter().map(|&b| char::from(b)).collect();
    let head = text
        .trim_start_matches("\r\n")
        .split("\r\n\r\n")
        .next()
        .unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    for line in head.split("\r\n").skip(1) {
        match lines.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some(last) => *last = format!("{} {}", last.trim_end(), line.trim()),
            None => lines.push(line.trim_end().into()),
        }
    }
    let fields = lines.iter().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(name, _)| {
            [full, compact]
                .iter()
                .any(|n| name.trim().eq_ignore_ascii_case(n))
        })
        .map(|(_, value)| value.trim().to_string())
        .collect()
}

/// The answer to a request as RFC 3261 §8.2.6 makes it of the request's lines; its top Via is told.
pub fn answer(request: &[u8], status: u16, top_via: &str) -> String {
    let first = |full, compact| {
        values(request, full, compact)
            .into_iter()
            .next()
            .unwrap_or_default()
    };
    let mut out = format!(
        "SIP/2.0 {status} {}\r\nVia: {top_via}\r\n",
        sip::reason_phrase(status)
    );
    for via in values(request, "Via", "v").iter().skip(1) {
        out += &format!("Via: {via}\r\n");
    }
    let to = first("To", "t");
    let tag = if to.to_lowercase().replace(' ', "").contains(";tag=") {
        ""
    } else {
        ";tag=answer"
    };
    out += &format!("From: {}\r\nTo: {to}{tag}\r\n", first("From", "f"));
    out += &format!(
        "Call-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
        first("Call-ID", "i"),
        first("CSeq", "-")
    );
    out
}
