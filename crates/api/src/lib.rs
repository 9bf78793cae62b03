#![doc = include_str!("../README.md")]

pub mod convert;
mod descriptor;
pub mod json;
mod masked;
pub mod name;

pub use descriptor::{FILE_DESCRIPTOR_SET, descriptor_pool};

/// Generated code: linted at its source, in `proto/`, by buf.
macro_rules! family {
    ($family:ident, $file:literal) => {
        pub mod $family {
            #[allow(
                clippy::allow_attributes,
                clippy::allow_attributes_without_reason,
                clippy::large_enum_variant,
                unused_qualifications,
                reason = "generated"
            )]
            pub mod v1 {
                include!(concat!("gen/hes.", $file, ".v1.rs"));
            }
        }
    };
}

family!(auth, "auth");
family!(config, "config");
family!(connector, "connector");
family!(directory, "directory");
family!(event, "event");
family!(status, "status");
