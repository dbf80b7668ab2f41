//! What is one tenant's, offered to another on every route: it does what something does that never
//! existed, and nothing tells which of the two it was.
//!
//! The routes are those of the OpenAPI document, so that none is forgotten: what is offered to an
//! operation follows from whether it wants a bearer, from its parameters and from the fields of its
//! body, by the tables of `offers.rs`, `fields.rs` and, for the ids in paths, `operation.rs`. Who adds
//! a route whose parameters are not in them is told so by a failing test.
//!
//! Nothing here knows how a request is sent: the same offers are made to the application in the
//! process, and to the built binary on each of its stores.

use std::collections::BTreeSet;

use serde_json::Value;

use self::ask::{Ask, Heard};
use self::offers::{Expected, Offer, offers};
use self::operation::operations;
use self::side::Side;

pub(crate) mod ask;
mod fields;
pub(crate) mod offers;
pub(crate) mod operation;
mod place;
pub(crate) mod side;

/// Offers what `own` has to `other`, and what `other` has to `own`'s administrator and users, on
/// every operation of the document; answers how many offers were made.
pub(crate) async fn hold_apart(
    document: &Value,
    own: &Side,
    other: &Side,
    ask: &impl AsyncFn(Ask) -> Heard,
) -> usize {
    // At home first: what is remembered of a token there is nothing anywhere else.
    own.validate(ask).await;
    let before = [own.look(ask).await, other.look(ask).await];
    let mut made = 0;
    for operation in operations(document) {
        let offers = offers(&operation, own, other).unwrap_or_else(|fault| panic!("{fault}"));
        for offer in &offers {
            let foreign = ask(offer.foreign.clone()).await;
            if offer.expected == Expected::Unmoved {
                other.stir(ask).await;
            }
            let told = [foreign, ask(offer.never.clone()).await];
            let place = format!("{}, offered {}", operation.named(), offer.what);
            judge(&place, offer, &told, own, other);
        }
        made += offers.len();
    }
    own.validate(ask).await;
    for (side, before) in [own, other].into_iter().zip(before) {
        let now = side.look(ask).await;
        for (row, was) in before {
            let name = &side.tenant.name;
            assert_eq!(now.get(&row), Some(&was), "{row} of {name} has changed");
        }
    }
    made
}

fn judge(place: &str, offer: &Offer, told: &[Heard; 2], own: &Side, other: &Side) {
    let [foreign, never] = told;
    let request = &offer.foreign;
    match offer.expected {
        Expected::Alike | Expected::Unmoved => {
            assert!(foreign.status < 500, "{place}: {request:?}: {foreign:?}");
        }
        Expected::Nothing => assert_eq!(foreign.status, 200, "{place}: {request:?}: {foreign:?}"),
        Expected::Refused(with) => assert!(
            with.contains(&foreign.status),
            "{place}: {request:?} gives {foreign:?}"
        ),
    }
    let masked = told.clone().map(|heard| offer.masked(heard));
    let mut marks = other.marks();
    if !matches!(offer.expected, Expected::Alike | Expected::Unmoved) {
        marks.extend(own.marks());
    }
    for mark in marks {
        let shown = masked[0].body.contains(&mark);
        assert!(!shown, "{place}: {request:?} shows {mark}: {foreign:?}");
    }
    if offer.expected != Expected::Nothing {
        let names = |heard: &Heard| heard.headers.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(foreign), names(never), "{place}: {request:?}");
        assert_eq!(
            masked[0], masked[1],
            "{place}: {request:?} does not do what something does that never existed"
        );
    }
}
