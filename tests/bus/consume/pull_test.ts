import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HEADER, subscribe } from "../../../mod.ts";
import type { Transport } from "../../../ports.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeStream, MIN_IDLE_MS } from "../../support/fake_stream.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const SIGNAL = new AbortController().signal;

describe("bus: pulling in a tick", () => {
  it("fetches, handles, and sends the answer, which another service fetches", async () => {
    const stream = new FakeStream(["orders", "inventory"]);
    const marked: boolean[] = [];
    const clock = new ManualClock();
    const orders = fixture(
      [subscribe(Marked, { group: "orders" }, ({ ok }) => void marked.push(ok))],
      { clock, transport: stream.transport("orders") },
    );
    const inventory = fixture(
      [subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true }))],
      { clock, transport: stream.transport("inventory") },
    );
    await orders.bus.publish(Deduct, { n: 1 }, { callback: Marked });
    assert.equal((await orders.bus.tick()).sent, 1);
    const report = await inventory.bus.tick();
    assert.deepEqual([report.received, report.handled, report.sent], [1, 1, 1]);
    const answered = await orders.bus.tick();
    assert.deepEqual([answered.received, answered.handled, marked], [1, 1, [true]]);
    assert.deepEqual(stream.left("orders").map(({ name }) => name), [Deduct.name]);
  });

  it("pulls once when there is nothing, and again after it sent something", async () => {
    const { transport, pulls } = counted(new FakeStream(["g"]).transport("g"));
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})], { transport });
    assert.deepEqual([(await bus.tick()).received, pulls.length], [0, 1]);
    await bus.publish(Placed, { n: 1 });
    const report = await bus.tick();
    // One before it was sent, one that brings it, and none after that.
    assert.deepEqual([report.sent, report.received, report.handled, pulls.length], [1, 1, 1, 3]);
  });

  it("asks for what is subscribed to, patterns included, and not at all without subscribers", async () => {
    const { transport, pulls } = counted(new FakeStream(["g"]).transport("g"));
    const { bus } = fixture([], { transport });
    await bus.tick();
    assert.equal(pulls.length, 0);
    bus.subscribe(Placed, { group: "a" }, () => {});
    bus.subscribe(Placed, { group: "b", pattern: "order.*" }, () => {});
    bus.subscribe(Placed, { group: "c" }, () => {});
    await bus.tick();
    assert.deepEqual(pulls[0]?.patterns, [Placed.name, "order.*"]);
  });

  it("what was fetched is acknowledged before it is handled", async () => {
    const stream = new FakeStream(["g"]);
    const transport = stream.transport("g");
    const left: number[] = [];
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, () => void left.push(stream.left("g").length)),
    ], { transport });
    await transport.send([arriving("m-1"), arriving("m-2")], SIGNAL);
    assert.equal((await bus.tick()).handled, 2);
    assert.deepEqual(left, [0, 0]);
  });

  it("what was fetched before does not run again, and is acknowledged", async () => {
    const stream = new FakeStream(["g"]);
    const transport = stream.transport("g");
    let runs = 0;
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)], { transport });
    await transport.send([arriving("m"), arriving("m")], SIGNAL);
    await bus.tick();
    await transport.send([arriving("m")], SIGNAL);
    const { received, handled } = await bus.tick();
    assert.deepEqual([received, handled, runs, stream.left("g").length], [1, 0, 1, 0]);
  });

  it("an acknowledgement that is lost is made up for by the inbox", async () => {
    const stream = new FakeStream(["g"]);
    const inner = stream.transport("g");
    const transport: Transport = {
      ...inner,
      pull: (request, deliver) =>
        inner.pull!(request, async (messages) => {
          await deliver(messages);
          throw new Error("connection reset");
        }),
    };
    let runs = 0;
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)], {
      transport,
    });
    await inner.send([arriving("m")], SIGNAL);
    const first = await bus.tick();
    assert.deepEqual([first.handled, stream.left("g").length], [1, 1]);
    assert.equal(first.nextDueAtMs, NOW_MS + 1_000);
    clock.advance(1_000);
    transport.pull = inner.pull!;
    assert.equal((await bus.tick()).received, 1);
    assert.deepEqual([runs, stream.left("g").length], [1, 0]);
  });

  it("begins no pull once its budget is spent, and says that there is more", async () => {
    const stream = new FakeStream(["g"]);
    const transport = stream.transport("g");
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g" }, () => clock.advance(10)),
    ], { transport, concurrency: 1 });
    await transport.send(Array.from({ length: 120 }, (_, i) => arriving(`m-${i}`)), SIGNAL);
    const first = await bus.tick({ budgetMs: 200 });
    assert.deepEqual([first.received, first.handled], [50, 20]);
    assert.equal(first.nextDueAtMs, clock.now());
    assert.deepEqual((await bus.tick({ budgetMs: 60_000 })).nextDueAtMs, null);
    assert.equal(stream.left("g").length, 0);
  });

  it("a transport that fails is observed, and the rest of the tick goes on", async () => {
    const transport: Transport = {
      ...new FakeStream(["g"]).transport("g"),
      pull: () => Promise.reject(new Error("no server")),
    };
    const { bus, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], { transport });
    await bus.publish(Placed, { n: 1 });
    const report = await bus.tick();
    assert.deepEqual([report.sent, report.nextDueAtMs], [1, NOW_MS + 5_000]);
    assert.ok(observed.all("error", { during: "pull" }).length > 0);
  });

  it("a store that is down keeps nothing: the message is fetched again", async () => {
    const stream = new FakeStream(["g"]);
    const transport = stream.transport("g");
    const wrapping = wrapped(memoryStore());
    let isDown = true;
    wrapping.around = async (method, call) => {
      if (method === "add" && isDown) throw new Error("no store");
      return await call();
    };
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport,
      store: wrapping.store,
    });
    await transport.send([arriving("m")], SIGNAL);
    const { received, nextDueAtMs } = await bus.tick();
    assert.deepEqual([received, nextDueAtMs], [0, NOW_MS + 1_000]);
    isDown = false;
    clock.advance(1_000);
    assert.equal((await bus.tick()).handled, 1);
  });
});

describe("bus: pulling while it runs", () => {
  it("fetches at once, and rests longer each time that nothing came", async () => {
    const { transport, pulls } = counted(new FakeStream(["g"]).transport("g"));
    const { bus, clock, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport,
      pullMs: 700,
    });
    await transport.send([arriving("a")], SIGNAL);
    await bus.start();
    await observed.until("succeeded", { id: "a" });
    for (const restMs of [100, 200, 400, 700, 700]) {
      await clock.awaits(restMs);
      const before = pulls.length;
      clock.advance(restMs);
      await quiet();
      assert.equal(pulls.length, before + 1);
    }
    await transport.send([arriving("b")], SIGNAL);
    clock.advance(700);
    await observed.until("succeeded", { id: "b" });
    await clock.awaits(100);
    await bus.stop();
  });

  it("a new subscription is pulled for at once", async () => {
    const transport = new FakeStream(["g"]).transport("g");
    const { bus, observed } = fixture([], { transport });
    await transport.send([arriving("a")], SIGNAL);
    await bus.start();
    await quiet();
    bus.subscribe(Placed, { group: "g" }, () => {});
    await observed.until("succeeded", { id: "a" });
    await bus.stop();
  });

  it("what others left behind is fetched as soon as it can be", async () => {
    const stream = new FakeStream(["g"]);
    const transport = stream.transport("g");
    const gate = new Gate();
    await transport.send([arriving("a")], SIGNAL);
    const dead = transport.pull!(
      { patterns: [Placed.name], limit: 1, nowMs: NOW_MS, signal: SIGNAL },
      async () => (await gate.pass(), []),
    );
    const { bus, clock, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport,
      pullMs: 10 * MIN_IDLE_MS,
    });
    await bus.start();
    await quiet();
    for (let turn = 0; turn < 20 && observed.all("succeeded").length === 0; turn++) {
      clock.advance(MIN_IDLE_MS / 10);
      await quiet();
    }
    assert.ok(clock.now() <= NOW_MS + 2 * MIN_IDLE_MS);
    assert.equal(observed.all("succeeded").length, 1);
    await bus.stop();
    gate.open();
    await dead;
  });

  it("a stop keeps what was fetched meanwhile, and pulls no more", async () => {
    const stream = new FakeStream(["g"]);
    const gate = new Gate();
    const inner = stream.transport("g");
    let pulls = 0;
    const transport: Transport = {
      ...inner,
      pull: async (request, deliver) => {
        pulls += 1;
        await gate.pass();
        return await inner.pull!(request, deliver);
      },
    };
    const { bus, store } = fixture([subscribe(Placed, { group: "g" }, () => {})], { transport });
    await inner.send([arriving("a")], SIGNAL);
    await bus.start();
    await gate.reached();
    const stopping = bus.stop();
    gate.open();
    await stopping;
    assert.deepEqual([stream.left("g").length, pulls], [0, 1]);
    const kept = await store.find("inbox", { id: "a", group: "g" });
    assert.deepEqual([kept?.state, kept?.leaseUntilMs], ["scheduled", null]);
  });

  it("a deaf transport does not hold up a stop", async () => {
    const transport: Transport = {
      ...new FakeStream(["g"]).transport("g"),
      pull: () => new Promise(() => {}),
    };
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})], { transport });
    await bus.start();
    const stopping = bus.stop({ drainMs: 10 });
    await clock.awaits(10);
    clock.advance(10);
    await stopping;
  });

  it("a transport that fails is asked again after a rest", async () => {
    const inner = new FakeStream(["g"]).transport("g");
    let isDown = true;
    const transport: Transport = {
      ...inner,
      pull: (request, deliver) =>
        isDown ? Promise.reject(new Error("no server")) : inner.pull!(request, deliver),
    };
    const { bus, clock, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport,
    });
    await inner.send([arriving("a")], SIGNAL);
    await bus.start();
    await observed.until("error", { during: "pull" });
    isDown = false;
    await quiet();
    clock.advance(200);
    await observed.until("succeeded", { id: "a" });
    await bus.stop();
  });
});

describe("bus: what is pulled", () => {
  for (const running of [false, true]) {
    it(`is refused as what is delivered, on a bus that ${running ? "runs" : "ticks"}`, async () => {
      const stream = new FakeStream(["g"]);
      const { bus, store, observed } = fixture(
        [subscribe(Placed, { group: "g" }, () => {})],
        { transport: stream.transport("g"), callbackNames: ["order.*"] },
      );
      const asking = (name: string) => ({ headers: { [HEADER.callbackName]: name } });
      const bad = [
        arriving(`atlast-reply-${"a".repeat(43)}`),
        arriving("not allowed", asking("payment.refund")),
        arriving("no name", asking("no name!")),
      ];
      await stream.transport("g").send([...bad, arriving("good")], SIGNAL);
      if (running) await bus.start();
      else await bus.tick();
      await observed.until("succeeded");
      await bus.stop();
      assert.deepEqual([...stream.parked.keys()].sort(), bad.map(({ id }) => id).sort());
      const stored = await store.list({ box: "inbox", limit: 10 });
      assert.deepEqual(stored.map(({ id, state }) => [id, state]), [["good", "succeeded"]]);
      assert.equal(observed.all("error", { during: "deliver" }).length, bad.length);
    });
  }
});

type Pulled = Transport & Required<Pick<Transport, "pull">>;

/** A transport, and the requests it was pulled with. */
function counted(inner: Transport): {
  transport: Pulled;
  pulls: Parameters<Pulled["pull"]>[0][];
} {
  const pulls: Parameters<Pulled["pull"]>[0][] = [];
  return {
    pulls,
    transport: {
      ...inner,
      pull: (request, deliver) => {
        pulls.push(request);
        return inner.pull!(request, deliver);
      },
    },
  };
}
