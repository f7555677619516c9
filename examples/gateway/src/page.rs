//! The books of what was spent, and who looks at them: people at `GET /`, Prometheus at `GET /metrics`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse};
use llm_costmap::accounting::CostSum;
use llm_costmap::cost::Unit;
use llm_costmap::reload::{ReloadReport, ScheduleStatus, SourceInfo};
use llm_costmap::{Cost, Error, Usd, wire};

use crate::{Answer, App, Failure, Shared};

/// What was spent since the start, and what became of reloads.
#[derive(Clone, Default)]
pub struct Ledger {
    total: CostSum,
    /// By the key of the map that priced the calls, and by provider.
    sums: BTreeMap<(String, String), CostSum>,
    /// By minute and key, of the last hour.
    minutes: BTreeMap<(i64, String), CostSum>,
    /// The last reason that a call has no price.
    problem: Option<String>,
    replaced: u64,
    failed: u64,
    /// The last reload that replaced the map.
    reload: Option<Arc<ReloadReport>>,
}

/// The most keys that are told apart: deployments with a `*` let clients choose names.
const MOST: usize = 1_000;

fn this_minute() -> i64 {
    jiff::Timestamp::now().as_second() / 60
}

impl Ledger {
    pub fn add(&mut self, provider: &str, outcome: &Result<Cost, Error>) {
        let key = match outcome {
            Ok(cost) => cost.key(),
            Err(Error::Unpriced(bill)) => bill.key(),
            Err(_) => "unknown",
        };
        // What would end the text of a label of Prometheus.
        let mut entry = (key.replace(['"', '\\', '\n'], "_"), provider.to_owned());
        if self.sums.len() >= MOST && !self.sums.contains_key(&entry) {
            entry.0 = "other".to_owned();
        }
        self.minutes = self.minutes.split_off(&(this_minute() - 59, String::new()));
        let of_minute = self.minutes.entry((this_minute(), entry.0.clone())).or_default();
        let sums = [self.sums.entry(entry).or_default(), of_minute, &mut self.total];
        let added: Result<(), _> = sums.into_iter().try_for_each(|sum| sum.add_outcome(outcome));
        if let Some(error) = outcome.as_ref().err().or(added.as_ref().err()) {
            self.problem = Some(error.to_string());
        }
    }

    pub fn reloaded(&mut self, result: &Result<ReloadReport, Error>) {
        match result {
            Ok(report) => (self.replaced, self.reload) = (self.replaced + 1, Some(Arc::new(report.clone()))),
            Err(_) => self.failed += 1,
        }
    }

    /// Returns the sums, those of the highest spend first.
    fn by_spend(&self) -> Vec<(&(String, String), &CostSum)> {
        let mut sums: Vec<_> = self.sums.iter().collect();
        sums.sort_by_key(|(_, sum)| Reverse(sum.known_total()));
        sums
    }

    /// Returns the highest spend of a minute, and the bars of the chart: each with its minute of the hour, its
    /// model, what the model spent, and what it and those below it spent.
    fn chart(&self) -> (f64, Vec<(i64, &str, Usd, f64)>) {
        let mut of_minutes: BTreeMap<i64, f64> = BTreeMap::new();
        let bars = self.minutes.iter().map(|((minute, model), sum)| {
            let top = of_minutes.entry(*minute).or_default();
            *top += sum.known_total().as_f64();
            (59 - this_minute() + minute, model.as_str(), sum.known_total(), *top)
        });
        let bars = bars.filter(|(_, _, usd, _)| !usd.is_zero()).collect();
        (of_minutes.into_values().fold(0.0, f64::max), bars)
    }
}

/// Returns the tokens of a sum, by component.
fn tokens(sum: &CostSum) -> impl Iterator<Item = (String, String)> {
    let components = sum.components().filter(|(component, _)| component.unit() == Unit::Tokens);
    components.map(|(component, sum)| (component.to_string(), sum.quantity.to_string()))
}

/// Returns the colour of a model.
fn color(model: &str) -> String {
    let hue = model.bytes().fold(7, |hue, byte| (hue * 31 + u32::from(byte)) % 360);
    format!("hsl({hue} 60% 45%)")
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    seen: Seen,
    form: Pasted,
    /// The receipt, or the reason that there is none.
    priced: Option<Result<String, String>>,
}

/// What people and Prometheus see.
#[derive(Template)]
#[template(path = "metrics.txt")]
struct Seen {
    ledger: Ledger,
    source: SourceInfo,
    status: ScheduleStatus,
    /// The age of the live map in seconds.
    age: u64,
}

impl Seen {
    fn of(app: &App) -> Self {
        let (ledger, source) = (app.ledger.lock().clone(), app.map.source_info());
        let age = std::time::SystemTime::now().duration_since(source.loaded_at).unwrap_or_default().as_secs();
        Self { ledger, source, status: app.map.status(), age }
    }
}

#[derive(Default, serde::Deserialize)]
pub struct Pasted {
    model: String,
    body: String,
}

pub async fn metrics(State(app): Shared) -> Result<String, Failure> {
    Ok(Seen::of(&app).render()?)
}

pub async fn show(State(app): Shared) -> Answer {
    page(&app, Pasted::default(), None)
}

/// Prices a body that was pasted into the form.
pub async fn price(State(app): Shared, axum::Form(form): axum::Form<Pasted>) -> Answer {
    let served = wire::Response::read(form.body.as_bytes());
    let cost = served.and_then(|served| app.map.cost(served.lookup_or(form.model.trim()), &served));
    let priced = cost.map(|cost| cost.to_string()).map_err(|error| error.to_string());
    page(&app, form, Some(priced))
}

fn page(app: &App, form: Pasted, priced: Option<Result<String, String>>) -> Answer {
    let html = Page { seen: Seen::of(app), form, priced }.render()?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
    Ok(([("content-security-policy", policy)], Html(html)).into_response())
}
