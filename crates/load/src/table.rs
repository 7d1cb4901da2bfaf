//! A report as people read it on a terminal.
//!
//! It says nothing that is not in the report, and never hides a failure.

use std::fmt::Write;

use crate::report::{CpuSource, Latency, ProcessReport, Report};

impl Report {
    /// A few lines of text, the last with a line break.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        self.write_table(&mut text).unwrap_or_default();
        text
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        let streamed = if self.stream { "streamed" } else { "not streamed" };
        writeln!(
            out,
            "{} loop, {} connections, {}, {streamed}, model {}, {}",
            self.mode, self.connections, self.dialect, self.model, self.url
        )?;
        writeln!(out)?;
        write!(
            out,
            "calls       {:>12}  in {:.1} s, {:.1}/s",
            self.calls, self.seconds, self.calls_per_second
        )?;
        match self.offered_per_second {
            Some(offered) => writeln!(out, " of {offered:.1}/s offered")?,
            None => writeln!(out)?,
        }
        self.write_failures(out)?;
        if self.stream {
            writeln!(out, "events      {:>12}  {:.1}/s", self.events, self.events_per_second)?;
        }
        writeln!(out, "bytes       {:>12}", self.bytes)?;
        writeln!(out)?;
        self.write_times(out)?;
        match &self.process {
            Some(process) => process.write_table(out),
            None => Ok(()),
        }
    }

    fn write_failures(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "failed      {:>12}", self.failed)?;
        for (class, count) in &self.failures {
            writeln!(out, "  {class:<14}{count:>8}")?;
        }
        if self.offered_per_second.is_some() {
            writeln!(out, "not sent    {:>12}", self.not_sent)?;
        }
        if !self.is_clean() {
            writeln!(
                out,
                "  THIS RUN HAS FAILURES: times below are of the {} calls that succeeded",
                self.succeeded
            )?;
        }
        Ok(())
    }

    fn write_times(&self, out: &mut String) -> std::fmt::Result {
        write!(out, "{:<14}", "milliseconds")?;
        for head in ["min", "mean", "p50", "p90", "p99", "p99.9", "max"] {
            write!(out, "{head:>10}")?;
        }
        writeln!(out)?;
        self.latency.write_row(out, "latency")?;
        self.first_byte.write_row(out, "first byte")?;
        if let Some(first_event) = &self.first_event {
            first_event.write_row(out, "first event")?;
        }
        if let Some(wait) = &self.wait {
            wait.write_row(out, "wait to send")?;
        }
        Ok(())
    }
}

impl Latency {
    fn write_row(&self, out: &mut String, name: &str) -> std::fmt::Result {
        write!(out, "{name:<14}")?;
        let times =
            [self.min_us, self.mean_us, self.p50_us, self.p90_us, self.p99_us, self.p999_us, self.max_us];
        for micros in times {
            write!(out, "{:>10.3}", micros / 1e3)?;
        }
        writeln!(out)
    }
}

impl ProcessReport {
    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        let unit = match self.cpu_source {
            CpuSource::Schedstat => "",
            CpuSource::Stat => " (to a hundredth of a second)",
        };
        writeln!(out)?;
        writeln!(out, "process CPU {:>12.3} s{unit}, {:.2} cores", self.cpu_seconds, self.cores)?;
        if let Some(micros) = self.cpu_us_per_call {
            writeln!(out, "  per call  {micros:>12.2} µs")?;
        }
        if let Some(micros) = self.cpu_us_per_event {
            writeln!(out, "  per event {micros:>12.2} µs")?;
        }
        writeln!(
            out,
            "memory      {:>12} MB resident, {} MB peak",
            megabytes(self.rss_bytes),
            megabytes(self.peak_rss_bytes)
        )
    }
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}
