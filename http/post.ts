/**
 * Sends one POST request, without redirects, with limits on time and response size.
 *
 * @module
 */
import type { AbortSignalLike } from "../core/ports/platform.ts";
import { isObject } from "../core/json.ts";
import { propertyOf } from "../core/user_code/thrown.ts";
import { isConnectFailure } from "./connect_failure.ts";
import { readBytes } from "./read_body.ts";

/** The part of `fetch` that requests use. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The result of a request. */
export type PostResult =
  /** `text` is null for a body that is too long or not UTF-8. */
  | {
    readonly kind: "answered";
    readonly status: number;
    readonly headers: Headers;
    readonly text: string | null;
  }
  | { readonly kind: "timed_out" }
  /** `begun` says whether anything may have been sent. */
  | { readonly kind: "stopped"; readonly begun: boolean }
  /** `code` is the system's error code, if known; `begun` as above. */
  | { readonly kind: "unreachable"; readonly code: string | null; readonly begun: boolean };

/** The request of {@linkcode post}. */
interface PostRequest {
  /** Sends the request. */
  readonly fetch: Fetch;
  /** The URL. */
  readonly url: string;
  /** The HTTP headers. */
  readonly headers: Headers;
  /** The HTTP body. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** How long it may take until the response is complete, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes of the response that are read. */
  readonly maxResponseBytes: number;
  /** Aborts the request. */
  readonly signal: AbortSignalLike;
}

/** Sends a request. Never throws: errors are in the result. */
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
    // Ends the connection if it is still open, for example after a partially read response.
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
    // A redirect could send signed messages to any server.
    redirect: "manual",
    signal,
  });
  // The response is no longer awaited, and must not stay open.
  if (signal.aborted) await response.body?.cancel();
  const text = await readText(response.body, maxResponseBytes);
  return { kind: "answered", status: response.status, headers: response.headers, text };
}

/**
 * Waits until the signal aborts, because a user's `fetch` or its response may ignore the signal.
 */
async function unlessAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  );
  return await Promise.race([work, aborted]);
}

/**
 * Reads the response body; null if it is too long or not UTF-8. An unread rest ends with the
 * request.
 */
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

/**
 * The system's error code, such as `ECONNREFUSED`. The error's text is not used, because some
 * runtimes include the URL.
 */
export function systemCode(error: unknown): string | null {
  for (let cause = error, depth = 0; isObject(cause) && depth < 5; depth++) {
    const code = propertyOf(cause, "code");
    if (typeof code === "string" && /^[A-Za-z0-9_]{2,40}$/.test(code)) return code;
    cause = propertyOf(cause, "cause");
  }
  return null;
}
