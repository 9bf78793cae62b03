#![doc = include_str!("../README.md")]

pub mod codec;
pub mod convert;
mod descriptor;
pub mod json;
mod masked;
pub mod name;
mod stored;

pub use descriptor::{FILE_DESCRIPTOR_SET, descriptor_pool};
pub use stored::Stored;

/// Generated code: linted at its source, in `proto/`, by buf.
macro_rules! family {
    ($family:ident, $file:literal $(, $by_hand:ident)*) => {
        pub mod $family {
            #[allow(
                clippy::allow_attributes,
                clippy::allow_attributes_without_reason,
                clippy::large_enum_variant,
                unused_qualifications,
                reason = "generated"
            )]
            pub mod v1 {
                $(pub use crate::stored::$by_hand;)*

                include!(concat!("gen/hes.", $file, ".v1.rs"));
            }
        }
    };
}

family!(auth, "auth");
family!(config, "config", ListEmployeesResponse);
family!(connector, "connector");
family!(directory, "directory");
family!(event, "event");
family!(rotation, "rotation");
family!(status, "status");
