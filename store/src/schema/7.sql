-- Version 7. Domains that want CRAM-MD5. Its keys are secrets of kind 4: stored_key holds the inner
-- state, server_key the outer one; there is no salt (an empty one) and one iteration.
ALTER TABLE domain ADD COLUMN cram_md5 INTEGER NOT NULL DEFAULT 0;
