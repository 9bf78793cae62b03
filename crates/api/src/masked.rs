//! `Debug` of messages that carry secrets: the type's name and nothing else (K2).

use std::fmt;

use crate::{config, connector, rotation};

macro_rules! masked {
    ($($message:ty),+ $(,)?) => {
        $(impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(<Self as prost::Name>::NAME)?;
                f.write_str(" { .. }")
            }
        })+
    };
}

// The generator derives no `Debug` for a message with an INPUT_ONLY or `debug_redact` field: leaving one out here doesn't compile.
masked!(
    config::v1::ActiveDirectoryCredentials,
    config::v1::EntraClientSecret,
    config::v1::EntraCertificate,
    config::v1::EntraFederatedToken,
    connector::v1::SetRequest,
    connector::v1::VerifyRequest,
    rotation::v1::CreateDeliveryClientResponse,
    rotation::v1::ReleaseRotationResponse,
);
