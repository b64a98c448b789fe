-- States below 6 are not final (api.State). Times are microseconds since 1970.
-- Integer keys come in the order of commits, so rows are appended; that is why
-- there is hardly an index beside the keys.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES
    ('keys', 1),  -- the first key that was not reserved yet
    ('floor', 1), -- runs below it are final, unless they are in live_run
    ('last', 0);  -- the highest number of a run that was removed

CREATE TABLE run (
    id       INTEGER PRIMARY KEY,
    uid      BLOB NOT NULL,
    name     TEXT NOT NULL,
    state    INTEGER NOT NULL,
    gen      INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    base     INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    plan     BLOB,
    cell     BLOB
);

CREATE TABLE live_run (id INTEGER PRIMARY KEY);

-- Runs that were removed, of whose rows some are left.
CREATE TABLE gone_run (
    id   INTEGER PRIMARY KEY,
    base INTEGER NOT NULL
);

CREATE TABLE task_name (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE TABLE task (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL,
    frame   INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    name    INTEGER NOT NULL, -- of task_name
    state   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    gen     INTEGER NOT NULL,
    cell    BLOB
);

CREATE TABLE frame (
    run     INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    parent  INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    state   INTEGER NOT NULL,
    base    INTEGER NOT NULL,
    source  INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    failed  INTEGER NOT NULL,
    low     INTEGER NOT NULL,
    cell    BLOB,
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

CREATE TABLE block (
    run   INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    PRIMARY KEY (run, first)
) WITHOUT ROWID;

CREATE TABLE keyed (
    task_id BLOB PRIMARY KEY,
    value   BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE record (
    kind  TEXT NOT NULL,
    key   BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;

CREATE TABLE log (
    run      INTEGER NOT NULL,
    line     INTEGER NOT NULL, -- 1, 2, … in each run
    task_run TEXT NOT NULL,
    task     TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    level    TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (run, line)
) WITHOUT ROWID;

CREATE TABLE blob (
    id   INTEGER PRIMARY KEY,
    run  INTEGER NOT NULL,
    size INTEGER NOT NULL -- -1 while it is being written
);
CREATE INDEX blob_run ON blob (run);

CREATE TABLE blob_chunk (
    id   INTEGER PRIMARY KEY, -- blob * 2^20 + number of the chunk
    data BLOB NOT NULL
);
