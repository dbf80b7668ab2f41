//! Lines that wait until many can be written at once: a `write` for each would cost more than all
//! else that makes one.

use core::mem;
use core::time::Duration;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Keeps lines for a tenth of a second, or until there are many; a warning and all before it are
/// written at once. Nothing is dropped: who writes faster than the log takes waits for it. Only a
/// process that is killed outright takes with it what waits.
#[derive(Clone)]
pub(crate) struct Buffered(Arc<Shared>);

impl Buffered {
    /// Lines for `sink`, which gets whole lines only, in their order.
    pub(crate) fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let buffered = Self::new(sink);
        let shared = Arc::clone(&buffered.0);
        // It ends with the process; what it would still have to write, the guard writes.
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_from_time_to_time())?;
        Ok(buffered)
    }

    /// What writes all that waits when it is dropped; from then on each line is written at once.
    pub(crate) fn guard(&self) -> Guard {
        Guard(Arc::clone(&self.0))
    }

    /// Takes a line that can wait.
    pub(crate) fn add(&self, line: &str) -> io::Result<()> {
        if self.0.add(line.as_bytes()) {
            self.0.write_out()?;
        }
        Ok(())
    }

    fn new(sink: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Shared {
            waiting: Mutex::new(Waiting {
                lines: Vec::new(),
                ending: false,
            }),
            begun: Condvar::new(),
            output: Mutex::new(Output {
                sink: Box::new(sink),
                lines: Vec::new(),
            }),
        }))
    }
}

/// Ends the waiting of lines when it is dropped.
pub(crate) struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.waiting().ending = true;
        // Nobody is left who could be told of a log that cannot be written.
        let _ = self.0.write_out();
    }
}

impl<'w> MakeWriter<'w> for Buffered {
    type Writer = Lines<'w>;

    fn make_writer(&'w self) -> Lines<'w> {
        Lines {
            shared: &self.0,
            urgent: true,
        }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Lines<'w> {
        Lines {
            shared: &self.0,
            urgent: *metadata.level() <= Level::WARN,
        }
    }
}

/// Takes lines of one level, each as one `write`.
pub(crate) struct Lines<'w> {
    shared: &'w Shared,
    urgent: bool,
}

impl Write for Lines<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.shared.add(line) || self.urgent {
            self.shared.write_out()?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared.write_out()
    }
}

/// Two locks, so that nobody who adds a line waits for the disk.
struct Shared {
    waiting: Mutex<Waiting>,
    begun: Condvar,
    output: Mutex<Output>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    ending: bool,
}

struct Output {
    sink: Box<dyn Write + Send>,
    /// The lines that are written; their memory takes turns with that of those that wait.
    lines: Vec<u8>,
}

impl Shared {
    /// Whether it is time to write.
    fn add(&self, line: &[u8]) -> bool {
        let mut waiting = self.waiting();
        if waiting.lines.is_empty() {
            self.begun.notify_one();
        }
        waiting.lines.extend_from_slice(line);
        waiting.ending || waiting.lines.len() >= MANY
    }

    /// Writes all that waits. The output is locked first, or later lines could overtake.
    fn write_out(&self) -> io::Result<()> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let Output { sink, lines } = &mut *output;
        mem::swap(lines, &mut self.waiting().lines);
        let written = sink.write_all(lines);
        lines.clear();
        written
    }

    fn write_from_time_to_time(&self) {
        while !self.wait_for_a_line() {
            thread::sleep(PAUSE);
            // Whoever logs next is told if it cannot be written.
            let _ = self.write_out();
        }
    }

    /// Waits until a line waits; whether this is the end.
    fn wait_for_a_line(&self) -> bool {
        let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.ending;
        let waiting = self.begun.wait_while(self.waiting(), idle);
        waiting.unwrap_or_else(PoisonError::into_inner).ending
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest that a line waits.
const PAUSE: Duration = Duration::from_millis(100);
/// So many bytes do not wait. A quarter of them, four times, would take the kernel a half longer.
const MANY: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Sends what is written, one `write` a message.
    struct Sent(Sender<String>);

    impl Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            self.0.send(text).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Lines without a thread that writes them from time to time.
    fn untimed() -> (Buffered, Receiver<String>) {
        let (sender, written) = channel();
        (Buffered::new(Sent(sender)), written)
    }

    fn log(buffered: &Buffered, work: impl FnOnce()) {
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .with_writer(buffered.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
    }

    #[test]
    fn a_line_of_warning_is_written_at_once_and_behind_those_before_it() {
        let (buffered, written) = untimed();
        log(&buffered, || tracing::info!("one"));
        assert!(written.try_recv().is_err());
        log(&buffered, || tracing::warn!("two"));
        assert_eq!(written.try_recv().unwrap(), "one\ntwo\n");
        log(&buffered, || tracing::error!("three"));
        assert_eq!(written.try_recv().unwrap(), "three\n");
    }

    #[test]
    fn many_lines_do_not_wait() {
        let (buffered, written) = untimed();
        let line = "x".repeat(MANY / 2);
        log(&buffered, || tracing::info!("{line}"));
        assert!(written.try_recv().is_err());
        log(&buffered, || tracing::info!("{line}"));
        assert_eq!(written.try_recv().unwrap(), format!("{line}\n{line}\n"));
    }

    #[test]
    fn a_line_waits_for_the_clock_alone() {
        let (sender, written) = channel();
        let buffered = Buffered::start(Sent(sender)).unwrap();
        for line in ["one", "two"] {
            log(&buffered, || tracing::info!("{line}"));
            assert_eq!(written.recv().unwrap(), format!("{line}\n"));
        }
    }

    #[test]
    fn at_the_end_what_waits_is_written_and_then_each_line_at_once() {
        let (buffered, written) = untimed();
        let guard = buffered.guard();
        log(&buffered, || tracing::info!("one"));
        drop(guard);
        assert_eq!(written.try_recv().unwrap(), "one\n");
        log(&buffered, || tracing::info!("two"));
        assert_eq!(written.try_recv().unwrap(), "two\n");
    }

    #[test]
    fn lines_of_many_threads_stay_whole_and_in_the_order_of_their_thread() {
        let (buffered, written) = untimed();
        thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let buffered = &buffered;
                scope.spawn(move || {
                    log(buffered, || {
                        for number in 0..5_000 {
                            tracing::info!("{name} {number}");
                        }
                    });
                });
            }
        });
        drop(buffered.guard());
        drop(buffered);
        let text = written.iter().collect::<String>();
        for name in ["a", "b", "c"] {
            let lines = text.lines().filter_map(|line| line.split_once(' '));
            let numbers = lines.filter(|(of, _)| *of == name);
            assert!(
                numbers.map(|(_, number)| number).eq((0..5_000)
                    .map(|number: i32| number.to_string())
                    .collect::<Vec<_>>()
                    .iter())
            );
        }
    }
}
