//! What a gateway does with a bill after it has one: charges, sums, comparisons, and the forms in which
//! others read it.

mod charges;
