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
    ('keys', 1),   -- the first key that was not reserved yet
    ('blobs', 1),  -- the same for numbers of large values
    ('last', 0),   -- the highest number of a run that was removed
    ('giving', 0), -- locked by who gives another process up
    ('schema', floor(random() * 9007199254740992)); -- tells this schema from others of its name

-- Run numbers are taken in blocks of this size, without waiting for each other. Of a
-- block, a session uses those of its lane.
CREATE SEQUENCE run_number INCREMENT 8192 START 8192;

-- Sessions that live. Who writes anything holds a lock on its row, or on one of
-- the table writer, so that a session can't end in the middle of it.
CREATE TABLE process (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL,
    started bigint NOT NULL,
    beat    bigint NOT NULL, -- its last sign of life, by the database's clock; 0: it is being given up
    lease   bigint NOT NULL, -- for how long that counts
    offer   bytea
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Connections that write. What they write changes their row, which tells whether
-- something counts whose answer was lost, and whether the database has forgotten
-- something. The other rows count what is written beside them.
CREATE TABLE writer (
    process bigint NOT NULL,
    id      int NOT NULL,
    turn    bigint NOT NULL, -- of those who were the writer one after the other, who is now
    applied bigint NOT NULL, -- number of the last transaction
    PRIMARY KEY (process, id)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Duties that a session has, or had when it ended.
CREATE TABLE duty (
    name   text PRIMARY KEY,
    holder bigint NOT NULL
);

CREATE TABLE letter (
    receiver bigint NOT NULL,
    id       bigint GENERATED ALWAYS AS IDENTITY,
    sender   bigint NOT NULL,
    body     bytea NOT NULL,
    PRIMARY KEY (receiver, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- run and task are in a part for each lane, so that sessions do not wait for each other
-- when they add pages. The number of a run says the lane, so what is a key of each part
-- is one of all.
CREATE TABLE run (
    id       bigint NOT NULL,
    uid      bytea NOT NULL,
    name     bytea NOT NULL,
    state    smallint NOT NULL,
    gen      int NOT NULL,
    epoch    int NOT NULL,
    base     bigint NOT NULL,
    created  bigint NOT NULL,
    finished bigint NOT NULL,
    owner    bigint NOT NULL, -- the session that it belongs to while it lives
    plan     bytea,
    cell     bytea
) PARTITION BY LIST ((id & 7));
CREATE INDEX run_live ON run (owner, id) WHERE state < 6;

-- Runs that were removed, of whose rows some are left.
CREATE TABLE gone_run (
    id   bigint PRIMARY KEY,
    base bigint NOT NULL
);

CREATE TABLE task (
    run     bigint NOT NULL,
    id      bigint NOT NULL, -- no other run has it
    frame   bigint NOT NULL,
    place   int NOT NULL,
    name    bytea NOT NULL,
    state   smallint NOT NULL,
    attempt int NOT NULL,
    gen     int NOT NULL,
    cell    bytea
) PARTITION BY LIST ((run & 7));

DO $$ BEGIN
    FOR lane IN 0..7 LOOP
        EXECUTE format('CREATE TABLE run_%s PARTITION OF run (PRIMARY KEY (id)) FOR VALUES IN (%s)
            WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)', lane, lane);
        EXECUTE format('CREATE TABLE task_%s PARTITION OF task (PRIMARY KEY (run, id)) FOR VALUES IN (%s)
            WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)', lane, lane);
    END LOOP;
END $$;

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
    size bigint NOT NULL, -- -1 while it is being written
    owner bigint NOT NULL -- the session that put it
);
CREATE INDEX blob_run ON blob (run);

CREATE TABLE blob_chunk (
    blob   bigint NOT NULL,
    number int NOT NULL,
    data   bytea NOT NULL,
    PRIMARY KEY (blob, number)
);
