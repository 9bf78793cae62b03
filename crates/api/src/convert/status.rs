//! How services stand.

use crate::status::v1::{Component, ComponentState, ServiceStatus};

/// A service that answered, with what it stands on and what is wrong with that.
pub fn standing(
    service: &str,
    instance: &str,
    components: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> ServiceStatus {
    let components = components
        .into_iter()
        .map(|(name, problem)| Component {
            name: name.to_owned(),
            state: match problem {
                None => ComponentState::Working,
                Some(_) => ComponentState::Failing,
            }
            .into(),
            message: problem.unwrap_or_default(),
        })
        .collect();
    ServiceStatus {
        service: service.to_owned(),
        instance: instance.to_owned(),
        components,
        error: String::new(),
    }
}
