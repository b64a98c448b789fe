-- A record may own a blob. Those have run 0; what was a record's has run -1.
ALTER TABLE record ADD COLUMN blob INTEGER NOT NULL DEFAULT 0;
CREATE INDEX record_blob ON record (blob) WHERE blob <> 0;
