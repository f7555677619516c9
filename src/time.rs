//! Times and durations as they are serialised: RFC 3339 in UTC, as Python's `isoformat` writes it, and
//! seconds.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Formats a time as in `2026-11-21T07:21:26.500000+00:00`: the form of LiteLLM's endpoints, and the one
/// that `datetime.fromisoformat` of every Python 3 reads. It has no finer unit, and before Python 3.11 no
/// `Z`. Returns `None` if the time is beyond the year 9999.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string())
}

/// Rounds a time down to the microsecond, which is what [`rfc3339`] keeps. Returns `None` if the time is
/// beyond the year 9999.
pub(crate) fn to_micros(time: SystemTime) -> Option<SystemTime> {
    let micros = Timestamp::try_from(time).ok()?.as_nanosecond().div_euclid(1_000);
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok().map(SystemTime::from)
}

/// Returns the microseconds from 1970 to a time, rounded down. Times that do not fit become the first or the
/// last that does.
pub(crate) fn as_micros(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            let nanos = before.duration().as_nanos();
            i64::try_from(nanos.div_ceil(1_000)).map_or(i64::MIN, |micros| -micros)
        }
    }
}

/// Returns the time that is so many microseconds after 1970.
pub(crate) fn of_micros(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if micros < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) };
    // Times of every system reach further than that.
    time.unwrap_or(epoch)
}

// serde prescribes the signature.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339(*time).serialize(serializer)
}

#[allow(clippy::ref_option)]
pub(crate) fn serialize_option<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.and_then(rfc3339).serialize(serializer)
}

/// Reads a time in RFC 3339.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let time: Timestamp = String::deserialize(deserializer)?
        .parse()
        .map_err(|_| D::Error::custom("not a time in RFC 3339, such as 2026-11-21T07:21:26.500000+00:00"))?;
    Ok(time.into())
}

/// Reads a time in RFC 3339, or `null`.
pub(crate) fn deserialize_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SystemTime>, D::Error> {
    #[derive(Deserialize)]
    struct Time(#[serde(deserialize_with = "deserialize")] SystemTime);

    Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(time)| time))
}

/// Serialises a number of hours, as an integer if it is whole.
#[allow(clippy::ref_option)]
pub(crate) fn serialize_hours<S: Serializer>(hours: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    let whole = hours.filter(|hours| hours.fract() == 0.0 && (0.0..1e9).contains(hours));
    // In this range, the conversion loses nothing.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match whole {
        Some(whole) => serializer.serialize_some(&(whole as u64)),
        None => hours.serialize(serializer),
    }
}

/// Serialises a duration as seconds.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn serialize_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_secs_f64().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_as_endpoints_do() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_246_886_500);
        assert_eq!(rfc3339(time).as_deref(), Some("2026-11-21T07:41:26.500000+00:00"));
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_999);
        assert_eq!(rfc3339(time).as_deref(), Some("1970-01-01T00:00:00.000001+00:00"));
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)), None);
    }

    #[test]
    fn counts_microseconds_on_both_sides_of_1970() {
        for micros in [0, 1, -1, 1_795_246_886_500_001, -1_795_246_886_500_001] {
            assert_eq!(as_micros(of_micros(micros)), micros);
        }
        // A part of a microsecond is rounded down, also before 1970.
        assert_eq!(as_micros(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_999)), 1);
        assert_eq!(as_micros(SystemTime::UNIX_EPOCH - Duration::from_nanos(1)), -1);
    }

    #[test]
    fn writes_whole_hours_as_integers() {
        let written = |hours| {
            let mut text = Vec::new();
            serialize_hours(&hours, &mut serde_json::Serializer::new(&mut text)).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!([Some(6.0), Some(0.5), None].map(written), ["6", "0.5", "null"]);
    }
}
