//! A process that is measured, and what `/proc` tells of it.

use core::time::Duration;
use std::fs;
use std::net::SocketAddr;
use std::process::Child;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

/// A child that serves; it ends with this value.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn new(child: Child, address: SocketAddr) -> Self {
        Self { child, address }
    }

    /// That it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<bool, Failure> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The CPU time that it has used, in user and system mode, all threads together.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        // The name before it, in brackets, may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or("a stat without a name")?;
        let mut ticks = 0_u64;
        for field in fields.split_whitespace().skip(USER_TIME).take(2) {
            ticks += field.parse::<u64>()?;
        }
        Ok(TICK * u32::try_from(ticks)?)
    }

    /// Its resident memory in MiB.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        resident(&fs::read_to_string(self.proc("status"))?, "VmRSS:")
    }

    /// Has it stand still.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        self.signal(Signal::STOP)
    }

    /// Has it go on, and waits until it knows what time it is: by a clock that stood still, a new
    /// connection would be too slow from the start.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        self.signal(Signal::CONT)?;
        thread::sleep(AWAKE);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let id = i32::try_from(self.child.id())?;
        let id = Pid::from_raw(id).ok_or("no process")?;
        Ok(kill_process(id, signal)?)
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `/proc/PID/status` says of memory at `name`, in MiB.
pub(crate) fn resident(status: &str, name: &str) -> Result<f64, Failure> {
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
        .ok_or_else(|| format!("a status without {name}"))?;
    Ok(kib.trim().parse::<f64>()? / 1_024.0)
}

/// Where in `/proc/PID/stat`, behind the name, the times begin.
const USER_TIME: usize = 11;
/// The unit of the times there is the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// Longer than the half second after which actix looks at the clock again.
const AWAKE: Duration = Duration::from_secs(1);
