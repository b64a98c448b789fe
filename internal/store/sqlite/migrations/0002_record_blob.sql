-- A record may own a blob. Such a blob has run -2, before that 0, and after it -1.
ALTER TABLE record ADD COLUMN blob INTEGER NOT NULL DEFAULT 0;
