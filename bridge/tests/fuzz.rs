//! Some of what `examples/fuzz_decoders.rs` does for longer. A binary of its own, since it counts every allocation.

#[path = "../examples/fuzz_decoders.rs"]
mod fuzz_decoders;

/// A small stack: what is nested deep must not go down as deep.
const STACK_BYTES: usize = 512 * 1024;

#[test]
fn no_damaged_message_makes_a_decoder_panic_or_costs_much_memory() {
    let robot = giraffe_robots::load_robot("leap-right").expect("a hand of ours");
    let work = move || fuzz_decoders::fuzz(&robot, 200_000, 7);
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread");
    let fuzzed = thread.join().expect("no decoder panics");
    println!("{fuzzed:?}");
    assert_eq!(fuzzed.messages, 200_000);
    assert!(fuzzed.heads > 20_000 && fuzzed.decoded > 10_000, "most damage must not be at the surface: {fuzzed:?}");
}
