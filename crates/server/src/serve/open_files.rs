//! How many files and connections the process may have open at once.

use rustix::io;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes all that the system gives: a connection needs two, and many systems begin at 1,024 for the
/// sake of programs that call `select`.
pub(super) fn take_all() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(());
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_that_the_system_gives_may_be_open() {
        let limit = getrlimit(Resource::Nofile);
        let fewer = limit.maximum.map_or(1 << 20, |most| most - 1);
        let lowered = Rlimit {
            current: Some(fewer),
            ..limit
        };
        setrlimit(Resource::Nofile, lowered).unwrap();
        take_all().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
