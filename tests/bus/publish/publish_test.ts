import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import type { AddResult } from "../../../core/ports/store.ts";
import type { NewRecord } from "../../../core/ports/record.ts";
import {
  type AtlastError,
  ContractError,
  defineMessage,
  MAX_BODY_BYTES,
  MAX_HEADER_CHARACTERS,
  MAX_HEADERS,
  MAX_ID_LENGTH,
  type PublishMiddleware,
} from "../../../mod.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal } from "../../support/fake_transport.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const Lines = defineMessage("order.lines", {
  body: z.object({ lines: z.array(z.object({ qty: z.number().int().positive() })) }),
});

function setup() {
  const transport = new FakeTransport();
  return { ...fixture([], { transport }), transport };
}

/** A bus whose store tells which records it was given as new. */
function watched(options: { onPublish?: PublishMiddleware[] } = {}) {
  const wrapping = wrapped(memoryStore());
  const given: (boolean | undefined)[] = [];
  wrapping.around = (method, call, [, records]) => {
    if (method === "add") given.push(...(records as NewRecord[]).map((each) => each.hasNewKey));
    return call();
  };
  const parts = { ...options, store: wrapping.store, transport: new FakeTransport() };
  return { ...fixture([], parts), given: () => given.splice(0) };
}

describe("bus: publish", () => {
  it("says that a key is new only of ids it made for this very publish", async () => {
    const plain = watched();
    await plain.bus.publish(Placed, { n: 1 });
    await plain.bus.publishMany(Placed, [{ n: 2 }, { n: 3 }]);
    assert.deepEqual(plain.given(), [true, true, true]);
    await plain.bus.publish(Placed, { n: 1 }, { id: "a" });
    await plain.bus.publishMany(Placed, [{ n: 2 }, { n: 3 }], { ids: ["b", "c"] });
    assert.deepEqual(plain.given(), [false, false, false]);
    // A middleware may choose an id, or publish one draft twice.
    const layered = watched({ onPublish: [(draft, next) => next(draft)] });
    await layered.bus.publish(Placed, { n: 1 });
    await layered.bus.publishMany(Placed, [{ n: 2 }, { n: 3 }]);
    assert.deepEqual(layered.given(), [false, false, false]);
  });

  it("tells others in the statement that stores, where the store does that, and else after it", async () => {
    const told: string[] = [];
    for (const isAboard of [true, false]) {
      const store = memoryStore();
      const { bus } = fixture([], {
        transport: new FakeTransport(),
        store: Object.assign(store, {
          notify: (box: string) => Promise.resolve(void told.push(`notify ${box}`)),
          capabilities: { ...store.capabilities, notifications: true },
          listen: () => Promise.resolve(() => Promise.resolve()),
          hints: {
            ...store.hints,
            addAndNotify: (box: Box, record: NewRecord, nowMs: number) => {
              if (!isAboard) return null;
              told.push(`aboard ${box}`);
              return store.add(box, [record], nowMs).then(([result]) => result as AddResult);
            },
          },
        }),
      });
      const { id } = await bus.publish(Placed, { n: 1 });
      assert.deepEqual(told.splice(0), [isAboard ? "aboard outbox" : "notify outbox"]);
      assert.ok(await store.find("outbox", { id, group: "" }));
      await Promise.all([bus.publish(Placed, { n: 2 }), bus.publish(Placed, { n: 3 })]);
      assert.deepEqual(told.splice(0), ["notify outbox"]);
    }
  });

  it("stores the message as it will be sent", async () => {
    const { bus, store } = setup();
    const { id, duplicate } = await bus.publish(Placed, { n: 7 }, { headers: { Tenant: "a" } });
    assert.equal(duplicate, false);
    const record = await store.find("outbox", { id, group: "" });
    assert.equal(record?.state, "scheduled");
    assert.deepEqual(record?.message, {
      id,
      name: "order.placed",
      headers: { tenant: "a" },
      contentType: "application/json",
      body: `{"n":7}`,
      sentAtMs: NOW_MS,
    });
  });

  it("a body that breaks its contract is refused with the path of each problem", async () => {
    const { bus, store } = setup();
    const body = { lines: [{ qty: 1 }, { qty: 0 }, { qty: 1.5 }] };
    await assert.rejects(bus.publish(Lines, body), (error: unknown) => {
      assert.ok(error instanceof ContractError);
      assert.equal(error.code, "invalid_body");
      assert.deepEqual(error.problems.map(({ path }) => path), ["lines[1].qty", "lines[2].qty"]);
      return true;
    });
    assert.equal((await store.count("outbox")).scheduled, 0);
  });

  it("a name without a destination is refused", async () => {
    const { bus, store, transport } = setup();
    transport.unknown.add(Placed.name);
    await assert.rejects(bus.publish(Placed, { n: 1 }), { code: "no_route" });
    assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
  });

  it("the same message twice is one, and another under its id is a conflict", async () => {
    const { bus, transport, clock } = setup();
    const id = "order-1";
    assert.deepEqual(await bus.publish(Placed, { n: 1 }, { id }), { id, duplicate: false });
    assert.deepEqual(
      await bus.publish(Placed, { n: 1 }, { id }),
      { id, duplicate: true, state: "scheduled", dueAtMs: clock.now() },
    );
    await assert.rejects(bus.publish(Placed, { n: 2 }, { id }), { code: "id_conflict" });
    await assert.rejects(bus.publish(Lines, { lines: [] }, { id }), { code: "id_conflict" });
    await bus.tick();
    assert.deepEqual(
      await bus.publish(Placed, { n: 1 }, { id }),
      { id, duplicate: true, state: "succeeded", dueAtMs: clock.now() },
    );
    await bus.tick();
    assert.deepEqual(transport.ids, [id]);
  });

  it("one id published many times at once is one message", async () => {
    const { bus, transport } = setup();
    const receipts = await Promise.all(
      Array.from({ length: 20 }, () => bus.publish(Placed, { n: 1 }, { id: "order-1" })),
    );
    assert.equal(receipts.filter(({ duplicate }) => !duplicate).length, 1);
    await bus.tick();
    assert.deepEqual(transport.ids, ["order-1"]);
  });

  it("an id that cannot be one is refused", async () => {
    const { bus } = setup();
    for (const id of ["", "a\nb", "x".repeat(MAX_ID_LENGTH + 1)]) {
      await assert.rejects(bus.publish(Placed, { n: 1 }, { id }), { code: "invalid_id" });
    }
  });

  it("ids ascend, also within a millisecond", async () => {
    const { bus } = setup();
    const ids: string[] = [];
    for (let i = 0; i < 300; i++) ids.push((await bus.publish(Placed, { n: i })).id);
    assert.deepEqual(ids, ids.toSorted());
    assert.equal(new Set(ids).size, 300);
  });

  it("the caller's headers object is not changed", async () => {
    const { bus } = setup();
    const headers = Object.freeze({ Tenant: "a", empty: undefined });
    const callback = { name: "order.marked" };
    await bus.publish(Placed, { n: 1 }, { headers, callback: callback as never, delayMs: 5 });
    assert.deepEqual(headers, { Tenant: "a", empty: undefined });
  });

  it("headers that cannot be carried are refused", async () => {
    const { bus, store } = setup();
    const many = Object.fromEntries(
      Array.from({ length: MAX_HEADERS + 1 }, (_, i) => [`h${i}`, ""]),
    );
    const cases: [Record<string, string>, AtlastError["code"]][] = [
      [{ "bad name": "x" }, "invalid_header"],
      [{ split: "a\r\nb: c" }, "invalid_header"],
      [{ half: "\ud800" }, "invalid_header"],
      [{ wrong: 5 as unknown as string }, "invalid_header"],
      [many, "too_large"],
      [{ long: "x".repeat(MAX_HEADER_CHARACTERS) }, "too_large"],
    ];
    for (const [headers, code] of cases) {
      await assert.rejects(bus.publish(Placed, { n: 1 }, { headers }), { code });
    }
    assert.equal((await store.count("outbox")).scheduled, 0);
  });

  it("a body over the limit of the bus, or of the transport, is refused", async () => {
    const Text = defineMessage("text", { body: z.string() });
    const { bus } = setup();
    const fits = "x".repeat(MAX_BODY_BYTES - 2);
    await bus.publish(Text, fits);
    await assert.rejects(bus.publish(Text, `${fits}x`), { code: "too_large" });
    await assert.rejects(bus.publish(Text, "ü".repeat(MAX_BODY_BYTES / 2)), { code: "too_large" });
    const narrow = fixture([], { transport: new FakeTransport(undefined, 100, 10) });
    await narrow.bus.publish(Text, "12345678");
    await assert.rejects(narrow.bus.publish(Text, "123456789"), { code: "too_large" });
  });

  it("delays, deadlines and content types that are none are refused", async () => {
    const { bus } = setup();
    const wrong = [
      { delayMs: -1 },
      { delayMs: NaN },
      { deadlineMs: -1 },
      { deadlineMs: Infinity },
      { contentType: "text/plain\r\nx: y" },
      { contentType: "" },
      { retry: { kind: "fixed", delayMs: -1, maxAttempts: 1 } as const },
    ];
    for (const options of wrong) {
      await assert.rejects(bus.publish(Placed, { n: 1 }, options), { code: "invalid_option" });
    }
  });

  it("a store that fails rejects the publish, and nothing is half there", async () => {
    const wrapping = wrapped(memoryStore());
    const { bus, observed } = fixture([], {
      store: wrapping.store,
      transport: new FakeTransport(),
    });
    wrapping.around = (method, call) => {
      return method === "add" ? Promise.reject(new Error("disk full")) : call();
    };
    await assert.rejects(bus.publish(Placed, { n: 1 }), /disk full/);
    await assert.rejects(bus.publishMany(Placed, [{ n: 1 }, { n: 2 }]), /disk full/);
    wrapping.around = (_method, call) => call();
    assert.deepEqual(await wrapping.store.list({ box: "outbox", limit: 1 }), []);
    assert.deepEqual(observed.events, []);
    await bus.publish(Placed, { n: 1 });
  });

  it("a transport that fails does not fail the publish", async () => {
    const { bus, observed, transport } = setup();
    transport.sender = () => refusal("down");
    await bus.start();
    const { id } = await bus.publish(Placed, { n: 1 });
    const { reason } = await observed.until("retrying", { id });
    assert.equal(reason, "down");
    await bus.stop();
  });
});
