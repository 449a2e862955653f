//! The disk is full, or fails.

use std::path::Path;
use std::process::Command;

use pillarbox_core::effect::FaultKind;
use pillarbox_store::{Options, Place, Store, StoreError, Sync, Write, Written};

use crate::fixture::{NOW, deliver, inline, options, recipient};

/// Each commit is larger than a page or two, and nothing is checkpointed.
fn full_sync() -> Options {
    Options { sync: Sync::Full, ..options() }
}

fn letter(account: pillarbox_store::AccountId) -> Write {
    deliver(vec![recipient(account, Place::Inbox)], inline(&"x".repeat(60_000)))
}

fn account(writer: &mut pillarbox_store::Writer) -> pillarbox_store::AccountId {
    let job = Write::CreateAccount { name: "ann".into(), now: NOW };
    let Ok(Written::Account(account)) = writer.commit(vec![job]).remove(0) else { panic!() };
    account
}

/// A file size limit makes write(2) fail with EFBIG, which SQLite tells as an I/O error. It holds
/// for the whole process, so that the test runs itself again in a process of its own, where the
/// signal that goes with the limit is ignored.
#[test]
fn after_an_io_error_nothing_is_taken_until_reopened() {
    const DIR: &str = "PILLARBOX_TEST_LIMITED";
    if let Some(dir) = std::env::var_os(DIR) {
        return limited(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &full_sync()).unwrap();
    let ann = account(&mut store.writer().unwrap());
    drop(store);
    // 512 KiB in blocks of 512 bytes, as POSIX has it for sh.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "faults::after_an_io_error_nothing_is_taken_until_reopened"])
        .arg("--nocapture")
        .env(DIR, dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    let store = Store::open(dir.path(), &options()).unwrap();
    assert!(store.writer().unwrap().commit(vec![letter(ann)])[0].is_ok());
    drop(store);
    pillarbox_store::verify::verify(dir.path(), &mut |finding| panic!("{finding}")).unwrap();
}

/// What happens under the limit.
fn limited(dir: &Path) {
    let store = Store::open(dir, &full_sync()).unwrap();
    let (mut writer, mut other) = (store.writer().unwrap(), store.writer().unwrap());
    let ann = pillarbox_store::AccountId(1);
    let mut taken = 0;
    let error = loop {
        match writer.commit(vec![letter(ann), letter(ann)]).remove(0) {
            Ok(_) => taken += 2,
            Err(error) => break error,
        }
        assert!(taken < 100, "the limit was never met");
    };
    assert!(taken > 0);
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    assert!(matches!(error.kind(), FaultKind::Temporary | FaultKind::Unknown), "{error:?}");
    // A job that would need no room, on this writer, another, and a new one.
    let small = || vec![Write::CreateDomain { name: "localhost".into() }];
    for writer in [&mut writer, &mut other] {
        let refused = writer.commit(small()).remove(0).unwrap_err();
        assert!(refused.to_string().contains("until the store is reopened"), "{refused}");
        assert_eq!(refused.kind(), FaultKind::Temporary);
    }
    assert!(matches!(store.writer(), Err(StoreError::Io(_))));
    // What was acknowledged stays readable.
    let counts = store.reader().unwrap().read(pillarbox_store::Read::Counts).unwrap();
    let pillarbox_store::Found::Counts(counts) = counts else { panic!() };
    assert_eq!(counts.messages, taken);
}

/// A file system of 2 MiB of its own; needs root, and is passed over, in so many words, without.
#[test]
fn a_full_disk_is_told_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(dir.path())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a_full_disk_is_told_and_heals may not mount a tmpfs here");
        return;
    }
    let outcome = std::panic::catch_unwind(|| fill(dir.path()));
    assert!(Command::new("umount").arg(dir.path()).status().unwrap().success());
    outcome.unwrap();
}

fn fill(dir: &Path) {
    let store = Store::open(dir, &full_sync()).unwrap();
    let mut writer = store.writer().unwrap();
    let ann = account(&mut writer);
    // What somebody else keeps there.
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![0; 512 * 1024]).unwrap();
    let mut taken = 0;
    let error = loop {
        let answers = writer.commit(vec![letter(ann), letter(ann)]);
        match &answers[0] {
            Ok(_) => taken += 2,
            Err(error) => {
                assert_eq!(answers[0], answers[1]);
                break error.clone();
            }
        }
        assert!(taken < 100, "the disk was never full");
    };
    assert_eq!(error.kind(), FaultKind::NoSpace, "{error:?}");
    assert!(matches!(error, StoreError::Fault(_)), "{error:?}");
    std::fs::remove_file(ballast).unwrap();
    let answers = writer.commit(vec![letter(ann)]);
    assert!(answers[0].is_ok(), "{answers:?}");
    drop((writer, store));
    pillarbox_store::verify::verify(dir, &mut |finding| panic!("{finding}")).unwrap();
}
