-- Version 6. Who has logged in, and who has tried to: alike ones of an hour are one row, which says
-- how many there were and holds what is known of the last.
CREATE TABLE login_attempt (
    id        INTEGER PRIMARY KEY,
    account   INTEGER NOT NULL REFERENCES account,
    hour      INTEGER NOT NULL,         -- its first second
    network   TEXT NOT NULL,            -- `*` where an hour has too many
    protocol  TEXT NOT NULL,
    mechanism TEXT NOT NULL,
    tls       INTEGER NOT NULL,
    result    TEXT NOT NULL,
    count     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    login     TEXT NOT NULL,            -- the name that was given
    peer      TEXT NOT NULL,
    cid       TEXT NOT NULL,
    UNIQUE (account, hour, network, protocol, mechanism, tls, result)
) STRICT;
CREATE INDEX login_attempt_last ON login_attempt (last);
