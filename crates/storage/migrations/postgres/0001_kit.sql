-- Tables every service's database has. Text compares byte by byte, as on SQLite, whatever the database's own collation.

-- Never has a row: who writes holds its lock, so that there is one writer at a time.
CREATE TABLE hes_writer (
    nothing BIGINT NOT NULL
);

-- The database's clock by the name it has on SQLite: seconds since the epoch, at the moment of the call.
CREATE FUNCTION unixepoch(format TEXT) RETURNS NUMERIC LANGUAGE SQL VOLATILE
RETURN EXTRACT(EPOCH FROM clock_timestamp());

CREATE TABLE hes_lease (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner      TEXT COLLATE "C" NOT NULL,
    -- Grows with every change of hands, never reused.
    token      BIGINT NOT NULL,
    -- Microseconds since the epoch, by the database's clock.
    expires_at BIGINT NOT NULL
);

CREATE TABLE hes_outbox (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT COLLATE "C" NOT NULL UNIQUE,
    subject      TEXT COLLATE "C" NOT NULL,
    time         BIGINT NOT NULL,
    payload      BYTEA  NOT NULL,
    traceparent  TEXT COLLATE "C",
    published_at BIGINT
);

CREATE INDEX hes_outbox_unpublished ON hes_outbox (seq) WHERE published_at IS NULL;
CREATE INDEX hes_outbox_published ON hes_outbox (published_at) WHERE published_at IS NOT NULL;
