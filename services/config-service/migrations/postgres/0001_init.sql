-- Times are microseconds since 1970. Booleans are 0 and 1. Numbers of enumerations are those of the contracts.
-- Text compares byte by byte, as on SQLite, whatever the database's own collation.

-- One configured directory.
CREATE TABLE domain (
    id                    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- hes.directory.v1.DirectoryKind
    kind                  BIGINT NOT NULL,
    -- hes.config.v1.Domain: what an administrator wrote, defaults filled in, and nothing else
    settings              BYTEA   NOT NULL,
    -- the etag
    revision              BIGINT NOT NULL,
    group_revision        BIGINT NOT NULL,
    -- hes.event.v1.DirectoryPinned as last told; NULL before the first success
    pinned                BYTEA,
    pin_generation        BIGINT NOT NULL,
    -- hes.config.v1.CredentialState and CredentialKind
    credential_state      BIGINT NOT NULL,
    credential_kind       BIGINT NOT NULL,
    credential_version    BIGINT NOT NULL,
    credential_changed_by TEXT COLLATE "C" NOT NULL,
    credential_changed    BIGINT NOT NULL,
    credential_expires    BIGINT,
    -- when the removal policy last changed: who left before that gets the whole grace period from then
    removal_changed       BIGINT NOT NULL,
    created               BIGINT NOT NULL,
    updated               BIGINT NOT NULL,
    deleted               BIGINT,
    purges                BIGINT
);

-- A domain's credentials, sealed to the domain and the version. One version at a time.
CREATE TABLE credential (
    domain_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES domain (id) ON DELETE CASCADE,
    version   BIGINT NOT NULL,
    -- the key-encryption key it is sealed under
    key_id    TEXT COLLATE "C" NOT NULL,
    sealed    BYTEA   NOT NULL
);

-- Passwordless workstation logon of one domain; no row before it is first written.
CREATE TABLE passwordless (
    domain_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES domain (id) ON DELETE CASCADE,
    -- hes.config.v1.PasswordlessSettings
    settings  BYTEA   NOT NULL,
    revision  BIGINT NOT NULL,
    updated   BIGINT NOT NULL
);

-- Requests that were answered, so that a repeated one gets the same answer.
CREATE TABLE answered_request (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- hash of the request without its secrets
    fingerprint BYTEA   NOT NULL,
    response    BYTEA   NOT NULL,
    answered    BIGINT NOT NULL
);
CREATE INDEX answered_request_by_time ON answered_request (answered);

-- A person.
CREATE TABLE employee (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    active     BIGINT NOT NULL,
    -- hes.config.v1.Employee, as last told
    state      BYTEA   NOT NULL,
    created    BIGINT NOT NULL,
    updated    BIGINT NOT NULL,
    purges     BIGINT
);
CREATE INDEX employee_by_purge ON employee (purges) WHERE purges IS NOT NULL;

-- What an employee is found by: the beginning of the shown name, of a logon name, of a mail address, in lower case.
CREATE TABLE employee_term (
    employee_id TEXT COLLATE "C" NOT NULL REFERENCES employee (id) ON DELETE CASCADE,
    term        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (employee_id, term)
);
CREATE INDEX employee_term_by_term ON employee_term (term, employee_id);

-- One person's object in one domain, as last told by its connector. A row outlives its domain and its employee, so that
-- an older state that arrives late is still known to be older.
CREATE TABLE account (
    domain_id   TEXT COLLATE "C" NOT NULL,
    object_id   TEXT COLLATE "C" NOT NULL,
    generation  BIGINT NOT NULL,
    -- hes.directory.v1.Presence, and when it became that
    presence    BIGINT NOT NULL,
    since       BIGINT NOT NULL,
    -- hes.directory.v1.Account
    state       BYTEA   NOT NULL,
    -- in the form in which addresses are compared; NULL when there is none
    mail        TEXT COLLATE "C",
    sid         TEXT COLLATE "C",
    employee_id TEXT COLLATE "C" REFERENCES employee (id),
    -- hes.config.v1.LinkReason; 0 without an employee
    link_reason BIGINT NOT NULL,
    linked_by   TEXT COLLATE "C" NOT NULL,
    linked      BIGINT,
    PRIMARY KEY (domain_id, object_id)
);
CREATE INDEX account_by_employee ON account (employee_id);
CREATE INDEX account_by_domain ON account (domain_id, employee_id);
CREATE INDEX account_by_mail ON account (mail) WHERE mail IS NOT NULL;
CREATE INDEX account_by_sid ON account (sid) WHERE sid IS NOT NULL;

-- Accounts that a person took apart, or refused to link: never linked by themselves again. Each pair once, in order.
CREATE TABLE unlink (
    low      TEXT COLLATE "C" NOT NULL,
    high     TEXT COLLATE "C" NOT NULL,
    made_by  TEXT COLLATE "C" NOT NULL,
    made     BIGINT NOT NULL,
    PRIMARY KEY (low, high)
);
CREATE INDEX unlink_by_high ON unlink (high);

-- Links for a person to decide.
CREATE TABLE link_proposal (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    employee_id       TEXT COLLATE "C" NOT NULL REFERENCES employee (id) ON DELETE CASCADE,
    candidate_id      TEXT COLLATE "C" NOT NULL REFERENCES employee (id) ON DELETE CASCADE,
    account           TEXT COLLATE "C" NOT NULL,
    candidate_account TEXT COLLATE "C" NOT NULL,
    reason            TEXT COLLATE "C" NOT NULL,
    -- hes.config.v1.LinkProposalState
    state             BIGINT NOT NULL,
    created           BIGINT NOT NULL,
    decided_by        TEXT COLLATE "C" NOT NULL,
    decided           BIGINT
);
CREATE UNIQUE INDEX link_proposal_by_accounts ON link_proposal (account, candidate_account);
CREATE INDEX link_proposal_by_employee ON link_proposal (employee_id);
CREATE INDEX link_proposal_by_candidate ON link_proposal (candidate_id);
CREATE INDEX link_proposal_by_state ON link_proposal (state, id);

-- Work that outlives the call or event that asked for it, one row a domain and kind: SNAPSHOT takes every account from
-- the connector, REFRESH recomputes the domain's employees, behind `position`.
CREATE TABLE domain_work (
    domain_id TEXT COLLATE "C" NOT NULL,
    kind      TEXT COLLATE "C" NOT NULL,
    position  TEXT COLLATE "C" NOT NULL,
    -- grows when the work is asked for again, so that what was asked meanwhile isn't taken for done
    asked     BIGINT NOT NULL,
    reason    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (domain_id, kind)
);

-- The audit log (see the audit module for the chain), and its newest hash, whose row orders the writers.
CREATE TABLE audit_event (
    sequence BIGINT NOT NULL PRIMARY KEY,
    time     BIGINT NOT NULL,
    actor    TEXT COLLATE "C" NOT NULL,
    action   TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    outcome  BIGINT NOT NULL,
    -- a JSON object of texts
    details  TEXT COLLATE "C" NOT NULL,
    hash     BYTEA   NOT NULL
);
CREATE INDEX audit_event_by_resource ON audit_event (resource, sequence);

CREATE TABLE audit_head (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL,
    hash     BYTEA   NOT NULL
);
INSERT INTO audit_head (id, sequence, hash)
VALUES (1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');

CREATE FUNCTION audit_event_is_append_only() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;

CREATE TRIGGER audit_event_is_never_changed BEFORE UPDATE OR DELETE ON audit_event
FOR EACH ROW EXECUTE FUNCTION audit_event_is_append_only();

CREATE TRIGGER audit_event_is_never_emptied BEFORE TRUNCATE ON audit_event
FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();
