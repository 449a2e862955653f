-- Version 16. The keys by which domains sign (RFC 6376).
CREATE TABLE dkim_key (
    domain   INTEGER NOT NULL REFERENCES domain,
    selector TEXT NOT NULL,
    pkcs8    BLOB NOT NULL,             -- the private key
    since    INTEGER NOT NULL,
    signs    INTEGER NOT NULL,
    PRIMARY KEY (domain, selector)
) STRICT, WITHOUT ROWID;
