-- Version 13. Capabilities of IMAP that an account's clients are not told of.
CREATE TABLE hidden_capability (
    account INTEGER NOT NULL REFERENCES account,
    name    TEXT NOT NULL,              -- in capitals
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
