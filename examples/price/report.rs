//! The output: answers or totals, and the summary.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Stdout, Write};

use llm_costmap::Usd;
use serde::Serialize;

use crate::answer::{Answer, Id, Outcome};
use crate::options::By;

/// Writes answers or totals, and counts.
pub(crate) struct Report {
    by: Option<By>,
    csv: bool,
    output: BufWriter<Stdout>,
    groups: BTreeMap<String, Group>,
    counts: BTreeMap<&'static str, u64>,
    lines: u64,
    total: Sum,
}

/// A sum of amounts, which may be more than can be counted.
#[derive(Default)]
struct Sum {
    amount: Usd,
    overflows: bool,
}

impl Sum {
    fn add(&mut self, more: Usd) {
        match self.amount.checked_add(more) {
            Some(sum) => self.amount = sum,
            None => self.overflows = true,
        }
    }

    fn remark(&self) -> &'static str {
        if self.overflows { " (and more than can be counted)" } else { "" }
    }
}

/// The totals of a model, a provider or a day.
#[derive(Default)]
struct Group {
    calls: u64,
    incomplete: u64,
    sums: [Sum; 4],
}

#[derive(Serialize)]
struct Total<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<&'a str>,
    calls: u64,
    incomplete: u64,
    input: Usd,
    output: Usd,
    tools: Usd,
    total: Usd,
}

/// The counts of the summary, in their order.
const COUNTS: [&str; 6] = ["priced", "described", "unknown", "incomplete", "failed", "invalid"];

impl Report {
    pub(crate) fn new(by: Option<By>, csv: bool) -> Self {
        Self {
            by,
            csv,
            output: BufWriter::new(io::stdout()),
            groups: BTreeMap::new(),
            counts: BTreeMap::new(),
            lines: 0,
            total: Sum::default(),
        }
    }

    pub(crate) fn begin(&mut self) -> io::Result<()> {
        match (self.csv, self.by) {
            (false, _) => Ok(()),
            (true, None) => {
                writeln!(self.output, "id,key,input,output,tools,total,complete,error,message")
            }
            (true, Some(by)) => {
                let name = name_of(by);
                writeln!(self.output, "{name},calls,incomplete,input,output,tools,total")
            }
        }
    }

    pub(crate) fn add(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        self.lines += 1;
        let count = match answer.outcome {
            // A call without all prices has an amount nevertheless.
            Outcome::Incomplete => {
                *self.counts.entry("incomplete").or_insert(0) += 1;
                "priced"
            }
            Outcome::Priced => "priced",
            Outcome::Described => "described",
            Outcome::Unknown => "unknown",
            Outcome::Failed => "failed",
            Outcome::Invalid => "invalid",
        };
        *self.counts.entry(count).or_insert(0) += 1;
        if let Some(amounts) = &answer.line.amounts {
            self.total.add(amounts.total);
        }
        match self.by {
            Some(by) => {
                self.add_to_group(by, answer);
                Ok(())
            }
            None if self.csv => self.write_csv(answer),
            None => {
                serde_json::to_writer(&mut self.output, &answer.line)?;
                self.output.write_all(b"\n")
            }
        }
    }

    fn add_to_group(&mut self, by: By, answer: &Answer<'_>) {
        let Some(amounts) = &answer.line.amounts else { return };
        let name = match by {
            By::Model => Some(amounts.key.clone()),
            By::Provider => answer.provider.clone(),
            By::Day => answer.day.clone(),
        };
        let group = self.groups.entry(name.unwrap_or_default()).or_default();
        group.calls += 1;
        group.incomplete += u64::from(!amounts.complete);
        let more = [amounts.input, amounts.output, amounts.tools, amounts.total];
        for (sum, more) in group.sums.iter_mut().zip(more) {
            sum.add(more);
        }
    }

    fn write_csv(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        let line = &answer.line;
        let id = match line.id {
            Id::Echo(id) => id,
            Id::None => None,
        };
        let id = id.map(|id| serde_json::from_str(id.get()).unwrap_or_else(|_| id.to_string()));
        let amounts = line.amounts.as_ref();
        let amount = |of: fn(&crate::answer::Amounts) -> Usd| {
            amounts.map(|amounts| of(amounts).to_string()).unwrap_or_default()
        };
        let cells = [
            id.unwrap_or_default(),
            amounts.map(|amounts| amounts.key.clone()).unwrap_or_default(),
            amount(|amounts| amounts.input),
            amount(|amounts| amounts.output),
            amount(|amounts| amounts.tools),
            amount(|amounts| amounts.total),
            amounts.map(|amounts| amounts.complete.to_string()).unwrap_or_default(),
            line.error.unwrap_or_default().to_owned(),
            line.message.clone().unwrap_or_default(),
        ];
        writeln!(self.output, "{}", cells.map(|cell| quoted(&cell)).join(","))
    }

    /// Writes the totals and the summary. On standard error, a summary is written in any case.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let written = self.write_totals().and_then(|()| self.output.flush());
        let count = |name: &str| self.counts.get(name).copied().unwrap_or(0);
        let counts: Vec<String> = COUNTS
            .into_iter()
            .filter(|name| *name != "described" || count(name) > 0)
            .map(|name| format!("{} {name}", count(name)))
            .collect();
        let (lines, total) = (self.lines, self.total.amount);
        eprintln!("{lines} lines: {}; total {total} USD{}", counts.join(", "), self.total.remark());
        written
    }

    fn write_totals(&mut self) -> io::Result<()> {
        let Some(by) = self.by else { return Ok(()) };
        for (name, Group { calls, incomplete, sums }) in &self.groups {
            let [input, output, tools, total] = sums.each_ref().map(|sum| sum.amount);
            if self.csv {
                writeln!(
                    self.output,
                    "{},{calls},{incomplete},{input},{output},{tools},{total}",
                    quoted(name)
                )?;
                continue;
            }
            let named = |group| (by == group).then_some(&**name);
            let (calls, incomplete) = (*calls, *incomplete);
            let (model, provider, day) = (named(By::Model), named(By::Provider), named(By::Day));
            let line = Total { model, provider, day, calls, incomplete, input, output, tools, total };
            serde_json::to_writer(&mut self.output, &line)?;
            self.output.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Returns whether nothing was unknown, without a price, or invalid.
    pub(crate) fn is_settled(&self) -> bool {
        ["unknown", "incomplete", "failed", "invalid"].iter().all(|name| !self.counts.contains_key(name))
    }
}

fn name_of(by: By) -> &'static str {
    match by {
        By::Model => "model",
        By::Provider => "provider",
        By::Day => "day",
    }
}

/// Quotes a cell of CSV where that is needed (RFC 4180).
fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
