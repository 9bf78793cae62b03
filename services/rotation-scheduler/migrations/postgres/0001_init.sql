-- Times are microseconds since 1970. Booleans are 0 and 1. Enumerations that the contracts number are stored by number,
-- those of the rotation's own by name.
-- Text compares byte by byte, as on SQLite, whatever the database's own collation.

-- One configured directory, as config-service told of it, and how rotation stands in it.
CREATE TABLE domain (
    id              TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    -- hes.config.v1.Domain: the settings, without what is only shown
    settings        BYTEA   NOT NULL,
    -- objectGUID of the domain head, or the tenant id; NULL before the first success
    directory_id    TEXT COLLATE "C",
    -- a person paused it
    paused_by       TEXT COLLATE "C",
    -- what opened the breaker; NULL while it is closed
    breaker         TEXT COLLATE "C",
    breaker_message TEXT COLLATE "C"   NOT NULL,
    breaker_time    BIGINT,
    -- what happened before this is no reason to stop any more
    cleared         BIGINT NOT NULL,
    -- the directory's clock less ours, as last seen, in microseconds
    clock_skew      BIGINT NOT NULL,
    -- accounts that rotated at the look that later ones are compared with, and when that was; NULL before the first
    eligible        BIGINT,
    eligible_time   BIGINT
);

-- A pause of everything, those domains too that come later. At most one row.
CREATE TABLE pause (
    id        BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    paused_by TEXT COLLATE "C"   NOT NULL
);

-- An account, as its connector last told of it, and when its password is due.
CREATE TABLE account (
    domain_id         TEXT COLLATE "C"   NOT NULL,
    object_id         TEXT COLLATE "C"   NOT NULL,
    -- of the state
    generation        BIGINT NOT NULL,
    -- hes.directory.v1.Account
    state             BYTEA   NOT NULL,
    -- what config-service linked it to; NULL before it told
    employee_id       TEXT COLLATE "C",
    -- why it is not rotated; NULL where it is, or where it is not in the rotation group
    not_rotated       TEXT COLLATE "C",
    -- since when it may be rotated; NULL where it may not
    enrolled          BIGINT,
    -- when its password is due; NULL where it may not be rotated, and while a rotation is open
    due               BIGINT,
    -- its rotation that has not ended
    rotation_id       TEXT COLLATE "C",
    -- an operator wants it now
    asked_by          TEXT COLLATE "C",
    -- the password's version and time as this service last knew them, from its own reading or writing
    known_version     BIGINT,
    known_set         BIGINT,
    -- the directory's own expiry, as last read, in microseconds; NULL where never or not known
    max_age           BIGINT,
    -- of the account's rotations; the newest one's
    password_generation BIGINT NOT NULL,
    -- before this no new rotation is prepared (R4)
    next_after        BIGINT,
    PRIMARY KEY (domain_id, object_id)
);
CREATE INDEX account_by_employee ON account (employee_id);
CREATE INDEX account_by_due ON account (domain_id, due) WHERE due IS NOT NULL;
CREATE INDEX account_by_enrolled ON account (domain_id) WHERE enrolled IS NOT NULL;
CREATE INDEX account_by_reason ON account (domain_id, not_rotated) WHERE not_rotated IS NOT NULL;

-- Employees, as far as the order of what is told of them matters.
CREATE TABLE employee (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL
);

-- One change of one account's password.
CREATE TABLE rotation (
    id            TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    directory_id  TEXT COLLATE "C"   NOT NULL,
    object_id     TEXT COLLATE "C"   NOT NULL,
    domain_id     TEXT COLLATE "C"   NOT NULL,
    employee_id   TEXT COLLATE "C"   NOT NULL,
    logon_name    TEXT COLLATE "C"   NOT NULL,
    asked_by      TEXT COLLATE "C",
    -- grows with every change of the row
    revision      BIGINT NOT NULL,
    -- 0 once it has ended
    is_open       BIGINT NOT NULL,
    generation    BIGINT NOT NULL,
    state         TEXT COLLATE "C"   NOT NULL,
    -- of HELD and ABORTED
    reason        TEXT COLLATE "C"   NOT NULL,
    -- of ABORTED because of STOPPED
    stop          TEXT COLLATE "C",
    candidate     BIGINT NOT NULL,
    accepted      BIGINT NOT NULL,
    sends         BIGINT NOT NULL,
    acked         BIGINT NOT NULL,
    doubtful      BIGINT NOT NULL,
    refused       BIGINT NOT NULL,
    tries         BIGINT NOT NULL,
    parked        TEXT COLLATE "C",
    settling      BIGINT NOT NULL,
    released      BIGINT NOT NULL,
    last_send     BIGINT,
    since         BIGINT NOT NULL,
    wake          BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    -- what the connector gave for the account: the server and the version the candidate starts from
    anchor        BYTEA,
    -- the policy the candidate was made for, and when it was read
    policy        TEXT COLLATE "C"   NOT NULL,
    prepared      BIGINT,
    -- the candidate, sealed; NULL before the first and after the end
    sealed        BYTEA,
    key_id        TEXT COLLATE "C"
);
-- R3: an account has one rotation that has not ended, whatever its domain's record is called.
CREATE UNIQUE INDEX rotation_open ON rotation (directory_id, object_id) WHERE is_open = 1;
CREATE INDEX rotation_by_wake ON rotation (domain_id, wake) WHERE is_open = 1;
CREATE INDEX rotation_by_employee ON rotation (employee_id, created);
CREATE INDEX rotation_by_domain ON rotation (domain_id, created);
CREATE INDEX rotation_by_created ON rotation (created);
CREATE INDEX rotation_by_prepared ON rotation (domain_id, prepared) WHERE prepared IS NOT NULL;
CREATE INDEX rotation_by_key ON rotation (key_id) WHERE sealed IS NOT NULL;

-- What the breakers look back on: sends with their outcomes, and things that went wrong.
CREATE TABLE incident (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id TEXT COLLATE "C"   NOT NULL,
    -- SENT, REFUSED, UNKNOWN: a send; and NO_RIGHT, LOCKED_OUT, EXTERNAL_CHANGE, FALSE_PROOF, FLOOD, LOGON_REFUSED
    kind      TEXT COLLATE "C"   NOT NULL,
    -- the account, or the delivery client
    subject   TEXT COLLATE "C"   NOT NULL,
    time      BIGINT NOT NULL
);
CREATE INDEX incident_by_domain ON incident (domain_id, kind, time);

-- The place that keeps an employee's passwords.
CREATE TABLE target (
    id           TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    employee_id  TEXT COLLATE "C"   NOT NULL,
    display_name TEXT COLLATE "C"   NOT NULL,
    sealing_key  BYTEA   NOT NULL,
    signing_key  BYTEA   NOT NULL,
    created      BIGINT NOT NULL,
    created_by   TEXT COLLATE "C"   NOT NULL,
    revoked      BIGINT,
    -- when it last proved its presence, and until when that counts, by the database's clock
    present      BIGINT,
    present_until BIGINT NOT NULL,
    -- the stream that proved it
    session      TEXT COLLATE "C"
);
CREATE UNIQUE INDEX target_by_sealing_key ON target (sealing_key);
CREATE UNIQUE INDEX target_by_signing_key ON target (signing_key);
CREATE INDEX target_by_employee ON target (employee_id);

-- A password on its way to a target: sealed to it, so that nobody else can read it, here neither.
CREATE TABLE delivery (
    target_id    TEXT COLLATE "C"   NOT NULL REFERENCES target (id),
    domain_id    TEXT COLLATE "C"   NOT NULL,
    object_id    TEXT COLLATE "C"   NOT NULL,
    generation   BIGINT NOT NULL,
    candidate    BIGINT NOT NULL,
    logon_name   TEXT COLLATE "C"   NOT NULL,
    -- NULL once the target has it
    sealed       BYTEA,
    -- it is the account's password: make it current
    confirmed    BIGINT NOT NULL,
    accepted     BIGINT,
    acknowledged BIGINT,
    PRIMARY KEY (target_id, domain_id, object_id, generation)
);
CREATE INDEX delivery_by_account ON delivery (domain_id, object_id, generation);

-- A program that delivers.
CREATE TABLE client (
    id              TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    -- SHA-256 of its token
    token_hash      BYTEA   NOT NULL,
    -- names of domains, separated by spaces
    domains         TEXT COLLATE "C"   NOT NULL,
    offers_per_hour BIGINT NOT NULL,
    created         BIGINT NOT NULL,
    created_by      TEXT COLLATE "C"   NOT NULL,
    revoked         BIGINT
);
CREATE UNIQUE INDEX client_by_token ON client (token_hash);

-- What a client was offered, for an hour.
CREATE TABLE offer (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id TEXT COLLATE "C"   NOT NULL,
    time      BIGINT NOT NULL
);
CREATE INDEX offer_by_client ON offer (client_id, time);

-- Work that outlives what asked for it: `domains/{domain}` takes a snapshot of a domain's accounts, `employees` of all
-- employees, `enrol/{domain}` decides for each account of the domain anew whether and when it rotates.
CREATE TABLE work (
    name   TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    asked  BIGINT NOT NULL,
    reason TEXT COLLATE "C"   NOT NULL
);
