//! Digest authentication (RFC 8760, RFC 7616).
