//! Jobs, files, topics, exchanges, connections, children.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::mpsc::channel;
use std::time::Duration;

use pillarbox_core::effect::{
    BoxMachine, Completion, Effect, FaultKind, FileWork, Handle, Lane, Topic, Transport,
};
use pillarbox_core::flow::Desk;
use pillarbox_core::{EffectId, Input, Stream, Want};

use super::harness::{Adder, Client, PATIENCE, Server, Sum, flow, lines, machine};

/// Puts each number on the writer's lane, says so, and tells the answer.
fn clerk() -> BoxMachine<Sum> {
    machine(|_, input, io| {
        if let Input::Done(_, Completion::Answer(Ok(number))) = input {
            io.outbox.push(format!("{number}\n").as_bytes());
        }
        for line in lines(io) {
            let job = Sum::AddOne(Lane::Write, line.parse().unwrap());
            io.effects.push((EffectId(1), Effect::Job(job)));
            io.outbox.push(b"queued\n");
        }
        Want::READ
    })
}

#[test]
fn writes_that_wait_are_carried_out_together() {
    let (told, batches) = channel();
    let (open, gate) = channel();
    let server = Server::adjusted(
        |_| clerk(),
        |setup| setup.crew.writer = Box::new(Adder { told: Some(told), gate: Some(gate) }),
    );
    let mut clients: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    assert_eq!(clients[0].ask("0\n"), "queued\n");
    assert_eq!(batches.recv_timeout(PATIENCE), Ok(1));
    for (number, client) in clients.iter_mut().enumerate().skip(1) {
        assert_eq!(client.ask(&format!("{number}\n")), "queued\n");
    }
    open.send(()).unwrap();
    assert_eq!(batches.recv_timeout(PATIENCE), Ok(9));
    open.send(()).unwrap();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.line(), format!("{}\n", number + 1));
    }
    assert_eq!(server.statistics.batches.value(), 2);
    assert_eq!(server.statistics.batch_largest.value(), 9);
    assert_eq!(server.statistics.jobs.value(), 10);
}

#[test]
fn hands_that_fail_spoil_their_own_jobs_only() {
    let server = Server::start(|_| {
        flow(|desk: Desk<Sum>| async move {
            let mut told = String::new();
            for lane in [Lane::Write, Lane::Read, Lane::Work] {
                for job in [Sum::Panic(lane), Sum::Forget(lane)] {
                    let fault = desk.job("fail", job).await.unwrap_err();
                    assert_eq!(fault.kind, FaultKind::Unknown);
                    told += &format!("{fault}\n");
                }
                told += &format!("{:?}\n", desk.job("add", Sum::AddOne(lane, 1)).await);
            }
            told
        })
    });
    let lane = "panicked: as the test wants it\n0 answers were given for 1 jobs\nOk(2)\n";
    assert_eq!(server.connect().rest(), lane.repeat(3));
    assert_eq!(server.statistics.hands_failed.value(), 6);
}

#[test]
fn files_go_round() {
    let server = Server::start(|_| {
        flow(|desk: Desk<Sum>| async move {
            let handle = Handle([0xab; 16]);
            let work = |work| desk.file("file", handle, work);
            // Not waited for: works on one file keep their order.
            for piece in ["one ", "two ", "three"] {
                desk.send(Effect::File(handle, FileWork::Append(piece.into())));
            }
            work(FileWork::Sync).await.unwrap();
            let all = work(FileWork::Read { offset: 0, count: 100 }).await.unwrap();
            let piece = work(FileWork::Read { offset: 4, count: 3 }).await.unwrap();
            work(FileWork::Remove).await.unwrap();
            let none = work(FileWork::Read { offset: 0, count: 1 }).await.unwrap_err();
            format!("{:?} {:?} {:?}", String::from_utf8(all), String::from_utf8(piece), none.kind)
        })
    });
    assert_eq!(server.connect().rest(), "Ok(\"one two three\") Ok(\"two\") Permanent");
}

/// `watch N`, `release N`, `notify N`; tells each notice with its watch.
fn watcher() -> BoxMachine<Sum> {
    machine(|_, input, io| {
        if let Input::Done(EffectId(id), Completion::Noticed) = input {
            io.outbox.push(format!("noticed {id}\n").as_bytes());
        }
        for line in lines(io) {
            let (verb, number) = line.split_once(' ').unwrap();
            let number = number.parse().unwrap();
            let effect = match verb {
                "watch" => Effect::Watch(Topic(number)),
                "release" => Effect::Release(EffectId(number)),
                "notify" => Effect::Notify(Topic(number)),
                verb => panic!("{verb}"),
            };
            io.effects.push((EffectId(number), effect));
            io.outbox.push(format!("{line}\n").as_bytes());
        }
        Want::READ
    })
}

#[test]
fn notices_reach_those_who_watch() {
    let server = Server::start(|_| watcher());
    let (mut one, mut other) = (server.connect(), server.connect());
    for command in ["watch 1\n", "watch 2\n"] {
        assert_eq!(one.ask(command), command);
    }
    assert_eq!(other.ask("watch 2\n"), "watch 2\n");
    assert_eq!(other.ask("notify 1\n"), "notify 1\n");
    assert_eq!(one.line(), "noticed 1\n");
    assert_eq!(one.ask("release 1\n"), "release 1\n");
    assert_eq!(other.ask("notify 1\n"), "notify 1\n");
    assert_eq!(other.ask("notify 2\n"), "notify 2\n");
    assert_eq!(one.line(), "noticed 2\n");
    assert_eq!(other.line(), "noticed 2\n");
}

/// Asks once and tells the answer.
fn asker(over: Transport, to: SocketAddr, answer_max: usize, within: Duration) -> BoxMachine<Sum> {
    flow(move |desk: Desk<Sum>| async move {
        let question = b"question".to_vec();
        let effect = Effect::Exchange { over, to, question, answer_max, within };
        match desk.ask("exchange", effect).await {
            Completion::Exchanged(Ok(answer)) => String::from_utf8(answer).unwrap(),
            Completion::Exchanged(Err(fault)) => format!("{:?}", fault.kind),
            other => format!("{other:?}"),
        }
    })
}

fn exchange(over: Transport, to: SocketAddr, answer_max: usize, within: Duration) -> String {
    Server::start(move |_| asker(over, to, answer_max, within)).connect().rest()
}

#[test]
fn a_datagram_is_answered_by_the_one_that_was_asked() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    let forger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let serving = std::thread::spawn(move || {
        let mut ports = Vec::new();
        for _ in 0..3 {
            let mut question = [0; 100];
            let (count, from) = socket.recv_from(&mut question).unwrap();
            assert_eq!(&question[..count], b"question");
            forger.send_to(b"forged", from).unwrap();
            socket.send_to(b"answer", from).unwrap();
            ports.push(from.port());
        }
        ports
    });
    assert_eq!(exchange(Transport::Udp, to, 6, PATIENCE), "answer");
    assert_eq!(exchange(Transport::Udp, to, 5, PATIENCE), "Permanent");
    assert_eq!(exchange(Transport::Udp, to, 100_000, PATIENCE), "answer");
    let ports = serving.join().unwrap();
    assert!(ports.iter().any(|port| *port != ports[0]), "{ports:?}");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = silent.local_addr().unwrap();
    assert_eq!(exchange(Transport::Udp, to, 6, Duration::from_millis(50)), "TimedOut");
}

#[test]
fn a_message_over_tcp_has_its_length_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        for pieces in [&[&b"\0"[..], b"\x06an", b"swer"][..], &[b"\0\x06an"], &[b"\0\x07answers"]] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 10];
            stream.read_exact(&mut question).unwrap();
            assert_eq!(&question, b"\0\x08question");
            for piece in pieces {
                stream.write_all(piece).unwrap();
            }
        }
        listener
    });
    assert_eq!(exchange(Transport::Tcp, to, 6, PATIENCE), "answer");
    assert_eq!(exchange(Transport::Tcp, to, 6, PATIENCE), "Temporary");
    assert_eq!(exchange(Transport::Tcp, to, 6, PATIENCE), "Permanent");
    let silent = serving.join().unwrap();
    assert_eq!(exchange(Transport::Tcp, to, 6, Duration::from_millis(50)), "TimedOut");
    drop(silent);
    assert_eq!(exchange(Transport::Tcp, to, 6, PATIENCE), "Temporary");
}

/// Connects to each address in turn, sends `hello`, takes one line, and says bye; its outcome is
/// the sum of the lines' lengths. An address that refuses counts 1000.
fn caller(hosts: Vec<SocketAddr>) -> BoxMachine<Sum> {
    let mut left = hosts.into_iter();
    let mut sum = 0;
    machine(move |_, input, io| {
        let mut want = Want::READ;
        let on_to_next = match input {
            Input::Start => true,
            Input::Done(_, Completion::Connected(Ok(connected))) => {
                assert_ne!(connected.local, connected.peer);
                assert!(io.inbox.is_empty() && io.outbox.is_empty());
                io.outbox.push(b"hello\n");
                false
            }
            Input::Done(_, Completion::Connected(Err(_))) => {
                sum += 1000;
                true
            }
            Input::Bytes => match lines(io).first() {
                None => false,
                Some(line) => {
                    sum += u32::try_from(line.len()).unwrap();
                    io.outbox.push(b"bye\n");
                    want.stream = Stream::Flush;
                    true
                }
            },
            _ => false,
        };
        if on_to_next {
            match left.next() {
                Some(to) => io.effects.push((
                    EffectId(0),
                    Effect::Connect { to, from: None, within: Duration::from_secs(5) },
                )),
                None => {
                    io.effects.push((EffectId(9), Effect::Outcome(sum)));
                    want = Want::END;
                }
            }
        }
        want
    })
}

#[test]
fn a_child_connects_and_its_outcome_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hosts: Vec<TcpListener> =
        (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let [one, other] = [0, 1].map(|at| hosts[at].local_addr().unwrap());
    let server = Server::start(move |_| {
        machine(move |_, input, io| {
            match input {
                Input::Start => {
                    let hosts = vec![one, closed, other];
                    let factory = Box::new(move || caller(hosts));
                    io.effects.push((EffectId(3), Effect::Start(factory)));
                }
                Input::Done(EffectId(3), Completion::Outcome(outcome)) => {
                    io.outbox.push(format!("{outcome:?}\n").as_bytes());
                    return Want::END;
                }
                _ => {}
            }
            Want::READ
        })
    });
    let mut client = server.connect();
    for (host, greeting) in hosts.iter().zip(["hi\nand this is dropped", "welcome\n"]) {
        let mut caller = Client::over(host.accept().unwrap().0);
        assert_eq!(caller.line(), "hello\n");
        caller.send(greeting);
        assert_eq!(caller.rest(), "bye\n");
    }
    assert_eq!(client.rest(), "Some(1009)\n");
}

#[test]
fn a_child_that_fails_has_no_outcome() {
    let server = Server::start(|_| {
        flow(|desk: Desk<Sum>| async move {
            let outcome = async |factory| match desk.ask("child", Effect::Start(factory)).await {
                Completion::Outcome(outcome) => format!("{outcome:?} "),
                other => format!("{other:?} "),
            };
            let mut told = outcome(Box::new(|| panic!("not built"))).await;
            told += &outcome(Box::new(|| machine(|_, _, _| panic!("not begun")))).await;
            told += &outcome(Box::new(|| machine(|_, _, _| Want::END))).await;
            told += &outcome(Box::new(|| caller(vec![]))).await;
            told
        })
    });
    assert_eq!(server.connect().rest(), "None None None Some(0) ");
}

#[test]
fn a_connect_is_given_up_in_time() {
    // Nobody answers there: RFC 5737 keeps it for documentation. Where there is no route, the
    // system says so at once.
    let to = "192.0.2.1:9".parse().unwrap();
    let (told, faults) = channel();
    let _server = Server::adjusted(
        |_| machine(|_, _, _| Want::END),
        move |setup| {
            setup.tasks.push(Box::new(move || {
                machine(move |_, input, io| match input {
                    Input::Start => {
                        let within = Duration::from_millis(100);
                        let effect = Effect::Connect { to, from: None, within };
                        io.effects.push((EffectId(0), effect));
                        Want::READ
                    }
                    Input::Done(_, Completion::Connected(result)) => {
                        told.send(result.unwrap_err().kind).unwrap();
                        Want::END
                    }
                    _ => Want::READ,
                })
            }));
        },
    );
    let kind = faults.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(kind, FaultKind::TimedOut | FaultKind::Temporary), "{kind:?}");
}
