//! JSON whose floats keep their bits.
//!
//! A float32 is written in the fewest digits that name it, as long as every reader finds it again that reads decimals
//! into a float64 (with an error in its last places) and rounds that to a float32. Where rounding twice might end at the
//! neighbour, all digits of the same number as a float64 are written. Numbers that are not finite become `null`.

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use std::io::{Result, Write};

/// Relative error of a hasty reader of decimals.
const READER_ERROR: f64 = 4.0 * f64::EPSILON;

struct Exact;

impl Formatter for Exact {
    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> Result<()> {
        writer.write_all(digits(value).as_bytes())
    }
}

struct ExactPretty(PrettyFormatter<'static>);

impl Formatter for ExactPretty {
    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> Result<()> {
        writer.write_all(digits(value).as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.0.end_object_value(writer)
    }
}

/// A finite float32 in digits that name it and no other.
fn digits(value: f32) -> String {
    let short = format!("{value:?}");
    let wide: f64 = short.parse().unwrap_or(f64::NAN);
    let reach = wide.abs() * READER_ERROR;
    let same = |read: f64| (read as f32).to_bits() == value.to_bits();
    if same(wide) && same(wide - reach) && same(wide + reach) { short } else { format!("{:?}", f64::from(value)) }
}

/// One line of JSON with exact floats.
///
/// # Errors
/// When `value` is nothing JSON can hold.
pub fn exact<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Exact))?;
    Ok(bytes)
}

/// JSON over several lines, with exact floats.
///
/// # Errors
/// When `value` is nothing JSON can hold.
pub fn exact_pretty<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    let mut bytes = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, ExactPretty(PrettyFormatter::new())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
