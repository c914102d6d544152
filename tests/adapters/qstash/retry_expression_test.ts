import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseExpression } from "../../../devtools/qstash_emulator/expression.ts";
import { dedupId } from "../../../adapters/qstash/dedup_id.ts";
import { retriesFor, retryExpression } from "../../../adapters/qstash/retry_expression.ts";
import {
  DEFAULT_RETRY,
  nextAttemptAt,
  NOTIFY_RETRY,
  type RetryPolicy,
} from "../../../core/lifecycle/retry.ts";

const CAP = {
  kind: "cap",
  immediateAttempts: 3,
  pauseMs: 240_000,
  intervalMs: 60_000,
  maxAttempts: 50,
} as const;

describe("a retry policy in QStash's words", () => {
  const policies: Readonly<Record<string, RetryPolicy>> = {
    "CAP's": DEFAULT_RETRY,
    "CAP's without attempts at once": { ...CAP, immediateAttempts: 0 },
    "CAP's with one": { ...CAP, immediateAttempts: 1 },
    "fixed": { kind: "fixed", delayMs: 1_500, maxAttempts: 9 },
    "exponential": { kind: "exponential", baseMs: 500, capMs: 60_000, maxAttempts: 30 },
    "exponential by a half": {
      kind: "exponential",
      baseMs: 100,
      capMs: 1e9,
      factor: 1.5,
      maxAttempts: 40,
    },
    "exponential that does not grow": {
      kind: "exponential",
      baseMs: 700,
      capMs: 9_000,
      factor: 1,
      maxAttempts: 5,
    },
    "exponential from nothing": { kind: "exponential", baseMs: 0, capMs: 9, maxAttempts: 5 },
    "a list": NOTIFY_RETRY,
    "a list of one": { kind: "list", delaysMs: [7] },
    "an empty list": { kind: "list", delaysMs: [] },
  };
  for (const [name, policy] of Object.entries(policies)) {
    it(`has the same delays: ${name}`, () => {
      const text = retryExpression(policy);
      assert.match(text, /^[\w.,()*+-]+$/);
      assert.ok(text.length < 1_000);
      const delayMs = parseExpression(text);
      assert.ok(delayMs !== undefined, text);
      for (let attempt = 1;; attempt++) {
        const wanted = nextAttemptAt(policy, attempt, 0, 0);
        if (wanted === null) break;
        assert.ok(Math.abs(delayMs(attempt - 1) - wanted) < 1, `${attempt}: ${text}`);
      }
      // Retries beyond the policy have some delay too.
      assert.ok(delayMs(500) >= 0 && Number.isFinite(delayMs(500)));
    });
  }

  it("asks for more retries than it has attempts, and no more than there can be", () => {
    assert.equal(retriesFor(DEFAULT_RETRY), 100);
    assert.equal(retriesFor({ kind: "list", delaysMs: [] }), 2);
    assert.equal(retriesFor({ kind: "fixed", delayMs: 1, maxAttempts: 1e9 }), 999);
  });

  it("writes a long list in short", () => {
    const policy = { kind: "list", delaysMs: Array.from({ length: 999 }, (_, i) => i) } as const;
    assert.ok(retryExpression(policy).length < 1_000);
  });
});

describe("a deduplication id", () => {
  const URL_ = "https://a.example/deliver";

  it("is the same for the same message and destination, and no other", async () => {
    const ids = ["m", "m.", "M", "ü", "a:b", "a_b", "x".repeat(101), "日本", "日", "sha256.m"];
    const made = await Promise.all(ids.map((id) => dedupId(id, URL_)));
    assert.equal(new Set(made).size, ids.length);
    for (const [i, id] of ids.entries()) {
      assert.equal(await dedupId(id, URL_), made[i]);
      assert.notEqual(await dedupId(id, `${URL_}2`), made[i]);
      assert.match(made[i]!, /^[\w.-]{1,130}$/);
    }
    assert.ok(made[0]!.startsWith("m."));
  });

  it("of a hashed id is none that another id could bring", async () => {
    const hashed = await dedupId("a:b", URL_);
    const [, digest = ""] = /^(sha256\..+)\.[^.]+$/.exec(hashed) ?? [];
    assert.notEqual(await dedupId(digest, URL_), hashed);
  });
});
