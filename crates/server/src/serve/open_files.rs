//! How many files and connections the process may have open at once.

use rustix::io;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes all that the system gives: a connection needs two, and many systems begin at 1,024 or fewer for
/// the sake of programs that call `select`.
pub(super) fn take_all() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(OPEN_MAX);
    if limit.current.is_none_or(|current| current >= most) {
        return Ok(());
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(most),
            ..limit
        },
    )
}

/// What macOS takes where it names no most.
const OPEN_MAX: u64 = 10_240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_that_the_system_gives_may_be_open() {
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(OPEN_MAX);
        let fewer = Rlimit {
            current: Some(most - 1),
            ..limit
        };
        setrlimit(Resource::Nofile, fewer).unwrap();
        take_all().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(most));
    }
}
