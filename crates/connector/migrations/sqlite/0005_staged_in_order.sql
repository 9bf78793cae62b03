-- What a run reads, in the order it comes: a directory gives objects in an order that has nothing to do with their ids, and
-- rows put into the order of ids one page at a time would rewrite the whole table again and again. Sorted into
-- `seen_accounts` and `seen_edges` once, when everything is there.

CREATE TABLE staged_accounts (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    state BLOB NOT NULL,
    unreadable TEXT NOT NULL
);

CREATE INDEX staged_accounts_by_run ON staged_accounts (run_id);

CREATE TABLE staged_edges (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    member_id TEXT NOT NULL
);

CREATE INDEX staged_edges_by_run ON staged_edges (run_id);
