//! Which part of a list a request asks for.

use core::ops::RangeInclusive;

use paperclip::actix::Apiv2Schema;

use crate::answer::FromInput;
use crate::input::Input;
use crate::query::Asked;

/// The part of a list that begins after a position.
pub(crate) struct Page {
    /// The position.
    pub(crate) after: u64,
    /// How much there may be of it.
    pub(crate) limit: usize,
}

impl FromInput for Page {
    fn take(input: &mut Input) -> Option<Self> {
        let after = number(input, "after", 0..=i64::MAX);
        let limit = limit(input);
        Some(Self {
            after: after.unwrap_or_default(),
            limit,
        })
    }
}

impl Asked for Page {
    type Parameters = PageParameters;
}

/// The parameters of the query, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
pub(crate) struct PageParameters {
    /// Where the page before ended: its `next`. From the beginning, if absent.
    after: Option<u64>,
    /// How many at most, from 1 to 1000; 100 if absent.
    limit: Option<u64>,
}

/// How much there may be of a page.
pub(crate) fn limit(input: &mut Input) -> usize {
    number(input, "limit", 1..=MOST).unwrap_or(USUAL)
}

/// A number that may be absent.
fn number<T: TryFrom<i64>>(
    input: &mut Input,
    name: &'static str,
    range: RangeInclusive<i64>,
) -> Option<T> {
    let text = input.optional(name)?;
    let (least, most) = (range.start(), range.end());
    let wrong = match text.parse::<i64>() {
        Err(_) => "A valid integer is required.".to_owned(),
        Ok(number) if number < *least => {
            format!("Ensure this value is greater than or equal to {least}.")
        }
        Ok(number) if number > *most => {
            format!("Ensure this value is less than or equal to {most}.")
        }
        Ok(number) => match T::try_from(number) {
            Ok(number) => return Some(number),
            Err(_) => "A valid integer is required.".to_owned(),
        },
    };
    input.refuse(name, wrong)
}

const MOST: i64 = 1000;
const USUAL: usize = 100;
