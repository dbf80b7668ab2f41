//! What comes from outside, as a mail may repeat it.

use tessera_domain::invisible;

/// The text in one line: without control and invisible characters, with single spaces.
pub(crate) fn one_line(text: &str) -> String {
    let unseen = |c| invisible(c) && !is_joiner(c);
    let seen = text.replace(unseen, " ");
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text in one line, if it can be what somebody is called; else nothing. What mail programs make
/// a link or a telephone number of is no name.
pub(crate) fn name(text: &str) -> String {
    let name = one_line(text);
    let fits = name.chars().count() <= LONGEST && name.split(' ').all(is_of_a_name);
    if fits { name } else { String::new() }
}

fn is_of_a_name(word: &str) -> bool {
    let legal = |c: char| (c.is_alphanumeric() && !c.is_numeric()) || is_mark(c) || is_between(c);
    let word = word.strip_suffix('.').unwrap_or(word);
    // With letters on both sides a dot is that of a host, or it parts initials.
    let initials = word.split('.').all(|part| part.chars().count() == 1);
    word.chars().all(legal) && (initials || !word.contains('.'))
}

fn is_between(c: char) -> bool {
    matches!(
        c,
        '\'' | '-' | '.' | '`' | '´' | '·' | '\u{2010}' | '\u{2011}' | '\u{2018}' | '\u{2019}'
    )
}

/// What belongs to the letter before, in scripts that have more than letters.
fn is_mark(c: char) -> bool {
    is_joiner(c)
        || matches!(c,
            '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}'
            | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}' | '\u{f18}'..='\u{fc6}'
            | '\u{1037}'..='\u{103a}' | '\u{17b6}'..='\u{17d3}')
}

/// Persian and the scripts of India join letters and part them with these.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_greeted_as_it_is() {
        for text in [
            "Ada",
            "Jean-Luc",
            "O'Brien",
            "J.R.R. Tolkien",
            "Dr. Müller",
            "李",
            "नरेंद्र",
            "Nguyễn",
            "ශ්‍රී",
        ] {
            assert_eq!(name(text), text);
        }
        assert_eq!(name("  Ada\t Maria "), "Ada Maria");
    }

    #[test]
    fn what_is_more_than_a_name_is_left_out() {
        let long = "a".repeat(65);
        for text in [
            "https://evil.example",
            "evil.example",
            "a.co",
            "win at evil.example now",
            "ada@evil.example",
            "<b>Ada</b>",
            "Call 555 0100",
            "evil\u{200b}.\u{200b}example/",
            "{{ link }}",
            &long,
        ] {
            assert_eq!(name(text), "", "{text}");
        }
    }

    #[test]
    fn a_line_has_no_end_in_it() {
        assert_eq!(
            one_line("a\r\nBcc: b\0\u{2028}c\u{85}d\u{202e}"),
            "a Bcc: b c d"
        );
    }
}
