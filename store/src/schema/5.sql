-- Version 5. What the answers to logins of names that do not exist are derived from: the same ones
-- each time, and unknown to everybody.
ALTER TABLE meta ADD COLUMN login_secret BLOB;
UPDATE meta SET login_secret = randomblob(32);
