-- Version 2. Names may be subscribed to that no mailbox has (RFC 3501 section 6.3.6), so that
-- subscriptions are rows of their own; and \Recent is one number for each mailbox.
CREATE TABLE subscription (
    account INTEGER NOT NULL REFERENCES account,
    name    TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
INSERT INTO subscription (account, name)
    SELECT account, name FROM mailbox WHERE subscribed <> 0;
ALTER TABLE mailbox DROP COLUMN subscribed;

-- The highest UID that some session has claimed as recent (RFC 3501 section 2.3.2); those above it
-- are still to be told as such. What was there before is not new to anybody.
ALTER TABLE mailbox ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
UPDATE mailbox SET claimed = uidnext - 1;
