import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { answerId } from "../../../bus/settings/ids.ts";
import type { HandlerContext } from "../../../bus/api/subscriber.ts";
import { HEADER } from "../../../core/message/headers.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { quiet } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const RETRY = { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } as const;
const OUTSIDE = { group: "g", retry: RETRY, transaction: false } as const;

function setup(handle: (context: HandlerContext<Tx>) => void = () => {}) {
  const wrapping = wrapped(memoryStore());
  const subscriber = subscribe(Placed, OUTSIDE, (_body, context: HandlerContext<Tx>) => {
    handle(context);
  });
  const parts = fixture([subscriber], {
    store: wrapping.store,
    transport: new FakeTransport(),
    concurrency: 100,
  });
  return { ...parts, wrapping };
}

const messages = (count: number) => Array.from({ length: count }, (_, i) => arriving(`m-${i}`));

describe("bus: subscribers that want no transaction", () => {
  it("get none, and share the statements that mark what they handled", async () => {
    const given: unknown[] = [];
    const { bus, observed, wrapping } = setup(({ tx }) => given.push(tx));
    await bus.start();
    await bus.deliver(messages(50));
    await observed.until("succeeded", { box: "inbox" }, 50);
    assert.ok(given.every((tx) => tx === undefined) && given.length === 50);
    assert.equal(wrapping.calls.get("transaction"), undefined);
    assert.ok((wrapping.calls.get("settle") ?? 0) <= 2, `${wrapping.calls.get("settle")} settles`);
    await bus.stop();
  });

  it("what fails shares its statements as well", async () => {
    const { bus, observed, wrapping } = setup(() => {
      throw new Error("not now");
    });
    await bus.start();
    await bus.deliver(messages(50));
    await observed.until("retrying", {}, 50);
    assert.ok((wrapping.calls.get("settle") ?? 0) <= 2, `${wrapping.calls.get("settle")} settles`);
    await bus.stop();
  });

  it("what is renewed while it is marked as handled is not taken for lost", async () => {
    const { bus, observed, clock, wrapping } = setup();
    await bus.start();
    wrapping.around = async (method, call) => {
      const answer = await call();
      if (method !== "settle") return answer;
      // The mark is there, and its answer on the way, when the leases are renewed.
      wrapping.around = (_method, call) => call();
      await clock.awaits(20_000);
      clock.advance(20_000);
      await quiet();
      return answer;
    };
    const [result] = await bus.deliver(messages(1));
    assert.equal(result?.kind, "accepted");
    await Promise.race([observed.until("succeeded", { box: "inbox" }), observed.until("stale")]);
    assert.deepEqual(observed.all("stale"), []);
    await bus.stop();
  });

  it("one that fails fails alone, and is tried again", async () => {
    const { bus, observed, clock } = setup(({ message, attempt }) => {
      if (message.id === "m-1" && attempt === 1) throw new Error("not yet");
    });
    await bus.start();
    await bus.deliver(messages(3));
    const { reason } = await observed.until("retrying", { id: "m-1" });
    assert.match(reason, /not yet/);
    await observed.until("succeeded", { box: "inbox" }, 2);
    clock.advance(60_000);
    await observed.until("succeeded", { id: "m-1" });
    await bus.stop();
  });

  it("the mark and the reply are one", async () => {
    const wrapping = wrapped(memoryStore());
    const { bus, store, clock } = fixture([
      subscribe(Deduct, OUTSIDE, ({ n }) => ({ n, ok: true })),
    ], { store: wrapping.store, transport: new FakeTransport() });
    wrapping.around = async (method, call, args) => {
      if (method === "add" && args[0] === "outbox") throw new Error("no room for the reply");
      return await call();
    };
    const headers = { [HEADER.callbackName]: Marked.name };
    await bus.deliver([arriving("r", { name: Deduct.name, headers })]);
    const request = async () => await store.find("inbox", { id: "r", group: "g" });
    const reply = {
      id: await answerId({
        kind: "reply",
        requestId: "r",
        responder: await store.serviceId(),
        group: "g",
        round: 1,
      }),
      group: "",
    };
    assert.equal((await request())?.state, "scheduled");
    assert.equal(await store.find("outbox", reply), null);
    wrapping.around = (_method, call) => call();
    clock.advance(60_000);
    await bus.tick();
    assert.equal((await request())?.state, "succeeded");
    assert.equal((await store.find("outbox", reply))?.message.name, Marked.name);
  });

  it("what was handled and could not be marked is marked later, and not handled again", async () => {
    let runs = 0;
    const { bus, observed, clock, wrapping } = setup(() => runs += 1);
    let isDown = true;
    wrapping.around = async (method, call) => {
      if (method === "settle" && isDown) throw new Error("the answer is lost");
      return await call();
    };
    await bus.start();
    await bus.deliver(messages(1));
    await observed.until("error", { during: "settle" });
    isDown = false;
    await clock.awaits(50);
    clock.advance(50);
    await observed.until("succeeded", { box: "inbox" });
    assert.equal(runs, 1);
    await bus.stop();
  });

  it("what another worker claimed meanwhile is left to it", async () => {
    const { bus, observed, store, wrapping } = setup();
    wrapping.around = async (method, call, args) => {
      if (method !== "settle") return await call();
      const [box, [settlement]] = args as [string, { epoch: number }[]];
      return await call([box, [{ ...settlement, epoch: (settlement?.epoch ?? 0) - 1 }]]);
    };
    await bus.start();
    await bus.deliver(messages(1));
    await observed.until("stale", { id: "m-0" });
    await bus.stop();
    assert.equal(wrapping.calls.get("settle"), 1);
    assert.equal((await store.find("inbox", { id: "m-0", group: "g" }))?.state, "scheduled");
  });

  it("cannot be handled together in one", () => {
    assert.throws(() => subscribe(Placed, { ...OUTSIDE, maxBatch: 2 }, () => {}), {
      code: "invalid_option",
    });
  });
});
