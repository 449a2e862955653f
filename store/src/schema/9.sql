-- Version 9. Keys of client certificates with which people log in to an account.
CREATE TABLE account_key (
    fingerprint BLOB NOT NULL PRIMARY KEY,  -- SHA-256 of the SubjectPublicKeyInfo
    account     INTEGER NOT NULL REFERENCES account,
    label       TEXT NOT NULL,
    since       INTEGER NOT NULL,
    CHECK (length(fingerprint) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_key_account ON account_key (account, since);
