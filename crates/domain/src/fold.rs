//! When two spellings of a name are the same name.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;

/// Folds case and compatibility forms (NFKC and full case folding, Unicode 3.13 and UAX 15).
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        fold_any(text)
    }
}

/// Folding can give what normalizes again and the other way about, so it goes round twice: then
/// folding a folded name changes nothing.
fn fold_any(text: &str) -> String {
    let nfkc = ComposingNormalizer::new_nfkc();
    let mapper = CaseMapper::new();
    let mut folded = nfkc.normalize(text).into_owned();
    for _ in 0..2 {
        folded = nfkc.normalize(&mapper.fold_string(&folded)).into_owned();
    }
    folded
}

/// The text without compatibility forms, each letter with its marks as one (NFKC); case stays.
pub(crate) fn composed(text: &str) -> String {
    ComposingNormalizer::new_nfkc().normalize(text).into_owned()
}

/// Whether a character cannot be seen, so that two names with and without it look the same.
pub fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_differ_in_case_or_form_fold_alike() {
        assert_eq!(fold("STRASSE"), fold("straße"));
        assert_eq!(fold("ÅNGSTRÖM"), fold("a\u{30a}ngstro\u{308}m"));
        assert_eq!(fold("ﬁne"), "fine");
        assert_ne!(fold("first.last"), fold("firstlast"));
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,24}") {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }

        #[test]
        fn the_short_way_of_ascii_leads_to_the_same(text in "[\\x00-\\x7f]{0,24}") {
            prop_assert_eq!(fold(&text), fold_any(&text));
        }
    }
}
