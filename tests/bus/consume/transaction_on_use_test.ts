import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import type { HandlerContext } from "../../../bus/api/subscriber.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const RETRY = { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } as const;

function setup(
  handle: (context: HandlerContext<Tx>, id: string) => unknown,
  { clock = new ManualClock(), ...options }: { clock?: ManualClock; timeoutMs?: number } = {},
) {
  const wrapping = wrapped(memoryStore());
  const subscriber = subscribe(
    Placed,
    { group: "g", retry: RETRY, ...options },
    async (_body, context: HandlerContext<Tx>) => {
      await handle(context, context.message.id);
    },
  );
  const parts = fixture([subscriber], {
    store: wrapping.store,
    transport: new FakeTransport(),
    concurrency: 100,
    clock,
  });
  return { ...parts, wrapping };
}

const messages = (count: number) => Array.from({ length: count }, (_, i) => arriving(`m-${i}`));

describe("bus: the transaction of a handler", () => {
  it("is not made for handlers that do not read tx, and they share settlements", async () => {
    const { bus, observed, wrapping } = setup(() => {});
    await bus.start();
    await bus.deliver(messages(50));
    await observed.until("succeeded", { box: "inbox" }, 50);
    assert.equal(wrapping.calls.get("transactionOnUse"), undefined);
    assert.ok((wrapping.calls.get("settle") ?? 0) <= 2, `${wrapping.calls.get("settle")} settles`);
    await bus.stop();
  });

  it("is one, however often tx is read", async () => {
    const { bus, observed, wrapping } = setup((context) => assert.equal(context.tx, context.tx));
    await bus.start();
    await bus.deliver(messages(1));
    await observed.until("succeeded", { box: "inbox" });
    assert.equal(wrapping.calls.get("transactionOnUse"), 1);
    await bus.stop();
  });

  it("is over when tx is first read after the handler has ended", async () => {
    const kept: HandlerContext<Tx>[] = [];
    const { bus, observed, store } = setup((context) => void kept.push(context));
    await bus.start();
    await bus.deliver(messages(1));
    await observed.until("succeeded", { box: "inbox" });
    const late = kept[0]?.tx as Tx;
    await assert.rejects(bus.publish(Marked, { n: 1, ok: true }, { tx: late }), {
      code: "transaction_ended",
    });
    assert.deepEqual(await store.list({ box: "outbox", limit: 10 }), []);
    await bus.stop();
  });

  it("a shared settlement whose statement fails is tried again, and no handler runs twice", async () => {
    let runs = 0;
    const { bus, observed, wrapping } = setup(() => void runs++);
    wrapping.around = (method, call) => {
      if (method !== "settle") return call();
      wrapping.around = (_method, call) => call();
      return Promise.reject(new Error("the connection was lost"));
    };
    await bus.start();
    await bus.deliver(messages(20));
    await observed.until("succeeded", { box: "inbox" }, 20);
    assert.equal(runs, 20);
    assert.deepEqual(observed.all("stale"), []);
    await bus.stop();
  });

  it("a shared settlement whose answer is lost counts once", async () => {
    const { bus, observed, wrapping } = setup(() => {});
    wrapping.around = async (method, call) => {
      const answer = await call();
      if (method !== "settle") return answer;
      wrapping.around = (_method, call) => call();
      throw new Error("the connection was lost");
    };
    await bus.start();
    await bus.deliver(messages(20));
    await observed.until("succeeded", { box: "inbox" }, 20);
    assert.deepEqual(observed.all("stale"), []);
    await bus.stop();
  });

  it("a message that fails is tried again while others of its claim go on", async () => {
    const clock = new ManualClock();
    const others = new Gate();
    let tries = 0;
    const { bus, observed } = setup(async (_context, id) => {
      if (id !== "m-0") return await others.pass();
      tries += 1;
      if (tries === 1) throw new Error("not now");
    }, { clock });
    await bus.start();
    await bus.deliver(messages(3));
    await observed.until("retrying");
    await clock.awaits(1, 60_000);
    clock.advance(60_000);
    await observed.until("succeeded", { id: "m-0" });
    others.open();
    await bus.stop();
  });
});
