-- What is known of each directory. Object ids, security identifiers and run ids are TEXT, times BIGINT microseconds, truth
-- values BIGINT 0 and 1.

-- One row a configured domain, made when it is first heard of.
CREATE TABLE domains (
    domain_id TEXT NOT NULL PRIMARY KEY,
    -- When config-service made the record: another time under the same id is another domain, which starts from nothing.
    record_time BIGINT NOT NULL,
    -- A domain begun anew goes on counting generations where the old one stopped, so that consumers take its states.
    generation_base BIGINT NOT NULL DEFAULT 0,

    -- What was pinned at the first success (S9): what the directory says of itself and never changes, a field a line;
    -- hes.directory.v1.DirectoryIdentity and PinnedGroup; and the revision of the settings the groups were found for.
    identity_fields TEXT,
    identity BLOB,
    sync_group BLOB,
    rotation_group BLOB,
    group_revision BIGINT NOT NULL DEFAULT 0,
    pin_generation BIGINT NOT NULL DEFAULT 0,

    -- The schedule survives restarts, so that they don't make every domain read at once.
    next_run_at BIGINT,
    consecutive_failures BIGINT NOT NULL DEFAULT 0,
    -- The newest run that ended well, and when it began to read.
    last_success_run TEXT,
    last_success_at BIGINT,

    -- Where the reader stands (S5). Absent: the next read is a full one.
    cursor_mechanism TEXT,
    cursor_server TEXT,
    cursor_invocation TEXT,
    cursor_query_hash BLOB,
    cursor_position BLOB
);

-- The identity fields of every domain that is not deleted. Two domain records of one directory collide here.
CREATE TABLE directory_claims (
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    domain_id TEXT NOT NULL,
    PRIMARY KEY (field, value)
) WITHOUT ROWID;

-- One row a person ever known, present or not. The state is a hes.directory.v1.Account without the name, the generation,
-- the presence and the memberships: those are columns.
CREATE TABLE accounts (
    domain_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    presence BIGINT NOT NULL,
    in_rotation_group BIGINT NOT NULL,
    disabled BIGINT NOT NULL,
    state BLOB NOT NULL,
    -- Attributes the last read could not see: the state keeps what was known of them.
    unreadable TEXT NOT NULL,
    PRIMARY KEY (domain_id, object_id)
) WITHOUT ROWID;

-- For counts by presence: the guard's bases, metrics.
CREATE INDEX accounts_by_presence ON accounts (domain_id, presence, disabled);

-- Not named `groups`: that is a keyword.
CREATE TABLE known_groups (
    domain_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    sid TEXT,
    name TEXT NOT NULL,
    dn TEXT NOT NULL,
    PRIMARY KEY (domain_id, object_id)
) WITHOUT ROWID;

-- Direct memberships between object ids, primary groups included (S6).
CREATE TABLE known_edges (
    domain_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    PRIMARY KEY (domain_id, group_id, member_id)
) WITHOUT ROWID;
