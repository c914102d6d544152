/**
 * A keeper of half messages that is another service, over HTTP.
 *
 * @module
 */
import type { HalfDraft, HalfKeeper, HalfStatus } from "../core/bus/half_keeper.ts";
import { type HalfRequest, halfRequestText, readHalfStatus } from "../core/bus/half_wire.ts";
import { AtlastError, type ErrorCode } from "../core/errors.ts";
import { ask, type Credentials } from "../core/http/ask.ts";
import type { Fetch, PostResult } from "../core/http/post.ts";
import { readRetryAfter } from "../core/http/retry_after.ts";
import type { Clock } from "../core/ports.ts";
import { nextAttemptAt, type RetryPolicy } from "../core/retry.ts";
import { HALF_CONTENT_TYPE, mediaType, parseError } from "../core/wire.ts";

/** How requests are made. */
export interface Calling {
  readonly url: string;
  readonly credentials: Credentials;
  /** The name of the keeper in the audience that is signed. */
  readonly service: string | undefined;
  readonly fetch: Fetch;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly timeLimitMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A status has an id, a name, a reason and a note; an error a few words. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** What the service says of a request that it understood and will not carry out, now or later. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  "id_conflict",
  "wrong_state",
  "not_found",
  "no_route",
  "malformed_message",
  "invalid_id",
  "invalid_name",
  "invalid_header",
  "too_large",
  "unauthenticated",
  "forbidden",
]);

/** What came of one request. */
type Attempt =
  | { readonly kind: "answered"; readonly status: HalfStatus }
  | { readonly kind: "failed"; readonly error: AtlastError }
  | { readonly kind: "again"; readonly error: AtlastError; readonly retryAfterMs?: number };

/**
 * Keeps half messages at a service that has a bus. Every call carries an id, so that one whose answer was
 * lost can be repeated.
 */
export class HttpKeeper implements HalfKeeper {
  readonly #calling: Calling;
  readonly #host: string;

  constructor(calling: Calling) {
    this.#calling = calling;
    this.#host = new URL(calling.url).host;
  }

  async prepare(draft: HalfDraft): Promise<HalfStatus> {
    return await this.#call({ operation: "prepare", draft }, draft.message.id);
  }

  async confirm(id: string): Promise<HalfStatus> {
    return await this.#call({ operation: "confirm", id }, id);
  }

  async cancel(id: string): Promise<HalfStatus> {
    return await this.#call({ operation: "cancel", id }, id);
  }

  async query(id: string): Promise<HalfStatus | null> {
    try {
      return await this.#call({ operation: "query", id }, id);
    } catch (error) {
      if (error instanceof AtlastError && error.code === "not_found") return null;
      throw error;
    }
  }

  /** Makes requests until one is answered, refused, or there is no time for another. */
  async #call(request: HalfRequest, id: string): Promise<HalfStatus> {
    const { clock, retry, random, timeLimitMs } = this.#calling;
    const untilMs = clock.now() + timeLimitMs;
    const text = halfRequestText(request);
    for (let attempts = 1;; attempts++) {
      const attempt = await this.#attempt(text, id, untilMs - clock.now());
      if (attempt.kind === "answered") return attempt.status;
      if (attempt.kind === "failed") throw attempt.error;
      const nowMs = clock.now();
      const ownMs = nextAttemptAt(retry, attempts, nowMs, random());
      if (ownMs === null) throw attempt.error;
      const nextMs = Math.max(ownMs, nowMs + (attempt.retryAfterMs ?? 0));
      if (nextMs >= untilMs) throw attempt.error;
      await new Promise<void>((resolve) => clock.after(nextMs - nowMs, resolve));
    }
  }

  async #attempt(text: string, id: string, leftMs: number): Promise<Attempt> {
    const { url, credentials, service, fetch, timeoutMs } = this.#calling;
    const { result } = await ask({
      fetch,
      url,
      contentType: HALF_CONTENT_TYPE,
      text,
      credentials,
      service,
      timeoutMs: Math.max(1, Math.min(timeoutMs, leftMs)),
      maxResponseBytes: MAX_ANSWER_BYTES,
      signal: new AbortController().signal,
    });
    return result.kind === "answered" ? this.#read(result, id) : {
      kind: "again",
      error: this.#unreachable(
        result.kind === "timed_out"
          ? "did not answer in time"
          : `cannot be reached${
            result.kind === "unreachable" && result.code !== null ? `: ${result.code}` : ""
          }`,
      ),
    };
  }

  /** Only what has the right content type comes from a keeper; all else could be anybody's. */
  #read({ status, headers, text }: PostResult & { kind: "answered" }, id: string): Attempt {
    const isTyped = mediaType(headers.get("content-type")) === HALF_CONTENT_TYPE;
    if (isTyped && status === 200) {
      const said = readHalfStatus(text ?? "", id);
      if (said !== null) return { kind: "answered", status: said };
    }
    const error = parseError(text ?? "");
    if (status >= 500 || status === 429) {
      const retryAfterMs = error?.retryAfterMs ??
        readRetryAfter(headers.get("retry-after"), this.#calling.clock.now());
      return {
        kind: "again",
        error: this.#unreachable(`answered ${status}`),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      };
    }
    if (isTyped && status >= 400 && error !== null && REFUSALS.has(error.code)) {
      const refusal = new AtlastError(
        error.code as ErrorCode,
        `${error.message} (says ${this.#host})`,
      );
      return { kind: "failed", error: refusal };
    }
    const code = status === 401 ? "unauthenticated" : status === 403 ? "forbidden" : "unreachable";
    const want = "want the half-message route of an Atlast app there";
    return { kind: "failed", error: this.#unreachable(`answered ${status}, ${want}`, code) };
  }

  #unreachable(what: string, code: ErrorCode = "unreachable"): AtlastError {
    return new AtlastError(code, `Cannot reach the keeper of half messages: ${this.#host} ${what}`);
  }
}
