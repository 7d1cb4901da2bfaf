//! Reads what a process and its descendants have used of the machine, from Linux's /proc.
//!
//! CPU time comes in nanoseconds from each thread's `schedstat`. Where a thread ended between two readings its time is
//! gone from there, so the process's own total is used, which counts in hundredths of a second. It never touches the
//! processes themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crate::report::{CpuSource, ProcessReport};
use crate::{Error, tally::Totals};

/// The unit of the times in `/proc/PID/stat`: Linux's `USER_HZ` is 100 on every common architecture (proc(5)).
const TICK: Duration = Duration::from_millis(10);

/// What a set of processes had used at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pids: BTreeSet<u32>,
    /// Nanoseconds on a core, by process and thread.
    threads: BTreeMap<(u32, u32), u64>,
    /// User and system ticks, by process.
    ticks: BTreeMap<u32, (u64, u64)>,
    resident_bytes: u64,
    peak_bytes: u64,
}

impl Usage {
    /// Reads these processes and all their descendants.
    pub(crate) fn read(roots: &[u32]) -> Result<Self, Error> {
        let mut usage = Self::default();
        for root in roots {
            read_process(*root, &mut usage).map_err(|source| Error::Process { pid: *root, source })?;
        }
        for descendant in descendants(roots) {
            // It may have ended since it was listed.
            read_process(descendant, &mut usage).unwrap_or_default();
        }
        Ok(usage)
    }

    /// What was used from `earlier` to this reading, over the calls and events of the same time.
    pub(crate) fn since(&self, earlier: &Self, elapsed: Duration, done: Totals) -> ProcessReport {
        let (user, system) = self.ticks_since(earlier);
        let (cpu, source) = match self.nanos_since(earlier) {
            Some(nanos) => (Duration::from_nanos(nanos), CpuSource::Schedstat),
            None => (user + system, CpuSource::Stat),
        };
        let micros_per = |count: u64| (count > 0).then(|| cpu.as_secs_f64() * 1e6 / to_f64(count));
        ProcessReport {
            pids: self.pids.iter().copied().collect(),
            cpu_seconds: cpu.as_secs_f64(),
            cpu_source: source,
            user_seconds: user.as_secs_f64(),
            system_seconds: system.as_secs_f64(),
            cores: cpu.as_secs_f64() / elapsed.as_secs_f64().max(f64::EPSILON),
            cpu_us_per_call: micros_per(done.calls),
            cpu_us_per_event: micros_per(done.events),
            rss_bytes: self.resident_bytes,
            peak_rss_bytes: self.peak_bytes,
        }
    }

    /// None where a thread of the earlier reading has ended.
    fn nanos_since(&self, earlier: &Self) -> Option<u64> {
        let mut sum = 0_u64;
        for (thread, before) in &earlier.threads {
            sum += self.threads.get(thread)?.saturating_sub(*before);
        }
        let new = self.threads.iter().filter(|(thread, _)| !earlier.threads.contains_key(*thread));
        (!self.threads.is_empty()).then(|| sum + new.map(|(_, nanos)| nanos).sum::<u64>())
    }

    fn ticks_since(&self, earlier: &Self) -> (Duration, Duration) {
        let mut sum = (0, 0);
        for (pid, (user, system)) in &self.ticks {
            let before = earlier.ticks.get(pid).copied().unwrap_or_default();
            sum.0 += user.saturating_sub(before.0);
            sum.1 += system.saturating_sub(before.1);
        }
        (ticks(sum.0), ticks(sum.1))
    }
}

fn ticks(count: u64) -> Duration {
    TICK.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a count for a ratio")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

/// Adds one process, unless it was added before.
fn read_process(pid: u32, usage: &mut Usage) -> io::Result<()> {
    let directory = format!("/proc/{pid}");
    let stat = Stat::read(Path::new(&directory))?;
    if !usage.pids.insert(pid) {
        return Ok(());
    }
    usage.ticks.insert(pid, (stat.user, stat.system));
    for thread in fs::read_dir(format!("{directory}/task"))? {
        let thread = thread?;
        let Some(id) = number(&thread.file_name().to_string_lossy()) else { continue };
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        if let Some(nanos) = text.split_ascii_whitespace().next().and_then(number) {
            usage.threads.insert((pid, id), nanos);
        }
    }
    let status = fs::read_to_string(format!("{directory}/status"))?;
    usage.resident_bytes += kilobytes(&status, "VmRSS:") * 1_024;
    usage.peak_bytes += kilobytes(&status, "VmHWM:") * 1_024;
    Ok(())
}

/// All processes below `roots`, however deep.
fn descendants(roots: &[u32]) -> BTreeSet<u32> {
    let mut parents = BTreeMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeSet::new() };
    for entry in entries.flatten() {
        if let Some(pid) = number::<u32>(&entry.file_name().to_string_lossy())
            && let Ok(stat) = Stat::read(&entry.path())
        {
            parents.insert(pid, stat.parent);
        }
    }
    let mut found: BTreeSet<u32> = roots.iter().copied().collect();
    loop {
        let before = found.len();
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| found.contains(parent))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if found.len() == before {
            return found;
        }
    }
}

/// The fields of `/proc/PID/stat` that are needed (proc(5)).
struct Stat {
    parent: u32,
    user: u64,
    system: u64,
}

impl Stat {
    fn read(directory: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(directory.join("stat"))?;
        Self::parse(&text).ok_or_else(|| io::Error::other("no such stat"))
    }

    /// The command, in brackets, may hold anything; fields are counted from behind it.
    fn parse(text: &str) -> Option<Self> {
        let (_, behind) = text.rsplit_once(')')?;
        let fields: Vec<&str> = behind.split_ascii_whitespace().collect();
        Some(Self {
            parent: number(fields.get(1)?)?,
            user: number(fields.get(11)?)?,
            system: number(fields.get(12)?)?,
        })
    }
}

fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_ascii_whitespace().next()).and_then(number).unwrap_or(0)
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_even_when_the_command_holds_brackets_and_spaces() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 100 0 0 0 31 12 0 0 20 0 1 0 100 1000 200";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.parent, stat.user, stat.system), (7, 31, 12));
        assert!(Stat::parse("42 (a) S 7").is_none());
    }

    #[test]
    fn time_is_summed_over_threads_and_falls_back_to_ticks_when_one_has_ended() {
        let usage = |threads: &[(u32, u64)], user| Usage {
            pids: BTreeSet::from([1]),
            threads: threads.iter().map(|(thread, nanos)| ((1, *thread), *nanos)).collect(),
            ticks: BTreeMap::from([(1, (user, 10))]),
            ..Usage::default()
        };
        let before = usage(&[(1, 1_000), (2, 5_000)], 0);
        let done = Totals { calls: 4, events: 0, ..Totals::default() };
        let second = Duration::from_secs(1);

        let all = usage(&[(1, 2_000), (2, 6_000), (3, 38_000)], 3).since(&before, second, done);
        assert_eq!(all.cpu_source, CpuSource::Schedstat);
        assert_eq!(all.cpu_us_per_call, Some(10.0));
        assert_eq!(all.cpu_us_per_event, None);

        let ended = usage(&[(1, 2_000)], 3).since(&before, second, done);
        assert_eq!(ended.cpu_source, CpuSource::Stat);
        assert!((ended.cpu_seconds - 0.03).abs() < 1e-9, "{}", ended.cpu_seconds);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_threads_and_memory_and_an_absent_one_is_an_error() {
        let usage = Usage::read(&[std::process::id()]).unwrap();
        assert!(usage.threads.keys().any(|(pid, _)| *pid == std::process::id()));
        assert!(usage.resident_bytes > 0 && usage.peak_bytes >= usage.resident_bytes);
        assert!(matches!(Usage::read(&[u32::MAX]), Err(Error::Process { pid: u32::MAX, .. })));
    }
}
