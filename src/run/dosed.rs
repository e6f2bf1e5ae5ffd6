//! Scenarios as people write them: `push`, or `push=0.2` for another dose than the usual one.

use anyhow::{Context, Result};
use giraffe_randomization::{DosedScenario, find_scenario};

/// The scenario called so, at its usual dose or at the one that is written behind it.
///
/// # Errors
/// When there is no such scenario, or it has no such dose.
pub fn find_dosed(text: &str) -> Result<DosedScenario> {
    let Some((name, dose)) = text.split_once('=') else { return Ok(find_scenario(text)?.into()) };
    let scenario = find_scenario(name)?;
    let axis = scenario.dose;
    let number = dose.trim().parse::<f32>().with_context(|| {
        format!(
            "{text}: the dose `{dose}` is not a number; expected the {} in {}, such as {name}={}",
            axis.quantity, axis.unit, axis.usual
        )
    })?;
    Ok(scenario.at_dose(number)?)
}

/// As [`find_dosed`] reads it: the name alone at the usual dose.
pub fn dosed_name(dosed: &DosedScenario) -> String {
    let scenario = dosed.scenario();
    if dosed.dose().to_bits() == scenario.dose.usual.to_bits() {
        return scenario.name.to_owned();
    }
    format!("{}={}", scenario.name, dosed.dose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dose_is_written_behind_a_name_and_read_back() {
        let push = find_dosed("push").expect("the usual one");
        assert_eq!(push.dose().to_bits(), push.scenario().dose.usual.to_bits());
        assert_eq!(dosed_name(&push), "push");
        for text in ["push=0", "push=0.125"] {
            assert_eq!(dosed_name(&find_dosed(text).expect(text)), text);
        }
    }

    #[test]
    fn what_is_no_dose_is_refused_with_its_unit() {
        for (text, part) in
            [("push=-1", "push"), ("push=inf", "push"), ("push=hard", "is not a number"), ("pussh=1", "did you mean")]
        {
            let error = format!("{:#}", find_dosed(text).err().expect(text));
            assert!(error.contains(part), "{error}");
        }
    }
}
