//! The prices of a model over time, as SVG.

use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use llm_costmap::history::History;
use llm_costmap::{CostMap, Error, Usd};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};
use plotters::prelude::*;

/// The prices that are drawn, with their names and colours.
const PRICES: [(&str, &str, RGBColor); 4] = [
    ("input_cost_per_token", "input", RGBColor(31, 90, 166)),
    ("output_cost_per_token", "output", RGBColor(200, 80, 30)),
    ("cache_read_input_token_cost", "cache read", RGBColor(60, 140, 90)),
    ("cache_creation_input_token_cost", "cache write", RGBColor(140, 90, 160)),
];

/// The seconds of a day.
const DAY: i64 = 86_400;

/// A price from an instant on, in US dollars for a million tokens. `None` if there is none.
type Step = (i64, Option<f64>);

/// Draws the token prices of a model from one instant to another.
pub(crate) fn draw(
    history: &History,
    model: &str,
    from: Option<SystemTime>,
    to: Option<SystemTime>,
) -> Result<String> {
    let points = history.points(model);
    let first =
        points.first().with_context(|| format!("{model} is no key of the ledger{}", near(history, model)))?;
    let seconds = |at: SystemTime| Timestamp::try_from(at).map(Timestamp::as_second);
    let start = seconds(from.unwrap_or(first.effective_from))?;
    let end = seconds(to.unwrap_or_else(SystemTime::now))?;
    ensure!(
        start < end,
        "the chart would end before it begins: write --from DAY and --to DAY in their order"
    );
    let series = PRICES.map(|(field, name, colour)| {
        let steps = points.iter().map(|point| {
            let row = history.at(point.effective_from);
            let row = row.resolve(llm_costmap::Lookup::new(model)).ok().filter(|found| found.key() == model);
            let price: Option<Usd> = row.and_then(|row| row.model_info().field(field));
            let at = Timestamp::try_from(point.effective_from).map_or(start, Timestamp::as_second);
            (at, price.map(|price| price.as_f64() * 1e6))
        });
        (name, colour, steps.collect::<Vec<Step>>())
    });
    let prices = series.iter().flat_map(|(_, _, steps)| steps.iter().filter_map(|(_, price)| *price));
    let highest = prices.fold(0.0, f64::max);
    ensure!(highest > 0.0, "{model} has no price of a token at any time of the ledger");

    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (960, 420)).into_drawing_area();
        drawn(area.fill(&WHITE))?;
        let mut chart = drawn(
            ChartBuilder::on(&area)
                .caption(format!("{model}, USD per million tokens"), ("sans-serif", 18))
                .margin(12)
                .x_label_area_size(32)
                .y_label_area_size(64)
                .build_cartesian_2d(Days(start, end), 0.0..highest * 1.3),
        )?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh().x_labels(8).y_labels(6).x_label_formatter(&day).y_label_formatter(&dollars);
        drawn(mesh.draw())?;
        for (name, colour, steps) in &series {
            let mut lines = lines(steps, start, end).into_iter().peekable();
            if lines.peek().is_none() {
                continue;
            }
            let first = lines.next().unwrap_or_default();
            let drawn_first = drawn(chart.draw_series(LineSeries::new(first, colour.stroke_width(2))))?;
            drawn_first
                .label(*name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 1), (x + 16, y + 1)], colour.filled()));
            for line in lines {
                drawn(chart.draw_series(LineSeries::new(line, colour.stroke_width(2))))?;
            }
        }
        let mut labels = chart.configure_series_labels();
        labels
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3));
        drawn(labels.draw())?;
        drawn(area.present())?;
    }
    Ok(svg)
}

/// Returns the lines of a price: a step at each change, and a gap where there is none.
fn lines(steps: &[Step], start: i64, end: i64) -> Vec<Vec<(i64, f64)>> {
    let mut lines = Vec::new();
    let mut line: Vec<(i64, f64)> = Vec::new();
    let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
    for ((at, price), next) in steps.iter().zip(ends) {
        let (from, to) = ((*at).max(start), next.min(end));
        match price {
            Some(price) if from < to => line.extend([(from, *price), (to, *price)]),
            None if !line.is_empty() => lines.push(std::mem::take(&mut line)),
            _ => {}
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Returns a sentence with keys that are spelled almost like a name.
pub(crate) fn near(history: &History, model: &str) -> String {
    let rows: Vec<String> = history
        .models()
        .iter()
        .map(|key| format!("{}:{{}}", serde_json::Value::from(key.as_str())))
        .collect();
    let near = CostMap::from_json(format!("{{{}}}", rows.join(","))).map(|map| {
        let snapshot = map.snapshot();
        snapshot.near_names(model).iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    });
    match near {
        Ok(near) if !near.is_empty() => format!(": did you mean {}?", near.join(", ")),
        Ok(_) | Err(Error::InvalidMap { .. } | _) => String::new(),
    }
}

/// Converts the errors of charts.
fn drawn<T, E: std::error::Error + Send + Sync + 'static>(drawn: Result<T, E>) -> Result<T> {
    drawn.map_err(|error| anyhow::anyhow!("cannot draw the chart: {error}"))
}

/// Returns a day at an axis.
fn day(at: &i64) -> String {
    Timestamp::from_second(*at).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// Returns a price at an axis.
fn dollars(price: &f64) -> String {
    format!("{price:.2}")
}

/// The seconds of a chart, with its marks at the beginnings of days.
struct Days(i64, i64);

impl Ranged for Days {
    type FormatOption = NoDefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, limit: (i32, i32)) -> i32 {
        let share = (value - self.0) as f64 / (self.1 - self.0) as f64;
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<i64> {
        let most = i64::try_from(hint.max_num_points()).unwrap_or(1).max(1);
        let days = (self.1 - self.0) / DAY + 1;
        let step = (days / most + 1) * DAY;
        let first = self.0.div_euclid(DAY) * DAY + if self.0.rem_euclid(DAY) == 0 { 0 } else { DAY };
        (0..).map(|mark| first + mark * step).take_while(|mark| *mark <= self.1).collect()
    }

    fn range(&self) -> std::ops::Range<i64> {
        self.0..self.1
    }
}

impl plotters::coord::ranged1d::ValueFormatter<i64> for Days {
    fn format(value: &i64) -> String {
        day(value)
    }
}
