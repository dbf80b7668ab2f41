//! What is wrong is said once, and its end once, however often it is met meanwhile.

use std::collections::BTreeSet;

/// The troubles that were told, until all is well.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeSet<String>);

impl Troubles {
    /// Whether a trouble has yet to be told.
    pub(super) fn is_news(&mut self, why: &str) -> bool {
        self.0.len() < MANY && self.0.insert(why.to_owned())
    }

    /// Whether the end of troubles has yet to be told.
    pub(super) fn end(&mut self) -> bool {
        !core::mem::take(&mut self.0).is_empty()
    }
}

/// A broker that says something else each time is not quoted for ever.
const MANY: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_that_take_turns_are_told_once_each_until_all_is_well() {
        let mut troubles = Troubles::default();
        assert!(!troubles.end());
        assert!(troubles.is_news("no route") && troubles.is_news("away"));
        assert!(!troubles.is_news("no route") && !troubles.is_news("away"));
        assert!(troubles.end() && !troubles.end());
        assert!(troubles.is_news("no route"));
    }

    #[test]
    fn what_is_said_differently_each_time_is_not_told_for_ever() {
        let mut troubles = Troubles::default();
        let told = (0..100).filter(|number| troubles.is_news(&number.to_string()));
        assert_eq!(told.count(), MANY);
    }
}
