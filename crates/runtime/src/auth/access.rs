//! The rule of each method, read out of its descriptor.

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ServiceDescriptor, Value};

use super::{Caller, Role, ServiceName, ServiceNameError};

const OPTION: &str = "hes.auth.v1.access";
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Who may call a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Public,
    AnyOf {
        roles: Vec<Role>,
        services: Vec<ServiceName>,
    },
}

/// What is known of a method that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// `package.Service/Method`
    pub(crate) name: String,
    pub(crate) rule: Rule,
    /// The client sends or the server answers with a stream, which may live long.
    pub(crate) streaming: bool,
}

/// A call that the rules refused to a caller who is known. Strangers are only counted: they can be as many as they like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub caller: Caller,
    /// `package.Service/Method`
    pub method: String,
}

/// Is told of every [`Denial`], while the caller waits: note it and return.
pub type OnDenial = Arc<dyn Fn(Denial) + Send + Sync>;

/// The rules of all the methods a server serves, by path.
#[derive(Clone, Debug, Default)]
pub struct Rules(HashMap<String, Method>);

/// A method that can't be served, because nobody could say who may call it.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("the descriptor pool does not know `{OPTION}`: is hes/auth/v1 compiled into it?")]
    NoOption,
    #[error("service `{0}` is not in the descriptor pool")]
    UnknownService(String),
    #[error("method `{0}` has no `{OPTION}` option: say who may call it")]
    NoRule(String),
    #[error("method `{method}` lets in role number {number}, which does not exist")]
    UnknownRole { method: String, number: i32 },
    #[error("method `{method}` lets in a service by a name that is none")]
    BadService {
        method: String,
        #[source]
        source: ServiceNameError,
    },
}

impl Rule {
    pub fn allows(&self, caller: &Caller) -> bool {
        match self {
            Self::Public => true,
            Self::AnyOf { roles, services } => match caller {
                Caller::Anonymous => false,
                Caller::Administrator | Caller::Person { .. } => {
                    roles.iter().any(|role| caller.has_role(*role))
                }
                Caller::Service(name) => services.contains(name),
            },
        }
    }
}

impl Rules {
    /// The rules of the named services; an error if any of their methods has none.
    pub fn read<'a>(
        pool: &DescriptorPool,
        services: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, RuleError> {
        let mut rules = Self::default();
        rules.add_builtin(HEALTH, &[("Check", false), ("Watch", true)], &Rule::Public);
        for service in REFLECTION {
            let viewers = Rule::AnyOf {
                roles: vec![Role::Viewer],
                services: Vec::new(),
            };
            rules.add_builtin(service, &[("ServerReflectionInfo", true)], &viewers);
        }
        for name in services {
            let service = pool
                .get_service_by_name(name)
                .ok_or_else(|| RuleError::UnknownService(name.to_owned()))?;
            rules.add(pool, &service)?;
        }
        Ok(rules)
    }

    pub fn rule(&self, path: &str) -> Option<&Rule> {
        self.method(path).map(|method| &method.rule)
    }

    pub(crate) fn method(&self, path: &str) -> Option<&Method> {
        self.0.get(path)
    }

    fn add(&mut self, pool: &DescriptorPool, service: &ServiceDescriptor) -> Result<(), RuleError> {
        for method in service.methods() {
            let name = format!("{}/{}", service.full_name(), method.name());
            let rule = read_rule(pool, &method, &name)?;
            self.insert(
                name,
                rule,
                method.is_server_streaming() || method.is_client_streaming(),
            );
        }
        Ok(())
    }

    fn add_builtin(&mut self, service: &str, methods: &[(&str, bool)], rule: &Rule) {
        for (method, streaming) in methods {
            self.insert(format!("{service}/{method}"), rule.clone(), *streaming);
        }
    }

    fn insert(&mut self, name: String, rule: Rule, streaming: bool) {
        let path = format!("/{name}");
        self.0.insert(
            path,
            Method {
                name,
                rule,
                streaming,
            },
        );
    }
}

fn read_rule(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    name: &str,
) -> Result<Rule, RuleError> {
    let extension = pool
        .get_extension_by_name(OPTION)
        .ok_or(RuleError::NoOption)?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return Err(RuleError::NoRule(name.to_owned()));
    }
    let value = options.get_extension(&extension);
    let access = value
        .as_message()
        .ok_or_else(|| RuleError::NoRule(name.to_owned()))?;

    let roles = list(access, "roles")
        .iter()
        .filter_map(Value::as_enum_number)
        .map(|number| {
            Role::from_proto(number).ok_or_else(|| RuleError::UnknownRole {
                method: name.to_owned(),
                number,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let services = list(access, "services")
        .iter()
        .filter_map(Value::as_str)
        .map(|service| {
            service.parse().map_err(|source| RuleError::BadService {
                method: name.to_owned(),
                source,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;

    // An empty rule lets nobody in: it was forgotten, not meant.
    if roles.is_empty() && services.is_empty() {
        return Err(RuleError::NoRule(name.to_owned()));
    }
    Ok(Rule::AnyOf { roles, services })
}

fn list(message: &DynamicMessage, field: &str) -> Vec<Value> {
    message
        .get_field_by_name(field)
        .and_then(|value| value.as_list().map(<[Value]>::to_vec))
        .unwrap_or_default()
}
