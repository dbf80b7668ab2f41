//! The passwords that are tried first.

use core::cmp::Ordering;

/// Whether a folded password is a common one, whatever white space is around it.
///
/// The list is searched where it lies in the binary: nothing is read, unpacked or allocated.
pub(super) fn is_common(folded: &str) -> bool {
    let ends_line = |byte: &u8| *byte == b'\n';
    let wanted = folded.trim().as_bytes();
    let mut lines = COMMON.as_bytes();
    while !lines.is_empty() {
        let (before, after) = lines.split_at(lines.len() / 2);
        let start = before.len() - before.rsplit(ends_line).next().map_or(0, <[u8]>::len);
        let end = before.len() + after.split(ends_line).next().map_or(0, <[u8]>::len);
        let line = lines.get(start..end).unwrap_or_default();
        lines = match line.cmp(wanted) {
            Ordering::Equal => return true,
            Ordering::Greater => lines.get(..start),
            Ordering::Less => lines.get(end + 1..),
        }
        .unwrap_or_default();
    }
    false
}

/// One folded password a line, in the order of their bytes; `password/README.md` says whence.
const COMMON: &str = include_str!("common.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;

    #[test]
    fn the_list_is_folded_and_each_entry_after_the_one_before() {
        let entries: Vec<_> = COMMON.lines().collect();
        assert!(entries.is_sorted_by(|earlier, later| earlier < later));
        for entry in entries {
            assert_eq!(fold(entry).trim(), entry);
            assert!(!entry.is_empty());
        }
    }

    #[test]
    fn more_than_the_20_000_most_common_are_on_it_even_of_those_long_enough() {
        let long_enough = |entry: &&str| entry.chars().count() >= 8;
        assert!(COMMON.lines().filter(long_enough).count() > 20_000);
    }

    #[test]
    fn every_entry_is_found_and_nothing_beside_it() {
        for entry in COMMON.lines() {
            assert!(is_common(entry), "{entry}");
            assert!(is_common(&format!(" {entry}\t")), "{entry}");
            assert!(!is_common(&format!("{entry}\u{0}")), "{entry}");
            assert!(!is_common(&format!("{entry}\n{entry}")), "{entry}");
        }
        for none in ["", " ", "\n", "\u{10ffff}", "correct horse battery staple"] {
            assert!(!is_common(none), "{none:?}");
        }
    }
}
