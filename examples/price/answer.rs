//! A line of output.

use std::fmt::Display;
use std::sync::Arc;

use llm_costmap::accounting::{PricingSnapshot, UnpricedEvent};
use llm_costmap::cost::Note;
use llm_costmap::history::{AsOf, History};
use llm_costmap::lookup::{FoundBy, Match};
use llm_costmap::wire::Format;
use llm_costmap::{Call, Error, Lookup, ModelInfo, RetiredModels, Snapshot, Usage, Usd};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::options::Options;
use crate::request::{Received, Request};

/// The outcome of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Priced,
    /// Something that the call used has no price.
    Incomplete,
    Described,
    Unknown,
    /// The call is not valid, or has no usage.
    Failed,
    /// The line is neither a call nor a name.
    Invalid,
}

/// An answer, with what totals are made of.
pub(crate) struct Answer<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) line: Line<'a>,
    pub(crate) provider: Option<String>,
    pub(crate) day: Option<String>,
    /// The error of a call that has no price.
    unpriced: Option<Error>,
}

/// The fields of an answer, in their order.
#[derive(Default, Serialize)]
pub(crate) struct Line<'a> {
    /// The number of a line that is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    #[serde(skip_serializing_if = "Id::is_none")]
    pub(crate) id: Id<'a>,
    #[serde(flatten)]
    pub(crate) amounts: Option<Amounts>,
    #[serde(flatten)]
    pub(crate) info: Option<Info>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<Format>,
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub(crate) is_final: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Kept>,
}

/// What LiteLLM's accounting keeps of a call.
#[derive(Serialize)]
#[serde(untagged)]
enum Kept {
    Priced(Box<PricingSnapshot>),
    Unpriced(UnpricedEvent),
}

/// The id of a line, which is echoed.
#[derive(Default, Serialize)]
#[serde(untagged)]
pub(crate) enum Id<'a> {
    /// The line has no room for an id.
    #[default]
    None,
    /// Null if the line could have an id, and has none.
    Echo(Option<&'a RawValue>),
}

impl Id<'_> {
    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Returns the id of an event about the line: the id of the line as text, or the line's number.
    fn of_event(&self, number: u64) -> String {
        let id = match self {
            Self::Echo(Some(id)) => serde_json::from_str(id.get()).unwrap_or_else(|_| id.get().to_owned()),
            Self::None | Self::Echo(None) => String::new(),
        };
        if matches!(&*id, "" | "null") { format!("line {number}") } else { id }
    }
}

#[derive(Serialize)]
pub(crate) struct Amounts {
    pub(crate) key: String,
    pub(crate) input: Usd,
    pub(crate) output: Usd,
    pub(crate) tools: Usd,
    pub(crate) total: Usd,
    pub(crate) complete: bool,
    /// True if the model left the map, and the amounts are those of its last prices.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retired: bool,
}

#[derive(Serialize)]
pub(crate) struct Info {
    /// The key of the model's own entry, or the name that fallback rules describe. Null if the model
    /// has neither.
    key: Option<String>,
    /// The key that calls to the model are priced under.
    priced_by: String,
    found_by: FoundBy,
    how: String,
    model_info: ModelInfo<'static>,
}

/// Answers lines.
pub(crate) struct Pricer<'a> {
    pub(crate) prices: Prices,
    pub(crate) options: &'a Options,
}

/// The prices of calls.
pub(crate) enum Prices {
    /// Those of one map.
    Map(Arc<Snapshot>),
    /// Those that were in force at the time of each call.
    History(History),
}

impl Prices {
    /// Returns the prices of a line.
    fn of(&self, request: &Request<'_>, options: &Options) -> Result<Arc<Snapshot>, String> {
        let history = match self {
            Self::Map(snapshot) => return Ok(snapshot.clone()),
            Self::History(history) => history,
        };
        let at = request.time()?.ok_or("missing field `at`: a history has prices of each time")?;
        let mut as_of = AsOf::new(at.into());
        if let Some(recorded) = options.recorded_by {
            as_of = as_of.recorded_by(recorded);
        }
        Ok(history.at(if options.retired { as_of.retired(RetiredModels::Keep) } else { as_of }))
    }
}

impl Pricer<'_> {
    /// Answers a line. Returns `None` if there is nothing to answer.
    pub(crate) fn answer<'t>(&self, text: &'t str, number: u64) -> Option<Answer<'t>> {
        let mut answer = self.answer_text(text, number)?;
        if self.options.snapshot && answer.outcome != Outcome::Described && answer.line.snapshot.is_none() {
            let id = answer.line.id.of_event(number);
            let message = answer.line.message.as_deref().unwrap_or_default();
            let unpriced = match &answer.unpriced {
                Some(error) => UnpricedEvent::new(id, error),
                None => UnpricedEvent::because(id, message),
            };
            answer.line.snapshot = Some(Kept::Unpriced(unpriced));
        }
        Some(answer)
    }

    fn answer_text<'t>(&self, text: &'t str, number: u64) -> Option<Answer<'t>> {
        let text = text.strip_prefix("data:").map_or(text, str::trim_start);
        if text.is_empty() || text == "[DONE]" {
            return None;
        }
        if text.starts_with('{') {
            return Some(match serde_json::from_str::<Request<'_>>(text) {
                Ok(request) => self.answer_request(&request),
                Err(error) if error.is_data() => failed(OnlyId::of(text), "invalid_call", error),
                Err(error) => invalid(number, "invalid_json", error),
            });
        }
        if text.starts_with('[') {
            return Some(match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => failed(None, "invalid_call", "a call is an object"),
                Err(error) => invalid(number, "invalid_json", error),
            });
        }
        // A bare name needs no quotes.
        let name = match serde_json::from_str::<String>(text) {
            Ok(name) => name,
            Err(_) if is_plainly_a_name(text) => text.to_owned(),
            Err(_) => return Some(invalid(number, "invalid_line", "neither JSON nor the name of a model")),
        };
        let request = Request::named(name);
        Some(self.answer_request(&request))
    }

    fn answer_request<'t>(&self, request: &Request<'t>) -> Answer<'t> {
        let received = match request.received() {
            Ok(received) => received,
            Err(message) => return failed(request.id, "invalid_call", message),
        };
        let Some(received) = received else {
            let Some(lookup) = self.lookup(request, None) else {
                return failed(request.id, "invalid_call", "missing field `model`");
            };
            let measured = match request.measured() {
                Ok(measured) => measured,
                Err(message) => return failed(request.id, "invalid_call", message),
            };
            return match (&measured, &request.usage) {
                (Some(measured), usage) => {
                    let call = usage.as_ref().map_or_else(|| measured.call(), Call::new);
                    self.price(request, lookup, call.units(&measured.units))
                }
                (None, Some(usage)) => self.price(request, lookup, Call::new(usage)),
                (None, None) => self.describe(request, lookup),
            };
        };
        let Received { response, is_final, stream_error } = received;
        let mut answer = match &response {
            Err(error) => failed(request.id, error.code(), error),
            Ok(response) => match self.lookup(request, Some(response)) {
                Some(lookup) => self.price(request, lookup, response.call()),
                None => {
                    failed(request.id, "unknown_model", "neither the line nor the response names a model")
                }
            },
        };
        answer.line.format = response.as_ref().ok().map(llm_costmap::wire::Response::format);
        answer.line.usage = response.ok().map(|response| response.usage().clone());
        answer.line.is_final = is_final;
        answer.line.stream_error = stream_error.map(|error| error.to_string());
        answer
    }

    fn lookup<'n>(
        &'n self,
        request: &'n Request<'_>,
        response: Option<&'n llm_costmap::wire::Response>,
    ) -> Option<Lookup<'n>> {
        request.lookup(response, self.options.provider.as_deref(), self.options.strict)
    }

    fn price<'t>(&self, request: &Request<'t>, lookup: Lookup<'_>, call: Call<'_>) -> Answer<'t> {
        let call = match request.describe(call) {
            Ok(call) => call,
            Err(message) => return failed(request.id, "invalid_call", message),
        };
        let prices = match self.prices.of(request, self.options) {
            Ok(prices) => prices,
            Err(message) => return failed(request.id, "invalid_call", message),
        };
        let (mut snapshot, mut unpriced) = (None, None);
        let (outcome, amounts) = match prices.cost(lookup, call) {
            Ok(cost) => {
                if self.options.snapshot {
                    snapshot = Some(Kept::Priced(Box::new(PricingSnapshot::new(&cost, lookup, call))));
                }
                let (input, output, tools) = (cost.input(), cost.output(), cost.tools());
                let (key, total) = (cost.key().to_owned(), cost.total());
                let retired = cost.notes().any(|note| note == Note::Retired);
                (Outcome::Priced, Amounts { key, input, output, tools, total, complete: true, retired })
            }
            Err(Error::Unpriced(bill)) => {
                let (input, output, tools) = (bill.known_input(), bill.known_output(), bill.known_tools());
                let (key, total) = (bill.key().to_owned(), bill.known_total());
                let retired = bill.notes().any(|note| note == Note::Retired);
                unpriced = Some(Error::Unpriced(bill));
                (Outcome::Incomplete, Amounts { key, input, output, tools, total, complete: false, retired })
            }
            Err(error) => return self.fail(request, &error),
        };
        let entry = || prices.get(&amounts.key).and_then(|model| model.litellm_provider());
        let asked = request.provider.as_deref().or(self.options.provider.as_deref());
        let provider = asked.map(str::to_owned).or_else(|| self.options.by.and_then(|_| entry()));
        let line = Line { id: Id::Echo(request.id), amounts: Some(amounts), snapshot, ..Line::default() };
        Answer { outcome, line, provider, day: request.day(), unpriced }
    }

    fn describe<'t>(&self, request: &Request<'t>, lookup: Lookup<'_>) -> Answer<'t> {
        let prices = match self.prices.of(request, self.options) {
            Ok(prices) => prices,
            Err(message) => return failed(request.id, "invalid_call", message),
        };
        let found = match prices.resolve(lookup) {
            Ok(found) => found,
            Err(error) => return self.fail(request, &error),
        };
        let found_by = found.found_by();
        let has_entry = !matches!(found_by.matched, Match::StandIn | Match::SelfHosted);
        let info = Info {
            key: has_entry.then(|| found.key().to_owned()),
            priced_by: found.key().to_owned(),
            found_by,
            how: found_by.to_string(),
            model_info: found.model_info().into_owned(),
        };
        let line = Line { id: Id::Echo(request.id), info: Some(info), ..Line::default() };
        Answer { outcome: Outcome::Described, line, provider: None, day: None, unpriced: None }
    }

    fn fail<'t>(&self, request: &Request<'t>, error: &Error) -> Answer<'t> {
        match error {
            // The message of the error searches for similar names.
            Error::UnknownModel(unknown) if !self.options.suggest => {
                let message = format!("unknown model {:?}: --suggest shows similar names", unknown.model());
                Answer { outcome: Outcome::Unknown, ..failed(request.id, error.code(), message) }
            }
            Error::UnknownModel(_) | Error::NoPriceAt { .. } => {
                Answer { outcome: Outcome::Unknown, ..failed(request.id, error.code(), error) }
            }
            _ => failed(request.id, error.code(), error),
        }
    }
}

/// Returns whether a text can only be meant as the name of a model.
fn is_plainly_a_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "-_./:@#+~[]()".contains(c))
}

fn failed<'t>(id: Option<&'t RawValue>, code: &'static str, message: impl Display) -> Answer<'t> {
    let (error, message) = (Some(code), Some(format!("{message}")));
    let line = Line { id: Id::Echo(id), error, message, ..Line::default() };
    Answer { outcome: Outcome::Failed, line, provider: None, day: None, unpriced: None }
}

fn invalid(number: u64, code: &'static str, message: impl Display) -> Answer<'static> {
    let (error, message) = (Some(code), Some(format!("{message}")));
    let line = Line { line: Some(number), error, message, ..Line::default() };
    Answer { outcome: Outcome::Invalid, line, provider: None, day: None, unpriced: None }
}

/// The id of a line that is not a valid call, for its error.
#[derive(serde::Deserialize)]
struct OnlyId<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl<'a> OnlyId<'a> {
    fn of(text: &'a str) -> Option<&'a RawValue> {
        serde_json::from_str::<Self>(text).ok().and_then(|only| only.id)
    }
}
