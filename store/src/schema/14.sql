-- Version 14. Copies of many messages that are being prepared: nobody sees them before they come
-- into their mailbox, all at once. Their bodies are counted in `shared` already.
CREATE TABLE staged (
    batch        INTEGER NOT NULL,
    place        INTEGER NOT NULL,      -- from 0, without gaps
    flags        INTEGER NOT NULL,      -- with the keywords of the mailbox where they go
    size         INTEGER NOT NULL,
    internaldate INTEGER NOT NULL,
    saved        INTEGER NOT NULL,
    body         INTEGER NOT NULL,
    prefix       INTEGER,
    PRIMARY KEY (batch, place)
) STRICT, WITHOUT ROWID;
