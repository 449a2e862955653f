-- Version 15. What was found of messages from domains that publish a DMARC policy, for the reports to
-- them: alike ones of a day are one row, which says how many there were.
CREATE TABLE dmarc_seen (
    id     INTEGER PRIMARY KEY,
    day    INTEGER NOT NULL,            -- its first second, in UTC
    domain TEXT NOT NULL,               -- whose policy it was
    facts  TEXT NOT NULL,               -- JSON
    count  INTEGER NOT NULL,
    UNIQUE (day, domain, facts)
) STRICT;
