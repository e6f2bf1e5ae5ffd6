//! Every row of the table does what it says: pushed to its bounds it moves the outcome it names, the way it says, by
//! more than ten times what good sensors on a bench would leave uncertain in that outcome. Also when it is pushed there in
//! the middle of an episode.

mod bench;

use bench::Bench;
use giraffe_physics::WorldParameters;
use giraffe_randomization::{Direction, Edit, EpisodeOutline, PARAMETERS, RandomizedParameter};
use giraffe_robots::{SeedTree, Stream};

/// What is wrong with a row's statement, or nothing.
fn complaint(bench: &Bench, row: &RandomizedParameter) -> Option<String> {
    complaint_of(bench, row, |value| {
        let mut parameters = bench.nominal();
        row.set(value, &mut parameters);
        parameters
    })
}

/// What is wrong with a row's statement, or nothing, where `at` is the nominal world with a value of the row.
fn complaint_of(bench: &Bench, row: &RandomizedParameter, at: impl Fn(f32) -> WorldParameters) -> Option<String> {
    // At its lower bound, at its nominal value and at its upper bound.
    let outcomes =
        [row.bounds.lower, row.nominal, row.bounds.upper].map(|value| bench.measure(row.effect.observable, at(value)));
    let sign = match row.effect.direction {
        Direction::Raises => 1.0,
        Direction::Lowers => -1.0,
    };
    let [low, nominal, high] = outcomes.map(|outcome| sign * outcome);
    let noise = row.effect.observable.definition().noise;
    let large = high - low > 10.0 * noise;
    let never_back = nominal - low > -noise && high - nominal > -noise;
    let said = format!("{} is said to be what {}", row.name, row.effect);
    (!(large && never_back)).then(|| format!("{said}; at lower bound, nominal and upper bound: {outcomes:?}"))
}

#[test]
fn every_parameter_moves_its_outcome_the_way_it_says() {
    let bench = Bench::new();
    let complaints: Vec<String> = PARAMETERS.iter().filter_map(|row| complaint(&bench, row)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_parameter_moves_its_outcome_the_same_way_when_it_changes_in_the_middle_of_an_episode() {
    let bench = Bench::mid_episode();
    let nominal = bench.nominal();
    let outline = EpisodeOutline { scene: &bench.scene, step_count: 400, parameters: &nominal, columns: &[] };
    let changed = |row: &RandomizedParameter, value| {
        let mut rng = SeedTree::new(1).stream(Stream::Disturbance, 0, 0);
        outline.change(&[(row.name, Edit::Set(value))], 0.0, &mut rng).expect("a bound, or nominal").parameters
    };
    let complaints: Vec<String> =
        PARAMETERS.iter().filter_map(|row| complaint_of(&bench, row, |value| changed(row, value))).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_row_that_changes_nothing_or_the_wrong_way_would_be_found() {
    use giraffe_randomization::{Apply, Change, JointDraw};
    let bench = Bench::new();
    for row in PARAMETERS {
        let idle = match row.apply {
            Apply::World(_) => Apply::World(|_, _| {}),
            Apply::Horizontal(_, read) => Apply::Horizontal(|_, _, _| {}, read),
            Apply::Direction(_, read) => Apply::Direction(|_, _, _| {}, read),
            Apply::Joint(..) => Apply::Joint(|_, _: Change<'_>| {}, JointDraw::Independent),
        };
        assert!(complaint(&bench, &RandomizedParameter { apply: idle, ..*row }).is_some(), "{}", row.name);
        let mut turned = *row;
        turned.effect.direction = match row.effect.direction {
            Direction::Raises => Direction::Lowers,
            Direction::Lowers => Direction::Raises,
        };
        assert!(complaint(&bench, &turned).is_some(), "{}", row.name);
    }
}
