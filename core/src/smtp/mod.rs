//! SMTP (RFC 5321): the server machine, its commands, replies and the body of DATA.
