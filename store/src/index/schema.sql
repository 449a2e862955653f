-- The index of texts, in a file of its own: what is lost with it is made anew. A doc is a row of
-- `body` in the mail database, with the rows behind it that are lines in front of it; `bytes` is
-- their size. What `last` of the state has not reached is not indexed.
CREATE TABLE state (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0);

-- Docs that are not yet enough for a block; those of which nothing can be said have no marks.
CREATE TABLE pending (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    bits  INTEGER NOT NULL,     -- the logarithm of how many marks there are; 0: no marks
    marks BLOB NOT NULL
) STRICT;
CREATE INDEX pending_bits ON pending (bits);

-- 128 docs with as many marks each, turned: for each mark 128 bits that say who has it, 64 marks in
-- a row. The id of a slice is that of its block and of its place: block << 11 | mark >> 6.
CREATE TABLE block (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    bits INTEGER NOT NULL
) STRICT;
CREATE TABLE docs (
    block INTEGER PRIMARY KEY,
    docs  BLOB NOT NULL         -- first, last, bytes of each, as 64-bit numbers
) STRICT;
CREATE TABLE slice (
    id   INTEGER PRIMARY KEY,
    bits BLOB NOT NULL
) STRICT;
