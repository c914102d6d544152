import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { HEADER } from "../../../core/message/headers.ts";
import {
  type Bus,
  defineMessage,
  failureReport,
  type PublishMiddleware,
  subscribe,
} from "../../../mod.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal, type Sender } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const AT_ONCE = { kind: "fixed", delayMs: 0, maxAttempts: 9 } as const;
const ONCE = { kind: "list", delaysMs: [] } as const;

/** Settles when a signal aborts. */
function aborted(signal: Pick<AbortSignal, "addEventListener">): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

/** Stops a bus at once: its clock stands still, so the drain time has to pass by hand. */
async function stopped(bus: Bus<Tx>, clock: ManualClock, ticked: Promise<unknown>): Promise<void> {
  const stopping = bus.stop({ drainMs: 1 });
  await Promise.resolve();
  clock.advance(1);
  await Promise.all([stopping, ticked]);
}

describe("a release when the bus stops", () => {
  it("keeps the error of the last attempt to send", async () => {
    const gate = new Gate();
    let sends = 0;
    const sender: Sender = async (_message, signal) => {
      sends += 1;
      if (sends === 1) return refusal("first boom");
      const over = aborted(signal as AbortSignal);
      await Promise.race([gate.pass(), over]);
      throw new Error("aborted");
    };
    const { bus, store, clock } = fixture([], {
      transport: new FakeTransport(sender),
      retry: AT_ONCE,
    });
    const { id } = await bus.publish(Placed, { n: 1 });
    const ticked = bus.tick();
    await gate.reached();
    await stopped(bus, clock, ticked);
    const record = await store.find("outbox", { id, group: "" });
    assert.deepEqual(
      [record?.state, record?.attempts, record?.reason],
      ["scheduled", 1, "first boom"],
    );
  });

  it("keeps the error of the last run of a handler", async () => {
    const gate = new Gate();
    const { bus, store, clock } = fixture([
      subscribe(Placed, { group: "g" }, async (_body, { attempt, signal }) => {
        if (attempt === 1) throw new Error("first boom");
        await Promise.race([gate.pass(), aborted(signal)]);
        signal.throwIfAborted();
      }),
    ], { retry: AT_ONCE });
    const { id } = await bus.publish(Placed, { n: 1 });
    const ticked = bus.tick();
    await gate.reached();
    await stopped(bus, clock, ticked);
    const record = await store.find("inbox", { id, group: "g" });
    assert.deepEqual(
      [record?.state, record?.attempts, record?.reason],
      ["scheduled", 1, "Error-->first boom"],
    );
  });
});

describe("the abort of a handler whose lease was lost", () => {
  it("has an AtlastError with the code lease_lost as its reason", async () => {
    const clock = new ManualClock();
    const store = wrapped(memoryStore());
    store.around = async (called, call) => {
      const result = await call();
      return called === "renew" ? (result as boolean[]).map(() => false) as never : result;
    };
    const gate = new Gate();
    let reason: unknown;
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, async (_body, { signal }) => {
        const over = aborted(signal);
        await Promise.race([gate.pass(), over]);
        reason = signal.reason;
        signal.throwIfAborted();
      }),
    ], { store: store.store, clock, leaseMs: 30_000 });
    await bus.publish(Placed, { n: 1 });
    const ticked = bus.tick();
    await gate.reached();
    clock.advance(10_000);
    await ticked;
    const { code, message } = reason as { code?: unknown; message?: unknown };
    assert.equal(code, "lease_lost");
    assert.match(String(message), /^Cannot go on with this attempt: the lease was lost/);
    gate.open();
    await bus.stop();
  });
});

describe("what a handler throws that is no error of this realm", () => {
  const thrown: readonly (readonly [title: string, value: unknown, reason: RegExp])[] = [
    ["a number", 404, /was thrown: 404$/],
    ["null", null, /was thrown: null$/],
    ["an object", { code: "E_BUSY", at: 3 }, /was thrown: \{ code: "E_BUSY", at: 3 \}$/],
    ["an object with a message", { message: "no stock" }, /^Error-->no stock$/],
    [
      "an error of another realm",
      runInNewContext("new TypeError('of another realm')"),
      /^TypeError-->of another realm$/,
    ],
  ];
  for (const [title, value, reason] of thrown) {
    it(`is in the record with its text: ${title}`, async () => {
      const { bus, store } = fixture([
        subscribe(Placed, { group: "g" }, () => {
          throw value;
        }),
      ], { retry: ONCE });
      const { id } = await bus.publish(Placed, { n: 1 });
      await bus.tick();
      assert.match((await store.find("inbox", { id, group: "g" }))?.reason ?? "", reason);
      await bus.stop();
    });
  }

  it("does not reach its publisher", async () => {
    const Stuck = defineMessage("order.stuck", { body: failureReport });
    const reports: unknown[] = [];
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw { password: "s3cret" };
      }),
      subscribe(Stuck, { group: "g" }, (report, { headers }) => {
        reports.push(report, headers);
      }),
    ], { retry: ONCE });
    await bus.publish(Placed, { n: 1 }, { failureCallback: Stuck });
    await bus.tick();
    assert.equal(reports.length, 2);
    assert.doesNotMatch(JSON.stringify(reports), /s3cret/);
    await bus.stop();
  });
});

describe("a delay that is longer than the deadline", () => {
  const options = { delayMs: 60_000, deadlineMs: 1_000 };
  const refused = {
    code: "invalid_option",
    message: /delayMs 60000 and deadlineMs 1000: want a delay within the deadline$/,
  };

  it("is refused by each publish and by prepare, and nothing is stored", async () => {
    const { bus, store } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      fence: memoryFence(),
    });
    await assert.rejects(bus.publish(Placed, { n: 1 }, options), refused);
    await assert.rejects(bus.publishMany(Placed, [{ n: 1 }], options), refused);
    await assert.rejects(bus.publishRaw({ name: Placed.name, body: "{}" }, options), refused);
    await assert.rejects(bus.prepare(Placed, { n: 1 }, options), refused);
    assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
    await bus.stop();
  });

  it("is refused if a middleware has changed the delay of a half message", async () => {
    const slower: PublishMiddleware = (draft, next) =>
      next({ ...draft, headers: { ...draft.headers, [HEADER.delayTime]: "00:01:00" } });
    const { bus, store } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      fence: memoryFence(),
      onPublish: [slower],
    });
    await assert.rejects(bus.prepare(Placed, { n: 1 }, { deadlineMs: 1_000 }), refused);
    assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
    await bus.stop();
  });

  it("is taken if it is as long", async () => {
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
    await bus.publish(Placed, { n: 1 }, { delayMs: 1_000, deadlineMs: 1_000 });
    await bus.stop();
  });
});
