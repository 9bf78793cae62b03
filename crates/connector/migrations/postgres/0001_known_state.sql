-- What is known of each directory. Object ids, security identifiers and run ids are TEXT, times BIGINT microseconds, truth
-- values BIGINT 0 and 1. Text compares byte by byte, as on SQLite, whatever the database's own collation.

-- One row a configured domain, made when it is first heard of.
CREATE TABLE domains (
    domain_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- When config-service made the record: another time under the same id is another domain, which starts from nothing.
    record_time BIGINT NOT NULL,
    -- A domain begun anew goes on counting generations where the old one stopped, so that consumers take its states.
    generation_base BIGINT NOT NULL DEFAULT 0,

    -- What was pinned at the first success (S9): what the directory says of itself and never changes, a field a line;
    -- hes.directory.v1.DirectoryIdentity and PinnedGroup; and the revision of the settings the groups were found for.
    identity_fields TEXT COLLATE "C",
    identity BYTEA,
    sync_group BYTEA,
    rotation_group BYTEA,
    group_revision BIGINT NOT NULL DEFAULT 0,
    pin_generation BIGINT NOT NULL DEFAULT 0,

    -- The schedule survives restarts, so that they don't make every domain read at once.
    next_run_at BIGINT,
    consecutive_failures BIGINT NOT NULL DEFAULT 0,
    -- The newest run that ended well, and when it began to read.
    last_success_run TEXT COLLATE "C",
    last_success_at BIGINT,

    -- Where the reader stands (S5). Absent: the next read is a full one.
    cursor_mechanism TEXT COLLATE "C",
    cursor_server TEXT COLLATE "C",
    cursor_invocation TEXT COLLATE "C",
    cursor_query_hash BYTEA,
    cursor_position BYTEA
);

-- The identity fields of every domain that is not deleted. Two domain records of one directory collide here.
CREATE TABLE directory_claims (
    field TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    domain_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (field, value)
);

-- One row a person ever known, present or not. The state is a hes.directory.v1.Account without the name, the generation,
-- the presence and the memberships: those are columns.
CREATE TABLE accounts (
    domain_id TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    presence BIGINT NOT NULL,
    in_rotation_group BIGINT NOT NULL,
    disabled BIGINT NOT NULL,
    state BYTEA NOT NULL,
    -- Attributes the last read could not see: the state keeps what was known of them.
    unreadable TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (domain_id, object_id)
);

-- For counts by presence: the guard's bases, metrics.
CREATE INDEX accounts_by_presence ON accounts (domain_id, presence, disabled);

-- Not named `groups`: that is a keyword.
CREATE TABLE known_groups (
    domain_id TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    sid TEXT COLLATE "C",
    name TEXT COLLATE "C" NOT NULL,
    dn TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (domain_id, object_id)
);

-- Direct memberships between object ids, primary groups included (S6).
CREATE TABLE known_edges (
    domain_id TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    member_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (domain_id, group_id, member_id)
);
