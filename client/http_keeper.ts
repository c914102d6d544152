/**
 * Calls the keeper of half messages in another service over HTTP.
 *
 * @module
 */
import type { HalfDraft, HalfKeeper, HalfStatus } from "../core/ports/half_keeper.ts";
import { type HalfRequest, halfRequestText, readHalfStatus } from "../core/wire/half_message.ts";
import { AtlastError, type ErrorCode } from "../core/errors.ts";
import { type Credentials, sendRequest } from "../http/send_request.ts";
import type { Fetch, PostResult } from "../http/post.ts";
import type { SignatureChecker } from "../http/signature.ts";
import { answersRequest } from "../http/signature_id.ts";
import { boundedRetryAfter, readRetryAfter } from "../http/retry_after.ts";
import type { Clock } from "../core/ports/platform.ts";
import { nextAttemptAt, type RetryPolicy } from "../core/lifecycle/retry.ts";
import { hasCode } from "../core/user_code/thrown.ts";
import { HALF_CONTENT_TYPE, mediaType, parseError, type WireError } from "../core/wire/wire.ts";

/** What the calls to the keeper need. */
export interface Calling {
  readonly url: string;
  readonly credentials: Credentials;
  /** Checks the signatures of answers; null if only the connection authenticates the keeper. */
  readonly checker: SignatureChecker | null;
  /** The name under which this service prepares messages. */
  readonly participant: string;
  /** The name of the keeper in the signed audience. */
  readonly service: string | undefined;
  readonly fetch: Fetch;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly timeLimitMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The largest answer, in bytes: a status or an error is short. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** The codes of final refusals: the keeper understood the request and will never carry it out. */
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

/** What a request is about. */
interface About {
  readonly id: string;
  readonly operation: HalfRequest["operation"];
}

/** The result of one request. */
type Attempt =
  | { readonly kind: "answered"; readonly status: HalfStatus }
  | { readonly kind: "failed"; readonly error: AtlastError }
  | { readonly kind: "again"; readonly error: AtlastError; readonly retryAfterMs?: number };

/**
 * A keeper in another service. Every call has an id, so it can be repeated when the answer was
 * lost.
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
    return await this.#about("confirm", id);
  }

  async cancel(id: string): Promise<HalfStatus> {
    return await this.#about("cancel", id);
  }

  async query(id: string): Promise<HalfStatus | null> {
    try {
      return await this.#about("query", id);
    } catch (error) {
      if (hasCode(error, "not_found")) return null;
      throw error;
    }
  }

  async #about(operation: "confirm" | "cancel" | "query", id: string): Promise<HalfStatus> {
    const { participant } = this.#calling;
    return await this.#call({ operation, id, participant }, id);
  }

  /** Repeats a request until it is answered or refused, or the time is up. */
  async #call(request: HalfRequest, id: string): Promise<HalfStatus> {
    const { clock, retry, random, timeLimitMs } = this.#calling;
    const untilMs = clock.now() + timeLimitMs;
    const text = halfRequestText(request);
    const about = { id, operation: request.operation };
    for (let attempts = 1;; attempts++) {
      const attempt = await this.#attempt(text, about, untilMs - clock.now());
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

  async #attempt(text: string, about: About, leftMs: number): Promise<Attempt> {
    const { url, credentials, service, fetch, timeoutMs } = this.#calling;
    const { reference, result } = await sendRequest({
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
    return result.kind === "answered" ? await this.#read(result, reference, about) : {
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

  /** Reads an answer. Only one with the right content type and signature comes from the keeper. */
  async #read(
    { status, headers, text }: PostResult & { kind: "answered" },
    reference: string,
    { id, operation }: About,
  ): Promise<Attempt> {
    const isTyped = mediaType(headers.get("content-type")) === HALF_CONTENT_TYPE;
    const error = parseError(text ?? "");
    if (isTyped && (status === 200 || isFactOfMessage(error))) {
      const problem = await this.#problemOf(headers, text ?? "", reference);
      if (problem !== null) return { kind: "failed", error: this.#unreachable(problem) };
    }
    // A `prepare` that finds the message decided is refused, with its state.
    const isDecided = operation === "prepare" && error?.code === "wrong_state";
    if (isTyped && (status === 200 || isDecided)) {
      const said = readHalfStatus(text ?? "", id);
      if (said !== null) return { kind: "answered", status: said };
    }
    if (status >= 500 || status === 429) {
      const retryAfterMs = boundedRetryAfter(error?.retryAfterMs) ??
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

  /** Why an answer is not from the keeper, or not for this request; null when it is valid. */
  async #problemOf(headers: Headers, text: string, reference: string): Promise<string | null> {
    const { checker } = this.#calling;
    if (checker === null) return null;
    const problem = await checker.problemOf(headers, new TextEncoder().encode(text));
    if (problem !== null) return `answered without a valid signature: ${problem}`;
    return answersRequest(headers, text, reference) ? null : "answered another request";
  }

  #unreachable(what: string, code: ErrorCode = "unreachable"): AtlastError {
    return new AtlastError(code, `Cannot reach the keeper of half messages: ${this.#host} ${what}`);
  }
}

/**
 * Whether a refusal states a fact about the message, on which the participant acts, so that it must
 * be signed. A forged refusal of another kind can only prevent an operation from starting.
 */
function isFactOfMessage(error: WireError | null): boolean {
  return error?.code === "wrong_state" || error?.code === "not_found";
}
