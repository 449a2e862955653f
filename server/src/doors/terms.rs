//! On which terms a listener serves: the rules of its TLS, and what its protocols are like.

use std::sync::Arc;

use pillarbox_core::UnixSeconds;
use pillarbox_core::alpn;
use pillarbox_core::imap::Config as ImapConfig;
use pillarbox_core::sasl::Mechanism;
use pillarbox_core::smtp::config::{
    Capabilities, Config as SmtpConfig, ConfigFault, FutureRelease, Protocol as SmtpProtocol,
    Strictness,
};
use pillarbox_core::tls::{Rules, UnknownName};

use super::{Asked, Shown, Speech, Spoken};
use crate::config::{self, Config, Limits, Listener, Protocol, Tls};
use crate::imap::ImapDoor;
use crate::smtp::Door;
use crate::web::{Setup, WebDoor};

/// What is spoken at a listener.
///
/// # Errors
/// What is wrong with the server's name.
pub(super) fn speech(
    config: &Config,
    listener: &Listener,
    starttls: bool,
    cram_md5: bool,
    shown: &Shown,
) -> Result<Speech, ConfigFault> {
    let smtp =
        || smtp_door(config, listener, starttls, cram_md5).map(|door| Spoken::Smtp(Arc::new(door)));
    let imap = || Spoken::Imap(Arc::new(imap_door(config, listener, starttls, cram_md5)));
    let web = || Spoken::Web(Arc::new(web_door(config, listener, shown)));
    let one = match listener.protocol {
        Protocol::Smtp | Protocol::Lmtp | Protocol::Submission | Protocol::Submissions => smtp()?,
        Protocol::Imap | Protocol::Imaps => imap(),
        Protocol::Http => web(),
        Protocol::Https => {
            let spoken = |one: &config::Spoken| match one {
                config::Spoken::Http => Ok(web()),
                config::Spoken::Imap => Ok(imap()),
                config::Spoken::Submission => smtp(),
            };
            let first = first_of(listener);
            let others = listener.alpn.iter().filter(|one| **one != first);
            return Ok(Speech::Asked(Arc::new(Asked {
                first: spoken(&first)?,
                others: others.map(spoken).collect::<Result<_, _>>()?,
            })));
        }
    };
    Ok(Speech::One(one))
}

/// What a client gets that does not ask: HTTP where there is, as browsers and tools of all ages
/// expect.
fn first_of(listener: &Listener) -> config::Spoken {
    let http = listener.alpn.iter().find(|one| **one == config::Spoken::Http);
    http.or_else(|| listener.alpn.first()).copied().unwrap_or(config::Spoken::Http)
}

/// The rules of a listener's TLS.
#[must_use]
pub fn rules(tls: &Tls, listener: &Listener) -> Rules {
    // A server that delivers to us may like a certificate that is not for the name it asks for:
    // mostly it does not check names at all (RFC 7435).
    let serve = listener.is_for_servers() || tls.any_server_name;
    Rules {
        unknown_name: if serve { UnknownName::Serve } else { UnknownName::Refuse },
        // Where a client says what it wants to speak, it must be this: so nobody can lead what was
        // meant for a web server here. What other servers say does not count.
        alpn: match listener.protocol {
            Protocol::Smtp | Protocol::Lmtp => Vec::new(),
            Protocol::Submission | Protocol::Submissions => vec![alpn::Protocol::Smtp],
            Protocol::Imap | Protocol::Imaps => vec![alpn::Protocol::Imap],
            Protocol::Http | Protocol::Https => {
                listener.alpn.iter().flat_map(|one| protocols(*one)).copied().collect()
            }
        },
        resumption: listener.resumption,
        client_certificates: listener.client_certificates,
        // RFC 5802 §6: a client that says it saw no -PLUS is believed where there is none.
        bindings: offered(listener).any(binds),
    }
}

const fn protocols(one: config::Spoken) -> &'static [alpn::Protocol] {
    match one {
        config::Spoken::Http => &[alpn::Protocol::Http2, alpn::Protocol::Http11],
        config::Spoken::Imap => &[alpn::Protocol::Imap],
        config::Spoken::Submission => &[alpn::Protocol::Smtp],
    }
}

fn smtp_door(
    config: &Config,
    listener: &Listener,
    starttls: bool,
    cram_md5: bool,
) -> Result<Door, ConfigFault> {
    let submission = listener.is_submission();
    let [auth, auth_under_tls] = mechanisms(listener, cram_md5);
    // By LMTP each recipient is answered by itself, so that whoever hands mail over reports.
    let dsn = config.queue.is_some() && listener.protocol != Protocol::Lmtp;
    let mut capabilities =
        Capabilities { starttls, auth, auth_under_tls, dsn, ..Capabilities::default() };
    capabilities.require_tls = dsn;
    // What is held for our own people comes in by our own port for mail from everybody.
    let comes_in = config.listeners.iter().any(|one| one.protocol == Protocol::Smtp);
    if dsn && submission && comes_in {
        let until_max = UnixSeconds(i64::from(u32::MAX));
        capabilities.future_release = Some(FutureRelease { seconds_max: HOLD_MAX, until_max });
    }
    let Limits { smtp: limits, times, head, parts_max, .. } = config.limits;
    let spoken = match listener.protocol {
        Protocol::Lmtp => SmtpProtocol::Lmtp,
        _ => SmtpProtocol::Smtp,
    };
    let smtp = SmtpConfig::new(config.hostname.clone(), limits, capabilities, Strictness::Lenient)?
        .speaking(spoken)?;
    // Other servers bring mail from everybody.
    let any_sender = listener.any_sender || !submission;
    let delivery = config.delivery.clone();
    // Our own people have logged in; and who speaks LMTP has looked at the mail before.
    let checks = config.checks.clone().filter(|_| listener.protocol == Protocol::Smtp);
    let checks = checks.map(Arc::new);
    let queue = config.queue.clone().map(Arc::new);
    let smtp = Arc::new(smtp);
    Ok(Door { smtp, submission, delivery, any_sender, head, parts_max, times, checks, queue })
}

/// For how long a message may be held, in seconds (RFC 4865): a year.
const HOLD_MAX: u32 = 366 * 86_400;

/// What people can log in with there: with TLS and without, and under TLS only.
///
/// Where passwords may not come without TLS, nothing else may: SCRAM in clear does not show the
/// password, but who listens can try passwords on what they heard, and reads and changes all that
/// follows the login.
fn mechanisms(listener: &Listener, cram_md5: bool) -> [Vec<String>; 2] {
    let (mut always, mut under_tls) = (Vec::new(), Vec::new());
    for mechanism in offered(listener) {
        if mechanism == Mechanism::CramMd5 && !cram_md5 {
            continue;
        }
        let needs_tls =
            binds(mechanism) || mechanism == Mechanism::External || !listener.login_without_tls;
        let names = if needs_tls { &mut under_tls } else { &mut always };
        names.push(mechanism.name().to_owned());
    }
    [always, under_tls]
}

fn offered(listener: &Listener) -> impl Iterator<Item = Mechanism> {
    let hidden = |mechanism: &Mechanism| listener.hide_mechanisms.contains(mechanism);
    // RFC 4422 appendix A: EXTERNAL only where the channel can tell who the client is.
    let told =
        |mechanism: &Mechanism| *mechanism != Mechanism::External || listener.client_certificates;
    let all = Mechanism::ALL.into_iter().filter(|_| listener.has_logins());
    all.filter(move |mechanism| told(mechanism) && !hidden(mechanism))
}

const fn binds(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Scram { plus: true, .. })
}

fn imap_door(config: &Config, listener: &Listener, starttls: bool, cram_md5: bool) -> ImapDoor {
    let [mechanisms, mechanisms_under_tls] = mechanisms(listener, cram_md5);
    ImapDoor {
        imap: Arc::new(ImapConfig {
            greeting: format!("{} IMAP", config.hostname),
            starttls,
            mechanisms,
            mechanisms_under_tls,
            append_bytes_max: u32::try_from(config.limits.smtp.message_bytes_max)
                .unwrap_or(u32::MAX),
            ..ImapConfig::default()
        }),
    }
}

fn web_door(config: &Config, listener: &Listener, shown: &Shown) -> WebDoor {
    WebDoor {
        limits: config.limits.web,
        setup: Setup::of(config),
        mta_sts: config.web.mta_sts.clone(),
        hsts_seconds: config.web.hsts_seconds,
        metrics: shown.metrics.clone().filter(|_| listener.metrics),
        landing: listener.landing_page.then(|| shown.landing.clone()),
    }
}
