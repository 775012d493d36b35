// Emmett on SQLite: the same facts, a commit for each or for each group, then all of them read back.
//   node emmett_peer.mjs MODULES FLAT SINGLE GROUPED GROUP      MODULES: the folder that the packages are installed in
// Its events are JSON, so a fact's bytes are base64 in it. By itself it opens the database for each call and closes it
// again; here it is given one connection to keep.
import assert from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

import { read } from "./facts.mjs";

const [modules, flat, ...sizes] = process.argv.slice(2);
const [SINGLE, GROUPED, GROUP] = sizes.map(Number);
const emmett = createRequire(join(resolve(modules), "package.json"))("@event-driven-io/emmett-sqlite");

async function opened(fileName) {
    const connection = emmett.sqliteConnection({ fileName });
    // It asks for this itself, but without waiting, and what comes next may be there first.
    await connection.command("PRAGMA journal_mode = WAL");
    const store = emmett.getSQLiteEventStore({ fileName, connectionOptions: { singleton: true, connection } });
    await store.schema.migrate();
    assert.equal((await connection.querySingle("PRAGMA journal_mode")).journal_mode, "wal");
    assert.equal((await connection.querySingle("PRAGMA synchronous")).synchronous, 2, "every commit is synced");
    return { store, connection };
}

// One append takes events of one stream: of a group, the facts of each stream together, as calls ready to be made.
function appends(facts) {
    const streams = new Map();
    for (const { stream, version, bytes } of facts) {
        if (!streams.has(stream)) {
            streams.set(stream, { stream, events: [], options: { expectedStreamVersion: BigInt(version - 1) } });
        }
        streams.get(stream).events.push({ type: "fact", data: { fact: bytes.toString("base64") } });
    }
    return [...streams.values()];
}

async function append({ store, connection }, facts, group) {
    const groups = [];
    for (let at = 0; at < facts.length; at += group) groups.push(appends(facts.slice(at, at + group)));
    const begun = performance.now();
    for (const calls of groups) {
        await connection.withTransaction(async () => {
            for (const { stream, events, options } of calls) await store.appendToStream(stream, events, options);
        });
    }
    return facts.length / ((performance.now() - begun) / 1_000);
}

async function replay({ connection }) {
    let facts = 0, bytes = 0, after = 0n, page;
    do {
        page = await emmett.readMessagesBatch(connection, { after, batchSize: 1_000 });
        for (const { data } of page.messages) bytes += Buffer.from(data.fact, "base64").length;
        facts += page.messages.length;
        after = page.currentGlobalPosition;
    } while (page.areEventsLeft);
    return { facts, bytes };
}

const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
};

const facts = read(flat, Math.max(SINGLE, GROUPED));
const folder = mkdtempSync("emmett-");
try {
    const one = await opened(join(folder, "single.db"));
    const single = await append(one, facts.slice(0, SINGLE), 1);
    const many = await opened(join(folder, "grouped.db"));
    const grouped = await append(many, facts.slice(0, GROUPED), GROUP);
    const since = cpuSeconds();
    const found = await replay(many);
    const seconds = cpuSeconds() - since;
    const told = facts.slice(0, GROUPED).reduce((sum, { bytes }) => sum + bytes.length, 0);
    assert.deepEqual(found, { facts: GROUPED, bytes: told });
    console.log(JSON.stringify({ single, grouped, replay: GROUPED / seconds }));
} finally {
    rmSync(folder, { recursive: true });
}
