//! The body of DATA: finding its end and judging every line end in it.
//!
//! The limit is `memchr::memmem` for CRLF.CRLF over the same bytes: nothing that looks at each
//! byte can be faster, and it judges nothing. Ours must reach half of it. smtp-proto stands
//! beside; it copies the text into a buffer, which is cleared but kept, so as its own users do.
//!
//! All three get the whole body in one piece, so that only the scan counts.

#![allow(clippy::expect_used, reason = "a bench may panic")]

mod cpu;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem::Finder;
use pillarbox_core::smtp::body::{BareLf, Body, Part};
use pillarbox_core::smtp::limits::Limits;
use smtp_proto::request::receiver::DataReceiver;

use cpu::CpuTime;

fn scan(criterion: &mut Criterion<CpuTime>) {
    let line_max = Limits::default().text_line_max;
    let finder = Finder::new(b"\r\n.\r\n");
    let mut group = criterion.benchmark_group("body");
    for (name, bytes) in [("2 KiB", 2 << 10), ("100 KiB", 100 << 10), ("10 MiB", 10 << 20)] {
        let letter = letter(bytes);
        group.throughput(Throughput::Bytes(letter.len() as u64));
        group.bench_with_input(BenchmarkId::new("limit memmem", name), &letter, |b, letter| {
            b.iter(|| finder.find(black_box(letter)).expect("the end"));
        });
        group.bench_with_input(BenchmarkId::new("pillarbox", name), &letter, |b, letter| {
            b.iter(|| ours(black_box(letter), line_max));
        });
        let mut text = Vec::with_capacity(letter.len());
        group.bench_with_input(BenchmarkId::new("smtp-proto", name), &letter, |b, letter| {
            b.iter(|| {
                text.clear();
                DataReceiver::new().ingest(&mut black_box(letter).iter(), &mut text)
            });
        });
    }
    group.finish();
}

/// How many bytes of text there are.
fn ours(letter: &[u8], line_max: usize) -> usize {
    let mut body = Body::new(BareLf::Mend, line_max);
    let (mut rest, mut text) = (letter, 0);
    loop {
        let piece = body.next(rest);
        rest = rest.get(piece.used..).unwrap_or_default();
        match piece.part {
            Part::Text(piece) => text += black_box(piece).len(),
            Part::End => return text,
            Part::NeedBytes | Part::Refused(_) => return 0,
        }
    }
}

/// Lines of 76 letters, as base64 has them, of about so many bytes, and the end.
fn letter(bytes: usize) -> Vec<u8> {
    let line: Vec<u8> = (b'0'..b'0' + 76).chain(*b"\r\n").collect();
    let mut letter = line.repeat(bytes / line.len());
    letter.extend_from_slice(b".\r\n");
    assert!(ours(&letter, 1_000) > bytes - 100);
    letter
}

criterion_group! {
    name = body;
    config = Criterion::default().with_measurement(CpuTime);
    targets = scan
}
criterion_main!(body);
