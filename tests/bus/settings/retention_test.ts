import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  contentDigest,
  entriesOf,
  keyDigest,
  principalDigest,
} from "../../../bus/settings/digests.ts";
import { rememberingOf, retentionOf } from "../../../bus/settings/retention.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import { createBus } from "../../../mod.ts";
import { DEFAULT_EXPIRY } from "../../../core/lifecycle/expiry.ts";
import { DEFAULT_RETRY } from "../../../core/lifecycle/retry.ts";
import { messageOf, recordOf, stored } from "../../../devtools/conformance/store/subject.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

describe("how far the inbox knows messages", () => {
  it("is by default a day and the longest schedule, by its records alone", () => {
    const { expiry, memory } = retentionOf(DEFAULT_EXPIRY, undefined, DEFAULT_RETRY);
    const knownMs = DAY_MS + 50 * MINUTE_MS;
    assert.equal(expiry.inbox.succeededMs, knownMs);
    assert.equal(expiry.outbox.succeededMs, DAY_MS);
    assert.deepEqual(memory, { recordMs: knownMs, rememberMs: knownMs });
    assert.equal(rememberingOf(memory, 0), undefined);
  });

  it("is what expiry keeps, where that is longer", () => {
    const expiry = { ...DEFAULT_EXPIRY, succeededMs: 9 * DAY_MS };
    const { memory } = retentionOf(expiry, undefined, DEFAULT_RETRY);
    assert.deepEqual(memory, { recordMs: 9 * DAY_MS, rememberMs: 9 * DAY_MS });
    const forever = { ...DEFAULT_EXPIRY, succeededMs: null, failedMs: null };
    assert.equal(retentionOf(forever, undefined, DEFAULT_RETRY).memory.recordMs, Infinity);
  });

  it("is what dedupMs says, in a memory of its own where that is much longer", () => {
    const { expiry, memory } = retentionOf(DEFAULT_EXPIRY, 30 * DAY_MS, DEFAULT_RETRY);
    assert.equal(expiry.inbox.succeededMs, DAY_MS);
    assert.deepEqual(memory, { recordMs: DAY_MS, rememberMs: 30 * DAY_MS });
    assert.equal(rememberingOf(memory, 40 * DAY_MS)?.sinceMs, 10 * DAY_MS);
    for (const forever of [null, Infinity]) {
      const { memory } = retentionOf(DEFAULT_EXPIRY, forever, DEFAULT_RETRY);
      assert.equal(rememberingOf(memory, 0)?.sinceMs, -Infinity);
    }
  });

  it("is bounded by default for a schedule that never ends", () => {
    const endless = { kind: "fixed", delayMs: DAY_MS, maxAttempts: 1e9 } as const;
    const { memory } = retentionOf(DEFAULT_EXPIRY, undefined, endless);
    assert.equal(memory.rememberMs, 91 * DAY_MS);
  });

  it("covers failures that are kept for a shorter time", () => {
    const expiry = { ...DEFAULT_EXPIRY, failedMs: MINUTE_MS };
    const { memory } = retentionOf(expiry, undefined, DEFAULT_RETRY);
    assert.equal(memory.recordMs, MINUTE_MS);
    assert.ok(rememberingOf(memory, 0) !== undefined);
  });

  it("is refused where it is no time", () => {
    for (const dedupMs of [0, -1, NaN]) {
      const ports = { store: memoryStore(), transport: inProcessTransport() };
      assert.throws(() => createBus({ ...ports, dedupMs }), {
        code: "invalid_option",
        message:
          `Cannot make a bus with dedupMs ${dedupMs}: want a number above zero, or null for ever`,
      });
    }
  });
});

describe("the digest of a message", () => {
  const of = (changes: Parameters<typeof messageOf>[1]) => contentDigest(messageOf("m", changes));

  it("is the same for the same message, however it is written", async () => {
    const digest = await of({ body: '{"a":1,"b":[2]}' });
    for (
      const same of [
        { body: ' { "b" : [ 2.0 ] , "a" : 1 } ' },
        { body: new TextEncoder().encode('{"a":1,"b":[2]}') },
        { body: '{"a":1,"b":[2]}', contentType: "application/problem+json; charset=utf-8" },
        { body: '{"a":1,"b":[2]}', headers: { x: "1" }, sentAtMs: 5 },
      ]
    ) assert.equal(await of(same), digest);
    const text = { contentType: "text/plain" };
    assert.equal(
      await of({ ...text, body: "é" }),
      await of({ ...text, body: Uint8Array.of(0xc3, 0xa9) }),
    );
  });

  it("differs for any other", async () => {
    const digests = await Promise.all([
      of({}),
      of({ body: '{"orderId":2}' }),
      of({ name: "order.moved" }),
      of({ body: '{"orderId":1' }),
      of({ body: "9007199254740993" }),
      of({ body: "9007199254740992" }),
      of({ body: '{"orderId":1} ', contentType: "text/plain" }),
    ]);
    assert.equal(new Set(digests).size, digests.length);
    assert.ok(digests.every((digest) => /^[0-9a-f]{32}$/.test(digest)));
  });

  it("goes with those of its key, of which no two run together, and of who delivered it", async () => {
    const keys = await Promise.all([
      keyDigest({ id: "a", group: "b" }),
      keyDigest({ id: "b", group: "a" }),
      keyDigest({ id: "ab", group: "" }),
    ]);
    assert.equal(new Set(keys).size, 3);
    assert.equal(await principalDigest(undefined), null);
    assert.match(await principalDigest("acme") ?? "", /^[0-9a-f]{8}$/);
    const record = recordOf("m", { state: "failed", details: { principal: "acme" } });
    assert.deepEqual(await entriesOf([stored(record, "inbox")]), [{
      key: await keyDigest(record),
      content: await contentDigest(record.message),
      principal: await principalDigest("acme"),
      hasFailed: true,
    }]);
  });
});

describe("the digest by which a message is known", () => {
  it("is another one for each group and each id, however they are put together", async () => {
    const keys = [["m", "g"], ["m", "h"], ["n", "g"], ["g", "m"], ["mg", ""], ["", "mg"]] as const;
    const digests = await Promise.all(keys.map(([id, group]) => keyDigest({ id, group })));
    assert.equal(new Set(digests).size, keys.length);
    assert.equal(await keyDigest({ id: "m", group: "g" }), digests[0]);
  });
});
