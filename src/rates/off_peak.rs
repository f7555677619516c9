//! The hours of off-peak rates: windows of UTC time, on weekdays of a calendar.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::json;
use crate::text::clip;

/// The hours of an `off_peak_pricing` block.
#[derive(Debug)]
pub(crate) struct OffPeakHours {
    rules: Box<[HoursRule]>,
    /// The time zone of the weekdays; `None` is UTC.
    zone: Option<TimeZone>,
}

#[derive(Debug)]
struct HoursRule {
    /// Bit `n` for ISO weekday `n + 1`, Monday first; `None` for every day.
    days: Option<u8>,
    windows: Box<[Window]>,
}

/// A window from `start` inclusive to `end` exclusive, in minutes of the UTC day.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    start: u16,
    end: u16,
}

impl Window {
    fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Some(Self { start: minutes(start)?, end: minutes(end)? })
    }

    fn contains(&self, minute: u16) -> bool {
        if self.start < self.end {
            (self.start..self.end).contains(&minute)
        } else {
            // The window wraps past midnight. Equal ends are the whole day.
            minute >= self.start || minute < self.end
        }
    }
}

/// Parses `HH:MM` into minutes of the day.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let part = |text: &str, limit: u16| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|n| plain && *n < limit)
    };
    Some(part(hours, 24)? * 60 + part(minutes, 60)?)
}

const WEEKDAYS: [(&str, u8); 17] = [
    ("mon", 0),
    ("monday", 0),
    ("tue", 1),
    ("tues", 1),
    ("tuesday", 1),
    ("wed", 2),
    ("wednesday", 2),
    ("thu", 3),
    ("thur", 3),
    ("thurs", 3),
    ("thursday", 3),
    ("fri", 4),
    ("friday", 4),
    ("sat", 5),
    ("saturday", 5),
    ("sun", 6),
    ("sunday", 6),
];

/// Parses a weekday from `1` to `7` or an English name. Monday is 0 in the result.
fn weekday(json: &str) -> Option<u8> {
    match json::text(json) {
        Some(name) => {
            let name = name.trim();
            WEEKDAYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, day)| *day)
        }
        None => json.parse::<u8>().ok().filter(|day| (1..=7).contains(day)).map(|day| day - 1),
    }
}

impl OffPeakHours {
    /// Reads a block. Unreadable parts are left out and reported in `warnings`.
    pub(crate) fn parse(block: &[json::JsonField<'_>], warnings: &mut Vec<String>) -> Self {
        let mut rules = Vec::new();
        if let Some(hours) = json::get(block, "hours_utc") {
            let windows = parse_windows(hours, warnings);
            rules.push(HoursRule { days: None, windows });
        }
        if let Some(windows) = json::get(block, "windows") {
            match json::list(windows) {
                Ok(entries) => {
                    rules.extend(entries.iter().filter_map(|entry| HoursRule::parse(entry, warnings)));
                }
                Err(_) => warnings.push(format!("off_peak_pricing.windows: not a list: {}", clip(windows))),
            }
        }
        let zone = json::get(block, "weekday_timezone").and_then(|json| {
            let found = match json::text(json) {
                Some(name) => {
                    TimeZone::get(name.trim()).map_err(|_| format!("no time zone {:?}", clip(&name)))
                }
                None => Err(format!("not a name: {}", clip(json))),
            };
            let said =
                |reason| format!("off_peak_pricing.weekday_timezone: {reason}; weekdays are read in UTC");
            found.map_err(|reason| warnings.push(said(reason))).ok()
        });
        rules.retain(|rule| !rule.windows.is_empty());
        Self { rules: rules.into(), zone }
    }

    /// Returns whether a moment, in seconds since 1970, is off-peak.
    pub(crate) fn contains(&self, unix_seconds: i64) -> bool {
        let minute = u16::try_from(unix_seconds.rem_euclid(86_400) / 60).unwrap_or(0);
        self.rules.iter().any(|rule| {
            rule.windows.iter().any(|window| window.contains(minute))
                && rule.days.is_none_or(|days| days & (1 << self.weekday(unix_seconds)) != 0)
        })
    }

    /// Returns the weekday on the block's calendar. Monday is 0.
    fn weekday(&self, unix_seconds: i64) -> u8 {
        let local = self.zone.as_ref().and_then(|zone| {
            let moment = jiff::Timestamp::from_second(unix_seconds).ok()?;
            Some(zone.to_datetime(moment).weekday())
        });
        let day = match local {
            Some(Weekday::Monday) => 0,
            Some(Weekday::Tuesday) => 1,
            Some(Weekday::Wednesday) => 2,
            Some(Weekday::Thursday) => 3,
            Some(Weekday::Friday) => 4,
            Some(Weekday::Saturday) => 5,
            Some(Weekday::Sunday) => 6,
            // 1970-01-01 was a Thursday.
            None => (unix_seconds.div_euclid(86_400) + 3).rem_euclid(7),
        };
        u8::try_from(day).unwrap_or(0)
    }
}

impl HoursRule {
    fn parse(entry: &str, warnings: &mut Vec<String>) -> Option<Self> {
        let Ok(fields) = json::fields(entry) else {
            warnings.push(format!("off_peak_pricing.windows: not an object: {}", clip(entry)));
            return None;
        };
        let days = json::get(&fields, "weekdays").map(|days| {
            let Ok(days) = json::list(days) else {
                warnings.push(format!("off_peak_pricing.windows.weekdays: not a list: {}", clip(days)));
                return 0;
            };
            let mut mask = 0u8;
            for day in days {
                match weekday(day) {
                    Some(day) => mask |= 1 << day,
                    None => {
                        warnings
                            .push(format!("off_peak_pricing.windows.weekdays: no weekday: {}", clip(day)));
                    }
                }
            }
            mask
        });
        let windows = parse_windows(json::get(&fields, "hours_utc")?, warnings);
        Some(Self { days, windows })
    }
}

fn parse_windows(hours: &str, warnings: &mut Vec<String>) -> Box<[Window]> {
    let texts = json::list(hours).unwrap_or_else(|_| vec![hours]);
    texts
        .into_iter()
        .filter_map(|json| {
            let window = json::text(json).as_deref().and_then(Window::parse);
            if window.is_none() {
                warnings.push(format!("off_peak_pricing.hours_utc: not HH:MM-HH:MM: {}", clip(json)));
            }
            window
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(json: &str) -> (OffPeakHours, Vec<String>) {
        let mut warnings = Vec::new();
        let block = json::fields(json).unwrap_or_else(|e| panic!("{e}"));
        (OffPeakHours::parse(&block, &mut warnings), warnings)
    }

    fn at(time: &str) -> i64 {
        time.parse::<jiff::Timestamp>().map_or_else(|e| panic!("{time}: {e}"), jiff::Timestamp::as_second)
    }

    fn check(json: &str, expected: &[(&str, bool)]) {
        let (hours, warnings) = hours(json);
        assert_eq!(warnings, Vec::<String>::new());
        for (time, open) in expected {
            assert_eq!(hours.contains(at(time)), *open, "{time}");
        }
    }

    #[test]
    fn a_window_starts_in_and_ends_out() {
        check(
            r#"{"hours_utc": "16:30-18:00"}"#,
            &[
                ("2026-11-18T16:29:59Z", false),
                ("2026-11-18T16:30:00Z", true),
                ("2026-11-18T17:59:59Z", true),
                ("2026-11-18T18:00:00Z", false),
            ],
        );
    }

    #[test]
    fn a_window_wraps_midnight() {
        check(
            r#"{"hours_utc": ["16:30-00:30"]}"#,
            &[
                ("2026-11-18T23:59:00Z", true),
                ("2026-11-19T00:00:00Z", true),
                ("2026-11-19T00:29:59Z", true),
                ("2026-11-19T00:30:00Z", false),
            ],
        );
    }

    #[test]
    fn equal_ends_are_the_whole_day() {
        check(
            r#"{"windows": [{"hours_utc": "00:00-00:00", "weekdays": [6, "sunday"]}]}"#,
            &[
                ("2026-11-20T23:59:59Z", false),
                ("2026-11-21T00:00:00Z", true),
                ("2026-11-22T23:59:59Z", true),
                ("2026-11-23T00:00:00Z", false),
            ],
        );
    }

    #[test]
    fn the_tail_of_a_window_counts_on_its_own_day() {
        // Sunday's window wraps past midnight. The hours of Monday morning do not count, those of
        // Sunday morning do.
        check(
            r#"{"windows": [{"hours_utc": "22:00-02:00", "weekdays": ["Sun"]}]}"#,
            &[
                ("2026-11-22T01:59:00Z", true),
                ("2026-11-22T23:00:00Z", true),
                ("2026-11-23T01:00:00Z", false),
            ],
        );
    }

    #[test]
    fn weekdays_are_read_on_the_named_calendar() {
        // Monday 00:30 in Shanghai is Sunday 16:30 in UTC.
        check(
            r#"{"weekday_timezone": "Asia/Shanghai", "windows": [{"hours_utc": "16:00-17:00", "weekdays": [1]}]}"#,
            &[
                ("2026-11-22T15:59:59Z", false),
                ("2026-11-22T16:00:00Z", true),
                ("2026-11-22T16:59:59Z", true),
                ("2026-11-23T16:30:00Z", false),
            ],
        );
    }

    #[test]
    fn dates_before_1970_have_weekdays_too() {
        check(
            r#"{"windows": [{"hours_utc": "00:00-00:00", "weekdays": ["wed"]}]}"#,
            &[("1969-12-31T12:00:00Z", true), ("1970-01-01T00:00:00Z", false)],
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_said() {
        let (hours, warnings) = hours(
            r#"{"hours_utc": ["25:00-26:00", 7, "01:00-02:00"], "weekday_timezone": "Mars/Olympus",
                "windows": [3, {"hours_utc": "03:00-04:00", "weekdays": ["Funday", 8]}, {"weekdays": [1]}, {"hours_utc": null}]}"#,
        );
        assert_eq!(
            warnings,
            [
                "off_peak_pricing.hours_utc: not HH:MM-HH:MM: \"25:00-26:00\"",
                "off_peak_pricing.hours_utc: not HH:MM-HH:MM: 7",
                "off_peak_pricing.windows: not an object: 3",
                "off_peak_pricing.windows.weekdays: no weekday: \"Funday\"",
                "off_peak_pricing.windows.weekdays: no weekday: 8",
                "off_peak_pricing.weekday_timezone: no time zone \"Mars/Olympus\"; weekdays are read in UTC",
            ]
        );
        assert!(hours.contains(at("2026-11-18T01:30:00Z")));
        assert!(!hours.contains(at("2026-11-18T03:30:00Z")));
    }
}
