//! By which way mail goes.

use pillarbox_store::Due;

use super::Post;
use crate::config::DIRECT;

/// A destination: what is reached together, by connections that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    /// The servers of a domain, or an address in brackets.
    Domain(String),
    /// A way of the configuration, by its name.
    Transport(String),
    /// To nobody: for this reason.
    Fail(String),
}

impl Way {
    /// The way of what is due: as somebody has said, else as the rules say.
    pub(crate) fn of(due: &Due, post: &Post) -> Self {
        let attempt = due.attempts.saturating_add(1);
        let ruled = post.rules.route(&due.message.sender, &due.domain, attempt);
        match due.transport.as_deref().or(ruled) {
            None | Some(DIRECT) => Self::Domain(due.domain.clone()),
            Some(name) => match name.strip_prefix(FAIL) {
                Some(text) => Self::Fail(text.to_owned()),
                None => Self::Transport(name.to_owned()),
            },
        }
    }
}

/// The way that an operator sends a message by who gives it up; its reason follows.
pub(crate) const FAIL: &str = "fail:";
