-- Sync runs, their plans, and what they have read so far. States, kinds, classes and reasons are stored by name.

CREATE TABLE runs (
    -- Version 7: runs sort by the time they were asked for.
    run_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    domain_id TEXT COLLATE "C" NOT NULL,
    mode BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    dry_run BIGINT NOT NULL,
    requested_by TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C",
    create_time BIGINT NOT NULL,
    start_time BIGINT,
    end_time BIGINT,
    -- When a held plan expires.
    expire_time BIGINT,
    -- Not to be tried again before.
    retry_time BIGINT,
    server TEXT COLLATE "C" NOT NULL DEFAULT '',
    full_read_reason TEXT COLLATE "C" NOT NULL DEFAULT '',

    -- Whether the seen_ tables may hold something of it.
    staged BIGINT NOT NULL DEFAULT 0,
    read_pages BIGINT NOT NULL DEFAULT 0,
    read_accounts BIGINT NOT NULL DEFAULT 0,
    read_groups BIGINT NOT NULL DEFAULT 0,
    read_memberships BIGINT NOT NULL DEFAULT 0,
    read_members BIGINT NOT NULL DEFAULT 0,
    planned_items BIGINT NOT NULL DEFAULT 0,
    -- How much the plan does, by class: `join=3,leave=2`.
    planned_classes TEXT COLLATE "C" NOT NULL DEFAULT '',
    applied_items BIGINT NOT NULL DEFAULT 0,
    issue_count BIGINT NOT NULL DEFAULT 0,

    -- When it began to apply, and whether the guard counts what it applied for the next 24 hours.
    apply_time BIGINT,
    counted BIGINT NOT NULL DEFAULT 0,

    -- A sentence a line.
    hold_reasons TEXT COLLATE "C" NOT NULL DEFAULT '',
    failure_reason TEXT COLLATE "C",
    failure_message TEXT COLLATE "C" NOT NULL DEFAULT '',
    failure_remedy TEXT COLLATE "C" NOT NULL DEFAULT '',

    -- Who approved or rejected it.
    decided_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    decide_time BIGINT,

    -- Kept aside until the last batch is applied.
    cursor_mechanism TEXT COLLATE "C",
    cursor_server TEXT COLLATE "C",
    cursor_invocation TEXT COLLATE "C",
    cursor_query_hash BYTEA,
    cursor_position BYTEA
);

CREATE INDEX runs_by_domain ON runs (domain_id, run_id);
CREATE INDEX runs_by_state ON runs (domain_id, state);
CREATE INDEX runs_by_staged ON runs (staged) WHERE staged = 1;
CREATE INDEX runs_by_end ON runs (end_time);
CREATE UNIQUE INDEX runs_by_request ON runs (domain_id, request_id) WHERE request_id IS NOT NULL;

-- A plan, one line an account, complete enough to be applied after a crash.
CREATE TABLE plan_items (
    run_id TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    -- Position among those that are ready, from 1; 0 for one that was approved and not yet planned again.
    number BIGINT NOT NULL,
    ready BIGINT NOT NULL,
    applied BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    classes TEXT COLLATE "C" NOT NULL,
    cause TEXT COLLATE "C",
    before_presence BIGINT,
    before_in_rotation_group BIGINT,
    before_generation BIGINT,
    -- hes.connector.v1.PlanItem, of which only the changes are set.
    changes BYTEA NOT NULL,
    logon_name TEXT COLLATE "C" NOT NULL,
    -- The account to store, as in `accounts`.
    generation BIGINT NOT NULL,
    presence BIGINT NOT NULL,
    in_rotation_group BIGINT NOT NULL,
    disabled BIGINT NOT NULL,
    state BYTEA NOT NULL,
    unreadable TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, object_id)
);

CREATE INDEX plan_items_by_number ON plan_items (run_id, number);

-- Objects skipped or worth attention, the first hundred of a run.
CREATE TABLE issues (
    run_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    object_id TEXT COLLATE "C",
    reason TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, number)
);

-- What a run has read so far. Cleared when the run ends, or at the next start if it died.

CREATE TABLE seen_accounts (
    run_id TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    state BYTEA NOT NULL,
    unreadable TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, object_id)
);

CREATE TABLE seen_groups (
    run_id TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    sid TEXT COLLATE "C",
    name TEXT COLLATE "C" NOT NULL,
    dn TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, object_id)
);

CREATE TABLE seen_edges (
    run_id TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    member_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, group_id, member_id)
);

-- Objects the read reported an issue with.
CREATE TABLE seen_flawed (
    run_id TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, object_id)
);

-- Who is in the two groups, computed once everything is staged.
CREATE TABLE seen_members (
    run_id TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    in_sync_group BIGINT NOT NULL,
    in_rotation_group BIGINT NOT NULL,
    PRIMARY KEY (run_id, object_id)
);
