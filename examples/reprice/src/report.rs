//! What people read: the table, the page with its charts, and progress.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use askama::Template;
use indicatif::{ProgressBar, ProgressStyle};
use llm_costmap::Usd;
use plotters::prelude::*;

use crate::job::{MOST_REASONS, Outcome, Spend};

/// The rows of the table, and of each list of the page.
const ROWS: usize = 25;

/// The bars of a chart.
const BARS: usize = 15;

const NEW: RGBColor = RGBColor(24, 92, 160);
const OLD: RGBColor = RGBColor(200, 120, 40);

/// Returns a bar of progress on the standard error, with the rate and the time that is left; without a length, the time
/// that passed. It is hidden where that is no terminal.
pub(crate) fn progress(length: Option<u64>, unit: &str) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            format!(
                "{{bar:30}} {{human_pos}} of {{human_len}} {unit}, {{per_sec}}, {{elapsed}} (left: {{eta}})"
            ),
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {elapsed}".to_owned()),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// The sums of some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    calls: u64,
    unpriced: u64,
    unpriced_before: u64,
    cost: Usd,
    before: Usd,
    change: Usd,
}

impl From<&Spend> for Sums {
    fn from(spend: &Spend) -> Self {
        let Spend { calls, unpriced, unpriced_before, cost, before, change, .. } = *spend;
        Self { calls, unpriced, unpriced_before, cost, before, change }
    }
}

impl Sums {
    fn add(&mut self, other: &Self) -> Result<()> {
        let add = |a: Usd, b: Usd| {
            a.checked_add(b).context("the spend is beyond 17 billion dollars: split the logs")
        };
        self.calls += other.calls;
        self.unpriced += other.unpriced;
        self.unpriced_before += other.unpriced_before;
        self.cost = add(self.cost, other.cost)?;
        self.before = add(self.before, other.before)?;
        self.change = add(self.change, other.change)?;
        Ok(())
    }

    /// Returns how much the two maps differ, calls that only one of them prices included.
    fn difference(&self) -> u128 {
        self.cost.units().abs_diff(self.before.units()).max(self.change.units().unsigned_abs())
    }

    /// Returns the sums of calls by a key.
    fn by<'a, K: Ord>(spend: &'a [Spend], key: impl Fn(&'a Spend) -> K) -> Result<BTreeMap<K, Self>> {
        let mut sums: BTreeMap<K, Self> = BTreeMap::new();
        for row in spend {
            sums.entry(key(row)).or_default().add(&row.into())?;
        }
        Ok(sums)
    }

    fn all(parts: impl IntoIterator<Item = Self>) -> Result<Self> {
        let mut sums = Self::default();
        parts.into_iter().try_for_each(|part| sums.add(&part))?;
        Ok(sums)
    }
}

/// Returns an amount for people: rounded to six decimals, unless that leaves nothing of it.
fn shown(amount: Usd) -> String {
    let rounded = amount.round_dp(6);
    if rounded.is_zero() { amount } else { rounded }.to_string()
}

/// Returns a name as a terminal may show it: a log may have any.
fn printable(name: &str) -> String {
    name.chars()
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

/// Returns the sums by model and provider, those that differ most between the maps first, or those with the largest spend.
fn by_model(outcome: &Outcome) -> Result<Vec<((&str, &str), Sums)>> {
    let sums =
        Sums::by(&outcome.spend, |row| (row.model.as_str(), row.provider.as_deref().unwrap_or_default()))?;
    let mut rows: Vec<_> = sums.into_iter().collect();
    let has_before = outcome.against.is_some();
    rows.sort_by_key(|(_, sums)| {
        let difference = if has_before { sums.difference() } else { 0 };
        std::cmp::Reverse((difference, sums.cost.units()))
    });
    Ok(rows)
}

/// Returns the table that the program prints: the sums by model and provider, and of all calls. Amounts are US dollars.
///
/// # Errors
///
/// Returns an error if the spend is beyond 17 billion dollars.
pub fn table(outcome: &Outcome) -> Result<String> {
    let rows = by_model(outcome)?;
    let mut lines: Vec<[String; 8]> = Vec::new();
    let mut add = |model: &str, provider: &str, sums: &Sums| {
        let [calls, unpriced, unpriced_before] =
            [sums.calls, sums.unpriced, sums.unpriced_before].map(|count| count.to_string());
        let [cost, before, change] = [sums.cost, sums.before, sums.change].map(shown);
        let (model, provider) = (printable(model), printable(provider));
        lines.push([model, provider, calls, unpriced, cost, unpriced_before, before, change]);
    };
    for ((model, provider), sums) in rows.iter().take(ROWS) {
        add(model, provider, sums);
    }
    if rows.len() > ROWS {
        let others = Sums::all(rows.iter().skip(ROWS).map(|(_, sums)| *sums))?;
        add(&format!("{} others", rows.len() - ROWS), "", &others);
    }
    add("all", "", &Sums::all(rows.iter().map(|(_, sums)| *sums))?);
    let mut names = vec!["model", "provider", "calls", "unpriced", "cost"];
    if outcome.against.is_some() {
        names.extend(["unpriced before", "cost before", "change of both"]);
    }
    let columns = names.iter().enumerate().map(|(place, name)| {
        let values: StringArray = lines.iter().map(|line| line.get(place)).collect();
        (*name, Arc::new(values) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns)?;
    Ok(arrow::util::pretty::pretty_format_batches(&[batch])?.to_string())
}

/// A row of a list of the page.
struct Row {
    name: String,
    provider: String,
    calls: u64,
    unpriced: u64,
    unpriced_before: u64,
    cost: String,
    before: String,
    change: String,
}

impl Row {
    fn new(name: &str, provider: &str, sums: &Sums) -> Self {
        Self {
            name: name.to_owned(),
            provider: provider.to_owned(),
            calls: sums.calls,
            unpriced: sums.unpriced,
            unpriced_before: sums.unpriced_before,
            cost: shown(sums.cost),
            before: shown(sums.before),
            change: shown(sums.change),
        }
    }
}

/// A change of the page.
struct Changed<'a> {
    model: &'a str,
    provider: &'a str,
    calls: u64,
    change: String,
    reasons: &'a [String],
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    outcome: &'a Outcome,
    total: Row,
    models: Vec<Row>,
    more_models: usize,
    providers: Vec<Row>,
    changes: Vec<Changed<'a>>,
    more_changes: usize,
    has_all_reasons: bool,
    by_day: String,
    by_model: String,
    by_provider: String,
    seconds: String,
}

/// Returns the page: spend by model, provider and day, what changed and why, and the calls without a price.
///
/// # Errors
///
/// Returns an error if the spend is beyond 17 billion dollars.
pub fn page(outcome: &Outcome) -> Result<String> {
    let models = by_model(outcome)?;
    let mut spenders = models.clone();
    spenders.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.cost.units()));
    let days = Sums::by(&outcome.spend, |row| row.day.as_deref().unwrap_or_default())?;
    let providers = Sums::by(&outcome.spend, |row| row.provider.as_deref().unwrap_or_default())?;
    let mut providers: Vec<_> = providers.into_iter().collect();
    providers.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.cost.units()));
    let has_before = outcome.against.is_some();
    // A model that two providers serve has a bar for each.
    let named: Vec<(String, Sums)> = spenders
        .iter()
        .take(BARS)
        .map(|((model, provider), sums)| {
            let is_twice = spenders.iter().filter(|((other, _), _)| other == model).count() > 1;
            let name = if is_twice { format!("{model} ({provider})") } else { (*model).to_owned() };
            (name, *sums)
        })
        .collect();
    let bars = |rows: Vec<(&str, Sums)>| bars(&rows, has_before);
    let page = Page {
        outcome,
        total: Row::new("all", "", &Sums::all(models.iter().map(|(_, sums)| *sums))?),
        has_all_reasons: outcome.unpriced.len() < MOST_REASONS,
        more_models: models.len().saturating_sub(4 * ROWS),
        models: models
            .iter()
            .take(4 * ROWS)
            .map(|((model, provider), sums)| Row::new(model, provider, sums))
            .collect(),
        changes: outcome
            .changes
            .iter()
            .take(4 * ROWS)
            .map(|change| Changed {
                model: &change.model,
                provider: change.provider.as_deref().unwrap_or_default(),
                calls: change.calls,
                change: shown(change.change),
                reasons: &change.reasons,
            })
            .collect(),
        more_changes: outcome.changes.len().saturating_sub(4 * ROWS),
        by_day: lines(&days.into_iter().filter(|(day, _)| !day.is_empty()).collect::<Vec<_>>(), has_before)?,
        by_model: bars(named.iter().map(|(name, sums)| (name.as_str(), *sums)).collect())?,
        by_provider: bars(providers.iter().take(BARS).map(|(provider, sums)| (*provider, *sums)).collect())?,
        providers: providers.iter().map(|(provider, sums)| Row::new(provider, "", sums)).collect(),
        seconds: format!("{:.1}", outcome.took.as_secs_f64()),
    };
    Ok(page.render()?)
}

/// Returns an error of the plotting library as one of ours: it borrows the drawing.
fn drawn<T, E: std::error::Error>(result: std::result::Result<T, E>) -> Result<T> {
    result.map_err(|error| anyhow::anyhow!("cannot draw a chart: {error}"))
}

/// Draws the spend by day as a line, and that by the other map as another. Returns nothing if there are no days.
fn lines(days: &[(&str, Sums)], has_before: bool) -> Result<String> {
    let mut svg = String::new();
    if days.is_empty() {
        return Ok(svg);
    }
    let highest =
        days.iter().map(|(_, sums)| sums.cost.as_f64().max(sums.before.as_f64())).fold(0.0, f64::max);
    {
        let area = SVGBackend::with_string(&mut svg, (900, 260)).into_drawing_area();
        let last = days.len().saturating_sub(1).max(1);
        let mut chart = drawn(
            ChartBuilder::on(&area)
                .margin(8)
                .x_label_area_size(28)
                .y_label_area_size(70)
                .build_cartesian_2d(0..last, 0.0..(highest * 1.05).max(1e-9)),
        )?;
        let day = |place: &usize| days.get(*place).map(|(day, _)| (*day).to_owned()).unwrap_or_default();
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh().x_labels(8).y_labels(5).x_label_formatter(&day).y_label_formatter(&dollars);
        drawn(mesh.draw())?;
        let of = |amount: fn(&Sums) -> Usd| {
            days.iter().enumerate().map(move |(place, (_, sums))| (place, amount(sums).as_f64()))
        };
        let mut draw = |amount: fn(&Sums) -> Usd, color: RGBColor| -> Result<()> {
            drawn(chart.draw_series(LineSeries::new(of(amount), color.stroke_width(2))))?;
            // A single day is no line.
            drawn(chart.draw_series(of(amount).map(|point| Circle::new(point, 2, color.filled())))).map(drop)
        };
        if has_before {
            draw(|sums| sums.before, OLD)?;
        }
        draw(|sums| sums.cost, NEW)?;
        drawn(area.present())?;
    }
    Ok(svg)
}

/// Draws spend as bars from left to right, with that by the other map below each. Returns nothing if there are no rows.
fn bars(rows: &[(&str, Sums)], has_before: bool) -> Result<String> {
    let mut svg = String::new();
    if rows.is_empty() {
        return Ok(svg);
    }
    let highest =
        rows.iter().map(|(_, sums)| sums.cost.as_f64().max(sums.before.as_f64())).fold(0.0, f64::max);
    let count = i32::try_from(rows.len())?;
    {
        let height = u32::try_from(rows.len())?.max(1) * 26 + 40;
        let area = SVGBackend::with_string(&mut svg, (900, height)).into_drawing_area();
        let mut chart = drawn(
            ChartBuilder::on(&area)
                .margin(8)
                .x_label_area_size(24)
                .y_label_area_size(320)
                .build_cartesian_2d(0.0..(highest * 1.05).max(1e-9), (0..count.max(1)).into_segmented()),
        )?;
        // The first row is the topmost.
        let place = |row: usize| count - 1 - i32::try_from(row).unwrap_or(0);
        let name = |segment: &SegmentValue<i32>| match segment {
            SegmentValue::CenterOf(value) => usize::try_from(count - 1 - value)
                .ok()
                .and_then(|row| rows.get(row))
                .map(|(name, _)| (*name).to_owned())
                .unwrap_or_default(),
            _ => String::new(),
        };
        let mut mesh = chart.configure_mesh();
        mesh.disable_y_mesh()
            .x_labels(6)
            .y_labels(rows.len())
            .x_label_formatter(&dollars)
            .y_label_formatter(&name);
        drawn(mesh.draw())?;
        let mut draw = |of: fn(&Sums) -> Usd, color: RGBColor, margins: (u32, u32)| {
            let bar = |(row, (_, sums)): (usize, &(&str, Sums))| {
                let (from, to) = (SegmentValue::Exact(place(row)), SegmentValue::Exact(place(row) + 1));
                let mut bar = Rectangle::new([(0.0, from), (of(sums).as_f64(), to)], color.filled());
                bar.set_margin(margins.0, margins.1, 0, 0);
                bar
            };
            drawn(chart.draw_series(rows.iter().enumerate().map(bar))).map(drop)
        };
        let full = if has_before { (4, 13) } else { (4, 4) };
        draw(|sums| sums.cost, NEW, full)?;
        if has_before {
            draw(|sums| sums.before, OLD, (13, 4))?;
        }
        drawn(area.present())?;
    }
    Ok(svg)
}

/// Returns dollars at an axis.
fn dollars(amount: &f64) -> String {
    let decimals = match *amount {
        0.0 | 1_000.0.. => 0,
        1.0.. => 2,
        _ => 6,
    };
    format!("${amount:.decimals$}")
}
