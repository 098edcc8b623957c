#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| leaver_fuzz::dates::check(input));
