//! Which clients can be offered a choice of challenges (RFC 8760 §2.3).
//!
//! Two challenges in one answer, SHA-256 and MD5, are what the RFC wants and what many clients in use fail at: they look at
//! the first only, or give up at one they do not know. The registrar tells them in three ways: by what they registered with,
//! by their silence after a challenge, and at first sight by their name, here.

/// Clients that cannot, by the begin of their User-Agent and the first version that can.
const SIMPLE: [(&[u8], (u32, u32)); 4] = [
    // libre gives the answer up at an unknown algorithm: baresip/re#1103, and seen with 1.0.0.
    (b"baresip v", (3, 11)),
    // Takes the first challenge only: pjsip/pjproject#2408.
    (b"PJSUA v", (2, 11)),
    // Takes the first challenge only: SIPp/sipp#652, and seen with 3.6.1.
    (b"SIPp v", (3, 8)),
    // Gives up at the first challenge if it does not know the algorithm: seen with 0.9.8.1, the latest.
    (b"sipsak ", (0, 10)),
];

/// True for a client to be challenged with MD5 alone: one of those, or one that does not say what it is.
pub(super) fn is_simple(user_agent: Option<&[u8]>) -> bool {
    let Some(name) = user_agent else { return true };
    let version = SIMPLE
        .iter()
        .find_map(|(begin, good)| Some((name.strip_prefix(*begin)?, *good)));
    version.is_some_and(|(version, good)| {
        let mut numbers = version.split(|b| !b.is_ascii_digit()).map(sip::fields::number);
        let mut next = || numbers.next().flatten().unwrap_or(0);
        (next(), next()) < good
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_and_versions() {
        for (name, simple) in [
            (None, true),
            (Some("baresip v1.0.0 (x86_64/linux)"), true),
            (Some("baresip v3.10.1 (x86_64/Linux)"), true),
            (Some("baresip v3.11.0 (x86_64/Linux)"), false),
            (Some("baresip v4.0.0"), false),
            (Some("baresip vX"), true),
            (Some("PJSUA v2.10 Linux-5.10/x86_64/glibc-2.31"), true),
            (Some("PJSUA v2.15.1 Linux"), false),
            (Some("SIPp v3.6.1"), true),
            (Some("sipsak 0.9.8.1"), true),
            (Some("Grandstream GXP2170 1.0.11.64"), false),
            (Some(""), false),
        ] {
            assert_eq!(super::is_simple(name.map(str::as_bytes)), simple, "{name:?}");
        }
    }
}
