//! What people type for a thing: its id, or its full resource name.

/// `corp` or `domains/corp`.
pub(crate) fn domain(id: &str) -> String {
    named("domains", id)
}

pub(crate) fn passwordless(id: &str) -> String {
    format!("{}/passwordlessSettings", domain(id))
}

/// A run's id says which run it is, whatever its domain.
pub(crate) fn run(id: &str) -> String {
    named("domains/-/syncRuns", id)
}

pub(crate) fn employee(id: &str) -> String {
    named("employees", id)
}

pub(crate) fn rotation(id: &str) -> String {
    named("rotations", id)
}

pub(crate) fn target(id: &str) -> String {
    named("targets", id)
}

pub(crate) fn proposal(id: &str) -> String {
    named("linkProposals", id)
}

/// An account of an employee, by its full name or by its object id alone.
pub(crate) fn account<'a>(accounts: impl IntoIterator<Item = &'a str>, id: &str) -> Option<String> {
    if id.contains('/') {
        return Some(id.to_owned());
    }
    let id = id.to_lowercase();
    let suffix = format!("/{id}");
    accounts
        .into_iter()
        .find(|name| name.ends_with(&suffix))
        .map(str::to_owned)
}

fn named(collection: &str, id: &str) -> String {
    if id.contains('/') {
        id.to_owned()
    } else {
        format!("{collection}/{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_its_full_name_are_the_same_thing() {
        assert_eq!(domain("corp"), domain("domains/corp"));
        assert_eq!(run("0f"), "domains/-/syncRuns/0f");
        assert_eq!(run("domains/corp/syncRuns/0f"), "domains/corp/syncRuns/0f");
        assert_eq!(
            account(["domains/a/accounts/1f"], "1F").as_deref(),
            Some("domains/a/accounts/1f")
        );
        assert_eq!(account(["domains/a/accounts/1f"], "f"), None);
    }
}
