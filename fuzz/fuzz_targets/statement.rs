#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| autopilot_decoders::run("statement", bytes));
