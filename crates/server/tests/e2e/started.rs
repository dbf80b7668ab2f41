//! Servers of others, which say themselves when they are ready.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Starts a server, and waits until a line of what it says has these words; fails when it ends before,
/// or has not said them in time. All that it says is written to `log`.
pub(crate) fn started(
    mut command: Command,
    ready: &'static str,
    time: Duration,
    log: &Path,
) -> Child {
    let mut file = File::create(log).unwrap();
    let (hears, says) = io::pipe().unwrap();
    command.stdin(Stdio::null());
    command.stdout(says.try_clone().unwrap()).stderr(says);
    let mut process = command.spawn().unwrap();
    // It would keep the pipe open after the end of the server.
    drop(command);
    let (tells, told) = mpsc::channel();
    // It goes on as long as the server does, which would wait for ever with nobody to read what it says.
    thread::spawn(move || {
        for line in BufReader::new(hears).split(b'\n').map_while(Result::ok) {
            file.write_all(&[&line, &b"\n"[..]].concat()).unwrap();
            if String::from_utf8_lossy(&line).contains(ready) {
                // Whoever asked may have given up.
                let _ = tells.send(());
            }
        }
    });
    if told.recv_timeout(time).is_err() {
        let _ = process.kill();
        let _ = process.wait();
        panic!("it does not start: {}", fs::read_to_string(log).unwrap());
    }
    process
}
