import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { guardPostgres, postgresFence, postgresStore } from "../../../adapters/postgres/mod.ts";
import {
  upstashRedisFence,
  upstashRedisStore,
  upstashStreamTransport,
} from "../../../adapters/upstash_redis/mod.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import {
  type BusOptions,
  createBus,
  defineMessage,
  subscribe,
  type SubscribeOptions,
} from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";

describe("a bus that is made without what it needs", () => {
  const parts = { store: memoryStore(), transport: inProcessTransport() };

  for (const port of ["store", "transport"] as const) {
    for (const got of [undefined, null, "postgres://"]) {
      it(`says that the ${port} is ${JSON.stringify(got)}`, () => {
        const options = { ...parts, [port]: got } as unknown as BusOptions;
        assert.throws(() => createBus(options), {
          code: "invalid_option",
          message: new RegExp(
            `^Cannot make a bus with a ${port} that is ${got === null ? "null" : typeof got}: want`,
          ),
        });
      });
    }
  }
});

describe("the option sharedStore", () => {
  const store = memoryStore();
  const wrong: Readonly<Record<string, [given: unknown, code: string, said: RegExp]>> = {
    "null": [null, "invalid_option", /with this sharedStore: want true, or \{ groups \}/],
    "a list": [["mail"], "invalid_option", /with this sharedStore: want true/],
    "groups that are a list": [{ groups: ["mail"] }, "invalid_option", /this sharedStore/],
    "groups of null": [{ groups: null }, "invalid_option", /this sharedStore/],
    "a group for a list": [
      { groups: { "order.placed": "mail" } },
      "invalid_option",
      /sharedStore\.groups\["order\.placed"\] "mail": want a list of groups/,
    ],
    "no name of a group": [{ groups: { "a.b": ["a b"] } }, "invalid_option", /as a group: want/],
    "no name of a message": [{ groups: { "": ["mail"] } }, "invalid_name", /./],
  };
  for (const [title, [sharedStore, code, message]] of Object.entries(wrong)) {
    it(`is refused if it is ${title}`, () => {
      const options = { store, sharedStore } as unknown as BusOptions;
      assert.throws(() => createBus(options), { code, message });
    });
  }

  it("does not take the place of a transport where it is false", () => {
    assert.throws(() => createBus({ store, sharedStore: false }), {
      code: "invalid_option",
      message: /^Cannot make a bus with a transport that is undefined: want/,
    });
  });

  it("does not let a wrong transport pass", () => {
    const options = { store, sharedStore: true, transport: "http" } as unknown as BusOptions;
    assert.throws(() => createBus(options), { code: "invalid_option" });
  });
});

describe("a subscriber", () => {
  for (const group of [undefined, null, 7, "", "a b"]) {
    it(`with the group ${JSON.stringify(group)} is refused`, () => {
      const options = { group } as unknown as SubscribeOptions;
      assert.throws(() => subscribe(Placed, options, () => {}), {
        code: "invalid_option",
        message: /^Cannot use .+ as a group: want 1 to 100 letters/,
      });
    });
  }
});

describe("what a compiler would refuse", () => {
  const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
    subscribe(Placed, { group: "g" }, () => {}),
  ]);

  const options: Readonly<Record<string, [options: object, code: string, said: RegExp]>> = {
    "an id that is a number": [{ id: 7 }, "invalid_id", /id 7: want a text/],
    "a callback that is a name": [
      { callback: "order.marked" },
      "invalid_option",
      /a callback "order\.marked": want a contract/,
    ],
    "a failure callback that is none": [
      { failureCallback: null },
      "invalid_option",
      /a failureCallback null: want a contract/,
    ],
    "a delay that is a text": [{ delayMs: "1000" }, "invalid_option", /delayMs "1000": want/],
    "a delay that is a date": [{ delayMs: new Date(5) }, "invalid_option", /delayMs .*: want/],
    "a deadline that is a text": [{ deadlineMs: "1" }, "invalid_option", /deadlineMs "1": want/],
  };
  for (const [title, [given, code, message]] of Object.entries(options)) {
    it(`is refused at publish: ${title}`, async () => {
      await assert.rejects(bus.publish(Placed, { n: 1 }, given), { code, message });
      assert.deepEqual(await bus.store.list({ box: "outbox", limit: 1 }), []);
    });
  }

  for (const schema of [undefined, null, {}, { parse: () => 1 }, "number"]) {
    it(`is refused as a schema: ${JSON.stringify(schema)}`, () => {
      const define = (parts: object) => () => defineMessage("a.b", parts as typeof Placed);
      const refused = { code: "invalid_option", message: /want a Standard Schema/ };
      assert.throws(define({ body: schema }), refused);
      if (schema !== undefined) {
        assert.throws(define({ body: Placed.body, reply: schema }), refused);
      }
    });
  }

  const METHODS = {
    transactions: "findMany",
    atomicSettleAndAdd: "settleAndAdd",
    deferredSettle: "settleAsLast",
    lazyTransactions: "transactionOnUse",
    notifications: "notify",
  };
  for (const [capability, method] of Object.entries(METHODS)) {
    it(`is refused as a store that declares ${capability} and has no ${method}`, () => {
      const store = Object.assign(memoryStore(), {
        capabilities: { transactions: false, durable: false, shared: false, [capability]: true },
        [method]: undefined,
      });
      assert.throws(() => createBus({ store, transport: inProcessTransport() }), {
        code: "invalid_option",
        message: new RegExp(`capability ${capability} but has no method ${method}: want`),
      });
    });
  }

  it("is refused as a handler", () => {
    for (const handler of [undefined, {}, "handle"]) {
      assert.throws(() => subscribe(Placed, { group: "g" }, handler as unknown as () => void), {
        code: "invalid_option",
        message: /^Cannot subscribe to ".+" with a handler .+: want a function$/,
      });
    }
  });
});

describe("what is no client of postgres.js", () => {
  const uses: Readonly<Record<string, (client: never) => unknown>> = {
    postgresStore,
    postgresFence,
    guardPostgres,
  };
  for (const [name, use] of Object.entries(uses)) {
    it(`is refused by ${name}`, () => {
      for (const client of [undefined, null, "postgres://localhost", {}, () => {}]) {
        assert.throws(() => use(client as never), {
          code: "invalid_option",
          message: /^Cannot use a Postgres client of type \w+: want one of postgres\.js/,
        });
      }
    });
  }
});

describe("what is no client of Upstash Redis", () => {
  const uses: Readonly<Record<string, (redis: never) => unknown>> = {
    upstashRedisStore: (redis) => upstashRedisStore({ redis }),
    upstashRedisFence: (redis) => upstashRedisFence({ redis }),
    upstashStreamTransport: (redis) => upstashStreamTransport({ redis, group: "g" }),
  };
  for (const [name, use] of Object.entries(uses)) {
    it(`is refused by ${name}`, () => {
      for (const redis of [undefined, null, "https://eu1.upstash.io", {}]) {
        assert.throws(() => use(redis as never), {
          code: "invalid_option",
          message: /^Cannot use a redis of type \w+: want a client of @upstash\/redis/,
        });
      }
    });
  }

  it("nor is a stream's group one that is not given", () => {
    const redis = { pipeline: () => {} } as never;
    assert.throws(() => upstashStreamTransport({ redis } as never), {
      code: "invalid_option",
      message: /^Cannot use undefined as a group: want/,
    });
  });
});
