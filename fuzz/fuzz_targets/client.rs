#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pillarbox_conformance::fuzz::client::target(bytes));
