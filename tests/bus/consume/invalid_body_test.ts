import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { defineMessage, subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";

const FOR_MS = 10 * 60_000;
/** A body of the next version of {@linkcode Placed}. */
const body = JSON.stringify({ n: "one" });
const NextPlaced = defineMessage(Placed.name, { body: z.object({ n: z.string() }) });
const key = { id: "m", group: "mail" };

describe("a body that does not fit the contract here", () => {
  it("fails at once by default", async () => {
    const { bus, store } = fixture([subscribe(Placed, { group: "mail" }, () => {})]);
    await bus.deliver([arriving("m", { body })]);
    const record = await store.find("inbox", key);
    assert.deepEqual([record?.state, record?.attempts], ["failed", 1]);
  });

  it("waits with invalidBodyForMs for an instance of the next version, and uses up no attempt", async () => {
    const store = memoryStore();
    const options = { store, invalidBodyForMs: FOR_MS };
    const old = fixture([subscribe(Placed, { group: "mail" }, () => {})], options);
    const [result] = await old.bus.deliver([arriving("m", { body })]);
    assert.deepEqual(result, { kind: "accepted", retryAfterMs: 30_000 });
    const [released] = old.observed.all("released");
    assert.match(released?.reason ?? "", /want number at n/);
    const handled: unknown[] = [];
    const next = fixture([
      subscribe(
        NextPlaced,
        { group: "mail" },
        ({ n }, { attempt }) => void handled.push([n, attempt]),
      ),
    ], { ...options, clock: old.clock });
    old.clock.advance(30_000);
    await next.bus.tick();
    assert.deepEqual(handled, [["one", 1]]);
  });

  it("fails visibly when nobody has accepted it in that time", async () => {
    const lines: string[] = [];
    const logger = {
      error: (text: string) => lines.push(text),
      warn: (text: string) => lines.push(text),
    };
    const parts = { invalidBodyForMs: FOR_MS, logger };
    const { bus, store, clock, observed } = fixture(
      [subscribe(Placed, { group: "mail" }, () => {})],
      parts,
    );
    await bus.deliver([arriving("m", { body })]);
    assert.match(
      lines[0]!,
      /"order\.placed" \(inbox id m, group mail\) is given back and tried again later, no attempt counted: ContractError/,
    );
    for (let passedMs = 30_000; passedMs < FOR_MS; passedMs += 30_000) {
      clock.advance(30_000);
      await bus.tick();
      assert.equal((await store.find("inbox", key))?.state, "scheduled");
    }
    clock.advance(30_000);
    await bus.tick();
    const record = await store.find("inbox", key);
    assert.deepEqual([record?.state, record?.attempts], ["failed", 1]);
    assert.equal(observed.all("failed").length, 1);
  });

  it("fails at once if it is not JSON, or if the handler's reply does not fit", async () => {
    const Asked = defineMessage("asked", { body: Placed.body, reply: Placed.body });
    const { bus, store } = fixture([
      subscribe(Placed, { group: "mail" }, () => {}),
      subscribe(Asked, { group: "mail" }, () => ({ n: "one" as unknown as number })),
    ], { invalidBodyForMs: FOR_MS });
    await bus.deliver([arriving("m", { body: "{" }), arriving("r", { name: "asked" })]);
    assert.equal((await store.find("inbox", key))?.state, "failed");
    assert.equal((await store.find("inbox", { ...key, id: "r" }))?.state, "failed");
  });

  it("is refused at createBus for a time that is none", () => {
    for (const invalidBodyForMs of [-1, NaN, Infinity, "1" as unknown as number]) {
      assert.throws(() => fixture([], { invalidBodyForMs }), { code: "invalid_option" });
    }
  });
});
