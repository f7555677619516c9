//! [`Size`]: the sizes that prices apply to.

use std::fmt;

/// A size that a price applies to, as fields and calls name it: a resolution such as `720p`, `4k`,
/// `0.5K` or `1024`, or a search context size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Size(
    /// A number in tenths, followed by a bit for whether it has a fraction, and by two bits for the
    /// unit. Never zero.
    u32,
);

impl Size {
    pub(crate) const LOW: Self = Self(1 << 3);
    pub(crate) const MEDIUM: Self = Self(2 << 3);
    pub(crate) const HIGH: Self = Self(3 << 3);

    /// Returns a number that is unique to the size, and not zero.
    pub(super) const fn as_u32(self) -> u32 {
        self.0
    }

    /// Returns the size of a number that [`as_u32`](Self::as_u32) returned; `None` for zero.
    pub(super) fn from_u32(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    const UNITS: [&'static str; 4] = ["", "p", "k", "K"];
    const FRACTION: u32 = 1 << 2;

    /// Reads a resolution. Returns `None` for texts of another form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = Self::UNITS.iter().position(|unit| text.strip_prefix(digits) == Some(unit))?;
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if fraction.len() == 1 => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 6 || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        // A number that is written otherwise, such as `0720`, would not be shown as it was read.
        if whole.starts_with('0') && whole != "0" {
            return None;
        }
        let tenths = whole.parse::<u32>().ok()? * 10 + fraction.parse().unwrap_or(0);
        let has_fraction = if fraction.is_empty() { 0 } else { Self::FRACTION };
        let unit = u32::try_from(unit).ok()?;
        (tenths > 0).then_some(Self(tenths << 3 | has_fraction | unit))
    }

    /// Returns whether both are the same size: `2K` is the same as `2k`.
    pub(crate) fn is_same(self, other: Self) -> bool {
        let unit = |size: Self| (size.0 & 3).min(2);
        self.0 >> 3 == other.0 >> 3 && unit(self) == unit(other)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0 >> 3;
        write!(f, "{}", tenths / 10)?;
        if self.0 & Self::FRACTION != 0 {
            write!(f, ".{}", tenths % 10)?;
        }
        f.write_str(Self::UNITS.get((self.0 & 3) as usize).unwrap_or(&""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_same_in_any_case() {
        let size = |text: &str| Size::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert!(size("2K").is_same(size("2k")) && size("0.5K").is_same(size("0.5k")));
        for (one, other) in [("2K", "2"), ("720p", "720"), ("1080p", "1080k"), ("2K", "20K")] {
            assert!(!size(one).is_same(size(other)), "{one} {other}");
        }
        for text in ["", "p", "K", "0", "-1", "1.25K", "1.K", "01K", "1234567p", "2M", "1e3", "wide", "٣p"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
    }
}
