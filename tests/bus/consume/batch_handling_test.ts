import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bus, HEADER, subscribe, type SubscribeOptions } from "../../../mod.ts";
import { answerId } from "../../../bus/settings/ids.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import type { HandlerContext } from "../../../bus/api/subscriber.ts";
import { arriving, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeStream } from "../../support/fake_stream.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";

const LEASE_MS = 20_000;
const RETRY = { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } as const;

type Handle = (context: HandlerContext<Tx>) => unknown;

function subscriber(options: Partial<SubscribeOptions>, handle: Handle) {
  return subscribe(
    Placed,
    { group: "g", retry: RETRY, ...options },
    async (_body, context: HandlerContext<Tx>) => {
      await handle(context);
    },
  );
}

const messages = (count: number) => Array.from({ length: count }, (_, i) => arriving(`m-${i}`));

describe("bus: messages handled in batches", () => {
  it("share a transaction, so many at the most, and run one after another", async () => {
    const sizes = new Map<Tx, number>();
    let running = 0;
    const { bus, observed } = fixture([
      subscriber({ maxBatch: 3 }, async ({ tx }) => {
        assert.equal(++running, 1);
        sizes.set(tx, (sizes.get(tx) ?? 0) + 1);
        await Promise.resolve();
        running -= 1;
      }),
    ], { concurrency: 1 });
    await bus.start();
    await bus.deliver(messages(7));
    await observed.until("succeeded", {}, 7);
    assert.deepEqual([...sizes.values()], [3, 3, 1]);
    await bus.stop();
  });

  const drivers: Readonly<Record<string, (bus: Bus<Tx>) => Promise<unknown>>> = {
    "the loops of a running bus": async (bus) => {
      await bus.start();
      await bus.deliver(messages(100));
    },
    "a tick": async (bus) => {
      await bus.tick();
    },
    "a tick that fetches them": async (bus) => {
      await bus.tick();
    },
    "a delivery to a bus that does not run": async (bus) => {
      await bus.deliver(messages(100));
    },
  };
  for (const [name, drive] of Object.entries(drivers)) {
    it(`share one transaction in ${name}`, async () => {
      const sizes = new Map<Tx, number>();
      const stream = name.includes("fetches") ? new FakeStream(["g"]) : null;
      const { bus, observed, store, clock } = fixture([
        subscriber({ maxBatch: 100 }, ({ tx }) => {
          sizes.set(tx, (sizes.get(tx) ?? 0) + 1);
        }),
      ], stream === null ? {} : { transport: stream.transport("g") });
      if (name === "a tick") {
        const rows = messages(100).map((message) => newRecord(message, { group: "g" }));
        await store.add("inbox", rows, clock.now());
      }
      if (stream !== null) {
        await stream.transport("g").send(messages(100), new AbortController().signal);
      }
      await drive(bus);
      await observed.until("succeeded", { box: "inbox" }, 100);
      assert.deepEqual(
        [...sizes.values()].filter((size) => size > 0),
        stream === null ? [100] : [50, 50],
      );
      await bus.stop();
    });
  }

  it("when one fails nothing is kept, and each is handled by itself", async () => {
    const runs: string[] = [];
    const { bus, observed, store } = fixture([
      subscriber({ maxBatch: 10 }, async ({ message, publish }) => {
        runs.push(message.id);
        await publish(Placed, { n: 1 }, { id: `of-${message.id}` });
        if (message.id === "m-2") throw new Error("not this one");
      }),
    ], { transport: new FakeTransport() });
    await bus.start();
    await bus.deliver(messages(4));
    await observed.until("succeeded", { box: "inbox" }, 3);
    const failed = await observed.until("retrying", { id: "m-2" });
    assert.equal(failed.attempts, 1);
    assert.match(failed.reason, /not this one/);
    assert.deepEqual(runs.slice(0, 3), ["m-0", "m-1", "m-2"]);
    assert.deepEqual(runs.slice(3).sort(), ["m-0", "m-1", "m-2", "m-3"]);
    const outbox = await store.list({ box: "outbox", limit: 10 });
    assert.deepEqual(outbox.map(({ id }) => id).sort(), ["of-m-0", "of-m-1", "of-m-3"]);
    await bus.stop();
  });

  it("one that failed before is handled by itself", async () => {
    const sizes = new Map<Tx, number>();
    const { bus, clock, observed } = fixture([
      subscriber({ maxBatch: 10 }, ({ tx, message, attempt }) => {
        if (message.id === "m-0" && attempt === 1) throw new Error("once more");
        if (attempt > 1) sizes.set(tx, (sizes.get(tx) ?? 0) + 1);
      }),
    ]);
    await bus.start();
    await bus.deliver(messages(3));
    await observed.until("retrying", { id: "m-0" });
    clock.advance(RETRY.delayMs);
    await observed.until("succeeded", { id: "m-0" });
    assert.deepEqual([...sizes.values()], [1]);
    await bus.stop();
  });

  it("those that failed before are handled each by itself", async () => {
    const sizes = new Map<Tx, number>();
    const { bus, clock, observed } = fixture([
      subscriber({ maxBatch: 10 }, ({ tx, attempt }) => {
        if (attempt === 1) throw new Error("once more");
        sizes.set(tx, (sizes.get(tx) ?? 0) + 1);
      }),
    ]);
    await bus.deliver(messages(3));
    clock.advance(RETRY.delayMs);
    await bus.tick();
    assert.equal(observed.all("succeeded").length, 3);
    assert.deepEqual([...sizes.values()], [1, 1, 1]);
  });

  it("one whose deadline has passed is not handled with the others", async () => {
    const runs: string[] = [];
    const { bus, store, observed } = fixture([
      subscriber({ maxBatch: 10 }, ({ message }) => void runs.push(message.id)),
    ]);
    const late = newRecord(arriving("late"), { group: "g", deadlineMs: NOW_MS - 1 });
    const rows = messages(2).map((message) => newRecord(message, { group: "g" }));
    await store.add("inbox", [late, ...rows], NOW_MS);
    await bus.tick();
    assert.deepEqual(runs.sort(), ["m-0", "m-1"]);
    assert.deepEqual(observed.all("failed").map(({ id }) => id), ["late"]);
  });

  it("one whose reply's id a different message has fails, and keeps nothing back", async () => {
    const origin = { kind: "reply", responder: "stock", group: "g", round: 1 } as const;
    const id = await answerId({ ...origin, requestId: "m-1" });
    const asking = messages(3).map((message) => ({
      ...message,
      headers: { [HEADER.callbackName]: Marked.name },
    }));
    const { bus, store, observed } = fixture([
      subscriber({ maxBatch: 10 }, async ({ message, publish }) => {
        await publish(Placed, { n: 1 }, { id: `of-${message.id}` });
      }),
    ], { transport: new FakeTransport(), service: "stock" });
    await store.add("outbox", [newRecord(arriving(id, { name: Marked.name }), {})], NOW_MS);
    await bus.deliver(asking);
    assert.deepEqual(observed.all("succeeded").map(({ id }) => id).sort(), ["m-0", "m-2"]);
    assert.match(observed.all("failed", { id: "m-1" })[0]?.reason ?? "", /^AnswerConflict-->/);
    const outbox = await store.list({ box: "outbox", limit: 10 });
    const published = outbox.filter(({ message: { name } }) => name === Placed.name);
    assert.deepEqual(published.map(({ id }) => id).sort(), ["of-m-0", "of-m-2"]);
    assert.equal(outbox.length, 2 + 2 + 1);
  });

  it("one whose claim was lost keeps nothing of the others back", async () => {
    const losing = wrapped(memoryStore());
    let hasLost = false;
    losing.around = async (method, call, args) => {
      const result = await call();
      const isTogether = method === "settle" && (args[1] as readonly unknown[]).length > 1;
      if (!isTogether || hasLost) return result;
      hasLost = true;
      return (result as boolean[]).map((_, i) => i > 0);
    };
    const { bus, observed } = fixture([subscriber({ maxBatch: 10 }, () => {})], {
      store: losing.store,
    });
    await bus.start();
    await bus.deliver(messages(3));
    await observed.until("succeeded", {}, 3);
    assert.ok(hasLost);
    assert.equal(observed.all("succeeded").length, 3);
    await bus.stop();
  });

  it("one that another worker claimed meanwhile leaves nothing behind", async () => {
    const store = memoryStore();
    const losing = wrapped(store);
    let taken: readonly StoredRecord[] = [];
    losing.around = async (method, call, args) => {
      const isTogether = method === "settle" && (args[1] as readonly unknown[]).length > 1;
      if (isTogether && taken.length === 0) {
        taken = await store.claim({
          box: "inbox",
          kind: "ready",
          limit: 1,
          key: { id: "m-1", group: "g" },
          nowMs: NOW_MS + LEASE_MS,
          leaseUntilMs: NOW_MS + 2 * LEASE_MS,
        });
      }
      return await call();
    };
    const { bus, observed } = fixture([
      subscriber({ maxBatch: 10 }, async ({ message, publish }) => {
        await publish(Placed, { n: 1 }, { id: `of-${message.id}` });
      }),
    ], { store: losing.store, transport: new FakeTransport(), leaseMs: LEASE_MS });
    await bus.start();
    await bus.deliver(messages(3));
    await observed.until("stale", { id: "m-1" });
    await observed.until("succeeded", { box: "inbox" }, 2);
    const outbox = await store.list({ box: "outbox", limit: 10 });
    assert.deepEqual(outbox.map(({ id }) => id).sort(), ["of-m-0", "of-m-2"]);
    assert.deepEqual(await store.find("inbox", { id: "m-1", group: "g" }), taken[0]);
    await bus.stop();
  });

  it("a store that says too little of their settlement keeps nothing of them", async () => {
    const store = memoryStore();
    const short = wrapped(store);
    let isShort = true;
    short.around = async (method, call, args) => {
      const result = await call();
      const isTogether = method === "settle" && (args[1] as readonly unknown[]).length > 1;
      if (!isTogether || !isShort) return result;
      isShort = false;
      return (result as boolean[]).slice(1);
    };
    const runs: string[] = [];
    const { bus, observed } = fixture([
      subscriber({ maxBatch: 10 }, ({ message }) => void runs.push(message.id)),
    ], { store: short.store });
    await bus.start();
    await bus.deliver(messages(2));
    await observed.until("succeeded", {}, 2);
    assert.deepEqual(runs.slice(0, 2), ["m-0", "m-1"]);
    assert.deepEqual(runs.slice(2).sort(), ["m-0", "m-1"]);
    await bus.stop();
  });

  it("a handler that takes too long fails alone", async () => {
    const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let runs = 0;
    const { bus, clock, observed } = fixture([
      subscriber({ maxBatch: 10, timeoutMs: 500 }, ({ message, signal }) => {
        if (message.id !== "m-1") return;
        begun[runs++]?.resolve();
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      }),
    ]);
    await bus.start();
    await bus.deliver(messages(3));
    await begun[0]?.promise;
    clock.advance(500);
    await begun[1]?.promise;
    await observed.until("succeeded", {}, 2);
    clock.advance(500);
    const failed = await observed.until("retrying", { id: "m-1" });
    assert.match(failed.reason, /did not finish within 500 ms/);
    await bus.stop();
  });

  it("a handler that goes on once its time is up has no other begun after it", async () => {
    const gate = new Gate();
    const runs: string[] = [];
    const { bus, clock, observed } = fixture([
      subscriber({ maxBatch: 10, timeoutMs: 500 }, async ({ message }) => {
        runs.push(message.id);
        if (runs.length === 1) await gate.pass();
      }),
    ]);
    await bus.start();
    await bus.deliver(messages(2));
    await gate.reached();
    clock.advance(500);
    await observed.until("succeeded", {}, 2);
    gate.open();
    await quiet();
    assert.deepEqual(runs.sort(), ["m-0", "m-0", "m-1"]);
    await bus.stop();
  });

  it("a number that makes no sense is refused", () => {
    for (const maxBatch of [0, 1.5, 1001, Number.NaN]) {
      assert.throws(() => subscriber({ maxBatch }, () => {}), { code: "invalid_option" });
    }
  });
});
