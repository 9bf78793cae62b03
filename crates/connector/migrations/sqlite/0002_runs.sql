-- Sync runs, their plans, and what they have read so far. States, kinds, classes and reasons are stored by name.

CREATE TABLE runs (
    -- Version 7: runs sort by the time they were asked for.
    run_id TEXT NOT NULL PRIMARY KEY,
    domain_id TEXT NOT NULL,
    mode BIGINT NOT NULL,
    state TEXT NOT NULL,
    dry_run BIGINT NOT NULL,
    requested_by TEXT NOT NULL,
    request_id TEXT,
    create_time BIGINT NOT NULL,
    start_time BIGINT,
    end_time BIGINT,
    -- When a held plan expires.
    expire_time BIGINT,
    -- Not to be tried again before.
    retry_time BIGINT,
    server TEXT NOT NULL DEFAULT '',
    full_read_reason TEXT NOT NULL DEFAULT '',

    -- Whether the seen_ tables may hold something of it.
    staged BIGINT NOT NULL DEFAULT 0,
    read_pages BIGINT NOT NULL DEFAULT 0,
    read_accounts BIGINT NOT NULL DEFAULT 0,
    read_groups BIGINT NOT NULL DEFAULT 0,
    read_memberships BIGINT NOT NULL DEFAULT 0,
    read_members BIGINT NOT NULL DEFAULT 0,
    planned_items BIGINT NOT NULL DEFAULT 0,
    -- How much the plan does, by class: `join=3,leave=2`.
    planned_classes TEXT NOT NULL DEFAULT '',
    applied_items BIGINT NOT NULL DEFAULT 0,
    issue_count BIGINT NOT NULL DEFAULT 0,

    -- When it began to apply, and whether the guard counts what it applied for the next 24 hours.
    apply_time BIGINT,
    counted BIGINT NOT NULL DEFAULT 0,

    -- A sentence a line.
    hold_reasons TEXT NOT NULL DEFAULT '',
    failure_reason TEXT,
    failure_message TEXT NOT NULL DEFAULT '',
    failure_remedy TEXT NOT NULL DEFAULT '',

    -- Who approved or rejected it.
    decided_by TEXT NOT NULL DEFAULT '',
    decide_time BIGINT,

    -- Kept aside until the last batch is applied.
    cursor_mechanism TEXT,
    cursor_server TEXT,
    cursor_invocation TEXT,
    cursor_query_hash BLOB,
    cursor_position BLOB
);

CREATE INDEX runs_by_domain ON runs (domain_id, run_id);
CREATE INDEX runs_by_state ON runs (domain_id, state);
CREATE INDEX runs_by_staged ON runs (staged) WHERE staged = 1;
CREATE INDEX runs_by_end ON runs (end_time);
CREATE UNIQUE INDEX runs_by_request ON runs (domain_id, request_id) WHERE request_id IS NOT NULL;

-- A plan, one line an account, complete enough to be applied after a crash.
CREATE TABLE plan_items (
    run_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    -- Position among those that are ready, from 1; 0 for one that was approved and not yet planned again.
    number BIGINT NOT NULL,
    ready BIGINT NOT NULL,
    applied BIGINT NOT NULL,
    kind TEXT NOT NULL,
    classes TEXT NOT NULL,
    cause TEXT,
    before_presence BIGINT,
    before_in_rotation_group BIGINT,
    before_generation BIGINT,
    -- hes.connector.v1.PlanItem, of which only the changes are set.
    changes BLOB NOT NULL,
    logon_name TEXT NOT NULL,
    -- The account to store, as in `accounts`.
    generation BIGINT NOT NULL,
    presence BIGINT NOT NULL,
    in_rotation_group BIGINT NOT NULL,
    disabled BIGINT NOT NULL,
    state BLOB NOT NULL,
    unreadable TEXT NOT NULL,
    PRIMARY KEY (run_id, object_id)
) WITHOUT ROWID;

CREATE INDEX plan_items_by_number ON plan_items (run_id, number);

-- Objects skipped or worth attention, the first hundred of a run.
CREATE TABLE issues (
    run_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    object_id TEXT,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
) WITHOUT ROWID;

-- What a run has read so far. Cleared when the run ends, or at the next start if it died.

CREATE TABLE seen_accounts (
    run_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    state BLOB NOT NULL,
    unreadable TEXT NOT NULL,
    PRIMARY KEY (run_id, object_id)
) WITHOUT ROWID;

CREATE TABLE seen_groups (
    run_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    sid TEXT,
    name TEXT NOT NULL,
    dn TEXT NOT NULL,
    PRIMARY KEY (run_id, object_id)
) WITHOUT ROWID;

CREATE TABLE seen_edges (
    run_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    PRIMARY KEY (run_id, group_id, member_id)
) WITHOUT ROWID;

-- Objects the read reported an issue with.
CREATE TABLE seen_flawed (
    run_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    PRIMARY KEY (run_id, object_id)
) WITHOUT ROWID;

-- Who is in the two groups, computed once everything is staged.
CREATE TABLE seen_members (
    run_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    in_sync_group BIGINT NOT NULL,
    in_rotation_group BIGINT NOT NULL,
    PRIMARY KEY (run_id, object_id)
) WITHOUT ROWID;
