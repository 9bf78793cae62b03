//! The proto3 JSON mapping of our messages, through their descriptors.

use prost::{Message, Name};
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::descriptor_pool;

/// Why a message could not be mapped to or from JSON.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no message `{0}` in the descriptor")]
    UnknownMessage(String),
    #[error("failed to map `{message}` through its descriptor")]
    Transcode {
        message: String,
        #[source]
        source: prost::DecodeError,
    },
    #[error("failed to map `{message}` to or from JSON")]
    Json {
        message: String,
        #[source]
        source: serde_json::Error,
    },
}

fn descriptor(message: String) -> Result<MessageDescriptor, Error> {
    descriptor_pool()
        .get_message_by_name(&message)
        .ok_or(Error::UnknownMessage(message))
}

/// `message` in its canonical JSON form; fields with default values are left out.
pub fn to_value<M: Message + Name>(message: &M) -> Result<serde_json::Value, Error> {
    let descriptor = descriptor(M::full_name())?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).map_err(
        |source| Error::Transcode {
            message: M::full_name(),
            source,
        },
    )?;
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .map_err(|source| Error::Json {
            message: M::full_name(),
            source,
        })
}

/// The message that `value` is the JSON form of. Unknown fields are refused.
pub fn from_value<M: Message + Name + Default>(value: &serde_json::Value) -> Result<M, Error> {
    let descriptor = descriptor(M::full_name())?;
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor, value, &options).map_err(
        |source| Error::Json {
            message: M::full_name(),
            source,
        },
    )?;
    dynamic.transcode_to().map_err(|source| Error::Transcode {
        message: M::full_name(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::v1::Domain;

    #[test]
    fn messages_map_to_canonical_json_and_back() {
        let domain = Domain {
            name: "domains/corp".into(),
            sync_interval: Some(prost_types::Duration {
                seconds: 3600,
                nanos: 0,
            }),
            removal_policy: crate::config::v1::RemovalPolicy::Keep.into(),
            ..Domain::default()
        };

        let value = to_value(&domain).unwrap();

        let expected = serde_json::json!({
            "name": "domains/corp", "syncInterval": "3600s", "removalPolicy": "REMOVAL_POLICY_KEEP"
        });
        assert_eq!(value, expected);
        assert_eq!(from_value::<Domain>(&value).unwrap(), domain);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let value = serde_json::json!({ "nmae": "domains/corp" });

        assert!(from_value::<Domain>(&value).is_err());
    }
}
