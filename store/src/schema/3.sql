-- Version 3. Aliases, each with members that are addresses of accounts (so that no alias can lead
-- to another); how many bytes of mail an account may have; accounts that are out of use.
CREATE TABLE alias (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    domain       INTEGER NOT NULL REFERENCES domain,
    localpart    TEXT NOT NULL,         -- normalised; no address has the same
    post_public  INTEGER NOT NULL,
    list_members INTEGER NOT NULL,
    allow_from   INTEGER NOT NULL,
    UNIQUE (domain, localpart)
) STRICT;

CREATE TABLE member (
    alias     INTEGER NOT NULL REFERENCES alias ON DELETE CASCADE,
    domain    INTEGER NOT NULL,
    localpart TEXT NOT NULL,
    PRIMARY KEY (alias, domain, localpart),
    FOREIGN KEY (domain, localpart) REFERENCES address ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX member_address ON member (domain, localpart);

ALTER TABLE account ADD COLUMN quota INTEGER;   -- bytes; NULL: the server's default; -1: none
ALTER TABLE account ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
