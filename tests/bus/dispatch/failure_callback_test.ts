import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  defineMessage,
  type FailureReport,
  failureReport,
  HEADER,
  NonRetryable,
  subscribe,
} from "../../../mod.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { NOW_MS } from "../../support/manual_clock.ts";

const LEASE_MS = 20_000;
const Stuck = defineMessage("order.stuck", { body: failureReport });
const NEVER = { kind: "failed", reason: "410 gone", retryable: false, arrived: "no" } as const;

function learning() {
  const reports: FailureReport[] = [];
  const subscriber = subscribe(Stuck, { group: "orders" }, (report) => void reports.push(report));
  return { reports, subscriber };
}

describe("bus: the failure callback of a message that could not be sent", () => {
  const expected = {
    messageId: "m",
    name: "order.placed",
    group: "",
    code: "rejected",
    reason: "Its receiver will never accept it",
    attempts: 1,
    round: 1,
  };

  it("goes to a subscriber of the same bus, without the transport", async () => {
    const { reports, subscriber } = learning();
    const transport = new FakeTransport(() => NEVER);
    const { bus } = fixture([subscriber], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
    await bus.tick();
    await bus.tick();
    assert.deepEqual(reports, [expected]);
    assert.deepEqual(transport.ids, ["m"]);
  });

  it("reaches that subscriber on a running bus too, with nothing else to wake it", async () => {
    const { reports, subscriber } = learning();
    const transport = new FakeTransport(() => NEVER);
    const { bus, observed } = fixture([subscriber], { transport });
    await bus.start();
    await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
    await observed.until("succeeded", { box: "inbox", name: Stuck.name });
    assert.deepEqual(reports, [expected]);
    await bus.stop();
  });

  it("goes through the transport where nobody here subscribes", async () => {
    const transport = new FakeTransport(({ name }) => name === Placed.name ? NEVER : SENT);
    const { bus } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
    await bus.tick();
    assert.equal(transport.messages.length, 2);
    const word = transport.messages[1];
    assert.equal(word?.name, Stuck.name);
    assert.deepEqual(JSON.parse(String(word?.body)), expected);
    assert.equal(word?.headers[HEADER.correlationId], "m");
    assert.equal(word?.headers[HEADER.exception], "rejected-->Its receiver will never accept it");
  });

  it("tells of a deadline that passed", async () => {
    const { reports, subscriber } = learning();
    const { bus, clock } = fixture([subscriber], { transport: new FakeTransport() });
    await bus.publish(Placed, { n: 1 }, { id: "m", deadlineMs: 10, failureCallback: Stuck });
    clock.advance(11);
    await bus.tick();
    assert.deepEqual(reports.map(({ attempts }) => attempts), [0]);
    assert.equal(reports[0]?.reason, "Deadline exceeded: the handler never ran");
  });

  it("is not sent when nobody asked for it", async () => {
    const transport = new FakeTransport(() => NEVER);
    const { bus, store } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await bus.tick();
    assert.equal((await store.list({ box: "outbox", limit: 9 })).length, 1);
  });
});

describe("bus: the failure callback of a message that could not be handled", () => {
  const retry = { kind: "fixed", delayMs: 0, maxAttempts: 3 } as const;
  const headers = { [HEADER.failureCallbackName]: Stuck.name, [HEADER.traceparent]: "00-ab-cd-01" };

  it("is published once, with the reason of the last attempt where that may be told", async () => {
    const { reports, subscriber } = learning();
    let attempts = 0;
    const { bus, store } = fixture([
      subscriber,
      subscribe(Placed, { group: "stock", retry }, () => {
        throw new Error(`no. ${++attempts}`);
      }),
    ], { failureDetail: "reason" });
    await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
    await bus.tick();
    await bus.tick();
    assert.deepEqual(reports, [{
      messageId: "m",
      name: "order.placed",
      group: "stock",
      code: "handler_failed",
      reason: "Error-->no. 3",
      attempts: 3,
      round: 1,
    }]);
    const [word] = await store.list({ box: "outbox", name: Stuck.name, limit: 9 });
    assert.equal(word?.message.headers[HEADER.group], "stock");
  });

  it("tells of each group by itself", async () => {
    const { reports, subscriber } = learning();
    const { bus } = fixture([
      subscriber,
      ...["a", "b"].map((group) =>
        subscribe(Placed, { group }, () => {
          throw new NonRetryable("never");
        })
      ),
      subscribe(Placed, { group: "c" }, () => {}),
    ]);
    await bus.publish(Placed, { n: 1 }, { failureCallback: Stuck });
    await bus.tick();
    assert.deepEqual(reports.map(({ group }) => group).toSorted(), ["a", "b"]);
  });

  it("carries reasons that no header could", async () => {
    const transport = new FakeTransport();
    const reason = `line\r\nbreak \u0000 nul \ud800 half ${"😀".repeat(600)}`;
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new NonRetryable(reason);
      }),
    ], { transport, failureDetail: "reason" });
    await bus.deliver([arriving("m", { headers })]);
    await bus.tick();
    const [word] = transport.messages;
    const exception = word?.headers[HEADER.exception] ?? "";
    assert.match(exception, /^handler_failed-->NonRetryable-->line {2}break/);
    // deno-lint-ignore no-control-regex -- these are what must not be there.
    assert.doesNotMatch(exception, /[\u0000-\u001f\u007f]/);
    assert.ok(exception.isWellFormed());
    assert.equal(word?.headers[HEADER.traceparent], "00-ab-cd-01");
  });

  it("is settled with the failure or not at all", async () => {
    const { bus, store } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new NonRetryable("never");
      }),
    ], { transport: new FakeTransport() });
    const transaction = store.transaction.bind(store);
    store.transaction = (work) =>
      transaction(async (tx) => {
        await work(tx);
        throw new Error("connection lost");
      });
    await bus.deliver([arriving("m", { headers })]);
    assert.equal((await store.count("outbox")).scheduled, 0);
    const record = await store.find("inbox", { id: "m", group: "g" });
    assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
  });

  it("is not published by a worker whose message another has claimed since", async () => {
    const store = memoryStore();
    const { bus, observed } = fixture([
      subscribe(Placed, { group: "g" }, async () => {
        const atMs = NOW_MS + LEASE_MS;
        const times = { nowMs: atMs, leaseUntilMs: atMs + LEASE_MS };
        await store.claim({ box: "inbox", kind: "ready", limit: 1, ...times });
        throw new NonRetryable("never");
      }),
    ], { store, transport: new FakeTransport(), leaseMs: LEASE_MS });
    await bus.deliver([arriving("m", { headers })]);
    assert.equal(observed.all("stale", { id: "m" }).length, 1);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
    const record = await store.find("inbox", { id: "m", group: "g" });
    assert.deepEqual([record?.state, record?.epoch], ["scheduled", 2]);
  });
});
