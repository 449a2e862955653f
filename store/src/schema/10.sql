-- Version 10. What is worth knowing of a message without reading it, as `mime::Digest` has it; a row
-- for each body that messages name (but none for the lines in front of them), empty where it is
-- still to be made. In a table of its own, so that a list of messages reads no bodies.
CREATE TABLE digest (
    body  INTEGER PRIMARY KEY REFERENCES body,
    facts BLOB NOT NULL
) STRICT;
CREATE INDEX digest_due ON digest (body) WHERE facts = x'';
INSERT INTO digest (body, facts) SELECT DISTINCT body, x'' FROM message;
