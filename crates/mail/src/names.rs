//! What comes from outside, as a mail may repeat it.

/// The text in one line: without control and invisible characters, with single spaces.
pub(crate) fn one_line(text: &str) -> String {
    let seen = text.replace(|c: char| is_invisible(c), " ");
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
    let mut parts = word.strip_suffix('.').unwrap_or(word).split('.');
    let initials = |part: &str| part.chars().count() == 1;
    let first = parts.next().unwrap_or_default();
    word.chars().all(legal)
        && (parts.clone().next().is_none() || initials(first) && parts.all(initials))
}

fn is_between(c: char) -> bool {
    matches!(
        c,
        '\'' | '-' | '.' | '`' | '´' | '·' | '\u{2010}' | '\u{2011}' | '\u{2018}' | '\u{2019}'
    )
}

/// Signs that belong to the letter before, as of many scripts that are not Latin.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}')
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
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
