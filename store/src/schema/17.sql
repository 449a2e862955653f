-- Version 17. Mail that leaves: what waits, and for a while what has left.
CREATE TABLE outgoing (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER,                 -- who submitted it; NULL: nobody of ours
    sender     TEXT NOT NULL,           -- the reverse path; '' is the null sender
    mail       TEXT NOT NULL,           -- MAIL as a command
    message_id TEXT NOT NULL,
    cid        TEXT NOT NULL,           -- the connection by which it came
    tls_optional INTEGER NOT NULL,      -- it is to arrive rather than to be protected (RFC 8689)
    since      INTEGER NOT NULL,
    size       INTEGER NOT NULL,        -- of prefix and body
    body       INTEGER,                 -- NULL once nobody waits for it
    prefix     INTEGER
) STRICT;
CREATE INDEX outgoing_message_id ON outgoing (message_id);
-- One recipient of such a message.
CREATE TABLE outgoing_to (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    outgoing  INTEGER NOT NULL REFERENCES outgoing,
    address   TEXT NOT NULL,
    domain    TEXT NOT NULL,            -- in A-labels, or a literal in brackets
    rcpt      TEXT NOT NULL,            -- RCPT as a command
    state     INTEGER NOT NULL,         -- 0 waits, 1 held, 2 delivered, 3 failed, 4 dropped
    next      INTEGER NOT NULL,         -- when it is tried; from state 2 on: when it ended
    attempts  INTEGER NOT NULL,
    warned    INTEGER NOT NULL,         -- the sender knows that it takes long
    transport TEXT,                     -- by which way it has to go
    said      TEXT NOT NULL             -- what came of it last
) STRICT;
CREATE INDEX outgoing_to_outgoing ON outgoing_to (outgoing);
CREATE INDEX outgoing_to_domain ON outgoing_to (state, domain, next, id);
CREATE INDEX outgoing_to_next ON outgoing_to (state, next, id);
-- A conversation with a server, or what came in the place of one.
CREATE TABLE outgoing_try (
    id         INTEGER PRIMARY KEY,
    began      INTEGER NOT NULL,
    server     TEXT NOT NULL,
    address    TEXT NOT NULL,
    tls        TEXT NOT NULL,
    transcript TEXT NOT NULL
) STRICT;
-- Whom it was about, and what came of it.
CREATE TABLE outgoing_tried (
    recipient INTEGER NOT NULL REFERENCES outgoing_to,
    try       INTEGER NOT NULL REFERENCES outgoing_try,
    said      TEXT NOT NULL,
    PRIMARY KEY (recipient, try)
) STRICT, WITHOUT ROWID;
CREATE INDEX outgoing_tried_try ON outgoing_tried (try);
-- What is held as soon as it enters. What is NULL fits all.
CREATE TABLE outgoing_hold (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    account   INTEGER,
    sender    TEXT,                     -- a domain, in A-labels
    recipient TEXT                      -- a domain, in A-labels
) STRICT;
-- What domains want of TLS on the way to them (MTA-STS), as long as it holds.
CREATE TABLE sts_policy (
    domain  TEXT PRIMARY KEY,
    id      TEXT NOT NULL,              -- of the record that it was fetched for
    policy  TEXT NOT NULL,
    fetched INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outgoing_account ON outgoing (account, since);
-- To whom an account has written, and when for the first time.
CREATE TABLE correspondent (
    account INTEGER NOT NULL,
    address TEXT NOT NULL,              -- folded
    first   INTEGER NOT NULL,
    PRIMARY KEY (account, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX correspondent_first ON correspondent (account, first);
-- To whom nothing of an account's is sent any more, since it came back.
CREATE TABLE suppressed (
    account INTEGER NOT NULL,
    address TEXT NOT NULL,              -- folded
    since   INTEGER NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (account, address)
) STRICT, WITHOUT ROWID;
-- How TLS went with the servers of domains, for the reports to them (RFC 8460): as dmarc_seen.
CREATE TABLE tls_seen (
    id     INTEGER PRIMARY KEY,
    day    INTEGER NOT NULL,
    domain TEXT NOT NULL,
    facts  TEXT NOT NULL,               -- JSON
    count  INTEGER NOT NULL,
    UNIQUE (day, domain, facts)
) STRICT;
