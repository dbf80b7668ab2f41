//! SQL written by hand, where Diesel's own words cannot be kept prepared.

use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::SqlType;

/// A statement that a connection prepares once, by its text; each `$` stands for the next value.
///
/// Diesel prepares its `update` and its `sql_query` again on every use, which is a round trip.
pub(crate) struct Statement<'q> {
    text: &'static str,
    values: Vec<Box<dyn QueryFragment<Pg> + Send + 'q>>,
}

impl<'q> Statement<'q> {
    /// The statement `text`, still without values.
    pub(crate) fn new(text: &'static str) -> Self {
        Self {
            text,
            values: Vec::new(),
        }
    }

    /// Gives the next `$` its value, of the SQL type `Type`.
    pub(crate) fn bind<Type, Value>(mut self, value: Value) -> Self
    where
        Type: SqlType + TypedExpressionType,
        Value: AsExpression<Type>,
        Value::Expression: QueryFragment<Pg> + Send + 'q,
    {
        self.values.push(Box::new(value.as_expression()));
        self
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for text in self.text.split_inclusive('$') {
            let Some(text) = text.strip_suffix('$') else {
                out.push_sql(text);
                continue;
            };
            out.push_sql(text);
            let value = values.next().ok_or_else(too_few)?;
            value.walk_ast(out.reborrow())?;
        }
        Ok(())
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

fn too_few() -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError("a statement has more places than values".into())
}
