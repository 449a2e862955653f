//! HTTP, by the clients that people have: curl in both versions, Python, and bytes by hand.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::on_each_runtime;
use crate::server::{PATIENCE, Place, succeed};

on_each_runtime!(
    curl_speaks_both_versions,
    curl_asks_again_and_for_parts,
    heads_have_limits,
    pipelined_requests_are_answered_in_order,
    stopping_says_goodbye,
    python_reads_what_clients_are_told,
    policies_and_other_settings,
);

/// What `curl` prints, with some arguments that all have.
fn curl(place: &Place, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "60", "--cacert"]).arg(place.ca()).args(arguments);
    String::from_utf8_lossy(&succeed(&mut command)).into_owned()
}

fn url(place: &Place, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", place.http())
}

fn curl_speaks_both_versions(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let told = ["-o", "/dev/null", "-w", "%{http_version} %{http_code} %{size_download}"];
    let ask = |arguments: &[&str]| curl(&place, &[&told, arguments].concat());
    let (clear, secure) = (url(&place, "/"), format!("https://localhost:{}/", place.https()));
    let one = ask(&["--http1.1", &clear]);
    assert!(one.starts_with("1.1 200 "), "{one}");
    let two = ask(&["--http2-prior-knowledge", &clear]);
    assert_eq!(two.strip_prefix("2 "), one.strip_prefix("1.1 "));
    assert!(ask(&["--http1.1", &secure]).starts_with("1.1 200 "));
    assert!(ask(&["--http2-prior-knowledge", &secure]).starts_with("2 200 "));
    // An upgrade in clear is not taken, and the answer is as without it (RFC 9113 §3.1).
    assert!(ask(&["--http2", &clear]).starts_with("1.1 200 "));
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let head = curl(&place, &[version, "-I", &clear]);
        let body = curl(&place, &[version, &clear]);
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
    }
    // On one connection. (curl 7.88 cannot do that with --http2-prior-knowledge, with any server.)
    let before = place.metric("web_sessions_total");
    let arguments: Vec<&str> = std::iter::repeat_n(clear.as_str(), 20).collect();
    assert_eq!(curl(&place, &arguments).matches("</html>").count(), 20);
    assert_eq!(place.metric("web_sessions_total"), before + 1);
    let logged = server.stderr.wait_for(|line| {
        line.contains(" web request ") && line.contains("version=2 status=200 bytes=")
    });
    let line = logged.unwrap();
    for part in ["cid=", "peer=127.0.0.1", "method=GET path=/ ", " ms="] {
        assert!(line.contains(part), "{line}");
    }
    assert!(place.metric("web_requests_total") >= 29);
    let shown = curl(&place, &[&url(&place, "/metrics")]);
    assert!(shown.contains("\npillarbox_web_requests_total ") && shown.ends_with("# EOF\n"));
    let hidden =
        curl(&place, &["-o", "/dev/null", "-w", "%{http_code}", &format!("{secure}metrics")]);
    assert_eq!(hidden, "404");
    server.stop();
}

fn curl_asks_again_and_for_parts(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let page = url(&place, "/");
    let etags = place.beside("etags").display().to_string();
    let code = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}"];
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let first = curl(&place, &[&code[..], &[version, "--etag-save", &etags, &page]].concat());
        assert!(first.starts_with("200 "), "{first}");
        let second =
            curl(&place, &[&code[..], &[version, "--etag-compare", &etags, &page]].concat());
        assert_eq!(second, "304 0");
        let ca = url(&place, "/ca.pem");
        let whole = curl(&place, &[version, &ca]);
        assert_eq!(whole, std::fs::read_to_string(place.ca()).unwrap());
        assert_eq!(curl(&place, &[version, "-r", "11-20", &ca]), whole[11..21]);
        let past = format!("{}-", whole.len());
        let outside = curl(&place, &[&code[..], &[version, "-r", &past, &ca]].concat());
        assert!(outside.starts_with("416 "), "{outside}");
        let zipped = curl(&place, &[&code[..], &[version, "--compressed", &page]].concat());
        assert!(zipped.starts_with("200 ") && zipped != first, "{zipped}");
        assert_eq!(
            curl(&place, &[version, "--compressed", &page]),
            curl(&place, &[version, &page])
        );
    }
    server.stop();
}

fn heads_have_limits(runtime: &'static str) {
    let place = Place::new(runtime);
    drop(place.localserve());
    let limits = "[limits]\nweb_header_bytes_max = 4_096\nweb_header_seconds_max = 1\n";
    let server = place.serve("", limits);
    let (page, secret) = (url(&place, "/"), format!("x: {}", "y".repeat(5_000)));
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let arguments = ["-o", "/dev/null", "-w", "%{http_code}", version, "-H", &secret, &page];
        assert_eq!(curl(&place, &arguments), "431");
    }
    // Who drips is not waited for.
    let mut slow = connect(&place);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    assert!(all(&mut slow).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    server.stop();
}

fn pipelined_requests_are_answered_in_order(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut stream = connect(&place);
    let mut said = String::new();
    for path in ["/healthz", "/style.css", "/nothing", "/mail/config-v1.1.xml", "/"] {
        said.push_str(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    said.push_str("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(said.as_bytes()).unwrap();
    let answers = all(&mut stream);
    let types: Vec<&str> = answers
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("content-type: "))
        .map(|kind| kind.split(';').next().unwrap())
        .collect();
    let plain = "text/plain";
    assert_eq!(types, [plain, "text/css", plain, "text/xml", "text/html", plain]);
    assert!(answers.ends_with("\r\n\r\n"), "HEAD has no body");
    server.stop();
}

fn stopping_says_goodbye(runtime: &'static str) {
    let place = Place::new(runtime);
    let mut server = place.localserve();
    let mut idle = connect(&place);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    hear(&mut idle, b"ok\n");
    // RFC 9113 §3.4: the preface, and the client's settings.
    let mut two = connect(&place);
    two.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // The answer to them.
    hear(&mut two, b"\0\0\0\x04\x01\0\0\0\0");
    server.signal("TERM");
    assert_eq!(all(&mut idle), "");
    // RFC 9113 §6.8: GOAWAY on stream 0, though no stream's number is the last yet.
    hear(&mut two, b"\0\0\x08\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0");
    drop(two);
    assert_eq!(server.wait().code(), Some(0));
}

/// `xml.etree` and `plistlib` read what we write, and `http.client` fetches it on one connection.
const READER: &str = r#"
import http.client, plistlib, sys
import xml.etree.ElementTree as tree
port = int(sys.argv[1])
http1 = http.client.HTTPConnection("localhost", port, timeout=60)
def ask(method, path, body=None):
    http1.request(method, path, body)
    answer = http1.getresponse()
    assert answer.version == 11
    return answer.status, answer.read()
status, text = ask("GET", "/mail/config-v1.1.xml?emailaddress=user%40localhost")
assert status == 200, text
provider = tree.fromstring(text).find("emailProvider")
assert provider.get("id") == "localhost" and provider.find("domain").text == "localhost"
for kind, element in (("imap", "incomingServer"), ("smtp", "outgoingServer")):
    servers = provider.findall(element)
    assert [s.find("socketType").text for s in servers] == ["SSL", "STARTTLS"]
    for s in servers:
        assert s.get("type") == kind and s.find("username").text == "%EMAILADDRESS%"
        print(kind, s.find("hostname").text, s.find("port").text)
outlook = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
status, text = ask("POST", "/Autodiscover/Autodiscover.xml", f"""<?xml version="1.0"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
<Request><EMailAddress>user@localhost</EMailAddress>
<AcceptableResponseSchema>{outlook}</AcceptableResponseSchema></Request></Autodiscover>""")
assert status == 200, text
account = tree.fromstring(text).find(f"{{{outlook}}}Response/{{{outlook}}}Account")
for protocol in account.findall(f"{{{outlook}}}Protocol"):
    assert protocol.find(f"{{{outlook}}}LoginName").text == "user@localhost"
    print(protocol.find(f"{{{outlook}}}Type").text, protocol.find(f"{{{outlook}}}Port").text)
status, text = ask("GET", "/profile.mobileconfig?addresses=user@localhost,friend@localhost")
profile = plistlib.loads(text)
assert profile["PayloadType"] == "Configuration" and len(profile["PayloadContent"]) == 2
mail = profile["PayloadContent"][1]
assert mail["EmailAddress"] == "friend@localhost" and mail["IncomingMailServerUseSSL"] is True
print("apple", mail["IncomingMailServerPortNumber"], mail["OutgoingMailServerPortNumber"])
assert ask("GET", "/mail/config-v1.1.xml?emailaddress=user%40elsewhere.example")[0] == 404
assert ask("GET", "/mail/config-v1.1.xml?emailaddress=nobody%40localhost")[0] == 200
assert ask("GET", "/healthz") == (200, b"ok\n")
"#;

fn python_reads_what_clients_are_told(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut command = Command::new("python3");
    let told = succeed(command.args(["-c", READER, &place.http().to_string()]));
    let told = String::from_utf8(told).unwrap();
    let (imaps, imap) = (place.imaps(), place.imap());
    let (submissions, submission) = (place.submissions(), place.submission());
    let expected = format!(
        "imap localhost {imaps}\nimap localhost {imap}\nsmtp localhost {submissions}\n\
         smtp localhost {submission}\nIMAP {imaps}\nIMAP {imap}\nSMTP {submissions}\n\
         SMTP {submission}\napple {imaps} {submissions}\n"
    );
    assert_eq!(told, expected);
    server.stop();
}

fn policies_and_other_settings(runtime: &'static str) {
    let place = Place::new(runtime);
    drop(place.localserve());
    let web =
        "[web]\nmta_sts = \"enforce\"\nmta_sts_mx = [\"mail.example.org\"]\nhsts_seconds = 60\n";
    let server = place.serve("", web);
    let mut command = crate::server::pillarbox();
    succeed(command.args(["domain", "add", "example.org", "--dir"]).arg(place.dir()));
    let host = format!("mta-sts.example.org:{}", place.https());
    let resolve = format!("{host}:127.0.0.1");
    // The certificate is another host's.
    let arguments = ["-i", "-k", "--resolve", &resolve];
    let policy = format!("https://{host}/.well-known/mta-sts.txt");
    let answer = curl(&place, &[&arguments[..], &[&policy]].concat());
    assert!(answer.contains("\r\nstrict-transport-security: max-age=60\r\n"), "{answer}");
    let text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmax_age: 604800\r\n";
    assert!(answer.ends_with(&format!("\r\n\r\n{text}")), "{answer}");
    let elsewhere = url(&place, "/healthz");
    let code = ["-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: evil.example", &elsewhere];
    assert_eq!(curl(&place, &code), "421");
    server.stop();
}

fn connect(place: &Place) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", place.http())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until this has come.
fn hear(stream: &mut TcpStream, wanted: &[u8]) {
    let mut heard = Vec::new();
    while !heard.ends_with(wanted) {
        let mut bytes = [0; 1];
        assert_eq!(stream.read(&mut bytes).unwrap(), 1, "closed after {heard:?}");
        heard.push(bytes[0]);
    }
}
