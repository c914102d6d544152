import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import { migrationSql, postgresStore } from "../../../adapters/postgres/mod.ts";
import { MAX_BODY_BYTES } from "../../../core/message/message.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { connect, freshSchema, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const skip = url === null && skipFor(NO_POSTGRES);

describe("a client that the store cannot work with", () => {
  it("is refused if it is Bun's SQL", () => {
    const bun = Object.assign(() => {}, {
      unsafe: () => {},
      begin: () => {},
      listen: () => {},
      options: { adapter: "postgres" },
    });
    assert.throws(() => postgresStore(bun as never), {
      code: "invalid_option",
      message: /such as Bun's SQL: want one of postgres\.js/,
    });
  });

  it("is refused if it transforms rows", { skip }, async () => {
    const sql = connect(url as string, { transform: { row: { from: (row: unknown) => row } } });
    assert.throws(() => postgresStore(sql), {
      code: "invalid_option",
      message: /transform\.row\.from, .+: want one without it/,
    });
    await sql.end();
  });
});

describe("a transaction whose results have no rows", () => {
  it("is refused with what is wanted", { skip }, async () => {
    await withStore(async ({ sql, store }) => {
      const bus = createBus({ store, transport: new FakeTransport(), logger: false });
      // What the EntityManager of TypeORM returns: the rows themselves, or rows and a count.
      for (const shaped of [(rows: unknown[]) => rows, (rows: unknown[]) => [rows, rows.length]]) {
        await assert.rejects(
          sql.begin((tx) => {
            const em = {
              query: async (text: string, params?: unknown[]) =>
                shaped([...await tx.unsafe(text, params as never[])]) as never,
            };
            return bus.publish(Placed, { n: 1 }, { tx: em });
          }),
          { code: "unsupported", message: /without rows, want \{ rows \}, as node-postgres/ },
        );
      }
      assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
      await bus.stop();
    });
  });
});

describe("a database that is not UTF-8", () => {
  it("is refused when the store gets ready", { skip }, async () => {
    const admin = connect(url as string);
    const name = freshSchema();
    await admin.unsafe(`create database ${name} encoding 'LATIN1' locale 'C' template template0`);
    const other = new URL(url as string);
    other.pathname = `/${name}`;
    const sql = connect(other.href);
    try {
      for (const migrate of [true, false]) {
        await assert.rejects(postgresStore(sql, { migrate }).ready(), {
          code: "unsupported",
          message:
            "Cannot use a database with the encoding LATIN1: want UTF8, as messages are Unicode text",
        });
      }
    } finally {
      await sql.end();
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.end();
    }
  });
});

describe("the printed migration", () => {
  it("runs for the owner of a schema who may not create one", { skip }, async () => {
    await withSchema(async (sql, schema) => {
      const role = `owner_of_${schema}`;
      await sql.unsafe(`create role ${role}`);
      try {
        await sql.unsafe(`create schema ${schema} authorization ${role}`);
        await sql.begin(async (tx) => {
          await tx.unsafe(`set local role ${role}`);
          await tx.unsafe(migrationSql({ schema }));
        });
        await postgresStore(sql, { schema, migrate: false }).ready();
      } finally {
        await sql.unsafe(`drop schema ${schema} cascade; drop role ${role}`);
      }
    });
  });

  it("makes the schema if it is not there", { skip }, async () => {
    await withSchema(async (sql, schema) => {
      await sql.begin((tx) => tx.unsafe(migrationSql({ schema })));
      await postgresStore(sql, { schema, migrate: false }).ready();
    });
  });
});

describe("maxBodyBytes over what the transport carries", () => {
  it("is refused", () => {
    const ports = { store: memoryStore(), transport: inProcessTransport() };
    assert.throws(() => createBus({ ...ports, maxBodyBytes: MAX_BODY_BYTES + 1 }), {
      code: "invalid_option",
      message:
        `Cannot make a bus with maxBodyBytes ${
          MAX_BODY_BYTES + 1
        }: want ${MAX_BODY_BYTES} at most, ` +
        "which is the most that its transport carries",
    });
    createBus({ ...ports, maxBodyBytes: MAX_BODY_BYTES });
  });

  it("is kept without a transport", async () => {
    const store = memoryStore();
    const maxBodyBytes = 2 * MAX_BODY_BYTES;
    const bus = createBus({ store, sharedStore: true, maxBodyBytes }, [
      subscribe(Placed, { group: "g" }, () => {}),
    ]);
    const body = JSON.stringify({ n: 1, padding: "x".repeat(MAX_BODY_BYTES) });
    const { id } = await bus.publishRaw({ name: Placed.name, body });
    assert.equal((await store.find("inbox", { id, group: "g" }))?.message.body, body);
    await bus.stop();
  });
});
