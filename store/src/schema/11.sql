-- Version 11. Tombstones are not kept for ever: of what was purged with this modification sequence
-- or a lower one, some may be forgotten (RFC 7162 section 5.3).
ALTER TABLE mailbox ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
