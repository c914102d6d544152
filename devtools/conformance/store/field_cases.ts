/**
 * What is kept of a record: every field as it was, bodies byte for byte.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MAX_ID_LENGTH } from "../../../core/message/id.ts";
import { MAX_BODY_BYTES } from "../../../core/message/message.ts";
import { END_OF_TIME_MS, type RetryPolicy } from "../../../core/lifecycle/retry.ts";
import { BODIES, type TypedBody } from "../bodies.ts";
import {
  claim,
  found,
  ids,
  keyOf,
  NOW,
  recordOf,
  settlement,
  type StoreCases,
  stored,
} from "./subject.ts";

const POLICIES: readonly RetryPolicy[] = [
  { kind: "cap", immediateAttempts: 3, pauseMs: 240_000, intervalMs: 60_000, maxAttempts: 50 },
  { kind: "fixed", delayMs: 0, maxAttempts: 1 },
  { kind: "exponential", baseMs: 1, factor: 1.5, capMs: 1e9, jitter: 0.25, maxAttempts: 9 },
  { kind: "list", delaysMs: [] },
  { kind: "list", delaysMs: [0, 1_000, END_OF_TIME_MS] },
];

const fields: StoreCases = {
  "a record is found as it was added": async ({ store }) => {
    const record = recordOf("m-1");
    assert.deepEqual(await store.add("outbox", [record], NOW), [{ added: true }]);
    assert.deepEqual(await store.find("outbox", keyOf("m-1")), stored(record, "outbox"));
  },

  "every field that can be given is kept": async ({ store }) => {
    const record = recordOf("m-1", {
      group: "inventory",
      state: "prepared",
      dueAtMs: NOW + 5,
      deadlineMs: END_OF_TIME_MS,
      expiresAtMs: NOW + 7,
      reason: 'Error-->it "failed" 💥\nin two lines',
      retry: { kind: "fixed", delayMs: 12.5, maxAttempts: 3 },
      details: { groups: ["mail", "a\u0000b \ud800"], principal: 'it\'s "me" 💥' },
      leaseUntilMs: NOW + 9,
    }, { name: "a.b-c_d", sentAtMs: 1 });
    await store.add("inbox", [record], NOW + 1);
    assert.deepEqual(
      await store.find("inbox", keyOf("m-1", "inventory")),
      stored(record, "inbox", NOW + 1),
    );
  },

  "every kind of retry policy is kept": async ({ store }) => {
    const records = POLICIES.map((retry, i) => recordOf(`m-${i}`, { retry }));
    await store.add("outbox", records, NOW);
    for (const record of records) {
      assert.deepEqual((await found(store, "outbox", record)).retry, record.retry);
    }
  },

  "headers are kept, whatever their values": async ({ store }) => {
    const headers = {
      "cap-callback-name": "order.mark.status",
      "x-empty": "",
      "x-quotes": `it's "quoted" \\ {a,b} $1`,
      "x-scripts": "Grüße 日本語 👍",
      "constructor": "a name every object has",
      "0": "a name that is a number",
    };
    await store.add("outbox", [recordOf("m-1", {}, { headers })], NOW);
    assert.deepEqual({ ...(await found(store, "outbox", keyOf("m-1"))).message.headers }, headers);
  },

  "an id, a group and a name may be of the greatest length": async ({ store }) => {
    const ends = [
      `it's "a" \\ b; drop%_ `,
      "Ünïcode 日本語 👩‍👩‍👧",
      "A",
      "a",
      "a ",
      "a:b",
      "{a,b}",
      "null",
    ];
    const longs = ends.map((end) => "x".repeat(MAX_ID_LENGTH - end.length) + end);
    const keys = [...ends, ...longs];
    const records = keys.map((id, i) =>
      recordOf(id, { group: keys.at(-i) ?? "" }, { name: "n".repeat(200) })
    );
    const results = await store.add("inbox", records, NOW);
    assert.deepEqual(results, records.map(() => ({ added: true })));
    for (const record of records) {
      assert.deepEqual(await store.find("inbox", record), stored(record, "inbox"));
    }
    const claimed = await claim(store, { box: "inbox" });
    assert.deepEqual(ids(claimed).sort(), [...keys].sort());
    const settled = await store.settle("inbox", claimed.map((record) => settlement(record)));
    assert.deepEqual(settled, claimed.map(() => true));
  },

  "bytes changed after they were added are not changed in the store": async ({ store }) => {
    const body = Uint8Array.of(1, 2, 3);
    await store.add("outbox", [recordOf("m-1", {}, { body, contentType: "image/png" })], NOW);
    body.fill(9);
    const first = await found(store, "outbox", keyOf("m-1"));
    assert.deepEqual(first.message.body, Uint8Array.of(1, 2, 3));
    (first.message.body as Uint8Array).fill(9);
    const second = await found(store, "outbox", keyOf("m-1"));
    assert.deepEqual(second.message.body, Uint8Array.of(1, 2, 3));
  },
};

const bodies: StoreCases = Object.fromEntries(
  Object.entries({
    ...BODIES,
    "text with half a surrogate pair": ["text/plain", "a\ud83d\udc4d b\ud83d"] as TypedBody,
    "the largest there may be": ["text/plain", "a".repeat(MAX_BODY_BYTES)] as TypedBody,
  }).map(([name, [contentType, body]]) => [
    `a body is kept byte for byte: ${name}`,
    async ({ store }) => {
      await store.add("outbox", [recordOf("m-1", {}, { contentType, body })], NOW);
      const [claimed] = await claim(store);
      const { message } = await found(store, "outbox", keyOf("m-1"));
      // A subclass of Uint8Array, such as Node's Buffer, reads differently to the user.
      const want = typeof body === "string" ? body : Uint8Array.from(body);
      assert.deepEqual([message.contentType, message.body], [contentType, want]);
      assert.deepEqual(claimed?.message, message);
      assert.equal(Object.getPrototypeOf(message.body), Object.getPrototypeOf(want));
    },
  ]),
);

/** What `add` keeps. */
export const fieldCases: StoreCases = { ...fields, ...bodies };
