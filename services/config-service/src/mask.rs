//! Updates by field mask, driven by the contract: which paths exist, and which may be written, stands in the
//! descriptor (`google.api.field_behavior`) and nowhere else.

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use prost_types::FieldMask;

use crate::validate::{Violation, Violations};

const OUTPUT_ONLY: i32 = 3;
const IMMUTABLE: i32 = 5;
const IDENTIFIER: i32 = 8;

/// Why a mask can't be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaskError {
    #[error("the update mask can't be applied")]
    Refused(Vec<Violation>),
    #[error("the update mask names fields that never change")]
    Immutable(Vec<Violation>),
    #[error("failed to read `{message}` through its descriptor")]
    Descriptor {
        message: String,
        #[source]
        source: prost::DecodeError,
    },
    #[error("no message `{0}` in the descriptor")]
    UnknownMessage(String),
}

/// `current` with the masked fields of `patch`. A masked field that `patch` leaves out is cleared, and so gets its
/// default again.
pub(crate) fn apply<M>(current: &M, patch: &M, mask: Option<&FieldMask>) -> Result<M, MaskError>
where
    M: Message + Name + Default,
{
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let mut refused = Violations::default();
    let mut immutable = Violations::default();
    if paths.is_empty() {
        refused.add(
            "update_mask",
            "is empty; name the fields to change, such as `display_name`",
        );
    }
    let mut target = dynamic(current)?;
    let patch = dynamic(patch)?;
    for path in paths {
        match set(&mut target, &patch, path) {
            Ok(()) => {}
            Err(Problem::Refused(problem)) => {
                refused.add("update_mask", format!("`{path}` {problem}"));
            }
            Err(Problem::Immutable(problem)) => immutable.add(path, problem),
        }
    }
    refused.into_result().map_err(MaskError::Refused)?;
    immutable.into_result().map_err(MaskError::Immutable)?;
    target.transcode_to().map_err(descriptor_error::<M>)
}

enum Problem {
    Refused(String),
    Immutable(String),
}

fn set(target: &mut DynamicMessage, patch: &DynamicMessage, path: &str) -> Result<(), Problem> {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let field = target.descriptor().get_field_by_name(name).ok_or_else(|| {
        Problem::Refused("is not a field; see the message's definition for its fields".into())
    })?;
    writable(&field)?;
    one_of(target, &field)?;
    let Some(rest) = rest else {
        return replace(target, patch, &field);
    };
    if !of_ours(&field) {
        return Err(Problem::Refused(format!(
            "goes into `{name}`, which is changed as a whole"
        )));
    }
    let empty = || Problem::Refused("is not a field".into());
    let inner_patch = patch.get_field(&field);
    let inner_patch = inner_patch.as_message().ok_or_else(empty)?;
    let inner_target = target
        .get_field_mut(&field)
        .as_message_mut()
        .ok_or_else(empty)?;
    set(inner_target, inner_patch, rest)
}

fn writable(field: &FieldDescriptor) -> Result<(), Problem> {
    let behaviors = behaviors(field);
    if behaviors.contains(&IDENTIFIER) {
        return Err(Problem::Immutable(
            "is the resource's name, which never changes".into(),
        ));
    }
    if behaviors.contains(&IMMUTABLE) {
        return Err(Problem::Immutable(
            "never changes once it is set; add another domain instead".into(),
        ));
    }
    if behaviors.contains(&OUTPUT_ONLY) {
        return Err(Problem::Refused(
            "is told by the service and can't be written".into(),
        ));
    }
    if field.name() == "etag" {
        return Err(Problem::Refused(
            "is compared, not written; send it beside the masked fields".into(),
        ));
    }
    Ok(())
}

/// A field of a `oneof` may be written only when no other field of it is set: a domain's kind never changes.
fn one_of(target: &DynamicMessage, field: &FieldDescriptor) -> Result<(), Problem> {
    let Some(one_of) = field
        .containing_oneof()
        .filter(|one_of| !one_of.is_synthetic())
    else {
        return Ok(());
    };
    let other = one_of
        .fields()
        .find(|other| other.number() != field.number() && target.has_field(other));
    match other {
        Some(other) => Err(Problem::Immutable(format!(
            "is of another kind of directory than `{}`, which is set",
            other.name()
        ))),
        None => Ok(()),
    }
}

/// Takes the whole field. Fields within it that never change keep their value, and must be given as they are or not at
/// all.
fn replace(
    target: &mut DynamicMessage,
    patch: &DynamicMessage,
    field: &FieldDescriptor,
) -> Result<(), Problem> {
    if !patch.has_field(field) {
        if has_immutable(field) {
            return Err(Problem::Immutable(
                "can't be removed; it holds what never changes".into(),
            ));
        }
        target.clear_field(field);
        return Ok(());
    }
    let mut value = patch.get_field(field).into_owned();
    let current = target.get_field(field);
    if let (Some(new), Some(old)) = (value.as_message_mut(), current.as_message()) {
        for inner in new.descriptor().fields() {
            if !behaviors(&inner).contains(&IMMUTABLE) {
                continue;
            }
            if new.has_field(&inner) && new.get_field(&inner) != old.get_field(&inner) {
                return Err(Problem::Immutable(format!(
                    "holds another `{}`, which never changes",
                    inner.name()
                )));
            }
            new.set_field(&inner, old.get_field(&inner).into_owned());
        }
    }
    target.set_field(field, value);
    Ok(())
}

fn has_immutable(field: &FieldDescriptor) -> bool {
    let Kind::Message(message) = field.kind() else {
        return false;
    };
    message
        .fields()
        .any(|inner| behaviors(&inner).contains(&IMMUTABLE))
}

/// Messages of our own are changed field by field; well-known types such as durations are values.
fn of_ours(field: &FieldDescriptor) -> bool {
    let Kind::Message(message) = field.kind() else {
        return false;
    };
    !field.is_list() && !field.is_map() && message.full_name().starts_with("hes.")
}

fn behaviors(field: &FieldDescriptor) -> Vec<i32> {
    let Some(extension) = field
        .parent_pool()
        .get_extension_by_name("google.api.field_behavior")
    else {
        return Vec::new();
    };
    let options = field.options();
    let value = options.get_extension(&extension);
    let list = value.as_list().unwrap_or_default();
    list.iter().filter_map(Value::as_enum_number).collect()
}

fn dynamic<M: Message + Name>(message: &M) -> Result<DynamicMessage, MaskError> {
    let descriptor = api::descriptor_pool()
        .get_message_by_name(&M::full_name())
        .ok_or_else(|| MaskError::UnknownMessage(M::full_name()))?;
    DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(descriptor_error::<M>)
}

fn descriptor_error<M: Name>(source: prost::DecodeError) -> MaskError {
    MaskError::Descriptor {
        message: M::full_name(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use api::config::v1::{
        ActiveDirectorySettings, Domain, EntraSettings, PasswordlessSettings, domain::Directory,
    };

    use super::*;

    fn domain() -> Domain {
        Domain {
            name: "domains/corp".into(),
            display_name: "Corp".into(),
            sync_group: "Owners".into(),
            directory: Some(Directory::ActiveDirectory(ActiveDirectorySettings {
                domain_name: "corp.example.com".into(),
                servers: vec!["ldaps://dc1".into()],
                ..Default::default()
            })),
            ..Default::default()
        }
    }

    fn patched(patch: Domain, paths: &[&str]) -> Result<Domain, MaskError> {
        let mask = FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        };
        apply(&domain(), &patch, Some(&mask))
    }

    fn active_directory(domain: &Domain) -> &ActiveDirectorySettings {
        match domain.directory.as_ref() {
            Some(Directory::ActiveDirectory(settings)) => settings,
            Some(Directory::Entra(_)) | None => panic!("not Active Directory"),
        }
    }

    #[test]
    fn only_the_masked_fields_are_taken() {
        let patch = Domain {
            display_name: "New".into(),
            sync_group: "Ignored".into(),
            directory: Some(Directory::ActiveDirectory(ActiveDirectorySettings {
                domain_name: "ignored.example.com".into(),
                servers: vec!["ldaps://dc2".into()],
                base_dn: "DC=ignored".into(),
                ..Default::default()
            })),
            ..Default::default()
        };

        let updated = patched(patch, &["display_name", "active_directory.servers"]).unwrap();

        assert_eq!(updated.display_name, "New");
        assert_eq!(updated.sync_group, "Owners");
        assert_eq!(active_directory(&updated).servers, ["ldaps://dc2"]);
        assert_eq!(active_directory(&updated).domain_name, "corp.example.com");
        assert_eq!(active_directory(&updated).base_dn, "");
    }

    #[test]
    fn a_masked_field_that_is_absent_is_cleared() {
        let updated = patched(
            Domain::default(),
            &["sync_group", "active_directory.servers"],
        )
        .unwrap();

        assert_eq!(updated.sync_group, "");
        assert!(active_directory(&updated).servers.is_empty());
        assert_eq!(active_directory(&updated).domain_name, "corp.example.com");
    }

    #[test]
    fn a_whole_message_keeps_what_never_changes() {
        let settings = |name: &str| Domain {
            directory: Some(Directory::ActiveDirectory(ActiveDirectorySettings {
                domain_name: name.into(),
                servers: vec!["ldaps://dc9".into()],
                ..Default::default()
            })),
            ..Default::default()
        };

        for name in ["", "corp.example.com"] {
            let updated = patched(settings(name), &["active_directory"]).unwrap();
            assert_eq!(active_directory(&updated).domain_name, "corp.example.com");
            assert_eq!(active_directory(&updated).servers, ["ldaps://dc9"]);
        }
        for patch in [settings("other.example.com"), Domain::default()] {
            assert!(matches!(
                patched(patch, &["active_directory"]),
                Err(MaskError::Immutable(_))
            ));
        }
    }

    #[test]
    fn paths_that_cannot_be_written_are_refused_by_name() {
        let patch = Domain {
            directory: Some(Directory::Entra(EntraSettings::default())),
            ..Default::default()
        };
        for (path, immutable) in [
            ("nonsense", false),
            ("active_directory.nonsense", false),
            ("sync_interval.seconds", false),
            ("*", false),
            ("", false),
            ("etag", false),
            ("credential_status", false),
            ("identity.dns_name", false),
            ("group_revision", false),
            ("create_time", false),
            ("name", true),
            ("active_directory.domain_name", true),
            ("entra", true),
            ("entra.tenant_id", true),
        ] {
            let violations = match patched(patch.clone(), &["display_name", path]).unwrap_err() {
                MaskError::Refused(violations) if !immutable => violations,
                MaskError::Immutable(violations) if immutable => violations,
                other @ (MaskError::Refused(_)
                | MaskError::Immutable(_)
                | MaskError::Descriptor { .. }
                | MaskError::UnknownMessage(_)) => panic!("{path}: {other:?}"),
            };
            let named = |v: &Violation| v.field == path || v.problem.contains(&format!("`{path}`"));
            assert!(violations.iter().all(named), "{path}: {violations:?}");
        }
        assert!(matches!(patched(patch, &[]), Err(MaskError::Refused(_))));
    }

    #[test]
    fn a_part_that_was_absent_is_made() {
        let patch: PasswordlessSettings = PasswordlessSettings {
            authority: Some(api::config::v1::passwordless_settings::Authority::Adcs(
                api::config::v1::AdcsAuthority {
                    certificate_template: "Logon".into(),
                    ..Default::default()
                },
            )),
            ..Default::default()
        };
        let mask = FieldMask {
            paths: vec!["adcs.certificate_template".into()],
        };

        let updated = apply(&PasswordlessSettings::default(), &patch, Some(&mask)).unwrap();

        assert_eq!(updated, patch);
    }
}
