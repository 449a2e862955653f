-- Version 8. Whose a local part is, in whatever domain: asked for each SCRAM login.
CREATE INDEX address_localpart ON address (localpart, account);
