import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import {
  type Contract,
  ContractError,
  defineMessage,
  type Schema,
  subscribe,
} from "../../../mod.ts";
import { arriving, fixture } from "../../support/bus_fixture.ts";

/** Publishes a body and gives back what the handler got. */
async function carried(contract: Contract, body: unknown, contentType?: string): Promise<unknown> {
  const got: unknown[] = [];
  const { bus } = fixture([subscribe(contract, { group: "g" }, (value) => void got.push(value))]);
  await bus.publish(contract, body, contentType === undefined ? {} : { contentType });
  await bus.tick();
  assert.equal(got.length, 1);
  return got[0];
}

const Text = defineMessage("text", { body: z.string() });
const Bytes = defineMessage("bytes", { body: z.instanceof(Uint8Array) });
const Any = defineMessage("any", { body: z.unknown() });

describe("bus: bodies", () => {
  const texts = [
    "",
    " ",
    "plain",
    "ünï – 漢字 😀",
    "a\u0000b\r\n\t",
    '{"not": "parsed"}',
    "\ufeffbom",
  ];
  for (const text of texts) {
    it(`text ${JSON.stringify(text)} arrives as it was, as text and as JSON`, async () => {
      assert.equal(await carried(Text, text, "text/plain"), text);
      assert.equal(await carried(Text, text), text);
    });
  }

  it("bytes arrive as they were", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    assert.deepEqual(await carried(Bytes, bytes), bytes);
    assert.deepEqual(await carried(Bytes, bytes, "image/png"), bytes);
    assert.deepEqual(await carried(Bytes, new Uint8Array()), new Uint8Array());
  });

  it("bytes that the publisher changes afterwards, or a handler changes, stay as they were", async () => {
    const seen: number[] = [];
    const { bus } = fixture(["a", "b"].map((group) =>
      subscribe(Bytes, { group }, (bytes) => {
        seen.push(bytes[0] ?? -1);
        bytes.fill(99);
      })
    ));
    const bytes = Uint8Array.of(1, 2, 3);
    await bus.publish(Bytes, bytes);
    bytes.fill(7);
    await bus.tick();
    assert.deepEqual(seen, [1, 1]);
  });

  it("no body is the empty body", async () => {
    assert.equal(await carried(Any, undefined), undefined);
    assert.equal(await carried(Any, null), null);
  });

  it("a Date under a contract that wants one is refused, for receivers get a string", async () => {
    const At = defineMessage("at", { body: z.object({ at: z.date() }) });
    const { bus } = fixture([subscribe(At, { group: "g" }, () => {})]);
    await assert.rejects(bus.publish(At, { at: new Date(0) }), (error: unknown) => {
      assert.ok(error instanceof ContractError);
      assert.deepEqual(error.problems.map(({ path }) => path), ["at"]);
      return true;
    });
    const Coerced = defineMessage("at", { body: z.object({ at: z.coerce.date() }) });
    assert.deepEqual(await carried(Coerced, { at: new Date(5) }), { at: new Date(5) });
  });

  it("what JSON cannot say, or text cannot hold, is refused", async () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    const { bus } = fixture([
      subscribe(Any, { group: "g" }, () => {}),
      subscribe(Text, { group: "g" }, () => {}),
    ]);
    for (const body of [circle, 1n]) {
      await assert.rejects(bus.publish(Any, body), { code: "invalid_body" });
    }
    const contentType = "text/plain";
    await assert.rejects(bus.publish(Any, { a: 1 }, { contentType }), { code: "invalid_body" });
    await assert.rejects(bus.publish(Text, "\ud800", { contentType }), { code: "invalid_body" });
    const bytes = Uint8Array.of(1);
    await assert.rejects(bus.publish(Any, bytes, { contentType }), { code: "invalid_body" });
  });

  it("a schema that answers later serves on both sides", async () => {
    const later = z.object({ n: z.number().refine((n) => Promise.resolve(n > 0), "too small") });
    const Later = defineMessage("later", { body: later });
    assert.deepEqual(await carried(Later, { n: 1 }), { n: 1 });
    const { bus } = fixture([subscribe(Later, { group: "g" }, () => {})]);
    await assert.rejects(bus.publish(Later, { n: 0 }), /want what its schema takes at n$/);
    const [result] = await bus.deliver([arriving("m", { name: "later", body: `{"n":0}` })]);
    assert.equal(result?.kind, "failed");
  });

  it("handlers get what the schema makes of the body", async () => {
    const Trimmed = defineMessage("trimmed", {
      body: z.object({ name: z.string().trim(), size: z.number().default(3) }),
    });
    assert.deepEqual(await carried(Trimmed, { name: " a ", extra: 1 }), { name: "a", size: 3 });
  });

  it("a schema that breaks refuses the publish with its own error", async () => {
    const broken: Schema<unknown> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => {
          throw new TypeError("broken schema");
        },
      },
    };
    const Broken = defineMessage("broken", { body: broken });
    const { bus, store } = fixture([subscribe(Broken, { group: "g" }, () => {})]);
    await assert.rejects(bus.publish(Broken, 1), /broken schema/);
    assert.equal((await store.count("outbox")).scheduled, 0);
  });
});
