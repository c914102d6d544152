import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { httpTransport } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { qstashTransport } from "../../../adapters/qstash/mod.ts";
import { verifyQstash } from "../../../adapters/qstash/verify.ts";
import type { Message } from "../../../core/message/message.ts";
import { verifyBearer } from "../../../edge/mod.ts";
import { type Bus, createBus, type PublishMiddleware, subscribe } from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";

/** A value of any type, as a program without a compiler passes it. */
// deno-lint-ignore no-explicit-any -- wrong types are what this is about.
type Wrong = any;

const IDS: readonly Wrong[] = [7, 5n, NaN, {}, [], ["m-1"], new Date(5), null, true, Symbol("s")];

describeOnEveryStore("an id that is no text", (open) => {
  it("is refused by every call, and nothing is stored", async () => {
    const { store, close } = await open();
    try {
      let drafted: Wrong = "m-1";
      const renaming: PublishMiddleware = (draft, next) => next({ ...draft, id: drafted });
      const plain = { store, transport: inProcessTransport(), fence: memoryFence() };
      const members = [subscribe(Placed, { group: "g" }, () => {})];
      const bus = createBus(plain, members) as Bus;
      const changing = createBus({ ...plain, onPublish: [renaming] }, members);
      for (const id of IDS) {
        drafted = id;
        const calls = {
          publish: () => bus.publish(Placed, { n: 1 }, { id }),
          publishMany: () => bus.publishMany(Placed, [{ n: 1 }], { ids: [id] }),
          publishRaw: () => bus.publishRaw({ name: Placed.name, body: "{}", id }),
          prepare: () => bus.prepare(Placed, { n: 1 }, { id }),
          cancel: () => bus.cancel(id),
          retry: () => bus.retry({ box: "outbox", id }),
          resolve: () => bus.resolve(id, "confirm", { by: "me", reason: "test" }),
          checkAgain: () => bus.checkAgain(id),
          checkBack: () => bus.checkBack({ id, name: Placed.name, epoch: 1 }),
          deadLetter: () => bus.deadLetter({ id, reason: "test" }),
          "a middleware": () => changing.publish(Placed, { n: 1 }),
        };
        for (const [name, call] of Object.entries(calls)) {
          await assert.rejects(
            async () => await call(),
            { code: "invalid_id", message: /^Cannot .+: want / },
            `${name} with ${String(id)}`,
          );
        }
      }
      assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
    } finally {
      await close();
    }
  });
});

describe("a call with a value of another type", () => {
  const bus = createBus(
    { store: memoryStore(), transport: inProcessTransport(), fence: memoryFence() },
    [subscribe(Placed, { group: "g" }, () => {})],
  );
  const wrong: Readonly<Record<string, (value: Wrong) => Promise<unknown>>> = {
    "the options of tick": (value) => bus.tick(value),
    "the budget of tick": (budgetMs) => bus.tick({ budgetMs }),
    "the options of flush": (value) => bus.flush(value),
    "the budget of flush": (budgetMs) => bus.flush({ budgetMs }),
    "the options of stop": (value) => bus.stop(value),
    "the drain time of stop": (drainMs) => bus.stop({ drainMs }),
    "the options of health": (value) => bus.health(value),
    "the message of retry": (value) => bus.retry(value),
    "the box of retry": (box) => bus.retry({ box, id: "m" }),
    "the group of retry": (group) => bus.retry({ box: "inbox", id: "m", group }),
    "the force of retry": (force) => bus.retry({ box: "outbox", id: "m" }, { force }),
    "the decision of resolve": (decision) => bus.resolve("m", decision, { by: "a", reason: "b" }),
    "the hand of resolve": (by) => bus.resolve("m", "cancel", by),
    "the report of deadLetter": (report) => bus.deadLetter(report),
    "the time of deadLetter": (saidAtMs) => bus.deadLetter({ id: "m", reason: "b", saidAtMs }),
    "the question of checkBack": (question) => bus.checkBack(question),
    "the work of a transaction": (work) => bus.transaction(work),
    "the work of an operation": (work) => bus.transact(Placed, { n: 1 }, work),
    "the contract of publish": (contract) => bus.publish(contract as typeof Placed, { n: 1 }),
    "the contract of publishMany": (contract) =>
      bus.publishMany(contract as typeof Placed, [{ n: 1 }]),
    "the bodies of publishMany": (bodies) => bus.publishMany(Placed, bodies),
    "the ids of publishMany": (ids) => bus.publishMany(Placed, [{ n: 1 }], { ids }),
    "the message of publishRaw": (message) => bus.publishRaw(message),
    "the contract of prepare": (contract) => bus.prepare(contract as typeof Placed, { n: 1 }),
    "the contract of subscribe": (contract) =>
      Promise.resolve().then(() => bus.subscribe(contract, { group: "h" }, () => {})),
    "the options of subscribe": (options) =>
      Promise.resolve().then(() => bus.subscribe(Placed, options, () => {})),
    "the subscribers of a bus": (subscribers) =>
      Promise.resolve().then(() =>
        createBus({ store: memoryStore(), transport: inProcessTransport() }, subscribers)
      ),
  };
  for (const [what, call] of Object.entries(wrong)) {
    it(`is refused: ${what}`, async () => {
      for (const value of [null, NaN, 5n, "60000", "true", Symbol("s"), new Date(5), new Map()]) {
        // A group is a text.
        if (what === "the group of retry" && typeof value === "string") continue;
        await assert.rejects(
          () => call(value),
          { code: "invalid_option", message: /^Cannot .+: want / },
          `${what}: ${String(value)}`,
        );
      }
    });
  }

  it("leaves the bus as it was", async () => {
    assert.deepEqual(await bus.store.list({ box: "outbox", limit: 1 }), []);
    assert.equal((await bus.health()).ready, true);
  });
});

describe("a call with a misspelt option", () => {
  const ports = () => ({ store: memoryStore(), transport: inProcessTransport() });
  const fence = memoryFence();
  const bus = createBus({ ...ports(), fence }, [subscribe(Placed, { group: "g" }, () => {})]);
  const made = (make: () => unknown) => Promise.resolve().then(make);
  const signingKeys = ["whsec_" + btoa("a key of twenty-four bytes".padEnd(32, "."))];
  const routed = (target: Wrong) => () => httpTransport({ routes: { a: target }, signingKeys });
  const url = "https://orders.example";
  const by = { by: "me", reason: "test" };
  const which = { box: "outbox", id: "m" } as const;
  const qstash = { token: "t", routes: {} };
  const keys = { currentSigningKey: "a", nextSigningKey: "b" };
  const misspelt: Readonly<
    Record<string, readonly [name: string, call: (wrong: Wrong) => unknown]>
  > = {
    "tick": ["budgetMS", (wrong) => bus.tick(wrong)],
    "flush": ["budgetms", (wrong) => bus.flush(wrong)],
    "stop": ["drainMS", (wrong) => bus.stop(wrong)],
    "health": ["maxAge", (wrong) => bus.health(wrong)],
    "retry": ["forced", (wrong) => bus.retry(which, wrong)],
    "cancel": ["txn", (wrong) => bus.cancel("m", wrong)],
    "moveToGroup": [
      "limits",
      (wrong) => bus.moveToGroup({ name: "a.b", from: "c", to: "d", ...wrong }),
    ],
    "resolve": ["forced", (wrong) => bus.resolve("m", "cancel", { ...by, ...wrong })],
    "publish": ["delayMS", (wrong) => bus.publish(Placed, { n: 1 }, wrong)],
    "publishMany": ["idss", (wrong) => bus.publishMany(Placed, [{ n: 1 }], wrong)],
    "publishMany with one id": ["id", (wrong) => bus.publishMany(Placed, [{ n: 1 }], wrong)],
    "publishRaw": [
      "deadlineMS",
      (wrong) => bus.publishRaw({ name: Placed.name, body: "{}" }, wrong),
    ],
    "publishRaw with headers beside the message": [
      "headers",
      (wrong) => bus.publishRaw({ name: Placed.name, body: "{}" }, wrong),
    ],
    "prepare": ["retries", (wrong) => bus.prepare(Placed, { n: 1 }, wrong)],
    "prepare in a transaction": ["tx", (wrong) => bus.prepare(Placed, { n: 1 }, wrong)],
    "transact": ["ids", (wrong) => bus.transact(Placed, { n: 1 }, async () => {}, wrong)],
    "subscribe": [
      "concurrency",
      (wrong) => subscribe(Placed, { group: "h", ...wrong }, () => {}),
    ],
    "bus.subscribe": [
      "timeoutMS",
      (wrong) => bus.subscribe(Placed, { group: "h", ...wrong }, () => {}),
    ],
    "the concurrency of a group": [
      "concurency",
      (wrong) => createBus({ ...ports(), groups: { g: { concurrency: 1, ...wrong } } }),
    ],
    "the pace of a recovery": [
      "perSeconds",
      (wrong) => createBus({ ...ports(), resumeOnRecovery: wrong }),
    ],
    "the target of a route": ["audiences", (wrong) => routed({ url, ...wrong })()],
    "one of the targets of a route": ["forma", (wrong) => routed([{ url, ...wrong }])()],
    "a destination": [
      "unsignd",
      (wrong) =>
        httpTransport({
          routes: {},
          signingKeys,
          destinations: [{ url, unsigned: true, ...wrong }],
        }),
    ],
    "a URL group": [
      "urlGroups",
      (wrong) => qstashTransport({ ...qstash, routes: { a: { urlGroup: "g", ...wrong } } }),
    ],
    "a limit of QStash": [
      "period",
      (wrong) => qstashTransport({ ...qstash, flowControl: { key: "a", rate: 1, ...wrong } }),
    ],
    "unbound messages": [
      "name",
      (wrong) => verifyQstash({ ...keys, url, acceptUnboundRaw: { names: ["a.b"], ...wrong } }),
    ],
    "a principal": [
      "callbackname",
      (wrong) => verifyBearer("a".repeat(16), { name: "a", kind: "service", ...wrong }),
    ],
  };
  for (const [what, [name, call]] of Object.entries(misspelt)) {
    it(`is refused: ${what}`, async () => {
      for (const value of [1, undefined]) {
        await assert.rejects(
          made(() => call({ [name]: value })),
          {
            code: "invalid_option",
            message: new RegExp(`^Cannot .+ unknown option "${name}"( in .+)?: want \\w`),
          },
          `${what}: ${String(value)}`,
        );
      }
    });
  }

  it("names the option that was meant, or all of them", async () => {
    const texts = await Promise.all(
      [
        () => createBus({ ...ports(), groups: { g: { concurrency: 1, concurency: 2 } } } as Wrong),
        () => subscribe(Placed, { group: "g", concurrency: 2 } as Wrong, () => {}),
        () => bus.publish(Placed, { n: 1 }, { DelayMS: 60_000 } as Wrong),
        () => bus.tick(JSON.parse('{ "__proto__": 1 }')),
        () => bus.stop({ ["x".repeat(1_000)]: 1 } as Wrong),
      ].map((call) => made(call).then(() => "taken", (error: unknown) => (error as Error).message)),
    );
    assert.deepEqual(texts, [
      `Cannot make a bus with unknown option "concurency" in groups["g"]: want concurrency`,
      `Cannot subscribe to "${Placed.name}" with unknown option "concurrency": want group, pattern, retry, ` +
      "timeoutMs, maxBatch, transaction",
      `Cannot publish with unknown option "DelayMS": want delayMs`,
      `Cannot tick with unknown option "__proto__": want budgetMs`,
      `Cannot stop with unknown option "${"x".repeat(60)}…": want drainMs`,
    ]);
  });

  it("leaves the bus as it was", async () => {
    assert.deepEqual(await bus.store.list({ box: "outbox", limit: 1 }), []);
    assert.equal((await bus.health()).ready, true);
  });

  it("is none of an object from elsewhere: a contract, a record, an event, a message, headers", async () => {
    const more = { more: 1 };
    const other = createBus({ ...ports(), fence }, [subscribe(Placed, { group: "g" }, () => {})]);
    const contract = { ...Placed, ...more };
    await other.publish(contract, { n: 1 }, { id: "m-1", headers: { more: "1" } });
    await other.publishRaw({ name: Placed.name, body: '{"n":1}', sentAtMs: 1, ...more } as Wrong);
    subscribe(contract, { group: "h" }, () => {});
    await assert.rejects(other.retry({ ...which, ...more } as Wrong), { code: "not_found" });
    await assert.rejects(other.sendNow({ ...which, ...more } as Wrong), { code: "not_found" });
    const report = { id: "m", reason: "test", ...more };
    assert.equal(await other.deadLetter(report as Wrong), "unknown");
    const question = { id: "m", name: Placed.name, epoch: 1, ...more };
    assert.equal(await other.checkBack(question as Wrong), "unknown");
    await other.stop();
  });
});

describe("a publish within a handler", () => {
  it("is refused with options that are no object, and the attempt fails", async () => {
    const errors: unknown[] = [];
    const bus = createBus(
      { store: memoryStore(), transport: inProcessTransport(), retry: ONCE },
      [subscribe(Placed, { group: "g" }, async (_body, context) => {
        for (const options of [null, 5, "tx"] as Wrong[]) {
          await context.publish(Placed, { n: 2 }, options).catch((error) => errors.push(error));
        }
        throw new Error("enough");
      })],
    );
    await bus.publish(Placed, { n: 1 });
    await bus.tick();
    assert.deepEqual(
      errors.map((error) => (error as { code?: unknown }).code),
      Array(3).fill("invalid_option"),
    );
    await bus.stop();
  });
});

const ONCE = { kind: "list", delaysMs: [] } as const;

describe("a message of a transport that is no message", () => {
  const good: Message = {
    id: "m",
    name: Placed.name,
    headers: {},
    contentType: "application/json",
    body: '{"n":1}',
    sentAtMs: 1,
  };
  const parts: readonly Wrong[] = [
    ...[7, {}, [], new Date(5), null, undefined].map((id) => ({ id })),
    { name: 7 },
    { headers: null },
    { headers: new Headers() },
    { contentType: undefined },
    { body: { n: 1 } },
    { sentAtMs: "now" },
  ];

  it("is refused where there is no list at all", async () => {
    const bus = createBus({ store: memoryStore(), transport: inProcessTransport() });
    for (const messages of [undefined, null, "m", { 0: good }]) {
      await assert.rejects(bus.deliver(messages as never), { code: "invalid_option" });
    }
    await bus.stop();
    await assert.rejects(bus.deliver(undefined as never), { code: "invalid_option" });
  });

  it("is rejected alone, and the others are taken", async () => {
    const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
      subscribe(Placed, { group: "g" }, () => {}),
    ]);
    const wrong = [...parts.map((part) => ({ ...good, ...part })), null, "m"];
    const results = await bus.deliver([...wrong, good]);
    assert.deepEqual(
      results.map((result) => result.kind === "rejected" ? result.code : result.kind),
      [...wrong.map(() => "malformed_message"), "handled"],
    );
    await bus.stop();
  });
});
