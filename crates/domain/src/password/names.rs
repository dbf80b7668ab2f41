//! Passwords that are little else than a name.

use core::iter;

use crate::fold::fold;

/// Whether little is left of a folded password without the names, their parts and longer pieces.
///
/// What is left counts, not what was found: names may be repeated, joined, cut, and followed by a
/// year, but a pass phrase may have one in it.
pub(super) fn is_made_of(folded: &str, names: &[&str]) -> bool {
    let names: Vec<_> = names.iter().map(|name| fold(name)).collect();
    let parts: Vec<_> = names.iter().flat_map(|name| parts(name)).collect();
    let names = names.join("\n");
    let (mut covered, mut left) = (0_usize, 0);
    for (at, c) in folded.char_indices() {
        let text = folded.get(at..).unwrap_or_default();
        let part = parts.iter().filter(|part| text.starts_with(**part));
        let part = part.map(|part| part.len()).max();
        let piece = longest_piece(text, &names, covered.saturating_sub(at));
        covered = covered.max(part.max(piece).map_or(0, |bytes| at + bytes));
        if at >= covered {
            left += weight(c);
        }
    }
    covered > 0 && left < ENOUGH
}

/// A name, and what separators part it into.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| !c.is_alphanumeric();
    iter::once(name)
        .chain(name.split(separates))
        .filter(|part| part.len() >= PART_MIN_BYTES)
}

/// The bytes of the longest beginning of `text` that is in the names, if it has more than `known`,
/// which are in them.
fn longest_piece(text: &str, names: &str, known: usize) -> Option<usize> {
    text.char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .skip(PIECE_MIN_CHARS - 1)
        .skip_while(|end| *end <= known)
        .take_while(|end| text.get(..*end).is_some_and(|piece| names.contains(piece)))
        .last()
}

fn weight(c: char) -> usize {
    if c.is_alphabetic() { LETTER } else { 1 }
}

/// Four letters are enough beside a name, or a dozen of anything else: more than a date has.
const ENOUGH: usize = 4 * LETTER;

const LETTER: usize = 3;

/// Three Latin letters, or one ideograph. Something shorter is in too many good passwords.
const PART_MIN_BYTES: usize = 3;

/// A piece that is no whole part is chance when it is shorter.
const PIECE_MIN_CHARS: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made_of_ada(password: &str) -> bool {
        let names = [
            "ada.lovelace@example.com",
            "Ada",
            "Byron King",
            "Acme Widgets",
        ];
        is_made_of(&fold(password), &names)
    }

    #[test]
    fn names_in_any_disguise_are_a_name() {
        for password in [
            "ada.lovelace@example.com",
            "Ada Lovelace",
            "lovelace_ada",
            "adaADAada",
            "Lovelace1815",
            "lovelace10121815",
            "ada-10.12.1815",
            "!!lovelace!!",
            "L0velace",
            "lovelac1815",
            "lovelacelove",
            "ByronKing",
            "acmewidgets1",
            "example2024!",
            "ｌｏｖｅｌａｃｅ",
            "ADA LOVELACE, Byron King @ Acme Widgets",
        ] {
            assert!(made_of_ada(password), "{password}");
        }
    }

    #[test]
    fn a_pass_phrase_may_have_a_name_in_it() {
        for password in [
            "lovelace likes engines",
            "my engine, Lovelace",
            "adamantine",
            "acme widgets are blue",
            "ada48151623421987",
            "ada🐎🔋📎🐌🦆🐙🦀🌵🌊🎻🧲🪁",
            "correct horse battery staple",
            "12345678",
        ] {
            assert!(!made_of_ada(password), "{password}");
        }
    }

    #[test]
    fn a_name_of_one_ideograph_counts_and_one_of_two_letters_does_not() {
        assert!(is_made_of("王王王王王王王王", &["王"]));
        assert!(is_made_of("太郎1999太郎", &["太郎"]));
        assert!(!is_made_of("alalalal", &["Al"]));
        assert!(!is_made_of("a-b-c-d-", &["a", ""]));
    }

    proptest! {
        #[test]
        fn names_joined_in_any_way_with_a_few_digits_are_a_name(
            names in prop::collection::vec("[a-h]{3,9}|[а-е]{2,9}", 1..4),
            picks in prop::collection::vec((any::<prop::sample::Index>(), "[-._ ]?", any::<bool>()), 1..6),
            digits in "[0-9]{0,6}",
        ) {
            let mut password = String::new();
            for (pick, separator, loud) in picks {
                let name = pick.get(&names);
                password += &if loud { name.to_uppercase() } else { name.clone() };
                password += &separator;
            }
            password += &digits;
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            prop_assert!(is_made_of(&fold(&password), &names), "{password}");
        }

        #[test]
        fn four_letters_of_no_name_are_enough_wherever_names_stand(
            names in prop::collection::vec("[a-h]{3,9}", 1..4),
            words in prop::collection::vec((any::<prop::sample::Index>(), "[n-z]"), 4..9),
        ) {
            let words = words.iter().flat_map(|(pick, own)| [pick.get(&names), own]);
            let password: String = words.map(String::as_str).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            prop_assert!(!is_made_of(&password, &names), "{password}");
        }

        #[test]
        fn what_shares_nothing_with_the_names_is_not_made_of_them(
            names in prop::collection::vec("[a-h.@]{0,12}", 0..4),
            password in "[n-z0-9 ]{0,24}",
        ) {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            prop_assert!(!is_made_of(&password, &names));
        }
    }
}
