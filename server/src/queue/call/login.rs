//! Who we are at a relay.

use pillarbox_core::Outbox;
use pillarbox_core::dsn::Status;
use pillarbox_core::sasl::{Binding, Channel, Credentials, Mechanism, NONCE_BYTES};

use super::{Call, Over};
use crate::config::RelayLogin;

impl Call {
    /// By the strongest mechanism that both sides know.
    pub(super) fn log_in(&mut self, login: RelayLogin, out: &mut Outbox) {
        let bindings = self.agreed.as_ref().map(|agreed| agreed.bindings.clone());
        let bound = bindings.and_then(|bindings| {
            let one = |kind| bindings.of(kind).map(|data| Channel::Bound(kind, data.to_vec()));
            one(Binding::Exporter).or_else(|| one(Binding::EndPoint))
        });
        let offers = self.client.offers();
        let known = |mechanism: &&Mechanism| {
            offers.authenticates_by(mechanism.name())
                && match mechanism {
                    Mechanism::Scram { plus: true, .. } => bound.is_some(),
                    Mechanism::External => false,
                    _ => true,
                }
        };
        let Some(mechanism) = Mechanism::ALL.iter().find(known).copied() else {
            let why = "the server knows none of our ways to log in".to_owned();
            self.over = Some(Over::Trouble(Status::new(4, 7, 4), why));
            return;
        };
        let channel = match (mechanism, bound) {
            (Mechanism::Scram { plus: true, .. }, Some(bound)) => bound,
            // RFC 5802 §6: we could have.
            (_, Some(_)) => Channel::NotOffered,
            (_, None) => Channel::Unbound,
        };
        let mut nonce = [0; NONCE_BYTES];
        self.post.context.random().fill(&mut nonce);
        let RelayLogin { user, password } = login;
        self.transcript.note(&format!("login as {user} by {}", mechanism.name()));
        let who = Credentials { authzid: String::new(), authcid: user, password };
        self.logging_in = true;
        if self.client.authenticate(mechanism, who, &channel, nonce, out).is_err() {
            let why = "the login cannot be begun".to_owned();
            self.over = Some(Over::Trouble(Status::new(4, 7, 4), why));
        }
    }
}
