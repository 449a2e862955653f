-- Version 4. Names are normalised for all letters, not only for ASCII ones (see src/schema/folded.rs,
-- which is the rest of this step: SQL knows no such letters). Foreign keys are looked at when all
-- is done.
PRAGMA defer_foreign_keys = ON;
