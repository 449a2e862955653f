use pillarbox_core::dns::Name;
use pillarbox_core::sasl::{Hash, Mechanism};

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/etc/pillarbox/pillarbox.toml"), text)
        .map_err(|flaws| flaws.to_string().replace("/etc/pillarbox/pillarbox.toml:", ""))
}

const GOOD: &str = r#"
hostname = "mail.example.org"
data = "/var/lib/pillarbox"
[runtime]
kind = "std"
[[listener]]
protocol = "smtp"
address = "[::1]:25"
[[listener]]
protocol = "imap"
address = "127.0.0.1:143"
login_without_tls = true
[limits]
message_bytes_max = 100_000
[log]
level = "debug"
"#;

#[test]
fn a_good_one() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.hostname, "mail.example.org");
    assert_eq!(config.runtime, RuntimeKind::Std);
    assert_eq!(config.listeners.len(), 2);
    assert_eq!(config.listeners[0].protocol, Protocol::Smtp);
    assert!(config.listeners[1].login_without_tls);
    assert_eq!(config.limits.smtp.message_bytes_max, 100_000);
    assert_eq!(config.log, log::LevelFilter::Debug);
    assert!(config.sync);
}

#[test]
fn every_flaw_is_told_with_its_place() {
    let text = "hostname = \"mail_example\"\n\
                dta = \"/x\"\n\
                [runtime]\n\
                kind = \"tokio\"\n\
                threads = 0\n\
                [[listener]]\n\
                protocol = \"pop3\"\n\
                address = \"localhost:25\"\n\
                login_without_tls = \"yes\"\n";
    let all = "smtp, lmtp, submission, submissions, imap, imaps, http, https";
    assert_eq!(
        parse(text).unwrap_err().lines().collect::<Vec<_>>(),
        [
            "1:1: `data` is missing",
            "1:12: `mail_example` is not a host name such as mail.example.org",
            "2:1: there is no `dta` here: known are checks, data, delivery, dns, hostname, limits, listener, \
             log, login, queue, rates, runtime, sandbox, sync, tls, user, web",
            "4:8: there is no runtime `tokio`: use smol, glommio or std",
            "5:11: 0 is not between 1 and 1024",
            &format!("7:12: there is no protocol `pop3`: use one of {all}"),
            "8:11: `localhost:25` is no address such as 192.0.2.1:25 or [2001:db8::1]:25",
            "9:21: `login_without_tls` is true or false, not string",
        ]
    );
}

#[test]
fn mechanisms_can_be_hidden() {
    let with = |port: &str, names: &str| {
        let line = format!("{port}\"\nhide_mechanisms = {names}");
        parse(&GOOD.replace(&format!("{port}\""), &line))
    };
    let config = with("127.0.0.1:143", r#"["SCRAM-SHA-256-PLUS", "login"]"#).unwrap();
    let plus = Mechanism::Scram { hash: Hash::Sha256, plus: true };
    assert_eq!(config.listeners[1].hide_mechanisms, [plus, Mechanism::Login]);
    let flaws = with("127.0.0.1:143", r#"["LOGIN", "GSSAPI"]"#).unwrap_err();
    let all = "SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN, \
               CRAM-MD5, EXTERNAL";
    assert_eq!(flaws, format!("12:29: there is no mechanism `GSSAPI`: known are {all}"));
    let flaws = with("[::1]:25", r#"["LOGIN"]"#).unwrap_err();
    assert_eq!(flaws, "9:19: nobody logs in there: nothing is to be hidden");
}

#[test]
fn root_is_not_given_up_for_root() {
    assert_eq!(parse(GOOD).unwrap().user, None);
    let with = |user: &str| parse(&format!("user = \"{user}\"{GOOD}"));
    assert_eq!(with("pillarbox").unwrap().user.as_deref(), Some("pillarbox"));
    assert_eq!(with("root").unwrap_err(), "1:8: root is what is given up: name another user");
}

#[test]
fn right_passwords_are_remembered_for_some_time() {
    assert_eq!(parse(GOOD).unwrap().logins.remembered, Duration::from_secs(600));
    let with = |seconds: &str| parse(&format!("{GOOD}[login]\nremembered_seconds = {seconds}\n"));
    assert_eq!(with("0").unwrap().logins.remembered, Duration::ZERO);
    assert_eq!(with("86401").unwrap_err(), "18:22: 86401 is not between 0 and 86400");
}

#[test]
fn lmtp_is_not_for_port_25() {
    let lmtp = |port: &str| parse(&GOOD.replace("\"smtp\"", "\"lmtp\"").replace(":25", port));
    assert_eq!(lmtp(":24").unwrap().listeners[0].protocol, Protocol::Lmtp);
    let flaws = lmtp(":25").unwrap_err();
    assert_eq!(flaws, "8:11: port 25 is for `smtp`: give `lmtp` another, such as 24");
}

#[test]
fn proxies_are_networks() {
    let with = |proxies: &str| {
        parse(&GOOD.replace("[::1]:25\"", &format!("[::1]:25\"\nproxies = {proxies}")))
    };
    let config = with(r#"["192.0.2.0/24", "::1"]"#).unwrap();
    assert_eq!(config.listeners[0].proxies.len(), 2);
    assert!(config.listeners[1].proxies.is_empty());
    let flaws = with(r#"["192.0.2.0/24", "192.0.2.1/24", "lb.example.org"]"#).unwrap_err();
    let network = "is no network such as 192.0.2.0/24 or 2001:db8::/32";
    assert_eq!(flaws, format!("9:28: `192.0.2.1/24` {network}\n9:44: `lb.example.org` {network}"));
}

#[test]
fn senders_and_headers() {
    let submission =
        GOOD.replace("protocol = \"imap\"", "any_sender = true\nprotocol = \"submission\"");
    let config = parse(&submission).unwrap();
    assert!(config.listeners[1].any_sender && !config.listeners[0].any_sender);
    let flaws = parse(&GOOD.replace("[::1]:25\"", "[::1]:25\"\nany_sender = true")).unwrap_err();
    assert_eq!(flaws, "9:14: only for submission: elsewhere nobody is asked who they are");
    let limits = |text: &str| parse(&GOOD.replace("[limits]", &format!("[limits]\n{text}")));
    let head = limits("header_bytes_max = 4096\nheader_fields_max = 50").unwrap().limits.head;
    assert_eq!((head.bytes_max, head.fields_max, head.received_max), (4_096, 50, 100));
    assert_eq!(limits("").unwrap().limits.parts_max, 1_000);
    assert_eq!(limits("parts_max = 100").unwrap().limits.parts_max, 100);
    let flaws = limits("parts_max = 1001").unwrap_err();
    assert_eq!(flaws, "14:13: 1001 is not between 100 and 1000");
    let flaws = limits("header_bytes_max = 4095\nheader_received_max = 29").unwrap_err();
    assert_eq!(
        flaws,
        "14:20: 4095 is not between 4096 and 1048576\n15:23: 29 is not between 30 and 1048576"
    );
}

/// What `[limits]` comes to with these lines.
fn limits(lines: &str) -> Result<Limits, String> {
    parse(&GOOD.replace("message_bytes_max = 100_000", lines)).map(|config| config.limits)
}

#[test]
fn each_limit_of_smtp_is_settable_within_its_bounds() {
    let of = |limits: Limits| {
        let (smtp, times) = (limits.smtp, limits.times);
        [
            ("message_bytes_max", smtp.message_bytes_max, 1 << 16, 1 << 31),
            ("text_line_bytes_max", smtp.text_line_max as u64, 1_000, 1 << 31),
            ("recipients_max", smtp.recipients_max as u64, 100, 1 << 20),
            ("transactions_max", smtp.transactions_max as u64, 1, 1 << 31),
            ("bad_commands_max", smtp.bad_commands_max as u64, 1, 1 << 20),
            ("idle_seconds_max", times.idle_max.as_secs(), 10, DAY),
            ("command_seconds_max", times.command_max.as_secs(), 10, DAY),
            ("body_seconds_max", times.body_max.as_secs(), 60, DAY),
            ("body_bytes_per_second_min", times.body_rate_min, 0, 1 << 20),
            ("session_seconds_max", times.session_max.as_secs(), 60, 30 * DAY),
            ("slow_answer_seconds_max", times.slow_max.as_secs(), 0, 25),
        ]
    };
    for (index, (key, _, min, max)) in of(Limits::default()).into_iter().enumerate() {
        for value in [min, max] {
            let set = of(limits(&format!("{key} = {value}")).unwrap());
            let mut expected = of(Limits::default());
            expected[index].1 = value;
            assert_eq!(set, expected);
        }
        let past = format!("{key} = {}", max + 1);
        let column = key.len() + 4;
        let flaw = format!("14:{column}: {} is not between {min} and {max}", max + 1);
        assert_eq!(limits(&past), Err(flaw));
        let short = i64::try_from(min).unwrap() - 1;
        let flaw = format!("14:{column}: {short} is not between {min} and {max}");
        assert_eq!(limits(&format!("{key} = {short}")), Err(flaw));
    }
}

#[test]
fn each_limit_of_the_web_is_settable_within_its_bounds() {
    let of = |limits: Limits| {
        let web = limits.web;
        [
            ("web_header_bytes_max", web.header_bytes_max as u64, 1 << 10, 1 << 20),
            ("web_headers_max", web.headers_max as u64, 20, 1 << 10),
            ("web_body_bytes_max", web.body_bytes_max as u64, 1 << 10, 1 << 20),
            ("web_streams_max", web.streams_max as u64, 1, 1 << 10),
            ("web_header_seconds_max", web.header_max.as_secs(), 1, DAY),
            ("web_idle_seconds_max", web.idle_max.as_secs(), 1, DAY),
            ("web_request_seconds_max", web.request_max.as_secs(), 1, DAY),
        ]
    };
    for (index, (key, _, min, max)) in of(Limits::default()).into_iter().enumerate() {
        for value in [min, max] {
            let set = of(limits(&format!("{key} = {value}")).unwrap());
            let mut expected = of(Limits::default());
            expected[index].1 = value;
            assert_eq!(set, expected);
        }
        for past in [min - 1, max + 1] {
            let flaws = limits(&format!("{key} = {past}")).unwrap_err();
            assert!(flaws.contains(&format!("{past} is not between {min} and {max}")), "{flaws}");
        }
    }
}

#[test]
fn the_web_is_configured() {
    let web = |lines: &str| parse(&format!("{GOOD}\n[web]\n{lines}\n")).map(|config| config.web);
    assert_eq!(parse(GOOD).unwrap().web, Web::default());
    assert_eq!(web("hsts_seconds = 0").unwrap(), Web { hsts_seconds: 0, mta_sts: None });
    let policy = web("mta_sts = \"enforce\"").unwrap().mta_sts.unwrap();
    let mx = vec![MxPattern::parse("mail.example.org").unwrap()];
    assert_eq!(policy, Policy { mode: Mode::Enforce, max_age: 604_800, mx });
    let lines = "mta_sts = \"none\"\nmta_sts_max_age_seconds = 31_557_600\n\
                 mta_sts_mx = [\"a.example\", \"*.b.example\"]";
    let policy = web(lines).unwrap().mta_sts.unwrap();
    assert_eq!((policy.max_age, policy.mx.len()), (31_557_600, 2));
    let flaws =
        web("mta_sts = \"on\"\nmta_sts_max_age_seconds = 31_557_601\nmta_sts_mx = [\"a b\"]");
    let flaws = flaws.unwrap_err();
    for part in ["`on` is none of", "31557601 is not between", "`a b` is not a host name"] {
        assert!(flaws.contains(part), "{flaws}");
    }
    let with = |protocol: &str, line: &str| {
        parse(&GOOD.replace("protocol = \"smtp\"", &format!("protocol = \"{protocol}\"\n{line}")))
    };
    for line in ["metrics = true", "landing_page = true"] {
        assert!(with("http", line).is_ok());
        assert!(with("smtp", line).unwrap_err().contains("only for http and https"));
    }
    assert!(with("https", "").unwrap_err().contains("`https` needs a certificate"));
}

#[test]
fn rates_are_three_rising_numbers() {
    let text = "\n[rates]\nmessages_per_hour = [1, 2, 2]\nfailed_logins_per_account_and_hour = 7\nexempt = [\"192.0.2.0/24\"]\n";
    let config = parse(&format!("{GOOD}{text}")).unwrap();
    assert_eq!(config.rates.messages, [1, 2, 2]);
    assert_eq!(config.rates.exempt.len(), 1);
    assert_eq!(config.rates.failed_logins_per_account, 7);
    for wrong in ["[1, 2]", "[3, 2, 4]", "[1, 2, \"3\"]", "1", "[-1, 2, 3]"] {
        let flaws = parse(&format!("{GOOD}\n[rates]\nmessages_per_hour = {wrong}\n")).unwrap_err();
        assert!(flaws.contains("is three rising numbers"), "{flaws}");
    }
}

#[test]
fn broken_toml_is_told_with_its_place() {
    let error = parse("hostname = \"a\"\ndata = \nlistener = 3 4\n").unwrap_err();
    assert!(error.starts_with("2:"), "{error}");
    assert!(!error.contains("missing"), "{error}");
}

#[test]
fn a_certificate_is_needed_and_must_be_there() {
    let imaps = GOOD.replace("protocol = \"imap\"", "protocol = \"imaps\"");
    assert!(parse(&imaps).unwrap_err().contains("`imaps` needs a certificate"));
    let text = format!("{GOOD}\n[tls]\ncertificate = \"/nowhere/cert.pem\"\n");
    let error = parse(&text).unwrap_err();
    assert!(error.contains("/nowhere/cert.pem cannot be read"), "{error}");
    assert!(error.contains("`key` is missing"), "{error}");
}

#[test]
fn who_gets_the_mail_is_configured() {
    let config = parse(GOOD).unwrap();
    assert_eq!((config.delivery, config.limits.account_bytes_max), (Delivery::default(), None));
    let with = |delivery: &str| {
        let quota = "[limits]\naccount_bytes_max = 5_000_000_000";
        parse(&format!("{}[delivery]\n{delivery}\n", GOOD.replace("[limits]", quota)))
    };
    let config = with("separators = \"-+\"").unwrap();
    assert_eq!(config.delivery, Delivery { separators: "-+".into(), trouble: false });
    assert_eq!(config.limits.account_bytes_max, Some(5_000_000_000));
    assert_eq!(with("separators = \"\"").unwrap().delivery.separators, "");
    for wrong in ["a", "@", " ", "ä", "\\\""] {
        let flaws = with(&format!("separators = \"+{wrong}\"")).unwrap_err();
        assert!(flaws.contains("more than signs"), "{flaws}");
    }
    assert!(with("trouble = true").unwrap().delivery.trouble);
}

#[test]
fn a_runtime_is_one_of_three() {
    for name in ["smol", "glommio", "std"] {
        let config = parse(&GOOD.replace("\"std\"", &format!("{name:?}"))).unwrap();
        assert_eq!(config.runtime.name(), name);
    }
    let error = parse(&GOOD.replace("\"std\"", "\"tokio\"")).unwrap_err();
    assert_eq!(error, "5:8: there is no runtime `tokio`: use smol, glommio or std");
}

#[test]
fn name_servers_are_named() {
    let with = |lines: &str| parse(&format!("{GOOD}[dns]\n{lines}\n")).map(|config| config.dns);
    assert_eq!(with(""), Ok(Dns::default()));
    let dns = with(
        "servers = [\"192.0.2.1\", \"[2001:db8::1]:5353\"]\nvalidating = [\"192.0.2.1\"]\n\
         timeout_seconds = 2\nattempts = 1",
    )
    .unwrap();
    assert_eq!(dns.servers, ["192.0.2.1:53", "[2001:db8::1]:5353"].map(|it| it.parse().unwrap()));
    assert_eq!(dns.validating, Some(vec!["192.0.2.1".parse().unwrap()]));
    assert_eq!((dns.timeout, dns.attempts), (Some(Duration::from_secs(2)), Some(1)));
    assert_eq!(with("validating = []").unwrap().validating, Some(Vec::new()));
    assert_eq!(
        with("zones = [\"a.zone\", \"/b\"]").unwrap().zones,
        [Path::new("/etc/pillarbox/a.zone"), Path::new("/b")]
    );
    for (lines, expected) in [
        ("servers = [\"ns.example.org\"]", "is no address"),
        ("servers = [\"::1\"]\nzones = [\"a\"]", "no server is asked"),
        ("timeout_seconds = 31", "not between 1 and 30"),
        ("validating = [\"x\"]", "`x` is"),
        ("server = \"::1\"", "there is no `server` here"),
        (&format!("servers = [{}]", "\"::1\", ".repeat(9)), "8 servers are enough"),
    ] {
        let flaws = with(lines).unwrap_err();
        assert!(flaws.contains(expected), "{flaws}");
    }
}

#[test]
fn what_mail_from_outside_is_asked() {
    let with = |text: &str| parse(&format!("{GOOD}\n[checks]\n{text}"));
    assert_eq!(parse(GOOD).unwrap().checks, Some(Checks::default()));
    assert_eq!(with("enabled = false").unwrap().checks, None);
    let text = "within_seconds = 5\nsender_domain = false\ndmarc = \"watch\"\nspf_fail = \"refuse\"\n\
                forwarders = [\"192.0.2.0/24\", \"Lists.example.org\"]\nsingle_labels = true";
    let checks = with(text).unwrap().checks.unwrap();
    assert_eq!((checks.within, checks.sender_domain), (Duration::from_secs(5), false));
    assert_eq!((checks.dmarc, checks.spf_fail), (Obedience::Watch, SpfFail::Refuse));
    let forwarders = [
        Forwarder::From("192.0.2.0/24".parse().unwrap()),
        Forwarder::Domain(Name::parse("lists.example.org").unwrap()),
    ];
    assert_eq!((checks.forwarders, checks.single_labels), (forwarders.to_vec(), true));
    for (text, flaw) in [
        ("dmarc = \"obey\"", "`obey` is none of enforce, junk, watch"),
        ("spf_fail = \"no\"", "`no` is none of accept, junk, refuse"),
        ("forwarders = [\"a b\"]", "`a b` is no network such as 192.0.2.0/24, and no domain"),
        ("within_seconds = 0", "0 is not between 1 and 120"),
    ] {
        let flaws = with(text).unwrap_err().to_string();
        assert!(flaws.contains(flaw), "{flaws}");
    }
}
