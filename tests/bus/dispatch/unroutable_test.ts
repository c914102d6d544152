import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { HEADER } from "../../../core/message/headers.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import { type BusOptions, defineMessage, subscribe } from "../../../mod.ts";
import type { Alarm } from "../../../ports.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore, type EmptyStore } from "../../support/every_store.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { type ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const HOUR_MS = 3_600_000;
const PAUSE_MS = 30_000;
const KEY = { id: "m", group: "" };

const Stuck = defineMessage("order.stuck", { body: z.unknown() });

/** A bus whose transport has no route for some names. */
function without(
  names: readonly string[],
  store: Store,
  options: Partial<BusOptions<Tx>> & { readonly clock?: ManualClock } = {},
  subscribers: Parameters<typeof fixture>[0] = [],
) {
  const transport = new FakeTransport();
  const fixed = fixture(subscribers, { transport, ...options, store: store as Store<Tx> });
  for (const name of names) transport.unknown.add(name);
  return { ...fixed, transport };
}

/** Publishes by a bus that has a route; returns one that has none. */
async function waiting(store: Store, options: Partial<BusOptions<Tx>> = {}) {
  const publisher = without([], store);
  await publisher.bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
  const { clock } = publisher;
  const lacking = without([Placed.name], store, { ...options, clock });
  return { ...lacking, clock };
}

/** Does the same, and lets the one without a route find out that nobody takes the message. */
async function untaken(store: Store, options: Partial<BusOptions<Tx>> = {}) {
  const lacking = await waiting(store, options);
  await lacking.bus.tick();
  lacking.clock.advance(PAUSE_MS);
  await lacking.bus.tick();
  return lacking;
}

async function recordOf(store: Store, key = KEY): Promise<StoredRecord> {
  const record = await store.find("outbox", key);
  assert.ok(record !== null);
  return record;
}

function on(open: () => Promise<EmptyStore>, test: (own: EmptyStore) => Promise<void>) {
  return async () => {
    const own = await open();
    try {
      await test(own);
    } finally {
      await own.close();
    }
  };
}

describeOnEveryStore("unroutable", (open) => {
  it(
    "a message is tried every 30 s for its time, then fails, with one event of each",
    on(open, async ({ store }) => {
      const { bus, clock, observed, transport } = await waiting(store, { unroutableForMs: 70_000 });
      // An instance that has the route has time to take it.
      assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + PAUSE_MS);
      const left = await recordOf(store);
      assert.deepEqual([left.dueAtMs, left.leaseUntilMs, left.reason], [NOW_MS, null, null]);
      clock.advance(PAUSE_MS);
      const sinceMs = clock.now();
      const reasons: (string | null)[] = [];
      const dueAtMs: number[] = [];
      for (let i = 0; i < 3; i++) {
        await bus.tick();
        const record = await recordOf(store);
        assert.deepEqual([record.state, record.attempts], ["scheduled", 0]);
        assert.equal(record.details?.unroutableSinceMs, sinceMs);
        reasons.push(record.reason);
        dueAtMs.push(record.dueAtMs - sinceMs);
        clock.advance(PAUSE_MS);
      }
      assert.deepEqual(new Set(reasons), new Set([`No route here takes "${Placed.name}"`]));
      assert.deepEqual(dueAtMs, [PAUSE_MS, 2 * PAUSE_MS, 70_000]);
      await bus.tick();
      const { state, attempts, reason } = await recordOf(store);
      assert.deepEqual({ state, attempts, reason }, {
        state: "failed",
        attempts: 0,
        reason: `Unroutable: No route here takes "${Placed.name}"`,
      });
      assert.equal(observed.all("unroutable", { id: "m" }).length, 1);
      assert.equal(observed.all("failed", { id: "m" }).length, 1);
      assert.equal(observed.all("released").length, 1);
      await bus.tick();
      const [word] = transport.messages;
      assert.deepEqual([word?.name, JSON.parse(String(word?.body)).code], [
        Stuck.name,
        "unroutable",
      ]);
      assert.equal(transport.messages.length, 1);
    }),
  );

  it(
    "a message is sent at once when an instance with the route starts",
    on(open, async ({ store, peer }) => {
      const { clock } = await untaken(store);
      clock.advance(1_000);
      const other = without([], peer, { clock });
      await other.bus.start();
      await other.observed.until("succeeded", { id: "m" });
      await other.bus.stop();
      assert.equal((await recordOf(store)).state, "succeeded");
    }),
  );

  it(
    "a message is sent at once by the first tick of an instance with the route",
    on(open, async ({ store, peer }) => {
      const { clock } = await untaken(store);
      clock.advance(1_000);
      const other = without([], peer, { clock });
      assert.equal((await other.bus.tick()).sent, 1);
    }),
  );

  it(
    "an instance without the route leaves it as it is",
    on(open, async ({ store, peer }) => {
      const { clock } = await untaken(store);
      const before = await recordOf(store);
      clock.advance(1_000);
      const other = without([Placed.name], peer, { clock });
      assert.equal((await other.bus.tick()).sent, 0);
      assert.deepEqual(await recordOf(store), before);
    }),
  );

  it(
    "a message is sent by an instance with the route, although one without is first each time",
    on(open, async ({ store, peer }) => {
      const { bus, clock } = await waiting(store);
      await bus.tick();
      const other = without([], peer, { clock });
      // Its first look.
      assert.equal((await other.bus.tick()).sent, 1);
      await other.bus.publish(Placed, { n: 2 }, { id: "m-2" });
      for (let sent = 0, tries = 0; sent === 0; tries++) {
        assert.ok(tries < 3, "it is never sent");
        await bus.tick();
        ({ sent } = await other.bus.tick());
        clock.advance(PAUSE_MS);
      }
    }),
  );

  it(
    "a message whose deadline comes while it waits fails then, and the alarm is armed for that",
    on(open, async ({ store }) => {
      const alarm: Alarm = { graceMs: null, arm: () => Promise.resolve() };
      const publisher = without([], store);
      await publisher.bus.publish(Placed, { n: 1 }, { id: "m", deadlineMs: 10 * PAUSE_MS });
      const { clock } = publisher;
      const { bus } = without([Placed.name], store, { alarm, clock });
      const deadlineMs = NOW_MS + 10 * PAUSE_MS;
      await bus.tick();
      clock.advance(PAUSE_MS);
      assert.equal((await bus.tick()).nextDueAtMs, deadlineMs);
      clock.advance(9 * PAUSE_MS - 1_000);
      assert.equal((await bus.tick()).nextDueAtMs, deadlineMs);
      assert.equal((await recordOf(store)).dueAtMs, deadlineMs);
      clock.advance(1_000);
      await bus.tick();
      assert.equal((await recordOf(store)).state, "failed");
    }),
  );

  it(
    "a record of the inbox waits for its subscriber, and is handled once that starts or is added",
    on(open, async ({ store, peer }) => {
      const handled: string[] = [];
      const mails = subscribe(Placed, { group: "mail" }, () => void handled.push("placed"));
      // As an instance of another version left them.
      const records = ["m-1", "m-2"].map((id) =>
        newRecord(arriving(id, { name: Marked.name, body: `{"n":1,"ok":true}` }), { group: "mail" })
      );
      await store.add("inbox", records, NOW_MS);
      const lacking = without([], store, {}, [mails]);
      const { clock } = lacking;
      // An instance that knows them has time to take them.
      assert.equal((await lacking.bus.tick()).nextDueAtMs, NOW_MS + PAUSE_MS);
      assert.equal((await store.find("inbox", { id: "m-1", group: "mail" }))?.reason, null);
      clock.advance(PAUSE_MS);
      await lacking.bus.tick();
      const key = { id: "m-1", group: "mail" };
      const record = await store.find("inbox", key);
      assert.deepEqual(
        [record?.state, record?.attempts, record?.reason],
        ["scheduled", 0, `No subscriber of group "mail" here takes "${Marked.name}"`],
      );
      assert.equal(lacking.observed.all("unroutable", { id: "m-1" }).length, 1);
      clock.advance(1_000);
      const other = without([], peer, { clock }, [mails]);
      await other.bus.start();
      other.bus.subscribe(Marked, { group: "mail" }, (_body, { message }) => {
        handled.push(message.id);
      });
      await other.observed.until("succeeded", { id: "m-1" });
      await other.observed.until("succeeded", { id: "m-2" });
      await other.bus.stop();
      assert.deepEqual(handled.sort(), ["m-1", "m-2"]);
    }),
  );

  it(
    "the alarm is armed for the end of the wait, once for all tries",
    on(open, async ({ store }) => {
      const armed: number[] = [];
      const alarm: Alarm = {
        graceMs: null,
        arm: (atMs) => Promise.resolve(void armed.push(atMs - NOW_MS)),
      };
      const { bus, clock, observed } = await waiting(store, { alarm });
      assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + PAUSE_MS);
      clock.advance(PAUSE_MS);
      const endMs = clock.now() + HOUR_MS;
      assert.equal((await bus.tick()).nextDueAtMs, endMs);
      for (let i = 0; i < 3; i++) {
        clock.advance(PAUSE_MS);
        await bus.tick();
        await bus.flush();
      }
      assert.deepEqual(armed, [PAUSE_MS, PAUSE_MS + HOUR_MS]);
      assert.equal((await recordOf(store)).dueAtMs, clock.now() + PAUSE_MS);
      clock.advance(endMs - clock.now());
      await bus.tick();
      assert.equal(observed.all("failed", { id: "m" }).length, 1);
    }),
  );
});

describeOnEveryStore("unroutable: after a retry", (open) => {
  it(
    "by an operator a new time begins, with an event of its own",
    on(open, async ({ store }) => {
      const { bus, clock, observed } = await untaken(store, { unroutableForMs: PAUSE_MS });
      clock.advance(PAUSE_MS);
      await bus.tick();
      assert.equal((await recordOf(store)).state, "failed");
      await bus.retry({ box: "outbox", id: "m" });
      clock.advance(PAUSE_MS);
      await bus.tick();
      const { state, details } = await recordOf(store);
      assert.deepEqual([state, details?.unroutableSinceMs], ["scheduled", clock.now()]);
      assert.equal(observed.all("unroutable", { id: "m" }).length, 2);
    }),
  );
});

describe("unroutable: answers", () => {
  const headers = { [HEADER.callbackName]: Marked.name, [HEADER.failureCallbackName]: Stuck.name };

  it("a reply that nobody takes fails, and nobody is told of it", async () => {
    const { store } = fixture();
    const answers = subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true }));
    const { bus, clock, observed } = without([Marked.name, Stuck.name], store, {}, [answers]);
    await bus.deliver([arriving("m", { name: Deduct.name, headers })]);
    for (let tries = 0; tries <= 1 + HOUR_MS / PAUSE_MS; tries++) {
      await bus.tick();
      clock.advance(PAUSE_MS);
    }
    const all = await store.list({ box: "outbox", limit: 10 });
    assert.deepEqual(all.map(({ state, attempts, message }) => [message.name, state, attempts]), [
      [Marked.name, "failed", 0],
    ]);
    assert.equal(observed.all("unroutable").length, 1);
    assert.equal(observed.all("failed").length, 1);
  });

  it("a failure callback that nobody takes ends failed, and nothing comes of it", async () => {
    const { store } = fixture();
    const { bus, clock } = await waiting(store, { unroutableForMs: PAUSE_MS });
    const lacking = without([Placed.name, Stuck.name], store, { clock, unroutableForMs: PAUSE_MS });
    await bus.tick();
    for (let i = 0; i < 6; i++) {
      clock.advance(PAUSE_MS);
      await lacking.bus.tick();
    }
    const all = await store.list({ box: "outbox", limit: 10 });
    assert.deepEqual(all.map(({ state, message }) => [message.name, state]).sort(), [
      [Placed.name, "failed"],
      [Stuck.name, "failed"],
    ]);
  });
});

describe("unroutable: instances that run", () => {
  it("one with the route sends it, although the clock of one without is ahead", async () => {
    const { bus: publisher, store, clock: ahead } = without([], fixture().store);
    ahead.advance(200);
    const lacking = without([Placed.name], store, { clock: ahead });
    const { bus, clock, observed } = without([], store, { pollMs: 1_000 });
    await bus.start();
    await clock.awaits(1_000);
    await publisher.publish(Placed, { n: 1 }, { id: "m" });
    for (let seconds = 0; observed.all("succeeded").length === 0; seconds++) {
      assert.ok(seconds < 2 * PAUSE_MS / 1_000, "it is never sent");
      await lacking.bus.tick();
      ahead.advance(1_000);
      clock.advance(1_000);
      await clock.awaits(1, 1_000);
    }
    await bus.stop();
  });

  it("one whose transport has no route after all tries no more often", async () => {
    const { bus, clock, transport } = without([], fixture().store);
    transport.sender = () => ({ kind: "unroutable", reason: "Nobody reads it" });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    for (let seconds = 0; seconds < 4 * PAUSE_MS / 1_000; seconds++) {
      await bus.tick();
      clock.advance(1_000);
    }
    assert.equal(transport.batches.length, 4);
  });
});

describe("unroutable: what it costs", () => {
  it("a start asks once for each side, a tick with nothing due soon asks nothing", async () => {
    const wrapping = wrapped(fixture().store);
    const { bus, observed } = without([], wrapping.store as Store, {}, [
      subscribe(Placed, { group: "mail" }, () => {}),
    ]);
    await bus.publish(Placed, { n: 1 });
    await bus.publish(Placed, { n: 2 }, { delayMs: HOUR_MS });
    await bus.tick();
    assert.equal(wrapping.calls.get("makeUnroutableDue"), undefined);
    await bus.start();
    await bus.publish(Placed, { n: 3 }, { id: "running" });
    await observed.until("succeeded", { id: "running" });
    await bus.stop();
    assert.equal(wrapping.calls.get("makeUnroutableDue"), 2);
  });

  it("a store that fails to look, or cannot, keeps nothing else from being done", async () => {
    for (const lacks of [true, false]) {
      const wrapping = wrapped(fixture().store);
      const store = new Proxy(wrapping.store, {
        get: (target, name) => lacks && name === "hints" ? undefined : Reflect.get(target, name),
      });
      wrapping.around = (method, call) =>
        method === "makeUnroutableDue" ? Promise.reject(new Error("no")) : call();
      const { bus, observed } = without([], store as Store);
      await bus.start();
      await bus.publish(Placed, { n: 1 }, { id: "m" });
      await observed.until("succeeded", { id: "m" });
      await bus.stop();
      assert.equal(observed.all("error", { during: "unroutable" }).length, lacks ? 0 : 1);
    }
  });
});

describe("unroutable: the option unroutableForMs", () => {
  for (const unroutableForMs of [0, -1, NaN, Infinity, "1h" as never]) {
    it(`refuses ${unroutableForMs}`, () => {
      assert.throws(() => fixture([], { unroutableForMs }), {
        code: "invalid_option",
        message: `Cannot make a bus with unroutableForMs ${
          typeof unroutableForMs === "string" ? `"${unroutableForMs}"` : unroutableForMs
        }: want a number above zero`,
      });
    });
  }
});
