//! What is asked once the header has come: the keys of its signatures, and the policy of the domain
//! that it says it is from.

use std::collections::HashMap;

use pillarbox_core::arc::Validator;
use pillarbox_core::dkim::{KeyAnswer, Verifier};
use pillarbox_core::dmarc::{self, Author, Discovery};
use pillarbox_core::dns::{Kind, Name, Question};
use pillarbox_core::flow::{all, both};

use super::Asker;

/// What the header makes one ask.
#[derive(Debug, Clone)]
pub(in crate::smtp) struct Wanted {
    /// Where the keys are.
    keys: Vec<Name>,
    /// Who may stand behind it.
    domains: Vec<Name>,
    author: Author,
}

/// What was found.
#[derive(Debug)]
pub(in crate::smtp) struct Late {
    pub(in crate::smtp) keys: HashMap<Name, KeyAnswer>,
    /// `None` where From has no one domain.
    pub(in crate::smtp) dmarc: Option<Box<dmarc::Found>>,
}

impl Wanted {
    /// By the signatures and seals in the header, and whom it is from.
    pub(in crate::smtp) fn by(verifier: &Verifier, chain: &Validator, author: Author) -> Self {
        let mut keys = verifier.key_names();
        keys.extend(chain.key_names());
        keys.sort_unstable();
        keys.dedup();
        Self { keys, domains: verifier.domains(), author }
    }
}

/// Looks all of it up, side by side. `sender` is the domain that SPF is asked about.
pub(super) async fn look(asker: Asker, wanted: Wanted, sender: Option<Name>) -> Late {
    let Wanted { keys, domains, author } = wanted;
    let (keys, dmarc) =
        both(look_keys(&asker, keys), policy(&asker, author, domains, sender)).await;
    Late { keys, dmarc }
}

async fn look_keys(asker: &Asker, names: Vec<Name>) -> HashMap<Name, KeyAnswer> {
    let ask = |name: &Name| {
        let question = Question { name: name.clone(), kind: Kind::Txt };
        async move { KeyAnswer::from(&asker.look_up(&question).await) }
    };
    let answers = all(names.iter().map(ask)).await;
    names.into_iter().zip(answers).collect()
}

async fn policy(
    asker: &Asker,
    author: Author,
    mut identifiers: Vec<Name>,
    sender: Option<Name>,
) -> Option<Box<dmarc::Found>> {
    let Author::Domain(author) = author else { return None };
    // That of the sender first: what is beyond a limit is left out.
    identifiers.splice(0..0, sender);
    let mut discovery = Discovery::new(author, identifiers);
    loop {
        match discovery.step() {
            dmarc::Step::Ask(question) => {
                let lookup = asker.look_up(&question).await;
                discovery.answered(&question, &lookup);
            }
            dmarc::Step::Done(found) => return Some(found),
        }
    }
}
