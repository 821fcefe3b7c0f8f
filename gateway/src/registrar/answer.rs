//! What the 200 says of a binding, and the name it gives a phone.

use super::{Asked, Binding};
use core::fmt::Write;
use core::num::NonZeroU64;
use sip::{Uri, Writer};

/// Which phone of its user a URI means, where it is a GRUU of ours (RFC 5627); nobody's where it cannot be read. `None`: all.
pub fn gruu(uri: &Uri<'_>) -> Option<NonZeroU64> {
    let digits = core::str::from_utf8(uri.param("gr")?).unwrap_or_default();
    let instance = u64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.len() == 14);
    // No instance has so many bits.
    Some(instance.and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MAX))
}

/// A contact of the answer. What the phone said of itself is said back for the contacts that it has just registered; a public
/// GRUU is given to those that ask for one (RFC 5627 §5.3): the address of record and fourteen digits for the instance, always
/// the same. Temporary ones are not: nobody outside ever sees a phone's contact.
pub(super) fn write_contact(w: &mut Writer<'_>, asked: Asked<'_, '_>, binding: &Binding, realm: &str) {
    let request = asked.request;
    let expires = binding.remaining(asked.now).as_secs();
    w.raw(b"Contact: <").raw(binding.contact()).raw(b">");
    // An overflow is told by the last call.
    let _ = write!(w, ";expires={expires}");
    let own = request
        .contacts()
        .find(|contact| contact.uri == binding.contact());
    for name in ["+sip.instance", "reg-id"] {
        if let Some(value) = own.as_ref().and_then(|contact| contact.param(name)) {
            w.raw(b";").raw(name.as_bytes()).raw(b"=").unfolded(value);
        }
    }
    let user = request.to().and_then(|to| to.parsed_uri()?.user);
    if let (Some(user), Some(instance), true) = (user, binding.instance(), request.supports("gruu")) {
        w.raw(b";pub-gruu=\"sip:").raw(user);
        let _ = write!(w, "@{realm};gr={instance:014x}\"");
    }
    w.raw(b"\r\n");
}
