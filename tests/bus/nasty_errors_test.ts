import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { PGlite } from "@electric-sql/pglite";
import { inProcessTransport, memoryStore } from "../../adapters/memory/mod.ts";
import { pgliteStore } from "../../adapters/pglite/mod.ts";
import { postgresStore } from "../../adapters/postgres/mod.ts";
import type { Store } from "../../core/ports/store.ts";
import { createApp } from "../../edge/mod.ts";
import { createStatelessApp } from "../../edge/stateless/mod.ts";
import { createBus, subscribe } from "../../mod.ts";
import { arriving, fixture, Placed } from "../support/bus_fixture.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { nastyValues } from "../support/nasty.ts";
import { newPglite } from "../support/pglite.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import { skipFor } from "../support/skip.ts";

const NAMES = Object.keys(nastyValues());
const url = await postgresUrl();

/** A way of a handler to fail. */
const WAYS: Record<string, (name: string) => unknown> = {
  "throws": (name) => {
    throw nastyValues()[name];
  },
  "rejects with": (name) => Promise.reject(nastyValues()[name]),
};

interface Place {
  // deno-lint-ignore no-explicit-any -- the handlers here use no transaction.
  readonly store: Store<any>;
  close(): Promise<void>;
}

const STORES: Record<string, { skip: boolean | string; open(): Promise<Place> }> = {
  memory: {
    skip: false,
    open: () => Promise.resolve({ store: memoryStore(), close: () => Promise.resolve() }),
  },
  PGlite: {
    skip: false,
    async open() {
      const db: PGlite = await newPglite();
      return { store: pgliteStore(db), close: () => db.close() };
    },
  },
  Postgres: {
    skip: url === null ? skipFor(NO_POSTGRES) : false,
    open() {
      const sql = connect(url as string);
      const schema = freshSchema();
      const store = postgresStore(sql, { schema });
      const close = async () => {
        await store.close();
        await dropSchema(sql, schema);
        await sql.end();
      };
      return Promise.resolve({ store, close });
    },
  },
};

for (const [storeName, { skip, open }] of Object.entries(STORES)) {
  describe(`an attempt on ${storeName}`, { skip }, () => {
    let place: Place;
    before(async () => {
      place = await open();
      await place.store.ready();
    });
    after(() => place.close());

    for (const [way, fail] of Object.entries(WAYS)) {
      for (const transaction of [true, false]) {
        it(`fails once where its handler ${way} what cannot be read, transaction ${transaction}`, async () => {
          const group = `g-${way.slice(0, 6)}-${transaction}`;
          const once = { kind: "fixed", delayMs: 0, maxAttempts: 1 } as const;
          const bus = createBus({ store: place.store, transport: inProcessTransport() }, [
            subscribe(
              Placed,
              { group, transaction, retry: once },
              (_, { message }) => fail(message.headers["x-name"]!) as undefined,
            ),
          ]);
          for (const [i, name] of NAMES.entries()) {
            const id = `${group}-${i}`;
            await bus.deliver([arriving(id, { headers: { "x-name": name } })]);
            const record = await place.store.find("inbox", { id, group });
            assert.deepEqual(
              [record?.state, record?.attempts, record?.crashes, record?.leaseUntilMs],
              ["failed", 1, 0, null],
              name,
            );
            assert.equal(typeof record?.reason, "string");
          }
          await bus.stop();
        });
      }
    }
  });
}

describe("what cannot be read", () => {
  it("and is thrown by a transport is a failed attempt", async () => {
    for (const name of NAMES) {
      const transport = new FakeTransport(() => {
        throw nastyValues()[name];
      });
      const { bus, store } = fixture([], { transport, retry: { kind: "list", delaysMs: [1_000] } });
      const { id } = await bus.publish(Placed, { n: 1 });
      await bus.tick();
      const record = await store.find("outbox", { id, group: "" });
      assert.deepEqual([record?.attempts, record?.leaseUntilMs], [1, null], name);
    }
  });

  it("and is thrown by a handler in process, middleware or schema is a failed attempt", async () => {
    for (const name of NAMES) {
      const fail = () => {
        throw nastyValues()[name];
      };
      const validate = { "~standard": { version: 1, vendor: "test", validate: fail } } as const;
      const subscribers = [
        subscribe(Placed, { group: "handler" }, fail),
        subscribe({ ...Placed, body: validate as never }, { group: "schema" }, () => {}),
        subscribe(Placed, { group: "together", maxBatch: 10 }, fail),
      ];
      const { bus, store } = fixture(subscribers);
      await bus.deliver([arriving("m")]);
      for (const { group } of subscribers) {
        const record = await store.find("inbox", { id: "m", group });
        assert.deepEqual([record?.attempts, record?.leaseUntilMs], [1, null], `${group}: ${name}`);
      }
      const wrapped = fixture([subscribe(Placed, { group: "g" }, () => {})], { onConsume: [fail] });
      await wrapped.bus.deliver([arriving("m")]);
      const record = await wrapped.store.find("inbox", { id: "m", group: "g" });
      assert.deepEqual([record?.attempts, record?.leaseUntilMs], [1, null], name);
    }
  });

  it("and is thrown without a store is a failure of the attempt, never a 500", async () => {
    for (const name of NAMES) {
      const app = createStatelessApp([
        subscribe(Placed, { group: "g" }, () => {
          throw nastyValues()[name];
        }),
      ], { verify: () => ({ ok: true }), clock: new ManualClock(), onError: () => {} });
      const response = await app.request("/deliver", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "cap-msg-id": "m",
          "cap-msg-name": Placed.name,
        },
        body: `{"n":1}`,
      });
      assert.equal(response.status, 503, name);
    }
  });

  it("and is thrown by a verifier is a 500 that onError learns of", async () => {
    for (const name of NAMES) {
      let seen = 0;
      const app = createApp(fixture().bus, {
        verify: () => {
          throw nastyValues()[name];
        },
        onError: () => void seen++,
      });
      const response = await app.request("/deliver", { method: "POST", body: "{}" });
      assert.deepEqual([response.status, seen], [500, 1], name);
    }
  });
});
