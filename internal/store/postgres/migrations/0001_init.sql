-- States below 6 are not final (api.State). Times are microseconds since 1970.
-- Keys come about in the order of commits, so rows are appended, and there is
-- hardly an index beside the keys. What can't be searched for in a sensible way
-- is bytea, since text of PostgreSQL holds no NUL and nothing but UTF-8.
--
-- Rows that change get room on their page, so that a change needs no new entries
-- in the indexes (HOT), and are vacuumed often: cheap while the pages are warm.

CREATE TABLE counter (
    name  text PRIMARY KEY,
    value bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO counter VALUES
    ('keys', 1),    -- the first key that was not reserved yet
    ('blobs', 1),   -- the same for numbers of large values
    ('process', 1), -- the number of the next process
    ('last', 0);    -- the highest number of a run that was removed

-- Engines that have the store open, and such that were given up.
CREATE TABLE process (
    id      bigint PRIMARY KEY,
    name    text NOT NULL,
    started bigint NOT NULL,
    beat    bigint NOT NULL, -- by the database's clock
    dead    boolean NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Connections that commit. Each commit changes its row, which is how a process
-- that was given up is kept from committing, and how it is found out whether a
-- commit counts whose answer was lost.
CREATE TABLE writer (
    process bigint NOT NULL,
    id      int NOT NULL,
    session bigint NOT NULL, -- of the writer's connections, the one that may commit; 0: none
    applied bigint NOT NULL, -- number of the last commit
    PRIMARY KEY (process, id)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE run (
    id       bigint PRIMARY KEY,
    uid      bytea NOT NULL,
    name     bytea NOT NULL,
    state    smallint NOT NULL,
    gen      int NOT NULL,
    epoch    int NOT NULL,
    base     bigint NOT NULL,
    created  bigint NOT NULL,
    finished bigint NOT NULL,
    owner    bigint NOT NULL, -- the process that runs it
    plan     bytea,
    cell     bytea
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX run_live ON run (owner, id) WHERE state < 6;

-- Runs that were removed, of whose rows some are left.
CREATE TABLE gone_run (
    id   bigint PRIMARY KEY,
    base bigint NOT NULL
);

CREATE TABLE task (
    id      bigint PRIMARY KEY,
    run     bigint NOT NULL,
    frame   bigint NOT NULL,
    place   int NOT NULL,
    name    bytea NOT NULL,
    state   smallint NOT NULL,
    attempt int NOT NULL,
    gen     int NOT NULL,
    cell    bytea
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE frame (
    run     bigint NOT NULL,
    id      bigint NOT NULL,
    parent  bigint NOT NULL,
    place   int NOT NULL,
    kind    smallint NOT NULL,
    state   smallint NOT NULL,
    base    bigint NOT NULL,
    source  bigint NOT NULL,
    count   bigint NOT NULL,
    pending bigint NOT NULL,
    failed  bigint NOT NULL,
    low     bigint NOT NULL,
    cell    bytea,
    PRIMARY KEY (run, id)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE block (
    run   bigint NOT NULL,
    first bigint NOT NULL,
    count bigint NOT NULL,
    seq   bigint NOT NULL,
    frame bigint NOT NULL,
    PRIMARY KEY (run, first)
);

CREATE TABLE keyed (
    task_id bytea PRIMARY KEY,
    value   bytea NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE record (
    kind  bytea NOT NULL,
    key   bytea NOT NULL,
    value bytea NOT NULL,
    blob  bigint NOT NULL,
    PRIMARY KEY (kind, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE log (
    run      bigint NOT NULL,
    line     bigint NOT NULL, -- 1, 2, … in each run
    task_run bytea NOT NULL,
    task     bytea NOT NULL,
    attempt  int NOT NULL,
    time     bigint NOT NULL,
    level    bytea NOT NULL,
    text     bytea NOT NULL,
    PRIMARY KEY (run, line)
);

CREATE TABLE blob (
    id   bigint PRIMARY KEY,
    run  bigint NOT NULL, -- -2: a record's; 0: to be a record's; -1: not a record's any more
    size bigint NOT NULL  -- -1 while it is being written
);
CREATE INDEX blob_run ON blob (run);

CREATE TABLE blob_chunk (
    blob   bigint NOT NULL,
    number int NOT NULL,
    data   bytea NOT NULL,
    PRIMARY KEY (blob, number)
);
