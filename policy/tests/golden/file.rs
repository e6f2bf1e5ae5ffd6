//! Reading what `make.py` wrote.

use serde_json::{Map, Value};

/// One file of numbers.
pub struct Golden(Map<String, Value>);

impl Golden {
    pub fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("make.py writes one JSON object"))
    }

    /// One number.
    pub fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap_or_else(|| panic!("{key} is no number"))
    }

    /// A length.
    pub fn count(&self, key: &str) -> usize {
        self.number(key) as usize
    }

    /// An array, row-major.
    pub fn numbers(&self, key: &str) -> Vec<f32> {
        let array = self.0[key].as_array().unwrap_or_else(|| panic!("{key} is no array"));
        array.iter().map(|value| value.as_f64().expect("an array of numbers") as f32).collect()
    }

    /// That `found` are the numbers under a name, but for rounding.
    pub fn agrees(&self, key: &str, found: &[f32], bound: f32) {
        let expected = self.numbers(key);
        assert_eq!(found.len(), expected.len(), "{key}");
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let difference = (found - expected).abs() / (1.0 + expected.abs());
            assert!(difference < bound, "{key}[{index}] is {found} instead of {expected}");
        }
    }
}
