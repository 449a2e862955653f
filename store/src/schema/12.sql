-- Version 12. What was imported from files, so that an import that is repeated goes on where the one
-- before has ended, and brings nothing twice.
CREATE TABLE imported (
    account INTEGER NOT NULL REFERENCES account,
    key     BLOB NOT NULL CHECK (length(key) = 16), -- of a mailbox and a message
    copies  INTEGER NOT NULL,           -- how many were imported
    run     INTEGER NOT NULL,           -- the last import that has met it
    met     INTEGER NOT NULL,           -- how often that one has
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;
