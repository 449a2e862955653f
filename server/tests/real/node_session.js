// A session of imapflow and nodemailer with a server: NODE_MODULES CA IMAP IMAPS SUBMISSION
// SUBMISSIONS HTTPS.

const assert = require("node:assert");
const { once } = require("node:events");
const fs = require("node:fs");
const path = require("node:path");

// Debian 12's Node has it in a module only.
globalThis.crypto ??= require("node:crypto").webcrypto;

const [modules, caFile, ...given] = process.argv.slice(2);
const [imap, imaps, submission, submissions, https] = given.map(Number);
const { ImapFlow } = require(path.join(modules, "imapflow"));
const nodemailer = require(path.join(modules, "nodemailer"));

const ca = fs.readFileSync(caFile);
const pass = "pillarbox";
// How each protocol is reached: STARTTLS, TLS, and the one port by ALPN.
const ways = (starttls, tls, alpn) => [
    { port: starttls, secure: false, tls: { ca } },
    { port: tls, secure: true, tls: { ca } },
    { port: https, secure: true, tls: { ca, ALPNProtocols: [alpn] } },
];

async function send(way, method, subject, password = pass) {
    const transport = nodemailer.createTransport({
        host: "localhost",
        requireTLS: true,
        ...way,
        auth: { user: "user@localhost", pass: password, method },
    });
    const sent = await transport.sendMail({
        from: "User <user@localhost>",
        to: "friend@localhost",
        subject,
        text: "Grüße\n.\n..\n",
        attachments: [{ filename: "bytes", content: Buffer.from([0, 13, 10, 255]) }],
    });
    assert.deepStrictEqual(sent.accepted, ["friend@localhost"]);
    transport.close();
}

async function enter(way, loginMethod, password = pass, more = {}) {
    const client = new ImapFlow({
        ...more,
        host: "localhost",
        doSTARTTLS: !way.secure,
        ...way,
        auth: { user: "friend@localhost", pass: password, loginMethod },
        logger: false,
    });
    await client.connect();
    return client;
}

// What is submitted goes by way of the queue.
async function arrived(way, count) {
    const client = await enter(way);
    const until = Date.now() + 20_000;
    while ((await client.status("INBOX", { messages: true })).messages < count && Date.now() < until);
    await client.logout();
}

async function main() {
    let count = 0;
    for (const way of ways(submission, submissions, "smtp")) {
        for (const method of ["PLAIN", "LOGIN", "CRAM-MD5", undefined]) {
            await send(way, method, `way ${(count += 1)}`);
        }
        await assert.rejects(send(way, "PLAIN", "refused", "wrong"), { code: "EAUTH", responseCode: 535 });
    }

    await arrived(ways(imap, imaps, "imap")[1], count);
    for (const way of ways(imap, imaps, "imap")) {
        for (const method of ["AUTH=PLAIN", "AUTH=LOGIN", "LOGIN", undefined]) {
            const client = await enter(way, method);
            assert(client.secureConnection);
            const box = await client.mailboxOpen("INBOX");
            assert.strictEqual(box.exists, count);
            await client.logout();
        }
        await assert.rejects(enter(way, "AUTH=PLAIN", "wrong"), {
            authenticationFailed: true,
            serverResponseCode: "AUTHENTICATIONFAILED",
        });
    }

    // What comes while the client waits is told at once, and is what was sent.
    for (const [number, way] of ways(submission, submissions, "smtp").entries()) {
        const client = await enter(ways(imap, imaps, "imap")[number]);
        await client.mailboxOpen("INBOX");
        const told = once(client, "exists");
        const idling = client.idle();
        await send(way, undefined, `news ${number}`);
        const [news] = await told;
        assert.deepStrictEqual([news.prevCount, news.count], [count, (count += 1)]);
        const message = await client.fetchOne("*", { envelope: true, bodyStructure: true, source: true });
        await idling;
        assert.strictEqual(message.envelope.subject, `news ${number}`);
        assert.strictEqual(message.envelope.from[0].address, "user@localhost");
        const parts = message.bodyStructure.childNodes.map((part) => part.type);
        assert.deepStrictEqual(parts, ["text/plain", "application/octet-stream"]);
        const text = await client.download("*", "1");
        assert.strictEqual(Buffer.concat(await text.content.toArray()).toString(), "Grüße\r\n.\r\n..\r\n");
        const bytes = await client.download("*", "2");
        assert.deepStrictEqual(Buffer.concat(await bytes.content.toArray()), Buffer.from([0, 13, 10, 255]));
        await client.messageFlagsAdd("*", ["\\Seen"]);
        assert.deepStrictEqual(await client.search({ seen: true }), [count]);
        await client.messageMove("*", "Archive");
        count -= 1;
        await client.logout();
    }
    await resync(ways(imap, imaps, "imap")[1]);
}

// What has changed while a client was away is told when it comes again (RFC 7162).
async function resync(way) {
    const before = await enter(way, undefined, pass, { qresync: true });
    assert(before.enabled.has("QRESYNC"));
    const { uidValidity, highestModseq } = await before.mailboxOpen("INBOX");
    const first = (await before.fetchOne("1", { uid: true })).uid;
    const last = (await before.fetchOne("*", { uid: true })).uid;
    await before.logout();

    const other = await enter(way);
    await other.mailboxOpen("INBOX");
    await other.messageFlagsAdd("1", ["\\Flagged"]);
    await other.messageDelete("*");
    await other.logout();

    const again = await enter(way, undefined, pass, { qresync: true });
    const [gone, changed] = [[], []];
    again.on("expunge", (told) => gone.push([told.uid, told.earlier]));
    again.on("flags", (told) => changed.push([told.uid, [...told.flags]]));
    const box = await again.mailboxOpen("INBOX", { uidValidity, changedSince: highestModseq });
    assert(box.highestModseq > highestModseq);
    assert.deepStrictEqual(gone, [[last, true]]);
    assert.deepStrictEqual(changed, [[first, ["\\Flagged"]]]);
    const since = { uid: true, changedSince: highestModseq };
    const found = await again.fetchAll("1:*", { uid: true, flags: true }, since);
    assert.deepStrictEqual(found.map((message) => message.uid), [first]);
    assert.deepStrictEqual(await again.fetchAll("1:*", { uid: true }, { changedSince: box.highestModseq }), []);
    await again.logout();
}

main();
