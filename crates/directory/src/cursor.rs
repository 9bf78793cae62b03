//! Where a reader stands in a directory's history.

use uuid::Uuid;

/// How changes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Paged search; the position is a highestCommittedUSN of one domain controller.
    UpdateSequence,
    /// Active Directory's DirSync control; the position is its cookie.
    DirSync,
    /// Microsoft Graph's delta query; the position is its delta link.
    GraphDelta,
}

/// A position that means something only to the server that gave it, for the query that was asked of it. When any part
/// but `position` differs, the next read is a full one.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor {
    pub mechanism: Mechanism,
    /// DNS host name of the domain controller, or the Graph base URL.
    pub server: String,
    /// The database instance behind the server: a DC restored from a backup has a new one. Nil where there is none.
    pub invocation: Uuid,
    /// Hash of everything that shapes the answer: base, filter, attributes.
    pub query_hash: [u8; 32],
    pub position: Vec<u8>,
}

impl std::fmt::Debug for Cursor {
    // A delta link may carry a token: the position stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("mechanism", &self.mechanism)
            .field("server", &self.server)
            .field("invocation", &self.invocation)
            .finish_non_exhaustive()
    }
}
