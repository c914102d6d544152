/**
 * One POST request: no redirects, bounded in time and in what it reads of the answer.
 *
 * @module
 */
import type { AbortSignalLike } from "../core/ports/platform.ts";
import { isInstance, propertyOf } from "../core/user_code/thrown.ts";
import { isConnectFailure } from "./connect_failure.ts";
import { readBytes } from "./read_body.ts";

/** The part of `fetch` the transport uses; the platform's own fits. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What came of a request. */
export type PostResult =
  /** `text` is null for a body that is too long or no UTF-8. */
  | {
    readonly kind: "answered";
    readonly status: number;
    readonly headers: Headers;
    readonly text: string | null;
  }
  | { readonly kind: "timed_out" }
  /** `begun` says whether anything of it may have been sent. */
  | { readonly kind: "stopped"; readonly begun: boolean }
  /** `code` is what the system calls it, if that is known; `begun` as above. */
  | { readonly kind: "unreachable"; readonly code: string | null; readonly begun: boolean };

/** What {@linkcode post} takes. */
interface PostRequest {
  /** How to send it. */
  readonly fetch: Fetch;
  /** Where to. */
  readonly url: string;
  /** The HTTP headers. */
  readonly headers: Headers;
  /** The HTTP body. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** How long it may take until the whole answer is here, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes read of the answer. */
  readonly maxResponseBytes: number;
  /** Stops it. */
  readonly signal: AbortSignalLike;
}

/** Sends a request. Never throws: whatever goes wrong is in the result. */
export async function post(request: PostRequest): Promise<PostResult> {
  const { signal, timeoutMs } = request;
  if (signal.aborted) return { kind: "stopped", begun: false };
  const controller = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, timeoutMs);
  const stop = () => controller.abort();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await unlessAborted(exchange(request, controller.signal), controller.signal);
  } catch (error) {
    if (timedOut) return { kind: "timed_out" };
    if (signal.aborted) return { kind: "stopped", begun: true };
    return { kind: "unreachable", code: systemCode(error), begun: !isConnectFailure(error) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    // Ends what is still open, such as an answer that was read only in part.
    controller.abort();
  }
}

async function exchange(
  { fetch, url, headers, body, maxResponseBytes }: PostRequest,
  signal: AbortSignal,
): Promise<PostResult> {
  const response = await fetch(url, {
    method: "POST",
    headers,
    body,
    // A redirect could lead the messages, and who they are signed by, anywhere.
    redirect: "manual",
    signal,
  });
  // Nobody waits for it any more, and it must not stay open.
  if (signal.aborted) await response.body?.cancel();
  const text = await readText(response.body, maxResponseBytes);
  return { kind: "answered", status: response.status, headers: response.headers, text };
}

/** Waits for no longer than that: a `fetch` of the user's own may not heed the signal, nor may its answer. */
async function unlessAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  );
  return await Promise.race([work, aborted]);
}

/** Null for a body that is too long or no UTF-8. What is left of it ends with the request. */
async function readText(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<string | null> {
  const bytes = await readBytes(body, maxBytes);
  if (bytes === null) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** `ECONNREFUSED` and the like. Not the error's text: some runtimes put the whole URL in it. */
export function systemCode(error: unknown): string | null {
  for (let cause = error, depth = 0; isInstance(cause, Error) && depth < 5; depth++) {
    const code = propertyOf(cause, "code");
    if (typeof code === "string" && /^[A-Za-z0-9_]{2,40}$/.test(code)) return code;
    cause = propertyOf(cause, "cause");
  }
  return null;
}
