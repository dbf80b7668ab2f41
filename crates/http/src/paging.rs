//! Which part of a list a request asks for.

use core::convert::Infallible;
use core::future::{Ready, ready};
use core::ops::RangeInclusive;
use std::collections::BTreeMap;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::web::Query;
use paperclip::actix::{Apiv2Schema, OperationModifier};
use paperclip::v2::models::DefaultOperationRaw;
use paperclip::v2::schema::Apiv2Schema as Schema;
use url::form_urlencoded;

use crate::input::{Fields, Input, Value};
use crate::problem::Problem;

/// The part of a list that begins after a position.
pub(crate) struct Page {
    /// The position.
    pub(crate) after: u64,
    /// How much there may be of it.
    pub(crate) limit: usize,
}

/// The query of a request for a page. To take it never fails, so that who may not ask is told that
/// first.
pub(crate) struct PageQuery(String);

impl PageQuery {
    /// Reads it. Of a name that comes again the last counts, and other names are nothing.
    pub(crate) fn read(&self) -> Result<Page, Problem> {
        fields(&self.0).read(|input| {
            let after = number(input, "after", 0..=i64::MAX);
            let limit = limit(input);
            Some(Page {
                after: after.unwrap_or_default(),
                limit,
            })
        })
    }
}

impl FromRequest for PageQuery {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.query_string().to_owned())))
    }
}

/// The parameters of the query, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct PageParameters {
    /// Where the page before ended: its `next`. From the beginning, if absent.
    after: Option<u64>,
    /// How many at most, from 1 to 1000; 100 if absent.
    limit: Option<u64>,
}

impl Schema for PageQuery {}

impl OperationModifier for PageQuery {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        Query::<PageParameters>::update_parameter(op);
    }
}

/// What a query names, by its names.
pub(crate) fn fields(query: &str) -> Fields {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let fields: BTreeMap<String, Value> = pairs
        .map(|(name, value)| (name.into_owned(), Value::Text(value.into_owned())))
        .collect();
    Fields::from(fields)
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
