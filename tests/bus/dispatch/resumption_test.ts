import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpTransport } from "../../../adapters/http/mod.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { KEY } from "../../support/http.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";

const MINUTE_MS = 60_000;
const URLS = {
  "order.placed": "https://inventory.test/deliver",
  "order.marked": "https://mail.test/deliver",
};

/** What the receivers answer, by host; null refuses the connection. */
type Answers = Record<string, () => Response | null>;

/** A bus over HTTP whose receivers are `answers`, on the store given. */
function world(
  answers: Answers,
  options: { resumeOnRecovery?: boolean | { perSecond?: number } } = { resumeOnRecovery: true },
  store: Store<Tx> = memoryStore(),
  clock = new ManualClock(),
) {
  const sent: string[] = [];
  const transport = httpTransport({
    routes: URLS,
    signingKeys: [KEY],
    maxBatch: 1,
    fetch: async (url, init) => {
      const { messages } = JSON.parse(new TextDecoder().decode(init?.body as Uint8Array));
      const ids = messages.map(({ headers }: { headers: Record<string, string> }) =>
        headers["cap-msg-id"]
      );
      const answer = answers[new URL(url).host]?.() ?? null;
      if (answer === null) throw new TypeError("connection refused");
      if (answer.status !== 200) return await Promise.resolve(answer);
      sent.push(...ids);
      return Response.json({ results: ids.map((id: string) => ({ id, status: "handled" })) });
    },
  });
  return { ...fixture([], { transport, store, clock, ...options }), sent };
}

const ok = () => new Response();
const down = () => null;
const status = (code: number, headers: Record<string, string> = {}) => () =>
  new Response(null, { status: code, headers });

async function dueOf({ store }: Pick<ReturnType<typeof world>, "store">, id: string) {
  const record = await store.find("outbox", { id, group: "" });
  return [record?.state, record?.attempts, (record?.dueAtMs ?? 0) - NOW_MS];
}

/** Publishes a message, and lets its three immediate attempts fail. */
async function failing({ bus }: ReturnType<typeof world>, id: string) {
  await bus.publish(Placed, { n: 1 }, { id });
  for (let i = 0; i < 3; i++) await bus.tick();
}

describe("bus: resumeOnRecovery", () => {
  for (
    const [what, answer] of [
      ["a refused connection", down],
      ["502", status(502)],
      ["503", status(503)],
      ["504", status(504)],
    ] as const
  ) {
    it(`after ${what}, the first success makes due what waits for the destination`, async () => {
      const answers: Answers = { "inventory.test": answer };
      const it = world(answers);
      await failing(it, "a");
      assert.deepEqual(await dueOf(it, "a"), ["scheduled", 3, 4 * MINUTE_MS]);
      it.clock.advance(6_000);
      answers["inventory.test"] = ok;
      await it.bus.publish(Placed, { n: 2 }, { id: "b" });
      await it.bus.tick();
      assert.deepEqual(it.sent, ["b", "a"]);
      // The attempts before still count.
      assert.deepEqual((await dueOf(it, "a")).slice(0, 2), ["succeeded", 4]);
    });
  }

  it("is off by default: CAP's schedule stays as it is", async () => {
    const answers: Answers = { "inventory.test": down };
    const it = world(answers, {});
    await failing(it, "a");
    answers["inventory.test"] = ok;
    it.clock.advance(6_000);
    await it.bus.publish(Placed, { n: 2 }, { id: "b" });
    await it.bus.tick();
    assert.deepEqual(it.sent, ["b"]);
    assert.deepEqual(await dueOf(it, "a"), ["scheduled", 3, 4 * MINUTE_MS]);
    assert.equal(
      (await it.store.find("outbox", { id: "a", group: "" }))?.details?.unreachable,
      undefined,
    );
  });

  it("makes nothing due that waits for another reason", async () => {
    const answers: Answers = { "inventory.test": status(401), "mail.test": down };
    const it = world(answers);
    await failing(it, "unauthorized");
    answers["inventory.test"] = status(429, { "retry-after": "600" });
    await it.bus.publish(Placed, { n: 1 }, { id: "limited" });
    await it.bus.tick();
    answers["inventory.test"] = status(503, { "retry-after": "900" });
    await it.bus.publish(Placed, { n: 1 }, { id: "told to wait" });
    await it.bus.tick();
    await it.bus.publish(Placed, { n: 1 }, { id: "delayed", delayMs: 10 * MINUTE_MS });
    // A connection that failed, and then another answer.
    let asked = 0;
    answers["inventory.test"] = () => ++asked < 3 ? null : status(404)();
    await it.bus.publish(Placed, { n: 1 }, { id: "refused later" });
    await it.bus.tick();
    assert.equal(asked, 3);
    const ids = ["unauthorized", "limited", "told to wait", "delayed", "refused later"];
    const before = await Promise.all(ids.map((id) => dueOf(it, id)));
    answers["inventory.test"] = ok;
    await it.bus.publish(Placed, { n: 2 }, { id: "b" });
    await it.bus.tick();
    assert.deepEqual(it.sent, ["b"]);
    assert.deepEqual(await Promise.all(ids.map((id) => dueOf(it, id))), before);
  });

  it("makes due only what waits for the destination that was reached", async () => {
    const answers: Answers = { "inventory.test": down, "mail.test": ok };
    const it = world(answers);
    await failing(it, "a");
    await it.bus.publishRaw({ name: "order.marked", body: "{}", id: "other" });
    await it.bus.tick();
    assert.deepEqual(it.sent, ["other"]);
    assert.deepEqual(await dueOf(it, "a"), ["scheduled", 3, 4 * MINUTE_MS]);
  });

  it("is paced, 50 a second or as the option says", async () => {
    for (const [resumeOnRecovery, gapMs] of [[true, 20], [{ perSecond: 4 }, 250]] as const) {
      const answers: Answers = { "inventory.test": down };
      const it = world(answers, { resumeOnRecovery });
      const ids = Array.from({ length: 10 }, (_, i) => `m-${i}`);
      for (const id of ids) await it.bus.publish(Placed, { n: 1 }, { id });
      for (let i = 0; i < 3; i++) await it.bus.tick();
      answers["inventory.test"] = ok;
      await it.bus.publish(Placed, { n: 2 }, { id: "b" });
      await it.bus.tick();
      const due = (await Promise.all(ids.map((id) => dueOf(it, id))))
        .filter(([state]) => state === "scheduled")
        .map(([, , dueMs]) => Number(dueMs)).sort((a, b) => a - b);
      // The first one was due at once, and is sent.
      assert.deepEqual(due, Array.from({ length: 9 }, (_, i) => (i + 1) * gapMs));
    }
  });

  it("finds what failed in another process while it sends itself", async () => {
    const answers: Answers = { "inventory.test": ok };
    const sender = world(answers);
    await sender.bus.publish(Placed, { n: 2 }, { id: "b" });
    await sender.bus.tick();
    const other = world({ "inventory.test": down }, undefined, sender.store, sender.clock);
    await failing(other, "a");
    sender.clock.advance(31_000);
    await sender.bus.publish(Placed, { n: 2 }, { id: "c" });
    await sender.bus.tick();
    assert.deepEqual(sender.sent, ["b", "c", "a"]);
  });

  it("a destination that comes and goes does not use up the attempts", async () => {
    let isUp = false;
    const answers: Answers = { "inventory.test": () => isUp ? ok() : null };
    const it = world(answers);
    await failing(it, "a");
    let resumed = 0;
    for (let i = 0; i < 20; i++) {
      it.clock.advance(2_000);
      isUp = true;
      // It goes down again after one message.
      const up = answers["inventory.test"];
      answers["inventory.test"] = () => {
        answers["inventory.test"] = up as () => null;
        isUp = false;
        return ok();
      };
      await it.bus.publish(Placed, { n: 2 }, { id: `b-${i}` });
      await it.bus.tick();
      const [, attempts] = await dueOf(it, "a");
      resumed = Number(attempts) - 3;
    }
    assert.equal(resumed, 5);
  });
});

describeOnEveryStore("bus: resumeOnRecovery after a restart", (open) => {
  it("works by what the store knows", async () => {
    const { store, peer, close } = await open();
    try {
      const answers: Answers = { "inventory.test": down };
      const before = world(answers, undefined, store as Store<Tx>);
      await failing(before, "a");
      answers["inventory.test"] = ok;
      const after = world(answers, undefined, peer as Store<Tx>, before.clock);
      await after.bus.publish(Placed, { n: 2 }, { id: "b" });
      await after.bus.tick();
      assert.deepEqual(after.sent, ["b", "a"]);
    } finally {
      await close();
    }
  });
}, "with transactions");
