//! Request methods.

macro_rules! methods {
    ($($variant:ident $text:literal $source:literal;)*) => {
        /// A request's method. Case matters (RFC 3261 §7.1): `invite` is an extension.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method<'a> {
            $(#[doc = $source] $variant,)*
            /// Any other token.
            Extension(&'a [u8]),
        }

        impl<'a> Method<'a> {
            /// The method of this name; the bytes are taken as they are.
            pub fn parse(name: &'a [u8]) -> Self {
                $(if name == $text.as_bytes() { return Method::$variant; })*
                Method::Extension(name)
            }

            /// The name as it stands on the wire.
            pub const fn as_bytes(&self) -> &'a [u8] {
                match self {
                    $(Method::$variant => $text.as_bytes(),)*
                    Method::Extension(name) => name,
                }
            }

            /// The same method without a borrow; `None` for an extension.
            pub const fn known(&self) -> Option<Method<'static>> {
                match self {
                    $(Method::$variant => Some(Method::$variant),)*
                    Method::Extension(_) => None,
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "RFC 3261 §13";
    Ack "ACK" "RFC 3261 §13, §17.1.1.3";
    Bye "BYE" "RFC 3261 §15";
    Cancel "CANCEL" "RFC 3261 §9";
    Register "REGISTER" "RFC 3261 §10";
    Options "OPTIONS" "RFC 3261 §11";
    Info "INFO" "RFC 6086";
    Prack "PRACK" "RFC 3262";
    Subscribe "SUBSCRIBE" "RFC 6665";
    Notify "NOTIFY" "RFC 6665";
    Update "UPDATE" "RFC 3311";
    Message "MESSAGE" "RFC 3428";
    Refer "REFER" "RFC 3515";
    Publish "PUBLISH" "RFC 3903";
}

impl core::fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for chunk in self.as_bytes().utf8_chunks() {
            f.write_str(chunk.valid())?;
        }
        Ok(())
    }
}
