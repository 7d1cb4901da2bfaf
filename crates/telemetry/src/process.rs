//! What the kernel says of this process: memory, CPU and open files, from `/proc`.
//!
//! Read only when the page is read. Where there is no `/proc` the figures are absent, never zero.

use std::fs;

use crate::{Metric, Sample};

/// Ticks a second in `/proc/self/stat`. Linux fixes `USER_HZ` at 100 for programs, whatever the kernel's own rate.
const TICKS_PER_SECOND: u64 = 100;

pub(crate) fn sample(sample: &mut Sample) {
    let memory = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes);
    let cpu = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_micros);
    // The directory itself is open while it is counted.
    let files = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1));
    let figures = [
        (Metric::ProcessMemory, memory),
        (Metric::ProcessCpu, cpu),
        (Metric::ProcessOpenFiles, files.and_then(|count| u64::try_from(count).ok())),
    ];
    for (metric, value) in figures {
        if let Some(value) = value {
            sample.set(metric, value);
        }
    }
}

/// `VmRSS` of `/proc/self/status`, which proc(5) gives in kB of 1,024 bytes.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

/// `utime` + `stime` of `/proc/self/stat`, fields 14 and 15 of proc(5). The command in field 2 may hold spaces and
/// brackets, so fields are counted after its last one.
fn cpu_micros(stat: &str) -> Option<u64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    let mut fields = after_command.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)?.checked_mul(1_000_000 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_command_with_brackets_and_spaces() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 100 200 300";
        assert_eq!(cpu_micros(stat), Some(1_750_000));
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
    }
}
