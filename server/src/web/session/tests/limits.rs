//! Each limit, at it and one past it.

use super::*;

/// Small ones.
fn limits() -> WebLimits {
    WebLimits {
        header_bytes_max: 1_024,
        headers_max: 20,
        body_bytes_max: 1_024,
        streams_max: 2,
        header_max: Duration::from_secs(10),
        idle_max: Duration::from_secs(60),
        request_max: Duration::from_secs(30),
    }
}

#[test]
fn bytes_of_a_head() {
    let request = |length: usize| {
        let head = "GET /healthz HTTP/1.1\r\nHost: a\r\nx: ";
        let fill = "y".repeat(length - head.len() - 4);
        format!("{head}{fill}\r\n\r\n")
    };
    for piece in [1, 1_000, 5_000] {
        for (length, status) in [(1_024, "200"), (1_025, "431"), (3_000, "431")] {
            let mut rig = Rig::with(limits());
            for bytes in request(length).as_bytes().chunks(piece) {
                if !rig.want.done {
                    rig.say(bytes);
                }
            }
            let answer = rig.said();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
            assert_eq!(rig.want.done, status == "431");
        }
    }
}

#[test]
fn fields_of_a_head() {
    for (count, status) in [(20, "200"), (21, "431")] {
        let more: String = (1..count).map(|number| format!("x{number}: y\n")).collect();
        let answer = Rig::with(limits()).ask(&format!("GET /healthz HTTP/1.1\nHost: a\n{more}\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{count}: {answer}");
    }
}

#[test]
fn bytes_of_a_body() {
    let chunked = |length: usize| {
        let (first, rest) = (length / 2, length - length / 2);
        format!(
            "Transfer-Encoding: chunked\n\n{first:x}\n{}\n{rest:x}\n{}\n0\n\n",
            "x".repeat(first),
            "x".repeat(rest)
        )
    };
    let plain = |length: usize| format!("Content-Length: {length}\n\n{}", "x".repeat(length));
    for (length, status) in [(1_024, "400"), (1_025, "413")] {
        for body in [plain(length), chunked(length)] {
            let head = "POST /autodiscover/autodiscover.xml HTTP/1.1\nHost: a\n";
            let mut rig = Rig::with(limits());
            let answer = rig.ask(&format!("{head}{body}"));
            // At the limit it is read, and found to be no XML.
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
            assert_eq!(rig.want.done, status == "413");
        }
    }
}

#[test]
fn the_first_request() {
    let mut silent = Rig::with(limits());
    silent.wait(9);
    assert!(!silent.want.done);
    silent.wait(1);
    assert!(silent.want.done && silent.said().is_empty());

    // Bytes that drip do not prolong it.
    let mut slow = Rig::with(limits());
    for byte in b"GET /heal" {
        slow.say(&[*byte]);
        slow.wait(1);
    }
    assert!(!slow.want.done);
    slow.wait(1);
    assert!(slow.want.done);
    assert!(slow.said().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
}

#[test]
fn between_requests() {
    let request = "GET /healthz HTTP/1.1\nHost: a\n\n";
    let mut rig = Rig::with(limits());
    rig.ask(request);
    assert_eq!(rig.deadline(), 60);
    rig.wait(59);
    rig.ask(request);
    assert_eq!(rig.deadline(), 60);
    rig.wait(59);
    // Who has begun to ask gets the time for a head.
    rig.ask("GET");
    assert_eq!(rig.deadline(), 10);
    rig.wait(9);
    rig.ask(" /healthz");
    rig.wait(1);
    assert!(rig.want.done && rig.said().starts_with("HTTP/1.1 408 "));

    let mut idle = Rig::with(limits());
    idle.ask(request);
    idle.wait(60);
    assert!(idle.want.done && idle.said().is_empty());
}

#[test]
fn a_request_in_all() {
    let mut rig = Rig::with(limits());
    rig.slow_store = true;
    rig.ask("GET /healthz HTTP/1.1\nHost: example.org\n\n");
    assert_eq!(rig.deadline(), 30);
    rig.wait(29);
    assert_eq!(rig.said(), "");
    rig.wait(1);
    assert!(rig.said().starts_with("HTTP/1.1 408 "));
    assert!(rig.want.done);

    // A body that does not come.
    let mut rig = Rig::with(limits());
    rig.ask("POST /autodiscover/autodiscover.xml HTTP/1.1\nHost: a\nContent-Length: 9\n\nx");
    rig.wait(30);
    assert!(rig.said().starts_with("HTTP/1.1 408 "));
    assert!(rig.want.done);
}

#[test]
fn answers_that_are_not_taken() {
    let step = |rig: &mut Rig, input| {
        let mut io =
            Io { inbox: &mut rig.inbox, outbox: &mut rig.outbox, effects: &mut rig.effects };
        rig.want = rig.session.step(rig.now, input, &mut io);
    };
    for (mut rig, requests, under_way) in [
        // Many that end in our buffers, and one that does not.
        (Rig::new(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100), false),
        (Rig::with_large_file(), "GET /ca.pem HTTP/1.1\r\nHost: a\r\n\r\n".into(), true),
    ] {
        rig.inbox.extend(requests.as_bytes());
        step(&mut rig, Input::Bytes);
        let waiting = rig.outbox.unsent().len();
        assert!((65_536..65_536 + 32_768).contains(&waiting), "{waiting} bytes wait");
        assert_eq!(!rig.session.ledger.is_empty(), under_way);
        assert_eq!(rig.deadline(), 60);
        rig.now.moment = rig.want.deadline.unwrap();
        step(&mut rig, Input::Timer);
        if under_way {
            assert!(!rig.want.done);
            rig.now.moment = rig.want.deadline.unwrap();
            step(&mut rig, Input::Timer);
        }
        assert!(rig.want.done && rig.want.stream == Stream::Abort);
    }
}

#[test]
fn connections_from_one_network() {
    let allowances = Allowances { connections: [2, 9, 9], ..Allowances::default() };
    let context = context(&allowances);
    for turn in 0..3 {
        let mut rig = Rig::at(&context, limits(), false);
        assert_eq!(rig.want.done, turn == 2);
        assert_eq!(rig.said().starts_with("HTTP/1.1 429 Too Many Requests\r\n"), turn == 2);
    }
    let mut full = Rig::at(&context, limits(), true);
    let answer = full.said();
    assert!(full.want.done && answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(body(&answer).len().to_string(), header(&answer, "Content-Length").unwrap());
}
