//! Which columns of two schemas say the same: what lets a policy start in a task that it was not trained for.

use crate::observation::ObservationSchema;
use crate::term::{Audience, Encoding, ObservationTerm, WhenStale};

/// A column of an actor, and what it says wherever it stands.
struct Column<'s> {
    term: &'s ObservationTerm,
    /// Such as the name of a joint.
    element: String,
    /// How many instants ago.
    back: u8,
}

impl Column<'_> {
    /// As in [`ObservationSchema::column_names`].
    fn name(&self) -> String {
        let age = if self.back == 0 { String::new() } else { format!("/t-{}", self.back) };
        format!("{}/{}{age}", self.term.signal.name(), self.element)
    }

    /// Whether this column, of another schema, means here what it means there. How old a value may be before the episode
    /// ends is no part of what it says; what stands there when it is too old is, unless the episode was over then.
    fn says(&self, other: &Self) -> bool {
        let same_when_stale = self.term.when_stale == other.term.when_stale || other.term.when_stale == WhenStale::End;
        (self.term.signal, self.back, &self.element) == (other.term.signal, other.back, &other.element)
            && self.term.encoding == other.term.encoding
            && same_when_stale
    }
}

impl ObservationSchema {
    /// For every column that the actor of this schema reads, the column of `other`'s actor that says the same; none where
    /// the other reads no such thing.
    ///
    /// # Errors
    /// Names every column that `other`'s actor reads and this one has not, or has in another encoding.
    pub fn actor_columns_in(&self, other: &Self) -> Result<Vec<Option<usize>>, Vec<String>> {
        let theirs = other.actor_columns();
        let own = self.actor_columns();
        let same_joints = self.joints() == other.joints();
        let mut is_taken = vec![false; theirs.len()];
        let found: Vec<Option<usize>> = own
            .iter()
            .map(|column| {
                // A joint's range means the same only where its limits are the same.
                let means_same = same_joints || column.term.encoding != Encoding::JointRange;
                let mut free = theirs.iter().enumerate().filter(|(index, _)| means_same && !is_taken[*index]);
                let index = free.find(|(_, theirs)| column.says(theirs)).map(|(index, _)| index)?;
                is_taken[index] = true;
                Some(index)
            })
            .collect();
        let own_names: Vec<String> = own.iter().map(Column::name).collect();
        let missing = |column: &Column<'_>| {
            let name = column.name();
            if own_names.contains(&name) { format!("{name} (here in another encoding)") } else { name }
        };
        let missing: Vec<String> =
            theirs.iter().zip(&is_taken).filter(|(_, taken)| !**taken).map(|(column, _)| missing(column)).collect();
        if missing.is_empty() { Ok(found) } else { Err(missing) }
    }

    fn actor_columns(&self) -> Vec<Column<'_>> {
        let actor = self.terms().iter().filter(|term| term.audience == Audience::ActorAndCritic);
        let of_term = |term| {
            let elements = self.element_names(term);
            let history = term.history;
            (0..history)
                .flat_map(move |back| elements.clone().into_iter().map(move |element| Column { term, element, back }))
        };
        actor.flat_map(of_term).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::load_robot;
    use crate::signal::Signal;

    fn schema(terms: Vec<ObservationTerm>) -> ObservationSchema {
        let robot = load_robot("leap-right").expect("a hand of ours");
        ObservationSchema::new(terms, &robot, Vec::new()).expect("a schema")
    }

    fn term(signal: Signal, encoding: Encoding, history: u8) -> ObservationTerm {
        ObservationTerm::fresh(signal, encoding, history, Audience::ActorAndCritic)
    }

    fn joints(history: u8) -> ObservationTerm {
        term(Signal::JointPosition, Encoding::JointRange, history)
    }

    fn object(divide: f32) -> ObservationTerm {
        term(Signal::ObjectPosition, Encoding::Divide(divide), 1)
    }

    #[test]
    fn columns_are_found_wherever_they_stand_and_new_ones_are_none() {
        let old = schema(vec![joints(2), object(0.05)]);
        let new = schema(vec![object(0.1), object(0.05), joints(3)]);
        let found = new.actor_columns_in(&old).expect("everything is there");
        let (names, old_names) = (new.column_names(), old.column_names());
        assert_eq!(found.len(), 6 + 48);
        assert_eq!(&found[..6], [None, None, None, Some(32), Some(33), Some(34)], "by encoding, not by name alone");
        for (index, (name, found)) in names.iter().zip(&found).enumerate().skip(6) {
            match found {
                Some(found) => assert_eq!(name, &old_names[*found]),
                None => assert!(name.ends_with("/t-2"), "column {index}, {name}"),
            }
        }
        assert_eq!(found.iter().flatten().count(), old.actor_width());
    }

    #[test]
    fn what_is_missing_is_named_and_so_is_another_encoding_of_it() {
        let old = schema(vec![joints(1), object(0.05), term(Signal::ObjectRotation, Encoding::Rotation6, 1)]);
        let missing = schema(vec![joints(1), object(0.1)]).actor_columns_in(&old).expect_err("two terms are missing");
        assert_eq!(missing.len(), 9);
        assert_eq!(missing[0], "object_position/x (here in another encoding)");
        assert_eq!(missing[3], "object_rotation/r00");
    }

    #[test]
    fn a_term_that_may_be_missing_reads_as_one_that_may_not_but_not_the_other_way_round() {
        let (ends, holds) = (schema(vec![object(0.05)]), schema(vec![object(0.05).when_stale(WhenStale::Hold)]));
        assert_eq!(holds.actor_columns_in(&ends).expect("one column more"), [Some(0), Some(1), Some(2), None]);
        let missing = ends.actor_columns_in(&holds).expect_err("nothing says whether it is sound");
        assert!(missing.contains(&"object_position/sound".to_owned()), "{missing:?}");
        let zero = schema(vec![object(0.05).when_stale(WhenStale::Zero)]);
        assert_eq!(zero.actor_columns_in(&holds).expect_err("zeros are no memory").len(), 4);
    }

    #[test]
    fn joints_of_another_range_are_other_columns() {
        let mut wider = load_robot("leap-right").expect("a hand of ours");
        wider.joints[3].position_limits_rad.upper += 0.1;
        let wider = ObservationSchema::new(vec![joints(1)], &wider, Vec::new()).expect("a schema");
        assert_eq!(wider.actor_columns_in(&schema(vec![joints(1)])).expect_err("other ranges").len(), 16);
    }
}
