//! Who may do what at the broker, and passwords as the broker keeps them.
//!
//! The same password hash serves the embedded broker and mosquitto's password file, so one `box create` is enough
//! for both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha512};

/// Whether box `id` may subscribe to `filter`: what is addressed to it and nothing else.
pub fn may_subscribe(id: &str, filter: &str) -> bool {
    below(filter, "c/", id) && !filter.contains('+')
}

/// Whether box `id` may publish to `topic`.
pub fn may_publish(id: &str, topic: &str) -> bool {
    below(topic, "b/", id)
}

fn below(topic: &str, root: &str, id: &str) -> bool {
    topic
        .strip_prefix(root)
        .and_then(|rest| rest.strip_prefix(id))
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|rest| !rest.is_empty())
}

/// A salted SHA-512 of a password in mosquitto's form `$6$salt$hash`. Enough for 256 random bits; it is not for
/// passwords that people choose.
pub fn hash(password: &str, salt: [u8; 12]) -> String {
    format!(
        "$6${}${}",
        STANDARD.encode(salt),
        STANDARD.encode(digest(password, &salt))
    )
}

/// Whether `password` is the one of `stored`, in time that does not depend on where they differ.
pub fn verify(password: &str, stored: &str) -> bool {
    let mut parts = stored.split('$').skip(1);
    let (Some("6"), Some(salt), Some(expected), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Ok(salt), Ok(expected)) = (STANDARD.decode(salt), STANDARD.decode(expected)) else {
        return false;
    };
    let actual = digest(password, &salt);
    expected.len() == actual.len() && expected.iter().zip(actual).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn digest(password: &str, salt: &[u8]) -> [u8; 64] {
    Sha512::new()
        .chain_update(password.as_bytes())
        .chain_update(salt)
        .finalize()
        .into()
}

/// mosquitto's `acl_file`: the server reads and writes everything of the fleet, a box only its own topics.
pub fn mosquitto_acl(server_user: &str) -> String {
    format!(
        "user {server_user}\ntopic read b/#\ntopic write c/#\n\n\
         # %u is the user name, which is the box id; use_username_as_clientid makes it the client id too.\n\
         pattern read c/%u/#\npattern write b/%u/#\n"
    )
}

/// The lines of `mosquitto.conf` that the two files need.
pub fn mosquitto_conf(dir: &str, listener: &str) -> String {
    format!(
        "per_listener_settings false\nallow_anonymous false\nuse_username_as_clientid true\npersistence false\n\
         retain_available false\nmax_queued_messages 20000\nmax_packet_size {}\nlistener {listener}\n\
         password_file {dir}/passwd\nacl_file {dir}/acl\n",
        super::MAX_PACKET
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_of_another_box_are_closed() {
        let own = "aaaaaaaaaaaaa";
        for (filter, allowed) in [
            ("c/aaaaaaaaaaaaa/#", true),
            ("c/aaaaaaaaaaaaa/m", true),
            ("c/aaaaaaaaaaaaa/f", true),
            ("c/aaaaaaaaaaaab/f", false),
            ("c/aaaaaaaaaaaab/#", false),
            ("c/aaaaaaaaaaaaaa/#", false),
            ("c/+/#", false),
            ("c/aaaaaaaaaaaaa/+", false),
            ("c/#", false),
            ("#", false),
            ("b/aaaaaaaaaaaaa/#", false),
            ("$share/x/c/aaaaaaaaaaaaa/#", false),
            ("c/aaaaaaaaaaaaa", false),
            ("c/aaaaaaaaaaaaa/", false),
        ] {
            assert_eq!(may_subscribe(own, filter), allowed, "{filter}");
        }
        for (topic, allowed) in [
            ("b/aaaaaaaaaaaaa/ev", true),
            ("b/aaaaaaaaaaaab/ev", false),
            ("b/aaaaaaaaaaaaa/fget", true),
            ("b/aaaaaaaaaaaab/fget", false),
            ("c/aaaaaaaaaaaaa/f", false),
            ("c/aaaaaaaaaaaaa/m", false),
            ("b/aaaaaaaaaaaaa", false),
        ] {
            assert_eq!(may_publish(own, topic), allowed, "{topic}");
        }
    }

    #[test]
    fn passwords() {
        let stored = hash("secret", [7; 12]);
        assert!(verify("secret", &stored));
        for (password, stored) in [
            ("Secret", stored.as_str()),
            ("", stored.as_str()),
            ("secret", "$6$"),
            ("secret", ""),
            ("x", "$7$a$b"),
        ] {
            assert!(!verify(password, stored));
        }
    }
}
