//! Saying: what the machine writes by itself.

use super::{Mistake, Server, Status, Verb, plain_text, response};
use crate::Outbox;

impl Server {
    /// The untagged response to a command that the machine answers alone.
    pub(super) fn tell(&self, verb: Verb, out: &mut Outbox) {
        match verb {
            Verb::Id => response::id(&self.config.software, out),
            Verb::Namespace => response::namespace(out),
            _ => {
                out.push(b"* CAPABILITY ");
                self.capabilities(out);
                out.push(b"\r\n");
            }
        }
    }

    /// Answers a mistake, and ends a session in which there are too many.
    pub(super) fn mistake(&mut self, tag: Option<&str>, mistake: &Mistake, out: &mut Outbox) {
        let reply = mistake.reply();
        self.tagged(
            tag.unwrap_or("*"),
            reply.status,
            |server, out| {
                if let Some(code) = reply.code {
                    code.write(out);
                }
                match mistake {
                    Mistake::Syntax(at) => server.text_with_id(&at.to_string(), out),
                    _ => server.text_with_id(reply.text, out),
                }
            },
            out,
        );
        if *mistake == Mistake::Lost {
            self.close("what follows cannot be understood", out);
        } else if reply.status == Status::Bad {
            self.bad += 1;
            if self.bad >= self.config.bad_commands_max {
                self.close("too many bad commands", out);
            }
        }
    }

    pub(super) fn capability_code(&self, out: &mut Outbox) {
        out.push(b"[CAPABILITY ");
        self.capabilities(out);
        out.push(b"] ");
    }

    pub(super) fn done(&self, tag: Option<&str>, verb: Verb, out: &mut Outbox) {
        out.push(tag.unwrap_or("*").as_bytes());
        out.push(b" OK ");
        out.push(verb.name().as_bytes());
        out.push(b" completed\r\n");
    }

    pub(super) fn tagged(
        &self,
        tag: &str,
        status: Status,
        rest: impl FnOnce(&Self, &mut Outbox),
        out: &mut Outbox,
    ) {
        out.push(tag.as_bytes());
        out.push(match status {
            Status::Ok => b" OK ",
            Status::No => b" NO ",
            Status::Bad => b" BAD ",
        });
        rest(self, out);
    }

    pub(super) fn text_with_id(&self, text: &str, out: &mut Outbox) {
        plain_text(text, out);
        out.push(b" (");
        plain_text(&self.id, out);
        out.push(b")\r\n");
    }
}
