//! TLS for phones: what the box shows.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;

/// Reads certificate and key. Phones show no certificate: they have their passwords.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor> {
    let (certificate, key) = (tls.certificate.display(), tls.key.display());
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("tls.certificate {certificate}"))?;
    let secret = PrivateKeyDer::from_pem_file(&tls.key).with_context(|| format!("tls.key {key}"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("tls: {certificate} and {key} do not belong together"))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
