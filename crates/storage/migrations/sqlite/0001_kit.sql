-- Tables every service's database has.

CREATE TABLE hes_lease (
    name       TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL,
    -- Grows with every change of hands, never reused.
    token      BIGINT NOT NULL,
    -- Microseconds since the epoch, by the database's clock.
    expires_at BIGINT NOT NULL
);

CREATE TABLE hes_outbox (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    subject      TEXT    NOT NULL,
    time         BIGINT  NOT NULL,
    payload      BLOB    NOT NULL,
    traceparent  TEXT,
    published_at BIGINT
);

CREATE INDEX hes_outbox_unpublished ON hes_outbox (seq) WHERE published_at IS NULL;
CREATE INDEX hes_outbox_published ON hes_outbox (published_at) WHERE published_at IS NOT NULL;
