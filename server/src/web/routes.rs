//! What there is: each path, what may be asked of it, and who answers.

use hyper::{Method, StatusCode};
use pillarbox_core::mta_sts::POLICY_PATH;

use super::reply::Reply;
use super::service::{Asked, is_get};
use super::{WebDoor, autoconfig, autodiscover, health, landing, mobileconfig, mta_sts};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Landing,
    Style,
    Ca,
    Autoconfig,
    Autodiscover,
    MobileConfig,
    MtaSts,
    Health,
    Metrics,
}

impl Route {
    /// Whether it reads the request's body to its end.
    pub(super) const fn reads_body(self) -> bool {
        matches!(self, Self::Autodiscover)
    }
}

const GET: &str = "GET, HEAD";
const GET_AND_POST: &str = "GET, HEAD, POST";

/// Path, methods, and who answers.
const ROUTES: [(&str, &str, Route); 10] = [
    ("/", GET, Route::Landing),
    ("/style.css", GET, Route::Style),
    ("/ca.pem", GET, Route::Ca),
    ("/mail/config-v1.1.xml", GET, Route::Autoconfig),
    ("/.well-known/autoconfig/mail/config-v1.1.xml", GET, Route::Autoconfig),
    (autodiscover::PATH, GET_AND_POST, Route::Autodiscover),
    ("/profile.mobileconfig", GET, Route::MobileConfig),
    (POLICY_PATH, GET, Route::MtaSts),
    ("/healthz", GET, Route::Health),
    ("/metrics", GET, Route::Metrics),
];

/// Who answers this path and method.
///
/// # Errors
/// Nothing is there on this listener, or the method is another.
pub(super) fn find(door: &WebDoor, path: &str, method: &Method) -> Result<Route, Reply> {
    let found = ROUTES.iter().find(|(known, _, route)| match route {
        // Clients write it as they like.
        Route::Autodiscover => known.eq_ignore_ascii_case(path),
        _ => *known == path,
    });
    let (_, methods, route) =
        found.filter(|(_, _, route)| is_there(door, *route)).ok_or_else(Reply::not_found)?;
    if is_get(method) || (*methods == GET_AND_POST && *method == Method::POST) {
        Ok(*route)
    } else {
        Err(Reply::wrong_method(methods))
    }
}

/// Whether this listener has it.
const fn is_there(door: &WebDoor, route: Route) -> bool {
    match route {
        Route::Landing | Route::Style => door.landing.is_some(),
        Route::Ca => matches!(&door.landing, Some(landing) if landing.ca.is_some()),
        Route::MtaSts => door.mta_sts.is_some(),
        Route::Metrics => door.metrics.is_some(),
        Route::Autoconfig | Route::Autodiscover | Route::MobileConfig | Route::Health => true,
    }
}

/// The answer.
pub(super) async fn answer(route: Route, asked: Asked) -> Reply {
    let answered = match route {
        Route::Landing => landing::page(&asked),
        Route::Style => Ok(landing::style()),
        Route::Ca => landing::ca(&asked),
        Route::Autoconfig => autoconfig::answer(&asked).await,
        Route::Autodiscover => autodiscover::answer(asked).await,
        Route::MobileConfig => mobileconfig::answer(&asked).await,
        Route::MtaSts => mta_sts::answer(&asked),
        Route::Health => Ok(health::lives(&asked)),
        Route::Metrics => health::metrics(&asked),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

/// The answer to a form that cannot be read.
pub(super) fn bad(text: &str) -> Reply {
    Reply::text(StatusCode::BAD_REQUEST, text)
}
