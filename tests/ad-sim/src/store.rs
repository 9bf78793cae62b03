//! The directory's data: objects, their links, and what each domain controller knows of both.

pub(crate) mod link;
pub(crate) mod object;
pub(crate) mod replica;
