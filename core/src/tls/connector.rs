//! What a client's TLS is: whom it wants to talk to, and what it takes as proof.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use super::TlsError;
use super::identity::provider;
use crate::UnixSeconds;
use crate::dane::{DaneFault, Tlsa, authenticate};
use crate::dns::Name;

/// Authorities that are believed. All clones are one.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

/// What a client takes as proof of who the server is.
#[derive(Debug, Clone)]
pub enum Trust {
    /// None: it is encrypted with whomever (RFC 7435). Whether the authorities would have certified
    /// the server is told all the same.
    Anyone(Roots),
    /// An authority has certified the server's name (RFC 9525).
    Authorities(Roots),
    /// TLSA records tell who it is (RFC 7672 §3).
    Dane {
        /// At least one.
        records: Vec<Tlsa>,
        /// The names that a certificate of an authority's may be for, as [`authenticate`] has it.
        names: Vec<Name>,
    },
}

/// Why a server is not who it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Its certificate is for another name.
    Name,
    /// Its certificate holds no more, or not yet.
    Expired,
    /// Nobody who is believed has issued it.
    Unknown,
    /// It is not what its TLSA records tell of.
    Dane(DaneFault),
    /// Anything else about its certificate.
    Other,
}

/// What the client side needs to begin TLS with one server.
#[derive(Debug, Clone)]
pub struct Connector {
    server: ServerName<'static>,
    trust: Trust,
    protocols: Vec<Vec<u8>>,
}

/// What was found of a certificate.
pub(super) type Finding = Arc<OnceLock<Result<(), Doubt>>>;

impl Roots {
    /// Those that browsers believe, as Mozilla lists them.
    #[must_use]
    pub fn public() -> Self {
        Self(Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }))
    }

    /// These, and those whose certificates stand in a PEM text.
    ///
    /// # Errors
    /// Where the text is no PEM, or a certificate in it cannot be an authority's.
    pub fn and_pem(&self, pem: &[u8]) -> Result<Self, TlsError> {
        let mut store = RootCertStore::clone(&self.0);
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| TlsError::new(format!("this is no PEM: {error}")))?;
            store
                .add(certificate)
                .map_err(|error| TlsError::new(format!("this is no authority: {error}")))?;
        }
        Ok(Self(Arc::new(store)))
    }

    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.roots.len())
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the server's certificate is for another name"),
            Self::Expired => f.write_str("the server's certificate is out of its time"),
            Self::Unknown => f.write_str("nobody who is believed has certified the server"),
            Self::Dane(fault) => fault.fmt(f),
            Self::Other => f.write_str("the server's certificate cannot be verified"),
        }
    }
}

impl Connector {
    /// For a server of this name or address, which is asked for (RFC 6066 §3).
    ///
    /// # Errors
    /// Where it is neither.
    pub fn new(server: &str, trust: Trust) -> Result<Self, TlsError> {
        let server = ServerName::try_from(server.to_owned())
            .map_err(|_| TlsError::new(format!("`{server}` is no name of a server")))?;
        Ok(Self { server, trust, protocols: Vec::new() })
    }

    /// The same, with these protocols to choose from (RFC 7301).
    #[must_use]
    pub fn offering(self, protocols: &[&[u8]]) -> Self {
        Self { protocols: protocols.iter().map(|name| name.to_vec()).collect(), ..self }
    }

    /// Begins a handshake at this time.
    pub(super) fn begin(&self, now: UnixSeconds) -> Result<(ClientConnection, Finding), TlsError> {
        let provider = Arc::new(provider());
        let fault = |error: Error| TlsError::new(error.to_string());
        let verifier = Verifier::new(&self.trust, Arc::clone(&provider))?;
        let finding = Arc::clone(&verifier.finding);
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(At(now)))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(fault)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols.clone_from(&self.protocols);
        let connection =
            ClientConnection::new(Arc::new(config), self.server.clone()).map_err(fault)?;
        Ok((connection, finding))
    }
}

/// A clock that stands: a handshake is short.
#[derive(Debug)]
struct At(UnixSeconds);

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Looks at what a server shows, and keeps what it found.
#[derive(Debug)]
struct Verifier {
    by: By,
    /// What was found does not end the handshake.
    lenient: bool,
    provider: Arc<CryptoProvider>,
    finding: Finding,
}

#[derive(Debug)]
enum By {
    /// `None`: there is nobody to believe.
    Authorities(Option<Arc<WebPkiServerVerifier>>),
    Dane(Vec<Tlsa>, Vec<Name>),
}

impl Verifier {
    fn new(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let by = match trust {
            Trust::Dane { records, names } => By::Dane(records.clone(), names.clone()),
            Trust::Anyone(Roots(store)) | Trust::Authorities(Roots(store)) => {
                By::Authorities(if store.is_empty() {
                    None
                } else {
                    let (store, provider) = (Arc::clone(store), Arc::clone(&provider));
                    let built =
                        WebPkiServerVerifier::builder_with_provider(store, provider).build();
                    Some(built.map_err(|error| TlsError::new(error.to_string()))?)
                })
            }
        };
        let lenient = matches!(trust, Trust::Anyone(_));
        Ok(Self { by, lenient, provider, finding: Finding::default() })
    }

    fn look(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Doubt> {
        match &self.by {
            By::Authorities(None) => Err(Doubt::Unknown),
            By::Authorities(Some(verifier)) => {
                let found = verifier.verify_server_cert(own, above, name, &[], now);
                found.map(|_| ()).map_err(|error| doubt(&error))
            }
            By::Dane(records, names) => {
                let chain: Vec<&[u8]> =
                    std::iter::once(own).chain(above).map(AsRef::as_ref).collect();
                let now = UnixSeconds(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
                authenticate(records, &chain, names, now).map(|_| ()).map_err(Doubt::Dane)
            }
        }
    }
}

fn doubt(error: &Error) -> Doubt {
    let Error::InvalidCertificate(why) = error else { return Doubt::Other };
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Doubt::Name
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Doubt::Expired,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Doubt::Unknown,
        _ => Doubt::Other,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = self.look(end_entity, intermediates, server_name, now);
        // A server shows one chain in a handshake.
        let _is_known = self.finding.set(found);
        match found {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(_) if self.lenient => Ok(ServerCertVerified::assertion()),
            Err(Doubt::Name) => Err(CertificateError::NotValidForName.into()),
            Err(Doubt::Expired) => Err(CertificateError::Expired.into()),
            Err(Doubt::Unknown) => Err(CertificateError::UnknownIssuer.into()),
            Err(Doubt::Dane(_) | Doubt::Other) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
