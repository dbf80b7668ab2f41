//! SQL written by hand, where Diesel's own words cannot be kept prepared.

use core::marker::PhantomData;

use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::SqlType;

/// A statement that a connection prepares once, by its text; each `$` stands for the next value and, in
/// one of a schema, each `@` for its name.
///
/// Diesel prepares its `update` and its `sql_query` again on every use, which is a round trip.
pub(crate) struct Statement<'q> {
    text: &'static str,
    schema: Option<&'q str>,
    values: Vec<Box<dyn QueryFragment<Pg> + Send + 'q>>,
}

impl<'q> Statement<'q> {
    /// The statement `text`, still without values.
    pub(crate) fn new(text: &'static str) -> Self {
        Self {
            text,
            schema: None,
            values: Vec::new(),
        }
    }

    /// The same, and each `@` is the name of `schema`, whatever is in it.
    pub(crate) fn in_schema(self, schema: &'q str) -> Self {
        Self {
            schema: Some(schema),
            ..self
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

    /// The statement, as one that answers rows of the SQL type `Type`.
    pub(crate) fn rows<Type>(self) -> Rows<'q, Type> {
        Rows {
            statement: self,
            of: PhantomData,
        }
    }
}

/// A statement that answers rows.
pub(crate) struct Rows<'q, Type> {
    statement: Statement<'q>,
    of: PhantomData<fn() -> Type>,
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for text in self.text.split_inclusive(['$', '@']) {
            if let Some(text) = text.strip_suffix('$') {
                out.push_sql(text);
                let value = values.next().ok_or_else(too_few)?;
                value.walk_ast(out.reborrow())?;
            } else if let Some((schema, text)) = self.schema.zip(text.strip_suffix('@')) {
                out.push_sql(text);
                out.push_identifier(schema)?;
            } else {
                out.push_sql(text);
            }
        }
        Ok(())
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Type> QueryFragment<Pg> for Rows<'_, Type> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.statement.walk_ast(out)
    }
}

impl<Type> QueryId for Rows<'_, Type> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Type> Query for Rows<'_, Type> {
    type SqlType = Type;
}

fn too_few() -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError("a statement has more places than values".into())
}
