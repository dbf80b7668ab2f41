//! Which tenant a request is for.

use core::str::FromStr;

use crate::Tenant;

/// What a request tells of its tenant, each hint looked up.
#[derive(Clone, Copy, Debug)]
pub struct Hints<'a> {
    /// The tenant of the token it carries.
    pub token: Option<&'a Tenant>,
    /// What it says in so many words: path, header, field.
    pub explicit: Explicit<'a>,
    /// The tenant whose domain the host is.
    pub host: Option<&'a Tenant>,
    /// The tenant whose domain the address has.
    pub email: Option<&'a Tenant>,
    /// The tenant of those who name none.
    pub default: &'a Tenant,
}

impl<'a> Hints<'a> {
    /// The tenant that the first known hint in `order` names.
    pub fn choose(&self, order: &TenantOrder) -> Result<Chosen<'a>, Contradiction> {
        if matches!(self.explicit, Explicit::Contradictory) {
            return Err(Contradiction::Explicit);
        }
        if self.token.is_some_and(|token| self.contradicts(token)) {
            return Err(Contradiction::Token);
        }
        let first = order.0.iter().find_map(|hint| match hint {
            Hint::Default => Some(Chosen::Tenant(self.default)),
            Hint::Email => self.email.map(Chosen::Tenant),
            Hint::Explicit => match self.explicit {
                Explicit::Absent | Explicit::Contradictory => None,
                Explicit::Tenant(tenant) => Some(Chosen::Tenant(tenant)),
                Explicit::Unknown => Some(Chosen::Unknown),
            },
            Hint::Host => self.foreign_host().map(Chosen::Tenant),
            Hint::Token => self.token.map(Chosen::Tenant),
        });
        Ok(first.unwrap_or(Chosen::Tenant(self.default)))
    }

    fn contradicts(&self, token: &Tenant) -> bool {
        let explicit = match self.explicit {
            Explicit::Absent => false,
            Explicit::Contradictory | Explicit::Unknown => true,
            Explicit::Tenant(tenant) => tenant.id != token.id,
        };
        explicit || self.foreign_host().is_some_and(|host| host.id != token.id)
    }

    /// The host names a tenant unless it is the default one, whose host serves everyone.
    fn foreign_host(&self) -> Option<&'a Tenant> {
        self.host.filter(|host| host.id != self.default.id)
    }
}

/// What a request says of its tenant in so many words.
#[derive(Clone, Copy, Debug)]
pub enum Explicit<'a> {
    /// Nothing.
    Absent,
    /// Two things that cannot both be true.
    Contradictory,
    /// A tenant.
    Tenant(&'a Tenant),
    /// A name that no tenant has.
    Unknown,
}

/// The tenant of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chosen<'a> {
    /// This one.
    Tenant(&'a Tenant),
    /// One that does not exist: what is asked fails like wrong credentials.
    Unknown,
}

/// Hints that cannot both be true.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Contradiction {
    /// Two explicit ones: a bad request.
    #[error("the request names two different tenants")]
    Explicit,
    /// The token, and an explicit one or the host: not authorized.
    #[error("the token belongs to another tenant")]
    Token,
}

/// In which order hints count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantOrder(Vec<Hint>);

impl Default for TenantOrder {
    fn default() -> Self {
        Self(vec![
            Hint::Token,
            Hint::Explicit,
            Hint::Host,
            Hint::Email,
            Hint::Default,
        ])
    }
}

impl FromStr for TenantOrder {
    type Err = TenantOrderError;

    /// Reads `token,explicit,host,email,default`: each once at most, `token` first, `default` last.
    fn from_str(text: &str) -> Result<Self, TenantOrderError> {
        let mut order: Vec<Hint> = Vec::new();
        for name in text.split(',') {
            let hint = match name.trim() {
                "default" => Hint::Default,
                "email" => Hint::Email,
                "explicit" => Hint::Explicit,
                "host" => Hint::Host,
                "token" => Hint::Token,
                _ => return Err(TenantOrderError),
            };
            if order.contains(&hint) {
                return Err(TenantOrderError);
            }
            order.push(hint);
        }
        let framed = order.first() == Some(&Hint::Token) && order.last() == Some(&Hint::Default);
        framed.then_some(Self(order)).ok_or(TenantOrderError)
    }
}

/// Something that may tell the tenant of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hint {
    /// The tenant of those who name none.
    Default,
    /// The domain of an address.
    Email,
    /// Path, header or field.
    Explicit,
    /// The host of the request.
    Host,
    /// The token.
    Token,
}

/// The text is not an order of hints.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "an order names `token` first, `default` last, and between them `explicit`, `host` and `email` \
     in any order, each once"
)]
pub struct TenantOrderError;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Id, SchemaName, TenantLayout, TenantName, Timestamp};

    fn tenant(name: &str) -> Tenant {
        let now = Timestamp::from_secs(1);
        let schema = SchemaName::restore(name.to_owned());
        let byte = name.as_bytes()[0];
        Tenant::create(
            TenantName::parse(name).unwrap(),
            schema,
            TenantLayout::Schema,
            Id::new(now, [byte; 10]),
            now,
        )
        .0
    }

    #[test]
    fn the_first_known_hint_in_the_order_names_the_tenant() {
        let [public, a, b, c] = ["public", "a", "b", "c"].map(tenant);
        let (none, order) = (Explicit::Absent, TenantOrder::default());
        let django: TenantOrder = "token,explicit,email,host,default".parse().unwrap();
        let hints = |token, explicit, host, email| Hints {
            token,
            explicit,
            host,
            email,
            default: &public,
        };
        let cases = [
            (
                hints(None, none, None, None),
                &order,
                Ok(Chosen::Tenant(&public)),
            ),
            (
                hints(None, none, None, Some(&c)),
                &order,
                Ok(Chosen::Tenant(&c)),
            ),
            (
                hints(None, none, Some(&b), Some(&c)),
                &order,
                Ok(Chosen::Tenant(&b)),
            ),
            (
                hints(None, none, Some(&b), Some(&c)),
                &django,
                Ok(Chosen::Tenant(&c)),
            ),
            (
                hints(None, none, Some(&public), Some(&c)),
                &order,
                Ok(Chosen::Tenant(&c)),
            ),
            (
                hints(None, Explicit::Tenant(&a), Some(&b), Some(&c)),
                &order,
                Ok(Chosen::Tenant(&a)),
            ),
            (
                hints(None, Explicit::Unknown, Some(&b), Some(&c)),
                &order,
                Ok(Chosen::Unknown),
            ),
            (
                hints(None, Explicit::Contradictory, None, None),
                &order,
                Err(Contradiction::Explicit),
            ),
            (
                hints(Some(&a), none, None, Some(&c)),
                &order,
                Ok(Chosen::Tenant(&a)),
            ),
            (
                hints(Some(&a), none, Some(&public), None),
                &order,
                Ok(Chosen::Tenant(&a)),
            ),
            (
                hints(Some(&a), Explicit::Tenant(&a), Some(&a), None),
                &order,
                Ok(Chosen::Tenant(&a)),
            ),
            (
                hints(Some(&a), Explicit::Tenant(&b), None, None),
                &order,
                Err(Contradiction::Token),
            ),
            (
                hints(Some(&a), Explicit::Unknown, None, None),
                &order,
                Err(Contradiction::Token),
            ),
            (
                hints(Some(&a), none, Some(&b), None),
                &order,
                Err(Contradiction::Token),
            ),
            (
                hints(Some(&public), none, Some(&b), None),
                &order,
                Err(Contradiction::Token),
            ),
        ];
        for (i, (hints, order, expected)) in cases.into_iter().enumerate() {
            assert_eq!(hints.choose(order), expected, "case {i}");
        }
    }

    #[test]
    fn hints_that_come_together_count_in_their_order_and_each_must_agree_with_the_token() {
        let [public, a, b, c] = ["public", "a", "b", "c"].map(tenant);
        let django: TenantOrder = "token,explicit,email,host,default".parse().unwrap();
        let (in_a, public_at, none) = (
            Explicit::Tenant(&a),
            Explicit::Tenant(&public),
            Explicit::Absent,
        );
        let [public, a, b, c] = [&public, &a, &b, &c];
        for (token, explicit, host, email, expected) in [
            // Two explicit hints that contradict each other are a bad request, token or not.
            (
                Some(a),
                Explicit::Contradictory,
                None,
                None,
                Err(Contradiction::Explicit),
            ),
            // The host contradicts a token also where what is explicit agrees with it.
            (Some(a), in_a, Some(b), None, Err(Contradiction::Token)),
            (Some(public), none, Some(public), Some(c), Ok(public)),
            // Without a token the host has to agree with nothing.
            (None, in_a, Some(b), Some(c), Ok(a)),
            (None, public_at, Some(b), Some(c), Ok(public)),
            (None, none, Some(b), None, Ok(b)),
        ] {
            let hints = Hints {
                token,
                explicit,
                host,
                email,
                default: public,
            };
            for order in [&TenantOrder::default(), &django] {
                assert_eq!(
                    hints.choose(order),
                    expected.map(Chosen::Tenant),
                    "{hints:?}"
                );
            }
        }
    }

    #[test]
    fn an_order_is_framed_by_token_and_default() {
        for wrong in [
            "",
            "token",
            "host,token,default",
            "token,host,host,default",
            "token,x,default",
        ] {
            assert_eq!(wrong.parse::<TenantOrder>(), Err(TenantOrderError));
        }
    }
}
