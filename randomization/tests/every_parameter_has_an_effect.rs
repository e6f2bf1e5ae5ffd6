//! Every row of the table does what it says: pushed to its bounds it moves the outcome it names, the way it says, by
//! more than ten times what good sensors on a bench would leave uncertain in that outcome.

mod bench;

use bench::Bench;
use giraffe_randomization::{Direction, PARAMETERS, RandomizedParameter};

/// What a row does to its outcome at its lower bound, at its nominal value and at its upper bound.
fn outcomes(bench: &Bench, row: &RandomizedParameter) -> [f32; 3] {
    [row.bounds.lower, row.nominal, row.bounds.upper].map(|value| {
        let mut parameters = bench.nominal();
        row.set(value, &mut parameters);
        bench.measure(row.effect.observable, parameters)
    })
}

/// What is wrong with a row's statement, or nothing.
fn complaint(bench: &Bench, row: &RandomizedParameter) -> Option<String> {
    let outcomes = outcomes(bench, row);
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
