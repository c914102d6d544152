import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { type Finding, verify, type VerifyOptions } from "../../../bus/verify/mod.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";
import { groups, HOUR_MS, NOW, put, STILL, verified, withTwo } from "./services.ts";

const LOST = ["not_received orders stock m-1"];

function services(orders: Store, stock: Store): VerifyOptions["services"] {
  return [
    { name: "orders", store: orders, publishes: ["order.*"] },
    { name: "stock", store: stock, subscribers: groups("g") },
  ];
}

describeOnEveryStore("a verification", (open) => {
  it("reads pages of any size to the end", () =>
    withTwo(open, async (orders, stock) => {
      const ids = Array.from({ length: 23 }, (_, i) => `m-${i}`);
      for (const id of ids) await put(orders, "outbox", id);
      for (const id of ids.slice(0, 10)) await put(stock, "inbox", id);
      for (const id of ["x-1", "x-2", "x-3"]) await put(stock, "inbox", id);
      const expected = [
        ...["x-1", "x-2", "x-3"].map((id) => `not_in_outbox stock orders ${id} g`),
        ...ids.slice(10).map((id) => `not_received orders stock ${id}`),
      ].sort();
      for (const pageSize of [1, 2, 22, 23, 24, 1_000]) {
        const { short, summary } = await verified(services(orders, stock), { pageSize });
        assert.deepEqual(short, expected, `pages of ${pageSize}`);
        assert.deepEqual(summary.compared, { outbox: 23, inbox: 13, fence: 0 });
      }
    }));

  it("is limited to records that were added in a time", () =>
    withTwo(open, async (orders, stock) => {
      for (const [i, id] of ["a", "b", "c", "d"].entries()) {
        await put(orders, "outbox", id, { createdAtMs: NOW - HOUR_MS + i });
      }
      const limited = async (options: Partial<VerifyOptions>) =>
        (await verified(services(orders, stock), { ...options, pageSize: 2 })).short
          .map((each) => each.split(" ").at(-1)).join("");
      assert.equal(await limited({ sinceMs: NOW - HOUR_MS + 1 }), "bcd");
      assert.equal(await limited({ beforeMs: NOW - HOUR_MS + 2 }), "ab");
      const both = { sinceMs: NOW - HOUR_MS + 1, beforeMs: NOW - HOUR_MS + 2 };
      assert.equal(await limited(both), "b");
    }));

  it("changes nothing", () =>
    withTwo(open, async (orders, stock) => {
      await put(orders, "outbox", "m-1");
      await put(orders, "outbox", "m-2", { state: "scheduled" });
      await put(stock, "inbox", "m-3", { state: "scheduled" });
      const all = async () => [
        await orders.list({ box: "outbox", limit: 10 }),
        await orders.list({ box: "inbox", limit: 10 }),
        await stock.list({ box: "outbox", limit: 10 }),
        await stock.list({ box: "inbox", limit: 10 }),
      ];
      const before = await all();
      const { summary } = await verified(services(orders, stock));
      assert.deepEqual(await all(), before);
      assert.deepEqual([summary.findings.lost, summary.findings.stuck], [2, 2]);
    }));
});

describe("a verification of services that work meanwhile", () => {
  it("does not report what is right at the second look", async () => {
    const [orders, stock] = [memoryStore() as Store, memoryStore() as Store];
    for (const id of ["m-1", "m-2"]) await put(orders, "outbox", id);
    await put(stock, "inbox", "due", { state: "scheduled" });
    await put(orders, "outbox", "due");
    const slow = wrapped(stock);
    let looks = 0;
    slow.around = async (method, call) => {
      const result = await call();
      if (method === "recall" && ++looks === 1) {
        await put(stock, "inbox", "m-2");
        const [record] = await stock.list({ box: "inbox", states: ["scheduled"], limit: 1 });
        assert.ok(record !== undefined);
        await stock.claim({
          box: "inbox",
          kind: "ready",
          limit: 9,
          nowMs: NOW,
          leaseUntilMs: NOW + 1,
        });
      }
      return result;
    };
    const { short, summary } = await verified(services(orders, slow.store));
    assert.deepEqual(short, LOST);
    assert.equal(summary.settled, 1);
  });

  it("does not report a record that is settled while its box is read", async () => {
    const stock = memoryStore() as Store;
    await put(stock, "inbox", "m-1", { state: "scheduled" });
    const slow = wrapped(stock);
    slow.around = async (method, call, [box]) => {
      const result = await call();
      if (method === "outlines" && box === "inbox") {
        const nowMs = NOW;
        await stock.claim({ box: "inbox", kind: "ready", limit: 9, nowMs, leaseUntilMs: NOW + 1 });
      }
      return result;
    };
    const { short, summary } = await verified([
      { name: "stock", store: slow.store, subscribers: groups("g") },
    ]);
    assert.deepEqual([short, summary.settled], [[], 1]);
  });

  it("waits for what changed just now, and not for what is old", async () => {
    const clock = new ManualClock();
    const [orders, stock] = [memoryStore() as Store, memoryStore() as Store];
    const sent = (id: string, createdAtMs: number) => put(orders, "outbox", id, { createdAtMs });
    await sent("old", NOW_MS - HOUR_MS);
    const options = { services: services(orders, stock), clock, settleMs: 7_000 };
    const old: Finding[] = [];
    // The clock stands still: a wait would not end.
    for await (const finding of verify(options)) old.push(finding);
    assert.deepEqual(old.map(({ id }) => id), ["old"]);
    await sent("young", NOW_MS - 2_000);
    const all: Finding[] = [];
    const done = (async () => {
      for await (const finding of verify(options)) all.push(finding);
    })();
    await clock.awaits(5_000);
    assert.deepEqual(all, []);
    clock.advance(5_000);
    await done;
    assert.deepEqual(all.map(({ id }) => id).sort(), ["old", "young"]);
  });
});

describe("a verification within the process of a service", () => {
  it("lets the process do other work between pages", async () => {
    const store = memoryStore() as Store;
    for (let i = 0; i < 20; i++) await put(store, "outbox", `m-${i}`);
    let turns = 0;
    let stop = () => {};
    const other = () => {
      const timer = setTimeout(() => (turns += 1, other()), 0);
      stop = () => clearTimeout(timer);
    };
    other();
    const { summary } = await verified([{ name: "s", store }], { pageSize: 1 });
    stop();
    assert.equal(summary.compared.outbox, 20);
    assert.ok(turns > 10, `${turns} turns`);
  });
});

describe("a verification that is aborted", () => {
  it("rejects with the reason, also while a store does not answer", async () => {
    const controller = new AbortController();
    const hanging = wrapped(memoryStore() as Store);
    hanging.around = (method, call) => {
      if (method !== "outlines") return call();
      controller.abort(new Error("no longer wanted"));
      return new Promise(() => {});
    };
    const verification = verify({
      services: [{ name: "s", store: hanging.store }],
      signal: controller.signal,
    });
    await assert.rejects(async () => {
      for await (const _ of verification) assert.fail("want no finding");
    }, /no longer wanted/);
    assert.equal(verification.summary.isComplete, false);
  });

  it("rejects while it waits for a second look, and leaves no timer", async () => {
    const clock = new ManualClock();
    const [orders, stock] = [memoryStore() as Store, memoryStore() as Store];
    await put(orders, "outbox", "m-1", { createdAtMs: NOW_MS });
    const controller = new AbortController();
    const { signal } = controller;
    const iteration = (async () => {
      for await (const _ of verify({ services: services(orders, stock), clock, signal }));
    })();
    await clock.awaits(5_000);
    controller.abort(new Error("no longer wanted"));
    await assert.rejects(iteration, /no longer wanted/);
    assert.equal(clock.waiting, 0);
  });

  it("passes on the error of a store", async () => {
    const broken = wrapped(memoryStore() as Store);
    broken.around = (method, call) =>
      method === "outlines" ? Promise.reject(new Error("no connection")) : call();
    const verification = verify({ services: [{ name: "s", store: broken.store }], clock: STILL });
    await assert.rejects(async () => {
      for await (const _ of verification) assert.fail("want no finding");
    }, /no connection/);
  });
});

describe("the options of verify", () => {
  const store = memoryStore();
  const fence = memoryFence();
  const service = { name: "s", store };
  const wrong: Readonly<Record<string, [options: unknown, said: RegExp]>> = {
    "nothing": [undefined, /verify with options undefined: want an object/],
    "no services": [{}, /services undefined: want a list/],
    "an unknown option": [
      { services: [], settlesMs: 1 },
      /unknown option "settlesMs": want settleMs/,
    ],
    "a service without a name": [{ services: [{ store }] }, /as the name of a service/],
    "a service with nothing": [
      { services: [{ name: "s" }] },
      /service "s": want a store, or a fence/,
    ],
    "no store": [{ services: [{ name: "s", store: {} }] }, /services\[0\]\.store/],
    "a store without capabilities": [
      { services: [{ name: "s", store: { ready() {}, find() {}, list() {} } }] },
      /services\[0\]\.store without capabilities: want any store/,
    ],
    "a subscriber without a group": [
      { services: [{ ...service, subscribers: [{ pattern: "a" }] }] },
      /as a group/,
    ],
    "a wrong pattern": [
      { services: [{ ...service, publishes: ["a b"] }] },
      /"a b" as a name pattern/,
    ],
    "one name twice": [{ services: [service, service] }, /two services with the name "s"/],
    "an unknown receiver": [
      { services: [{ ...service, sendsTo: { "a.*": ["t"] } }] },
      /sendsTo\["a\.\*"\] with service "t": want names of given services/,
    ],
    "a keeper that is not there": [
      { services: [service, { name: "bank", fence, keeper: "t" }] },
      /fence of service "bank" and keeper "t": want a keeper/,
    ],
    "a fence without a keeper": [{ services: [{ name: "bank", fence }] }, /want a keeper/],
    "a page of nothing": [{ services: [service], pageSize: 0 }, /pageSize 0: want a whole number/],
    "a negative time": [{ services: [service], stuckAfterMs: -1 }, /stuckAfterMs -1/],
  };
  for (const [what, [options, said]] of Object.entries(wrong)) {
    it(`refuse ${what}`, () => {
      assert.throws(() => verify(options as VerifyOptions), (error: Error & { code?: string }) => {
        assert.match(error.message, said);
        assert.match(error.code ?? "", /^invalid_(option|name)$/);
        return true;
      });
    });
  }

  it("are used once: a second iteration is refused, and does not look like one without findings", async () => {
    const verification = verify({ services: [{ name: "s", store }], clock: STILL });
    for await (const _ of verification);
    assert.throws(() => verification[Symbol.asyncIterator](), {
      code: "wrong_state",
      message: /Cannot iterate a verification twice: want another call of verify/,
    });
  });

  it("may name no service", async () => {
    assert.deepEqual((await verified([])).short, []);
  });
});
