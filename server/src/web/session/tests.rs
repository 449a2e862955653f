//! Requests by hand: what is answered, whatever the pieces in which they come, and what is not
//! waited for.

use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::mta_sts::{Mode, MxPattern, Policy};
use pillarbox_core::sasl::Bindings;
use pillarbox_core::{EffectId, Inbox, UnixSeconds};
use pillarbox_store::{Found, Read};

use super::*;
use crate::context::SystemRandom;
use crate::job::Answer;
use crate::rates::Allowances;
use crate::web::{Kind, Landing, Metrics, Offer, Security, Setup, WebLimits};

mod http2;
mod limits;

/// Tue, 24 Nov 2026 13:34:00 GMT.
const BEGINNING: UnixSeconds = UnixSeconds(1_795_527_240);
const DATE: &str = "date: Tue, 24 Nov 2026 13:34:00 GMT";

struct Rig {
    session: WebSession,
    inbox: Inbox,
    outbox: Outbox,
    effects: Vec<(EffectId, Effect<Job>)>,
    want: Want,
    now: Now,
    heard: Vec<u8>,
    /// Questions to the store are left open.
    slow_store: bool,
}

fn door(limits: WebLimits) -> Arc<WebDoor> {
    let offer = |kind, security, port| Offer { kind, security, port };
    Arc::new(WebDoor {
        limits,
        setup: Setup {
            hostname: "mail.example.org".into(),
            offers: vec![
                offer(Kind::Imap, Security::Tls, 993),
                offer(Kind::Submission, Security::Tls, 465),
                offer(Kind::Submission, Security::StartTls, 587),
            ],
            by_alpn: vec![(Kind::Imap, 443)],
        },
        mta_sts: Some(Policy {
            mode: Mode::Testing,
            max_age: 86_400,
            mx: vec![MxPattern::parse("mail.example.org").unwrap()],
        }),
        hsts_seconds: 3_600,
        metrics: Some(Metrics(Arc::new(|| "# EOF\n".into()))),
        landing: Some(Landing {
            accounts: vec!["user@example.org".into()],
            password: "<secret>".into(),
            ca: Some("0123456789".into()),
        }),
    })
}

fn context(allowances: &Allowances) -> Arc<Context> {
    let random = || Box::new(SystemRandom::default()) as _;
    Arc::new(Context::new("mail.example.org".into(), 1, allowances, [0; 32], random))
}

impl Rig {
    fn new() -> Self {
        Self::with(WebLimits::default())
    }

    fn with(limits: WebLimits) -> Self {
        Self::at(&context(&Allowances::default()), limits, false)
    }

    /// One whose `/ca.pem` is more than all buffers hold.
    fn with_large_file() -> Self {
        let mut door = door(WebLimits::default());
        let landing = Arc::get_mut(&mut door).unwrap().landing.as_mut().unwrap();
        landing.ca = Some("0123456789".repeat(50_000));
        Self::behind(&context(&Allowances::default()), door, false)
    }

    fn at(context: &Arc<Context>, limits: WebLimits, full: bool) -> Self {
        Self::behind(context, door(limits), full)
    }

    fn behind(context: &Arc<Context>, door: Arc<WebDoor>, full: bool) -> Self {
        let peer = "192.0.2.1".parse().unwrap();
        let id = context.next_id();
        let mut rig = Self {
            session: WebSession::new(Arc::clone(context), door, peer, id, full),
            inbox: Inbox::new(65_536),
            outbox: Outbox::new(65_536),
            effects: Vec::new(),
            want: Want::READ,
            now: Now { wall: BEGINNING, ..Now::default() },
            heard: Vec::new(),
            slow_store: false,
        };
        rig.step(Input::Start);
        rig
    }

    fn step(&mut self, input: Input<Completion<Job>>) {
        assert!(!self.want.done, "called after its end");
        let mut io =
            Io { inbox: &mut self.inbox, outbox: &mut self.outbox, effects: &mut self.effects };
        self.want = self.session.step(self.now, input, &mut io);
        if self.want.stream != Stream::Abort {
            self.heard.extend_from_slice(self.outbox.unsent());
        }
        let above = !self.outbox.below_mark();
        self.outbox.clear();
        if above && !self.want.done {
            self.step(Input::Drained);
        }
        while !self.slow_store && !self.effects.is_empty() && !self.want.done {
            self.answer_store();
        }
    }

    /// The store knows two domains.
    fn answer_store(&mut self) {
        let (id, effect) = self.effects.remove(0);
        let Effect::Job(Job::Read(Read::IsOurs { domain })) = effect else { panic!("{effect:?}") };
        let ours = ["example.org", "xn--bcher-kva.example"].contains(&domain.as_str());
        let found = Answer::Found(Ok(Found::Ours(ours)));
        self.step(Input::Done(id, Completion::Answer(Ok(found))));
    }

    fn say(&mut self, bytes: &[u8]) {
        self.inbox.extend(bytes);
        self.step(Input::Bytes);
    }

    /// So much later; the runtime tells of the deadline, if it has passed.
    fn wait(&mut self, seconds: u64) {
        self.now.moment = self.now.moment + Duration::from_secs(seconds);
        if self.want.deadline.is_some_and(|deadline| deadline <= self.now.moment) {
            self.step(Input::Timer);
        }
    }

    fn deadline(&self) -> u64 {
        self.want.deadline.unwrap().since(self.now.moment).as_secs()
    }

    /// What was answered since this was last asked.
    fn said(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.heard)).into_owned()
    }

    /// A request, and its answer.
    fn ask(&mut self, request: &str) -> String {
        self.say(request.replace('\n', "\r\n").as_bytes());
        self.said()
    }
}

/// A request on a connection of its own.
fn ask(request: &str) -> String {
    Rig::new().ask(request)
}

fn get(path: &str, headers: &str) -> String {
    ask(&format!("GET {path} HTTP/1.1\nHost: mail.example.org\n{headers}\n"))
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    let begin = format!("{name}: ");
    head.split("\r\n").find_map(|line| line.strip_prefix(&begin))
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn an_answer_has_what_every_answer_has() {
    let answer = get("/healthz", "");
    let mut lines: Vec<&str> = answer.split("\r\n").collect();
    lines[1..8].sort_unstable();
    assert_eq!(
        lines,
        [
            "HTTP/1.1 200 OK",
            "cache-control: no-store",
            "content-length: 3",
            "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "content-type: text/plain; charset=utf-8",
            DATE,
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "",
            "ok\n",
        ]
    );
}

#[test]
fn any_split_gives_the_same_answers() {
    let said = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n\
                GET / HTTP/1.1\r\nHost: example.org\r\nAccept-Encoding: gzip\r\n\r\n\
                POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: a\r\n\
                Transfer-Encoding: chunked\r\n\r\n\
                2d\r\n<a><EMailAddress>x@example.org</EMailAddress>\r\n4\r\n</a>\r\n0\r\n\r\n\
                HEAD /style.css HTTP/1.1\r\nHost: a\r\n\r\n\
                GET /nothing HTTP/1.0\r\n\r\nGET /unheard HTTP/1.1\r\n";
    let whole = {
        let mut rig = Rig::new();
        rig.say(said.as_bytes());
        assert!(rig.want.done);
        rig.heard
    };
    let statuses = String::from_utf8_lossy(&whole).matches("HTTP/1").count();
    assert_eq!(statuses, 5, "{}", String::from_utf8_lossy(&whole));
    for size in [1, 2, 3, 7, 64] {
        let mut rig = Rig::new();
        for piece in said.as_bytes().chunks(size) {
            if !rig.want.done {
                rig.say(piece);
            }
        }
        assert!(rig.want.done);
        assert_eq!(rig.heard, whole, "in pieces of {size}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    for (path, headers) in [
        ("/healthz", ""),
        ("/", ""),
        ("/", "Accept-Encoding: gzip\n"),
        ("/nothing", ""),
        ("/style.css", "Range: bytes=0-1\n"),
    ] {
        let with =
            |method| ask(&format!("{method} {path} HTTP/1.1\nHost: mail.example.org\n{headers}\n"));
        let (head, mut get) = (with("HEAD"), with("GET"));
        if headers.starts_with("Range") {
            // RFC 9110 §14.2: HEAD has no ranges.
            get = ask(&format!("GET {path} HTTP/1.1\nHost: mail.example.org\n\n"));
        }
        assert_eq!(body(&head), "");
        assert_eq!(head.split("\r\n\r\n").next(), get.split("\r\n\r\n").next());
    }
}

#[test]
fn paths_and_methods() {
    for (request, status) in [
        ("GET /nothing", "404"),
        ("POST /nothing", "404"),
        ("GET /healthz/", "404"),
        ("GET /Healthz", "404"),
        ("POST /healthz", "405"),
        ("TRACE /", "405"),
        ("OPTIONS *", "404"),
        ("GET /AutoDiscover/AutoDiscover.xml", "400"),
        ("PUT /autodiscover/autodiscover.xml", "405"),
        ("GET /healthz?x=y", "200"),
        ("GET http://mail.example.org/healthz", "200"),
    ] {
        let answer = ask(&format!("{request} HTTP/1.1\nHost: mail.example.org\n\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        let allow = header(&answer, "allow");
        match (status, request) {
            ("405", "PUT /autodiscover/autodiscover.xml") => {
                assert_eq!(allow, Some("GET, HEAD, POST"));
            }
            ("405", _) => assert_eq!(allow, Some("GET, HEAD")),
            _ => assert_eq!(allow, None),
        }
    }
}

#[test]
fn a_body_that_nobody_reads_ends_the_connection() {
    for (path, ends) in
        [("/nothing", true), ("/healthz", true), ("/autodiscover/autodiscover.xml", false)]
    {
        for piece in [1, 1_000] {
            let said = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
                 GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
            );
            let mut rig = Rig::new();
            for bytes in said.as_bytes().chunks(piece) {
                if !rig.want.done {
                    rig.say(bytes);
                }
            }
            assert_eq!(rig.want.done, ends, "{path}");
            let answers = rig.said();
            assert_eq!(header(&answers, "connection"), ends.then_some("close"));
            assert_eq!(answers.matches("HTTP/1.1 ").count(), if ends { 1 } else { 2 });
        }
    }
}

#[test]
fn a_host_must_be_ours() {
    for (request, status) in [
        ("GET /healthz HTTP/1.1\n\n", "400"),
        ("GET /healthz HTTP/1.0\n\n", "200"),
        ("GET /healthz HTTP/1.1\nHost: a\nHost: a\n\n", "400"),
        ("GET /healthz HTTP/1.1\nHost: a b\n\n", "400"),
        ("GET /healthz HTTP/1.1\nHost: user@mail.example.org\n\n", "400"),
        ("GET /healthz HTTP/1.1\nHost: MAIL.example.org:8080\n\n", "200"),
        ("GET /healthz HTTP/1.1\nHost: mail.example.org.\n\n", "200"),
        ("GET /healthz HTTP/1.1\nHost: 192.0.2.7\n\n", "200"),
        ("GET /healthz HTTP/1.1\nHost: [2001:db8::1]:80\n\n", "200"),
        ("GET /healthz HTTP/1.1\nHost: pillarbox:1080\n\n", "200"),
        ("GET /healthz HTTP/1.1\nHost: autoconfig.example.org\n\n", "200"),
        ("GET /healthz HTTP/1.1\nHost: autoconfig.example.net\n\n", "421"),
        ("GET /healthz HTTP/1.1\nHost: evil.example\n\n", "421"),
        ("GET /healthz HTTP/1.1\nHost: -.example\n\n", "421"),
        ("GET http://evil.example/healthz HTTP/1.1\nHost: mail.example.org\n\n", "421"),
    ] {
        let answer = ask(request);
        let version = if request.contains("HTTP/1.0") { "1.0" } else { "1.1" };
        assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{request}: {answer}");
    }
}

#[test]
fn what_is_known_is_not_sent_again() {
    let answer = get("/", "");
    let etag = header(&answer, "etag").unwrap();
    assert_eq!(header(&answer, "vary"), Some("Accept-Encoding"));
    let zipped = get("/", "Accept-Encoding: gzip\n");
    assert_eq!(header(&zipped, "content-encoding"), Some("gzip"));
    let zipped_etag = header(&zipped, "etag").unwrap();
    assert_ne!(zipped_etag, etag);
    for known in [etag, zipped_etag, "*", &format!("\"x\", W/{etag}")] {
        let answer = get("/", &format!("If-None-Match: {known}\n"));
        assert!(answer.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{answer}");
        assert_eq!(body(&answer), "");
        assert_eq!(header(&answer, "etag"), Some(etag));
        assert_eq!(header(&answer, "vary"), Some("Accept-Encoding"));
        assert_eq!(header(&answer, "content-length"), None);
    }
    assert!(get("/", "If-None-Match: \"x\"\n").starts_with("HTTP/1.1 200 "));
    assert!(get("/", "If-Match: \"x\"\n").starts_with("HTTP/1.1 412 "));
    assert!(get("/healthz", "If-None-Match: *\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_part_of_a_file() {
    let part = get("/ca.pem", "Range: bytes=2-4\nAccept-Encoding: gzip\n");
    assert!(part.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{part}");
    assert_eq!(header(&part, "content-range"), Some("bytes 2-4/10"));
    assert_eq!(header(&part, "content-encoding"), None);
    assert_eq!(body(&part), "234");
    let outside = get("/ca.pem", "Range: bytes=10-\n");
    assert!(outside.starts_with("HTTP/1.1 416 "), "{outside}");
    assert_eq!(header(&outside, "content-range"), Some("bytes */10"));
    let etag = header(&part, "etag").unwrap();
    let same = get("/ca.pem", &format!("Range: bytes=-1\nIf-Range: {etag}\n"));
    assert_eq!(body(&same), "9");
    let other = get("/ca.pem", "Range: bytes=-1\nIf-Range: \"x\"\n");
    assert!(other.starts_with("HTTP/1.1 200 ") && body(&other) == "0123456789");
    // What is made for each request has no parts.
    assert!(get("/", "Range: bytes=0-1\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn tls_is_insisted_on_only_under_tls() {
    let agreed = Agreed {
        version: "TLSv1.3",
        cipher: String::new(),
        server_name: None,
        alpn: None,
        bindings: Bindings::default(),
        server: None,
    };
    let request = "GET /healthz HTTP/1.1\nHost: mail.example.org\n\n";
    let mut rig = Rig::new();
    rig.session.secured(agreed);
    assert_eq!(header(&rig.ask(request), "strict-transport-security"), Some("max-age=3600"));
    let local = rig.ask(&request.replace("mail.example.org", "localhost"));
    assert_eq!(header(&local, "strict-transport-security"), None);
    assert_eq!(header(&ask(request), "strict-transport-security"), None);
}

#[test]
fn a_policy_is_at_its_host_alone() {
    let at = |host: &str| ask(&format!("GET /.well-known/mta-sts.txt HTTP/1.1\nHost: {host}\n\n"));
    let policy = at("mta-sts.example.org");
    assert_eq!(header(&policy, "content-type"), Some("text/plain"));
    let text = "version: STSv1\r\nmode: testing\r\nmx: mail.example.org\r\nmax_age: 86400\r\n";
    assert_eq!(body(&policy), text);
    assert_eq!(body(&at("mta-sts.xn--bcher-kva.example")), text);
    assert!(at("mail.example.org").starts_with("HTTP/1.1 404 "));
    assert!(at("mta-sts.example.net").starts_with("HTTP/1.1 421 "));
}

#[test]
fn clients_are_set_up_for_our_domains_and_any_name() {
    for (path, expected) in [
        (
            "/mail/config-v1.1.xml?emailaddress=no.such%40example.org",
            "<domain>example.org</domain>",
        ),
        (
            "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=a@b%C3%BCcher.example",
            "<domain>xn--bcher-kva.example</domain>",
        ),
        (
            "/autodiscover/autodiscover.xml?emailaddress=a@example.org",
            "<LoginName>a@example.org</LoginName>",
        ),
        (
            "/profile.mobileconfig?addresses=a%40example.org,b%40example.org",
            "<string>b@example.org</string>",
        ),
    ] {
        let answer = get(path, "");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(expected), "{answer}");
        let elsewhere = path.replace("example", "elsewhere");
        assert!(get(&elsewhere, "").starts_with("HTTP/1.1 404 "), "{elsewhere}");
    }
    for path in [
        "/mail/config-v1.1.xml",
        "/profile.mobileconfig",
        "/profile.mobileconfig?addresses=",
        "/profile.mobileconfig?addresses=a",
        "/mail/config-v1.1.xml?emailaddress=%22",
    ] {
        assert!(!get(path, "").starts_with("HTTP/1.1 200 "), "{path}");
    }
    let host = "GET /mail/config-v1.1.xml HTTP/1.1\nHost: autoconfig.example.org\n\n";
    assert!(ask(host).contains("<domain>example.org</domain>"));
}

#[test]
fn outlook_is_told_what_it_asks_for() {
    let post = |body: &str| {
        ask(&format!(
            "POST /autodiscover/autodiscover.xml HTTP/1.1\nHost: mail.example.org\n\
             Content-Length: {}\n\n{body}",
            body.len()
        ))
    };
    let ours = post("<R><EMailAddress>a@example.org</EMailAddress></R>");
    assert!(ours.contains("<Type>IMAP</Type>") && ours.contains("<Port>465</Port>"), "{ours}");
    let other = "<R><EMailAddress>a@example.org</EMailAddress><AcceptableResponseSchema>\
                 http://schemas.microsoft.com/exchange/autodiscover/mobilesync/\
                 responseschema/2006</AcceptableResponseSchema></R>";
    assert!(post(other).contains("<ErrorCode>601</ErrorCode>"));
    assert!(post("<R><EMailAddress>a@x.example</EMailAddress></R>").starts_with("HTTP/1.1 404 "));
    assert!(post("<R></R>").starts_with("HTTP/1.1 400 "));
}

#[test]
fn the_landing_page_escapes_and_links() {
    let page = get("/", "");
    assert!(page.contains("&lt;secret&gt;") && !page.contains("<secret>"));
    assert!(page.contains("href=\"/profile.mobileconfig?addresses=user@example.org\""));
    assert!(page.contains("<svg class=\"qr\"") && page.contains("href=\"/ca.pem\""));
    assert_eq!(header(&page, "content-type"), Some("text/html; charset=utf-8"));
}

#[test]
fn stopping_ends_what_is_idle_and_answers_what_is_under_way() {
    let mut idle = Rig::new();
    idle.ask("GET /healthz HTTP/1.1\nHost: a\n\n");
    idle.step(Input::Stop);
    assert!(idle.want.done && idle.want.stream == Stream::Flush);

    let mut fresh = Rig::new();
    fresh.step(Input::Stop);
    assert!(fresh.want.done);

    let mut busy = Rig::new();
    busy.slow_store = true;
    assert_eq!(busy.ask("GET /healthz HTTP/1.1\nHost: example.org\n\n"), "");
    busy.step(Input::Stop);
    assert!(!busy.want.done);
    busy.slow_store = false;
    busy.answer_store();
    let answer = busy.said();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(header(&answer, "connection"), Some("close"));
    assert!(busy.want.done);
}

#[test]
fn a_half_closed_client_is_answered_and_a_gone_one_forgotten() {
    let mut rig = Rig::new();
    rig.slow_store = true;
    rig.ask("GET /healthz HTTP/1.1\nHost: example.org\n\n");
    rig.step(Input::Eof);
    rig.slow_store = false;
    rig.answer_store();
    assert!(rig.said().starts_with("HTTP/1.1 200 ") && rig.want.done);

    let mut rig = Rig::new();
    rig.slow_store = true;
    rig.ask("GET /healthz HTTP/1.1\nHost: example.org\n\n");
    rig.step(Input::Gone);
    assert!(rig.want.done && rig.want.stream == Stream::Abort);
    assert_eq!(rig.session.desk.waits(), [""; 0]);
}

#[test]
fn nonsense_is_refused_and_closed() {
    for (nonsense, status) in [
        ("\u{1}\n\n", "400"),
        ("GET\n\n", "400"),
        ("GET / HTTP/9.9\nHost: a\n\n", "400"),
        ("GET / HTTP/1.1\nHost : a\n\n", "400"),
        ("PRI * HTTP/1.1\n\n", "400"),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 2\n\n", "400"),
    ] {
        let mut rig = Rig::new();
        let answer = rig.ask(nonsense);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{nonsense:?}: {answer}");
        assert!(rig.want.done || header(&answer, "connection").is_none(), "{nonsense:?}");
    }
}
