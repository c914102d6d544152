import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import type { PublishRequest } from "@upstash/qstash";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";

const URL_A = "https://a.example/";

function failing(headers: Record<string, string>, status = 500): Destination {
  return () => new Response(null, { status, headers });
}

describe("what a destination answers", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 200;

  before(async () => {
    qstash = await virtualQstash((delivery, request) => destination(delivery, request));
  });
  after(() => qstash.close());

  /** How long after the first attempt the second comes, in milliseconds; null if none comes. */
  async function secondAfter(
    answer: Destination,
    request: Partial<PublishRequest> = {},
  ): Promise<number | null> {
    const from = qstash.deliveries.length;
    destination = answer;
    await qstash.client.publish({ url: URL_A, retries: 1, ...request } as PublishRequest);
    await qstash.emulator.drain();
    destination = () => 200;
    const [first, second] = qstash.deliveries.slice(from);
    return second === undefined ? null : second.atMs - first!.atMs;
  }

  const asked: [string, Record<string, string>, number][] = [
    ["Retry-After in seconds", { "Retry-After": "7" }, 7000],
    ["Retry-After 0: at once", { "Retry-After": "0" }, 0],
    ["Retry-After as a duration", { "Retry-After": "6m5s" }, 365_000],
    ["Retry-After of a day", { "Retry-After": "86400" }, 86_400_000],
    ["Retry-After of more than a day: the backoff", { "Retry-After": "86401" }, 12_000],
    ["Retry-After that is none: the backoff", { "Retry-After": "soon" }, 12_000],
    ["X-RateLimit-Reset", { "X-RateLimit-Reset": "30" }, 30_000],
    ["X-RateLimit-Reset-Requests", { "X-RateLimit-Reset-Requests": "1m" }, 60_000],
    ["X-RateLimit-Reset-Tokens", { "X-RateLimit-Reset-Tokens": "2s" }, 2000],
    ["a reset that is Unix time: the backoff", { "X-RateLimit-Reset": "1700000000" }, 12_000],
    ["no header: the backoff", {}, 12_000],
  ];
  for (const [what, headers, ms] of asked) {
    it(`${what}`, async () => assert.equal(await secondAfter(failing(headers, 429)), ms));
  }

  it("Retry-After as a date", async () => {
    const atMs = Math.ceil(qstash.clock.now() / 1000) * 1000 + 90_000;
    const ms = await secondAfter(failing({ "Retry-After": new Date(atMs).toUTCString() }));
    assert.equal(qstash.deliveries.at(-1)!.atMs, atMs);
    assert.ok(ms! > 0);
  });

  it("Retry-After before a retryDelay", async () => {
    const ms = await secondAfter(failing({ "Retry-After": "7" }), { retryDelay: "1000" });
    assert.equal(ms, 7000);
  });

  it("retryTimeFrom: expression turns that round", async () => {
    const other = await virtualQstash(failing({ "Retry-After": "7" }), {
      assume: { retryTimeFrom: "expression" },
    });
    try {
      await other.client.publish({ url: URL_A, retries: 1, retryDelay: "1000" });
      await other.emulator.drain();
      assert.equal(other.deliveries[1]!.atMs - other.deliveries[0]!.atMs, 1000);
    } finally {
      await other.close();
    }
  });

  it("489 with Upstash-NonRetryable-Error: no retry", async () => {
    assert.equal(await secondAfter(failing({ "Upstash-NonRetryable-Error": "true" }, 489)), null);
  });

  it("either of the two alone is retried", async () => {
    assert.equal(await secondAfter(failing({}, 489)), 12_000);
    assert.equal(await secondAfter(failing({ "Upstash-NonRetryable-Error": "true" }, 500)), 12_000);
  });

  for (const status of [200, 201, 204, 299]) {
    it(`${status} is a success`, async () => {
      assert.equal(await secondAfter(() => status), null);
    });
  }

  for (const status of [301, 302, 304, 400, 404, 429, 500, 503]) {
    it(`${status} is a failure, and no redirect is followed`, async () => {
      const answer = failing({ location: "https://elsewhere.example/" }, status);
      assert.equal(await secondAfter(answer), 12_000);
      assert.equal(qstash.deliveries.at(-1)!.url, URL_A);
    });
  }

  it("a destination that cannot be reached, or breaks off, is a failure", async () => {
    assert.equal(await secondAfter(() => Promise.reject(new TypeError("refused"))), 12_000);
    const broken = () =>
      new Response(
        new ReadableStream({ pull: (controller) => controller.error(new Error("cut")) }),
      );
    assert.equal(await secondAfter(broken), 12_000);
  });
});
