//! The descriptor of everything in `proto/hes`: for reflection, access rules and the JSON mapping.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// The encoded `FileDescriptorSet`, custom options included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptor.bin");

/// The parsed descriptor set.
pub fn descriptor_pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        #[expect(
            clippy::expect_used,
            reason = "compiled in, and decoded by a test of this crate"
        )]
        DescriptorPool::decode(FILE_DESCRIPTOR_SET)
            .expect("the compiled-in descriptor set is valid")
    });
    &POOL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_says_who_may_call_it() {
        let pool = descriptor_pool();
        let access = pool.get_extension_by_name("hes.auth.v1.access").unwrap();

        let silent: Vec<_> = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .filter(|method| !method.options().has_extension(&access))
            .map(|method| method.full_name().to_owned())
            .collect();

        assert_eq!(silent, Vec::<String>::new());
        assert!(pool.services().count() >= 7);
    }
}
