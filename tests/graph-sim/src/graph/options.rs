//! Query options: those that are known, and no other.

use serde_json::{Map, Value};

use super::error::Problem;

/// What a request asks for beside its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    select: Option<Vec<String>>,
}

impl Options {
    /// An option that is not known is refused, not ignored: so that a client that relies on it is found out.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        let mut options = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "$select" if options.select.is_none() => {
                    let names = value.split(',').map(|name| name.trim().to_owned());
                    options.select = Some(names.collect());
                }
                "$select" => {
                    let message = "Query option '$select' was specified more than once.";
                    return Err(Problem::bad_request(message));
                }
                name => {
                    let message = format!("The query option '{name}' is not supported here.");
                    return Err(Problem::unsupported_query(message));
                }
            }
        }
        Ok(options)
    }

    /// Of an object what was selected, and nothing else.
    pub(crate) fn select(&self, kind: &str, object: Value) -> Result<Value, Problem> {
        let (Some(names), Value::Object(mut object)) = (&self.select, object.clone()) else {
            return Ok(object);
        };
        let mut selected = Map::new();
        for name in names {
            let Some((name, value)) = object.remove_entry(name) else {
                let message = format!(
                    "Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."
                );
                return Err(Problem::bad_request(message));
            };
            selected.insert(name, value);
        }
        Ok(Value::Object(selected))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_selected_comes_and_what_is_not_known_is_refused() {
        let object = json!({ "id": "1", "displayName": "Corp", "tenantType": "AAD" });
        let select = |query: &str| Options::parse(query)?.select("organization", object.clone());

        assert_eq!(select("").unwrap(), object);
        assert_eq!(
            select("%24select=id,displayName").unwrap(),
            json!({ "id": "1", "displayName": "Corp" })
        );
        for (query, code) in [
            ("$select=nothing", "Request_BadRequest"),
            ("$select=id&$select=id", "Request_BadRequest"),
            ("$expand=members", "Request_UnsupportedQuery"),
            ("select=id", "Request_UnsupportedQuery"),
        ] {
            let refused = select(query).unwrap_err();
            let body = refused.body(jiff::Timestamp::UNIX_EPOCH, uuid::Uuid::nil(), None);
            assert_eq!(
                (refused.status, &body["error"]["code"]),
                (400, &json!(code)),
                "{query}"
            );
        }
    }
}
