-- Version 1. Times are seconds since 1970-01-01T00:00:00Z; modification sequences are those of
-- RFC 7162. STRICT throughout: a wrong type is an error at once and not a surprise years later.

-- What was given once and must not be given again.
CREATE TABLE meta (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    uidvalidity_last INTEGER NOT NULL,
    body_last        INTEGER NOT NULL   -- no removed body had a higher id
) STRICT;
INSERT INTO meta VALUES (1, 0, 0);

CREATE TABLE account (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT NOT NULL UNIQUE,       -- normalised
    created INTEGER NOT NULL
) STRICT;

-- Derived keys only. Which columns are filled is decided by kind.
CREATE TABLE secret (
    account    INTEGER NOT NULL REFERENCES account,
    kind       INTEGER NOT NULL,        -- 1 argon2id, 2 SCRAM-SHA-256, 3 SCRAM-SHA-1
    phc        TEXT,
    salt       BLOB,
    iterations INTEGER,
    stored_key BLOB,
    server_key BLOB,
    PRIMARY KEY (account, kind),
    CHECK (CASE kind
        WHEN 1 THEN phc IS NOT NULL
        ELSE salt IS NOT NULL AND iterations > 0
            AND stored_key IS NOT NULL AND server_key IS NOT NULL
    END)
) STRICT, WITHOUT ROWID;

CREATE TABLE domain (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL UNIQUE,     -- normalised
    catch_all INTEGER REFERENCES account
) STRICT;

CREATE TABLE address (
    domain    INTEGER NOT NULL REFERENCES domain,
    localpart TEXT NOT NULL,            -- normalised
    account   INTEGER NOT NULL REFERENCES account,
    PRIMARY KEY (domain, localpart)
) STRICT, WITHOUT ROWID;
CREATE INDEX address_account ON address (account);

-- An id is never used again. The counters count messages that are not expunged.
CREATE TABLE mailbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account       INTEGER NOT NULL REFERENCES account,
    name          TEXT NOT NULL,
    special       INTEGER,              -- see Special
    subscribed    INTEGER NOT NULL,
    uidvalidity   INTEGER NOT NULL,
    uidnext       INTEGER NOT NULL,
    highestmodseq INTEGER NOT NULL,
    messages      INTEGER NOT NULL,
    unseen        INTEGER NOT NULL,
    deleted       INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT;

-- Bits 5 to 63 of message.flags, by the name that a client gave.
CREATE TABLE keyword (
    mailbox INTEGER NOT NULL REFERENCES mailbox,
    bit     INTEGER NOT NULL CHECK (bit BETWEEN 5 AND 63),
    name    TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (mailbox, bit),
    UNIQUE (mailbox, name)
) STRICT, WITHOUT ROWID;

-- Bytes, never changed once written: a body, or the lines that stand in front of one. In a table
-- of their own, so that listing a mailbox reads none of them.
CREATE TABLE body (
    id     INTEGER PRIMARY KEY,         -- never used again, see meta.body_last
    size   INTEGER NOT NULL,
    handle BLOB CHECK (length(handle) = 16),
    data   BLOB,
    CHECK ((handle IS NULL) <> (data IS NULL))
) STRICT;
-- Two rows naming one file would remove it twice.
CREATE UNIQUE INDEX body_handle ON body (handle) WHERE handle IS NOT NULL;

-- How many columns name a body, where more than one does. A row only for these: most bodies are
-- named once, and a count beside the bytes would rewrite them.
CREATE TABLE shared (
    body INTEGER PRIMARY KEY REFERENCES body,
    refs INTEGER NOT NULL CHECK (refs > 1)
) STRICT;

-- Slim, and clustered by (mailbox, uid), so that FETCH FLAGS of a mailbox is one short scan.
-- body and prefix are no declared foreign keys: those would want an index on each to remove a
-- body; `verify` checks them instead.
CREATE TABLE message (
    mailbox      INTEGER NOT NULL REFERENCES mailbox,
    uid          INTEGER NOT NULL,
    expunged     INTEGER NOT NULL,      -- 1: kept until purged; modseq tells when
    flags        INTEGER NOT NULL,
    modseq       INTEGER NOT NULL,
    size         INTEGER NOT NULL,      -- of prefix and body together
    internaldate INTEGER NOT NULL,
    saved        INTEGER NOT NULL,
    created      INTEGER NOT NULL,      -- the modseq with which it came
    body         INTEGER NOT NULL,
    prefix       INTEGER,
    PRIMARY KEY (mailbox, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_modseq ON message (mailbox, modseq);
CREATE INDEX message_expunged ON message (mailbox, modseq) WHERE expunged = 1;

-- What is left of purged messages, for clients that come back later (RFC 7162 section 3.2).
CREATE TABLE tombstone (
    mailbox INTEGER NOT NULL REFERENCES mailbox,
    modseq  INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
) STRICT, WITHOUT ROWID;
