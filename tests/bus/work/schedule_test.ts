import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineMessage, RetryAfter, type RetryPolicy, subscribe } from "../../../mod.ts";
import type { SendResult } from "../../../core/ports/transport.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal, SENT } from "../../support/fake_transport.ts";
import { NOW_MS } from "../../support/manual_clock.ts";

const MINUTE_MS = 60_000;

describe("bus: delays and deadlines", () => {
  it("a delayed message is sent when it is due, and not before", async () => {
    const transport = new FakeTransport();
    const { bus, clock } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m", delayMs: 5_000 });
    assert.deepEqual(await bus.tick(), {
      received: 0,
      sent: 0,
      handled: 0,
      checked: 0,
      failed: 0,
      pruned: 0,
      nextDueAtMs: NOW_MS + 5_000,
    });
    clock.advance(4_999);
    await bus.tick();
    assert.deepEqual(transport.ids, []);
    clock.advance(1);
    assert.equal((await bus.tick()).sent, 1);
    assert.equal(transport.messages[0]?.headers["cap-delaytime"], "5000");
  });

  it("a running bus sends a delayed message by itself", async () => {
    const transport = new FakeTransport();
    const { bus, clock, observed } = fixture([], { transport });
    await bus.start();
    await bus.publish(Placed, { n: 1 }, { id: "late", delayMs: 90 * MINUTE_MS });
    await clock.awaits(90 * MINUTE_MS);
    await bus.publish(Placed, { n: 1 }, { id: "soon", delayMs: 5_000 });
    await clock.awaits(5_000);
    clock.advance(5_000);
    await observed.until("succeeded", { id: "soon" });
    assert.deepEqual(transport.ids, ["soon"]);
    clock.advance(90 * MINUTE_MS);
    await observed.until("succeeded", { id: "late" });
    await bus.stop();
  });

  it("a message past its deadline fails and is not sent", async () => {
    const transport = new FakeTransport();
    const { bus, clock, observed, store } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m", deadlineMs: 1_000 });
    await bus.publish(Placed, { n: 1 }, { id: "just", deadlineMs: 1_001 });
    clock.advance(1_001);
    assert.deepEqual(await bus.tick(), {
      received: 0,
      sent: 1,
      handled: 0,
      checked: 0,
      failed: 0,
      pruned: 0,
      nextDueAtMs: null,
    });
    assert.deepEqual(transport.ids, ["just"]);
    assert.match(observed.all("failed", { id: "m" })[0]?.reason ?? "", /^Deadline exceeded/);
    assert.equal((await store.find("outbox", { id: "m", group: "" }))?.attempts, 0);
  });

  it("an attempt that would come after the deadline is not waited for", async () => {
    const transport = new FakeTransport(() => refusal("down", 10_000));
    const { bus, observed } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { deadlineMs: 9_999 });
    await bus.tick();
    assert.equal(observed.all("failed")[0]?.reason, "down");
  });
});

/** Ticks through the life of a message, and gives back when each attempt was made. */
async function attemptTimes(
  { retry, contractRetry, ownRetry }: {
    retry?: RetryPolicy;
    contractRetry?: RetryPolicy;
    ownRetry?: RetryPolicy;
  },
): Promise<number[]> {
  const times: number[] = [];
  const transport = new FakeTransport(() => {
    times.push(clock.now() - NOW_MS);
    return refusal("down");
  });
  const { bus, clock, store } = fixture([], { transport, ...(retry && { retry }) });
  const contract = defineMessage("order.placed", {
    body: Placed.body,
    ...(contractRetry && { retry: contractRetry }),
  });
  const { id } = await bus.publish(contract, { n: 1 }, { ...(ownRetry && { retry: ownRetry }) });
  for (let due: number | null = clock.now(); due !== null;) {
    clock.advance(due - clock.now());
    due = (await bus.tick()).nextDueAtMs;
  }
  const record = await store.find("outbox", { id, group: "" });
  assert.equal(record?.state, "failed");
  assert.equal(record?.reason, "down");
  assert.equal(record?.attempts, times.length);
  return times;
}

describe("bus: the retry schedule", () => {
  it("is CAP's if nothing else is said: 3 at once, then from 4 minutes on one a minute, 50 in all", async () => {
    const later = Array.from({ length: 47 }, (_, i) => (4 + i) * MINUTE_MS);
    assert.deepEqual(await attemptTimes({}), [0, 0, 0, ...later]);
  });

  it("is the publish's own before the contract's before the bus's", async () => {
    const retry: RetryPolicy = { kind: "fixed", delayMs: 1, maxAttempts: 2 };
    const contractRetry: RetryPolicy = { kind: "list", delaysMs: [10, 20] };
    const ownRetry: RetryPolicy = {
      kind: "exponential",
      baseMs: 100,
      capMs: 300,
      maxAttempts: 4,
    };
    assert.deepEqual(await attemptTimes({ retry }), [0, 1]);
    assert.deepEqual(await attemptTimes({ retry, contractRetry }), [0, 10, 30]);
    assert.deepEqual(
      await attemptTimes({ retry, contractRetry, ownRetry }),
      [0, 100, 300, 600],
    );
  });

  it("on the receiving side is the subscriber's before the bus's", async () => {
    const times: Record<string, number[]> = { own: [], bus: [] };
    const handler = (group: string) => () => {
      times[group]?.push(clock.now() - NOW_MS);
      throw new Error("no");
    };
    const { bus, clock } = fixture([
      subscribe(
        Placed,
        { group: "own", retry: { kind: "list", delaysMs: [5, 7] } },
        handler("own"),
      ),
      subscribe(Placed, { group: "bus" }, handler("bus")),
    ], { retry: { kind: "fixed", delayMs: 100, maxAttempts: 2 } });
    await bus.publish(Placed, { n: 1 });
    for (let due: number | null = clock.now(); due !== null;) {
      clock.advance(due - clock.now());
      due = (await bus.tick()).nextDueAtMs;
    }
    assert.deepEqual(times, { own: [0, 5, 12], bus: [0, 100] });
  });

  it("gives way to what the transport or the handler says, up to its count", async () => {
    let sends = 0;
    const transport = new FakeTransport(() => ++sends < 3 ? refusal("busy", 7_000) : SENT);
    const { bus, clock, observed } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 });
    assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + 7_000);
    clock.advance(7_000);
    assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + 14_000);
    clock.advance(7_000);
    assert.equal((await bus.tick()).sent, 1);
    assert.equal(observed.all("succeeded")[0]?.attempts, 3);
  });

  it("an answer that asks for an attempt at once does not use up the attempts", async () => {
    for (const retryAfterMs of [0, 1]) {
      const transport = new FakeTransport(() => refusal("busy", retryAfterMs));
      const { bus, clock, observed } = fixture([], { transport });
      await bus.publish(Placed, { n: 1 });
      // A second of ticks, each when the next attempt is due.
      for (let nextMs = 0; nextMs < 1_000;) {
        const { nextDueAtMs } = await bus.tick();
        nextMs = (nextDueAtMs ?? Infinity) - NOW_MS;
        if (nextMs < 1_000) clock.advance(Math.max(0, NOW_MS + nextMs - clock.now()));
      }
      assert.equal(transport.batches.length, 3);
      assert.deepEqual(observed.all("retrying").at(-1)?.attempts, 3);
      const { nextDueAtMs } = await bus.tick();
      assert.ok((nextDueAtMs ?? 0) >= NOW_MS + 4 * MINUTE_MS);
    }
  });

  it("a rate limit counts no attempt, 100 times at most", async () => {
    let sends = 0;
    const limited: SendResult = {
      kind: "failed",
      reason: "429",
      retryable: true,
      retryAfterMs: 0,
      delayedBy: "rate_limit",
    };
    const transport = new FakeTransport(() => ++sends <= 100 ? limited : SENT);
    const { bus, clock, observed, store } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    for (;;) {
      const { nextDueAtMs } = await bus.tick();
      if (nextDueAtMs === null) break;
      assert.ok(nextDueAtMs >= clock.now() + 1_000);
      clock.advance(nextDueAtMs - clock.now());
    }
    assert.deepEqual(observed.all("retrying").map(({ attempts }) => attempts), Array(100).fill(0));
    assert.equal(observed.all("succeeded")[0]?.attempts, 1);
    const record = await store.find("outbox", { id: "m", group: "" });
    assert.equal(record?.details?.postponed, 100);
  });

  it("a handler's RetryAfter later than the schedule counts no attempt, 100 times at most", async () => {
    const { bus, clock, observed } = fixture([
      subscribe(
        Placed,
        { group: "g", retry: { kind: "fixed", delayMs: 1, maxAttempts: 2 } },
        () => {
          throw new RetryAfter(60_000, "later");
        },
      ),
    ]);
    await bus.publish(Placed, { n: 1 });
    assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + 60_000);
    let runs = 1;
    for (let next: number | null = 0; next !== null; runs++) {
      clock.advance(60_000);
      ({ nextDueAtMs: next } = await bus.tick());
    }
    assert.equal(runs, 102);
    const [failed] = observed.all("failed", { box: "inbox" });
    assert.deepEqual([failed?.attempts, failed?.reason], [2, "RetryAfter-->later"]);
  });

  it("a handler's RetryAfter may shorten the schedule, to 100 ms, and counts", async () => {
    let ms = 5_000;
    const { bus, clock, observed } = fixture([
      subscribe(
        Placed,
        { group: "g", retry: { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } },
        () => {
          throw new RetryAfter(ms, "sooner");
        },
      ),
    ]);
    await bus.publish(Placed, { n: 1 });
    assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + 5_000);
    clock.advance(5_000);
    ms = 0;
    assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + 5_100);
    clock.advance(100);
    assert.equal((await bus.tick()).nextDueAtMs, null);
    assert.equal(observed.all("failed", { box: "inbox" })[0]?.attempts, 3);
  });

  it("a running bus follows it by itself", async () => {
    let sends = 0;
    const transport = new FakeTransport(() => ++sends < 5 ? refusal("down") : SENT);
    const { bus, clock, observed } = fixture([], { transport });
    await bus.start();
    await bus.publish(Placed, { n: 1 });
    await observed.until("retrying", {}, 3);
    await clock.awaits(4 * MINUTE_MS);
    clock.advance(4 * MINUTE_MS);
    await observed.until("retrying", {}, 4);
    await clock.awaits(MINUTE_MS);
    clock.advance(MINUTE_MS);
    assert.equal((await observed.until("succeeded")).attempts, 5);
    await bus.stop();
  });
});
