import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Fetch, post, type PostResult } from "../../http/post.ts";

function posted(
  fetch: Fetch,
  { timeoutMs = 20, signal = new AbortController().signal } = {},
): Promise<PostResult> {
  const headers = new Headers();
  const body = new Uint8Array();
  return post({
    fetch,
    url: "http://a.example",
    headers,
    body,
    timeoutMs,
    maxResponseBytes: 9,
    signal,
  });
}

/** An answer whose body never ends and heeds nothing; `cancelled` resolves once it is let go. */
function endless(): { readonly response: Response; readonly cancelled: Promise<void> } {
  const { promise: cancelled, resolve } = later<void>();
  const body = new ReadableStream({ pull: () => new Promise(() => {}), cancel: () => resolve() });
  return { response: new Response(body), cancelled };
}

/** A promise that is settled by hand; `Promise.withResolvers` is not on every runtime. */
function later<Value>() {
  let resolve!: (value: Value) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Value>((...both) => [resolve, reject] = both);
  return { promise, resolve, reject };
}

describe("post: a fetch that does not heed the signal", () => {
  it("is waited for no longer than its time", async () => {
    assert.deepEqual(await posted(() => new Promise(() => {})), { kind: "timed_out" });
  });

  it("is waited for no longer than its answer may take", async () => {
    const { response } = endless();
    assert.deepEqual(await posted(() => Promise.resolve(response)), { kind: "timed_out" });
  });

  it("is not waited for once it is stopped", async () => {
    const stop = new AbortController();
    const sent = posted(() => new Promise(() => {}), { timeoutMs: 60_000, signal: stop.signal });
    stop.abort();
    assert.deepEqual(await sent, { kind: "stopped", begun: true });
  });

  it("has an answer that comes too late let go", async () => {
    const { promise, resolve } = later<Response>();
    assert.deepEqual(await posted(() => promise), { kind: "timed_out" });
    const { response, cancelled } = endless();
    resolve(response);
    await cancelled;
  });

  it("may fail later", async () => {
    const { promise, reject } = later<Response>();
    assert.deepEqual(await posted(() => promise), { kind: "timed_out" });
    reject(new TypeError("too late"));
    await new Promise((resolve) => setTimeout(resolve));
  });
});
