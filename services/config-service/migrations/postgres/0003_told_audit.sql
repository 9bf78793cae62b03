-- Events of other services that are in the audit log: one that is told again is not written again.
CREATE TABLE told_audit (
    event_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    told     BIGINT NOT NULL
);
CREATE INDEX told_audit_by_time ON told_audit (told);
