//! The roles of a row's fields, by their names.

use hashbrown::HashMap;

use crate::currency;
use crate::rates::field::{self, Kind, SEARCH_CONTEXT};

/// The role of a field in its row: the part of the row that the value is read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Provider,
    Mode,
    Aliases,
    TieredPricing,
    OffPeakPricing,
    /// `provider_specific_entry`.
    Specific,
    SearchContext,
    /// `web_search_billing_unit`.
    SearchUnit,
    /// `regional_endpoint_uplift_multiplier`.
    VertexFactor,
    /// `regional_processing_uplift_multiplier_REGION`.
    ResidencyFactor,
    Currency,
    Price(Kind),
}

/// Returns the region of a multiplier's name.
pub(super) fn region(name: &str) -> Option<&str> {
    name.strip_prefix("regional_processing_uplift_multiplier_")
}

impl Role {
    fn of(name: &str) -> Self {
        match name {
            "litellm_provider" => Self::Provider,
            "mode" => Self::Mode,
            "aliases" => Self::Aliases,
            "tiered_pricing" => Self::TieredPricing,
            "off_peak_pricing" => Self::OffPeakPricing,
            "provider_specific_entry" => Self::Specific,
            SEARCH_CONTEXT => Self::SearchContext,
            "web_search_billing_unit" => Self::SearchUnit,
            "regional_endpoint_uplift_multiplier" => Self::VertexFactor,
            _ if currency::is_named(name) => Self::Currency,
            _ if region(name).is_some() => Self::ResidencyFactor,
            _ => Self::Price(field::parse(name)),
        }
    }
}

/// The roles of the first names that were looked up: a map has tens of thousands of fields with a few
/// hundred names.
#[derive(Default)]
pub(super) struct Roles {
    known: HashMap<Box<str>, Role>,
}

/// The limit of names that are remembered. Upstream's map has about 200 that matter.
const MAX_NAMES: usize = 2_048;

impl Roles {
    /// Returns the role of a name.
    pub(super) fn get(&mut self, name: &str) -> Role {
        if let Some(role) = self.known.get(name) {
            return *role;
        }
        let role = Role::of(name);
        if self.known.len() < MAX_NAMES {
            self.known.insert(name.into(), role);
        }
        role
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name keeps its role, whether it is remembered or comes after too many others.
    #[test]
    fn a_name_has_one_role() {
        let names: Vec<String> = (1..=2 * MAX_NAMES)
            .map(|number| match number % 4 {
                0 => format!("input_cost_per_token_above_{number}_tokens"),
                1 => format!("regional_processing_uplift_multiplier_{number}"),
                2 => format!("output_cost_per_image_{number}"),
                _ => format!("rpm_{number}"),
            })
            .collect();
        let mut roles = Roles::default();
        for _ in 0..2 {
            for name in &names {
                assert_eq!(roles.get(name), Role::of(name), "{name}");
            }
        }
        assert_eq!(roles.known.len(), MAX_NAMES);
        let kinds: Vec<Role> = names.iter().take(4).map(|name| Role::of(name)).collect();
        assert!(matches!(
            *kinds,
            [
                Role::ResidencyFactor,
                Role::Price(Kind::Rate(_)),
                Role::Price(Kind::Other),
                Role::Price(Kind::Rate(_))
            ]
        ));
    }
}
