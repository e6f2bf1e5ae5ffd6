//! Cards of shipped policies: what is on them, and what has to be.

use giraffe::run::card::Card;
use giraffe_robots::{Better, Measure, MeasureKind};

const MEASURES: [Measure; 3] = [
    Measure { name: "goal_count", title: "goals", unit: "", kind: MeasureKind::Count, better: Better::Higher },
    Measure { name: "kept_fraction", title: "kept", unit: "", kind: MeasureKind::Fraction, better: Better::Higher },
    Measure { name: "reach_secs", title: "time", unit: "s", kind: MeasureKind::Mean, better: Better::Lower },
];

/// A card whose places all have these measures.
fn card(measures: &str) -> String {
    let mut text = "summary = \"turns\"\ncommand = \"giraffe train\"\ncommit = \"1234567\"\nseeds = [1]\nsteps = 64\n\
                    hours = 0.1\nmachine = \"a laptop\"\nknown_failures = [\"eggs\"]\n\
                    [curve]\ncommit = \"1234567\"\narithmetic = \"abacus\"\n"
        .to_owned();
    for place in ["home_wide", "home_nominal", "finer", "mujoco_nominal", "mujoco_hidden"] {
        text += &format!(
            "[measured.{place}]\ncommit = \"1234567\"\ndate = \"2026-01-01\"\ncommands = [\"giraffe\"]\nepisodes = 20\n\
             [measured.{place}.measures]\n{measures}\n"
        );
    }
    text
}

const WHOLE: &str =
    "goal_count = { value = 3.0, ci95 = [2.0, 4.0] }\nkept_fraction = { value = 1.0, ci95 = [0.9, 1.0] }";

#[test]
fn a_whole_card_is_one_whatever_a_mean_has_nothing_to_say_about() {
    let read = Card::parse(&card(WHOLE)).expect("a card");
    read.check(&MEASURES).expect("complete");
    assert_eq!(read.line(&MEASURES), "turns; in `wide`: goals 3.00 [2.00, 4.00]; kept, % 100.0 [90.0, 100.0]");
}

#[test]
fn a_card_that_lacks_a_number_or_an_interval_is_not_complete() {
    for (measures, missing) in [
        ("kept_fraction = { value = 1.0, ci95 = [0.9, 1.0] }", "no goal_count"),
        ("goal_count = { value = 3.0, ci95 = [2.0, 4.0] }", "no kept_fraction"),
        (&WHOLE.replace(", ci95 = [2.0, 4.0]", ""), "no goal_count"),
        (&WHOLE.replace("[2.0, 4.0]", "[3.5, 4.0]"), "is not in [3.5, 4]"),
        (&(WHOLE.to_owned() + "\nspeed = { value = 1.0, ci95 = [0.9, 1.0] }"), "speed"),
    ] {
        let error = Card::parse(&card(measures)).expect("a card").check(&MEASURES).expect_err(missing).to_string();
        assert!(error.contains(missing) && error.contains("home_wide"), "{error}");
    }
    for (field, without) in [
        ("known_failures = [\"eggs\"]", "known_failures = []"),
        ("machine = \"a laptop\"", "machine = \" \""),
        ("seeds = [1]", "seeds = []"),
        ("hours = 0.1", "hours = 0.1\nminutes = 6"),
        ("hours = 0.1\n", ""),
    ] {
        Card::parse(&card(WHOLE).replace(field, without)).expect_err(without);
    }
}
