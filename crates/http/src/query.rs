//! What a request asks for in its query, as the documentation sees it too.

use core::convert::Infallible;
use core::future::{Ready, ready};
use core::marker::PhantomData;
use std::collections::BTreeMap;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::{OperationModifier, web};
use paperclip::v2::models::DefaultOperationRaw;
use paperclip::v2::schema::Apiv2Schema;
use url::form_urlencoded;

use crate::answer::FromInput;
use crate::input::{Fields, Value};
use crate::problem::Problem;

/// What a query asks for.
pub(crate) trait Asked: FromInput {
    /// Its parameters, for the documentation.
    type Parameters: Apiv2Schema;
}

/// The query of a request. To take it never fails, so that who may not ask is told that first.
pub(crate) struct Query<T> {
    text: String,
    asks: PhantomData<T>,
}

impl<T: FromInput> Query<T> {
    /// Reads it. Of a name that comes again the last counts, and other names are nothing.
    pub(crate) fn read(&self) -> Result<T, Problem> {
        let pairs = form_urlencoded::parse(self.text.as_bytes());
        let fields: BTreeMap<String, Value> = pairs
            .map(|(name, value)| (name.into_owned(), Value::Text(value.into_owned())))
            .collect();
        Fields::from(fields).read(T::take)
    }
}

impl<T> FromRequest for Query<T> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self {
            text: request.query_string().to_owned(),
            asks: PhantomData,
        }))
    }
}

impl<T> Apiv2Schema for Query<T> {}

impl<T: Asked> OperationModifier for Query<T> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        web::Query::<T::Parameters>::update_parameter(op);
    }
}
