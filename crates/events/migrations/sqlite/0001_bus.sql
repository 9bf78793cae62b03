-- Streams, one a family.
CREATE TABLE event (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    stream    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    headers   TEXT   NOT NULL,
    body      BLOB   NOT NULL,
    stored_at BIGINT NOT NULL,
    UNIQUE (stream, id)
);
CREATE INDEX event_stream ON event (stream, seq);
CREATE INDEX event_age ON event (stored_at);

-- Streams that have forgotten events: a consumer that is new to one has missed some.
CREATE TABLE expired_stream (
    stream TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE consumer (
    name       TEXT   NOT NULL PRIMARY KEY,
    stream     TEXT   NOT NULL,
    filter     TEXT   NOT NULL,
    -- The first event not delivered yet.
    next_seq   BIGINT NOT NULL,
    -- Why events were missed; NULL while none were.
    gap        TEXT
);

-- Delivered, not acknowledged.
CREATE TABLE pending (
    consumer     TEXT   NOT NULL REFERENCES consumer (name),
    seq          BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    redeliver_at BIGINT NOT NULL,
    PRIMARY KEY (consumer, seq)
);
CREATE INDEX pending_due ON pending (consumer, redeliver_at);

CREATE TABLE dead_letter (
    consumer TEXT   NOT NULL,
    seq      BIGINT NOT NULL,
    subject  TEXT   NOT NULL,
    headers  TEXT   NOT NULL,
    body     BLOB   NOT NULL,
    attempts BIGINT NOT NULL,
    died_at  BIGINT NOT NULL,
    PRIMARY KEY (consumer, seq)
);
