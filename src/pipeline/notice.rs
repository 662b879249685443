//! What the machine tells the operator.

/// One line per change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {}
