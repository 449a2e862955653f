//! Channel bindings (RFC 5056): what both ends of a TLS connection know of it, and nobody between
//! two connections can make the same.

use std::fmt;

/// Which data of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// RFC 9266: a secret of this very connection.
    Exporter,
    /// RFC 5929 §4: the hash of the server's certificate.
    EndPoint,
}

impl Binding {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exporter => "tls-exporter",
            Self::EndPoint => "tls-server-end-point",
        }
    }
}

/// What is known of one channel; nothing where there is no TLS.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    /// For [`Binding::Exporter`].
    pub exporter: Option<Vec<u8>>,
    /// For [`Binding::EndPoint`].
    pub end_point: Option<Vec<u8>>,
    /// The SHA-256 of the public key (the `SubjectPublicKeyInfo`) in the client's certificate,
    /// whose private key the client has proven to hold. Nobody has vouched for the names in it.
    pub client_key: Option<[u8; 32]>,
}

impl Bindings {
    /// Whether a client can bind to this channel at all.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.exporter.is_some() || self.end_point.is_some()
    }

    /// The data of one kind, where there is.
    #[must_use]
    pub fn of(&self, binding: Binding) -> Option<&[u8]> {
        match binding {
            Binding::Exporter => self.exporter.as_deref(),
            Binding::EndPoint => self.end_point.as_deref(),
        }
    }

    /// RFC 5056 §7: the names are compared as they are registered, in lower case.
    pub(super) fn named(&self, name: &str) -> Option<&[u8]> {
        let all = [Binding::Exporter, Binding::EndPoint];
        self.of(all.into_iter().find(|binding| binding.name() == name)?)
    }
}

impl fmt::Debug for Bindings {
    /// Tells which there are. The exporter's data is a secret of the connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [Binding::Exporter, Binding::EndPoint];
        let names = all.into_iter().filter(|kind| self.of(*kind).is_some()).map(Binding::name);
        f.debug_list().entries(names).finish()
    }
}
