/**
 * Settling: patches applied, each by itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addClaimed,
  claim,
  claimOne,
  found,
  intervention,
  keyOf,
  LEASE_MS,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const KEY = keyOf("m-1");

const applied: StoreCases = {
  "a settlement writes its patch and its reply, and ends the lease": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const patch = {
      state: "failed",
      attempts: 7,
      crashes: 2,
      dueAtMs: NOW + 1,
      deadlineMs: NOW + 2,
      checks: 3,
      unreachable: 4,
      note: 'Cancelled by "Ann": it never ran 💥',
      expiresAtMs: NOW + 3,
      reason: 'TypeError-->"x" is no 💥',
      details: { round: 2, mayHaveArrived: true, firstAttemptAtMs: NOW - 1 },
    } as const;
    const reply = '{"a":[1,"\\u0000"]}';
    assert.deepEqual(
      await store.settle("outbox", [settlement(claimed, undefined, { patch, reply })]),
      [
        true,
      ],
    );
    assert.deepEqual(await store.find("outbox", KEY), {
      ...claimed,
      ...patch,
      reply,
      leaseUntilMs: null,
    });
  },

  "what was sent and then given up is failed, kept as long, and can be retried": async (
    subject,
  ) => {
    const { store } = subject;
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [settlement(claimed)]);
    const sent = await found(store, "outbox", KEY);
    const gone = intervention(sent, { kind: "dead_letter", reason: "QStash gave it up" });
    assert.deepEqual(await store.settle("outbox", [gone, gone]), [true, false]);
    const failed = await found(store, "outbox", KEY);
    assert.deepEqual([failed.state, failed.reason], ["failed", "QStash gave it up"]);
    assert.equal((await store.count("outbox")).failed, 1);
    // What it was to expire at as a success counts no more.
    assert.equal(await store.prune("outbox", sent.expiresAtMs ?? 0, 10), 0);
    await store.settle("outbox", [intervention(failed, { kind: "retry" })]);
    assert.equal((await claimOne(store)).id, "m-1");
  },

  "a patch may put a field back to null": async ({ store }) => {
    const claimed = await addClaimed(
      store,
      recordOf("m-1", { deadlineMs: 1, expiresAtMs: 2, reason: "x" }),
    );
    const patch = {
      ...settlement(claimed).patch,
      deadlineMs: null,
      expiresAtMs: null,
      reason: null,
    };
    await store.settle("outbox", [settlement(claimed, undefined, { patch })]);
    const { deadlineMs, expiresAtMs, reason } = await found(store, "outbox", KEY);
    assert.deepEqual([deadlineMs, expiresAtMs, reason], [null, null, null]);
  },

  "a reply that is not given stays, and one of null does not": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const released = { kind: "release", delayMs: 0 } as const;
    await store.settle("outbox", [settlement(claimed, released, { reply: '"kept"' })]);
    await store.settle("outbox", [settlement(await claimOne(store), released)]);
    assert.equal((await found(store, "outbox", KEY)).reply, '"kept"');
    await store.settle("outbox", [settlement(await claimOne(store), released, { reply: null })]);
    assert.equal((await found(store, "outbox", KEY)).reply, null);
  },

  "a failed attempt is due again when its patch says, and not before": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const failed = { kind: "fail", reason: "no", retryable: true, retryAfterMs: 1_000 } as const;
    await store.settle("outbox", [settlement(claimed, failed)]);
    assert.deepEqual(await claim(store, { nowMs: NOW + 999 }), []);
    const { attempts, crashes, epoch, reason } = await claimOne(store, { nowMs: NOW + 1_000 });
    assert.deepEqual({ attempts, crashes, epoch, reason }, {
      attempts: 1,
      crashes: 0,
      epoch: 2,
      reason: "no",
    });
  },

  "a failure that counts no attempt is counted with the record": async ({ store }) => {
    const limited = {
      kind: "fail",
      reason: "429",
      retryable: true,
      delayedBy: "rate_limit",
    } as const;
    let claimed = await addClaimed(store, recordOf("m-1"));
    for (const postponed of [1, 2]) {
      await store.settle("outbox", [settlement(claimed, limited)]);
      claimed = await claimOne(store, { nowMs: NOW + 4 * 60_000 });
      assert.deepEqual([claimed.attempts, claimed.details], [0, { postponed }]);
    }
    await store.settle("outbox", [settlement(claimed)]);
    assert.deepEqual((await found(store, "outbox", KEY)).details, { postponed: 2 });
  },

  "a release gives the record back, and its epoch is not used again": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [settlement(claimed, { kind: "release", delayMs: 0 })]);
    assert.equal((await found(store, "outbox", KEY)).epoch, 1);
    assert.equal((await claimOne(store)).epoch, 2);
  },

  "a lease that has run out, with nobody else's claim since, still settles": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    assert.deepEqual(
      await store.settle("outbox", [settlement(claimed, undefined, { nowMs: LATER })]),
      [
        true,
      ],
    );
    assert.deepEqual(await claim(store, { nowMs: LATER }), []);
  },

  "an operator cancels a record that nobody has claimed": async ({ store }) => {
    await store.add("outbox", [recordOf("m-1", { dueAtMs: NOW + 1_000 })], NOW);
    const delayed = await found(store, "outbox", KEY);
    assert.deepEqual(await store.settle("outbox", [intervention(delayed, { kind: "cancel" })]), [
      true,
    ]);
    assert.equal((await found(store, "outbox", KEY)).state, "cancelled");
    assert.deepEqual(await claim(store, { nowMs: NOW + 1_000 }), []);
  },

  "a time between two milliseconds, as jitter makes, is kept to the millisecond": async (
    { store },
  ) => {
    const claimed = await addClaimed(store, recordOf("m-1", { dueAtMs: NOW - 0.5 }));
    const patch = { ...settlement(claimed).patch, dueAtMs: NOW + 0.4, expiresAtMs: NOW + 0.6 };
    assert.deepEqual(await store.settle("outbox", [settlement(claimed, undefined, { patch })]), [
      true,
    ]);
    const { dueAtMs, expiresAtMs } = await found(store, "outbox", KEY);
    assert.ok(Math.abs(dueAtMs - patch.dueAtMs) < 1, "when it is due");
    assert.ok(Math.abs((expiresAtMs ?? 0) - patch.expiresAtMs) < 1, "when it expires");
  },

  "a reason that is no proper text keeps no settlement back": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 2), NOW);
    const [odd, plain] = await claim(store);
    assert.ok(odd && plain);
    const reason = "Error-->before\u0000after \ud83d";
    const failed = settlement(odd, { kind: "fail", reason, retryable: false });
    assert.deepEqual(await store.settle("outbox", [failed, settlement(plain)]), [true, true]);
    assert.match((await found(store, "outbox", odd)).reason ?? "", /^Error-->before.after/s);
  },

  "500 settlements are applied in one call": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 500), NOW);
    const claimed = await claim(store, { limit: 500 });
    const settled = await store.settle("outbox", claimed.map((record) => settlement(record)));
    assert.deepEqual(settled, claimed.map(() => true));
    assert.equal((await store.count("outbox")).succeeded, 500);
    assert.deepEqual(await store.settle("outbox", []), []);
  },
};

const many: StoreCases = {
  "a stale settlement does not keep the others back": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 4), NOW);
    const claimed = await claim(store);
    const [first, second, third, fourth] = claimed.map((record) => settlement(record));
    assert.ok(first && second && third && fourth);
    const results = await store.settle("outbox", [
      first,
      { ...second, epoch: 9 },
      first,
      { ...third, key: keyOf("nobody") },
      { ...third, key: keyOf(third.key.id, "other group") },
      fourth,
    ]);
    assert.deepEqual(results, [true, false, false, false, false, true]);
    const counts = await store.count("outbox");
    assert.deepEqual([counts.succeeded, counts.scheduled], [2, 2]);
  },

  "of two settlements of one record in one call the first applies": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const results = await store.settle("outbox", [
      settlement(claimed, undefined, { reply: "1" }),
      settlement(claimed, { kind: "fail", reason: "no", retryable: false }, { reply: "2" }),
    ]);
    assert.deepEqual(results, [true, false]);
    const { state, reply } = await found(store, "outbox", KEY);
    assert.deepEqual([state, reply], ["succeeded", "1"]);
  },

  "a settlement in one box leaves the other alone": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.add("inbox", [recordOf("m-1")], NOW);
    const received = await claimOne(store, { box: "inbox" });
    await store.settle("outbox", [settlement(claimed)]);
    assert.deepEqual(await store.find("inbox", KEY), received);
  },
};

/** How `settle` applies. */
export const settleCases: StoreCases = { ...applied, ...many };
