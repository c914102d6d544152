/**
 * Check-back over HTTP: the keeper asks the participant's edge app for the outcome of a half message.
 *
 * @module
 */
import { questionText, readAnswer, type WireQuestion } from "../../core/wire/check_back.ts";
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import { AtlastError } from "../../core/errors.ts";
import {
  aFunction,
  aNumber,
  anything,
  checkOptions,
  type OptionCheck,
  withMethods,
} from "../../core/check_options.ts";
import { callGuarded } from "../../core/user_code/guard.ts";
import { type HttpAnswer, sendRequest } from "../../http/send_request.ts";
import { checkedUrl } from "../../http/url.ts";
import type { Fetch } from "../../http/post.ts";
import { answersRequest, checkAudience } from "../../http/signature_id.ts";
import { SignatureChecker, Signer } from "../../http/signature.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { CheckBack, CheckQuestion } from "../../core/ports/fence.ts";
import { CHECKBACK_CONTENT_TYPE, mediaType } from "../../core/wire/wire.ts";

/** What {@linkcode httpCheckBack} takes. */
export interface HttpCheckBackOptions {
  /** The check-back route of the participant's edge app, such as `https://orders.example/atlast/checkback`. */
  readonly url: string | URL;
  /** The keys that sign requests. One of them must have signed the answer. */
  readonly signingKeys: readonly string[];
  /** The name of the service that answers, if its verifier requires one; see `verifySignature`. */
  readonly audience?: string;
  /**
   * How long the participant may take to answer, in milliseconds.
   *
   * @default 5_000
   */
  readonly timeoutMs?: number;
  /**
   * How requests are made.
   *
   * @default the platform's own `fetch`
   */
  readonly fetch?: Fetch;
  /**
   * The source of the time.
   *
   * @default the system's clock
   */
  readonly clock?: Pick<Clock, "now">;
  /**
   * Called with the reason why an answer is unusable, such as a page of a proxy, a wrong key, or an answer to
   * another request. The bus treats such an answer as `unknown`.
   */
  readonly onUnusable?: (reason: string, question: CheckQuestion) => void;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_TIMEOUT_MS = 10 * 60_000;

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<keyof HttpCheckBackOptions, OptionCheck>> = {
  url: anything,
  signingKeys: anything,
  audience: anything,
  timeoutMs: aNumber({ whole: true, least: 1, most: MAX_TIMEOUT_MS }),
  fetch: aFunction,
  clock: withMethods("now"),
  onUnusable: aFunction,
};

/** An answer is an id, a number and a word. */
const MAX_ANSWER_BYTES = 4 * 1024;

/**
 * Statuses of a request that did not reach the participant: a wrong key or path, or a service that is busy or
 * being deployed. All can be repaired, so they do not use up checks.
 */
const NOT_REACHED: ReadonlySet<number> = new Set([401, 403, 404, 408, 425, 429]);

/**
 * Makes a check-back over HTTP, for the option `checkBacks` of a bus. An answer decides only if it is signed,
 * has the right type and answers this request; any other answer is `unknown`. A participant that does not
 * answer, or refuses the keeper, is unreachable.
 *
 * @example
 * ```ts ignore
 * const bus = createBus({
 *   checkBacks: { orders: httpCheckBack({ url: "https://orders.example/checkback", signingKeys }) },
 *   …
 * });
 * ```
 * @throws {AtlastError} `invalid_option`.
 */
export function httpCheckBack(options: HttpCheckBackOptions): CheckBack {
  return new HttpCheckBack(options);
}

class HttpCheckBack implements CheckBack {
  readonly #url: string;
  readonly #host: string;
  readonly #signer: Signer;
  readonly #checker: SignatureChecker;
  readonly #audience: string | undefined;
  readonly #timeoutMs: number;
  readonly #clock: Pick<Clock, "now">;
  readonly #fetch: Fetch;
  readonly #onUnusable: NonNullable<HttpCheckBackOptions["onUnusable"]>;

  constructor(options: HttpCheckBackOptions) {
    checkOptions("make a check-back with", options, OPTIONS);
    this.#url = checkedUrl(options.url, "the url of a check-back");
    this.#host = new URL(this.#url).host;
    this.#signer = new Signer(options.signingKeys, options.clock);
    this.#checker = new SignatureChecker(options.signingKeys, options.clock);
    this.#audience = options.audience === undefined ? undefined : checkAudience(options.audience);
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#clock = options.clock ?? { now: () => Date.now() };
    // Called as a plain function: Workers refuse a `fetch` that is called as a method.
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#onUnusable = options.onUnusable ?? (() => {});
  }

  async check(question: CheckQuestion, signal: AbortSignalLike): Promise<CheckAnswer> {
    const nowMs = this.#clock.now();
    const { participant = "", preparedAtMs = nowMs, checkedAtMs = nowMs } = question;
    const wired: WireQuestion = {
      ...question,
      participant,
      preparedAtMs,
      checkedAtMs,
    };
    const answer = await sendRequest({
      fetch: this.#fetch,
      url: this.#url,
      contentType: CHECKBACK_CONTENT_TYPE,
      text: questionText(wired),
      service: this.#audience,
      credentials: { signer: this.#signer },
      timeoutMs: this.#timeoutMs,
      maxResponseBytes: MAX_ANSWER_BYTES,
      signal,
    });
    const read = await this.#read(answer, wired);
    if (typeof read === "string") return read;
    callGuarded(() => this.#onUnusable(`${this.#host} ${read.problem}`, question));
    return "unknown";
  }

  /** The content of an answer, or why it is unusable. Throws when the participant was not reached. */
  async #read(
    { reference, result }: HttpAnswer,
    question: WireQuestion,
  ): Promise<CheckAnswer | { readonly problem: string }> {
    if (result.kind !== "answered") throw this.#unreachable(result);
    const { status, headers, text } = result;
    if (status >= 500 || NOT_REACHED.has(status)) throw this.#refused(status);
    if (status !== 200) return { problem: `answered ${status}, want 200` };
    if (mediaType(headers.get("content-type")) !== CHECKBACK_CONTENT_TYPE) {
      return { problem: `answered with another content type, want ${CHECKBACK_CONTENT_TYPE}` };
    }
    const body = text ?? "";
    const problem = await this.#checker.problemOf(headers, new TextEncoder().encode(body));
    if (problem !== null) return { problem: `answered without a signature that holds: ${problem}` };
    if (!answersRequest(headers, body, reference)) {
      return { problem: "answered another request" };
    }
    return readAnswer(body, question) ?? { problem: "answered another request" };
  }

  #unreachable(
    result: Exclude<HttpAnswer["result"], { kind: "answered" }>,
  ): AtlastError {
    if (result.kind === "timed_out") {
      return new AtlastError(
        "timeout",
        `Cannot check back: ${this.#host} did not answer within ${this.#timeoutMs} ms`,
      );
    }
    const why = result.kind === "unreachable" ? result.code : "stopped before it answered";
    return new AtlastError(
      "unreachable",
      `Cannot check back: cannot reach ${this.#host}${why === null ? "" : `: ${why}`}`,
    );
  }

  #refused(status: number): AtlastError {
    const code = status === 401 ? "unauthenticated" : status === 403 ? "forbidden" : "unreachable";
    const hint = status === 401 || status === 403
      ? ", want the same keys and the same name of the participant there"
      : status === 404
      ? ", want its check-back route there"
      : "";
    return new AtlastError(code, `Cannot check back: ${this.#host} answered ${status}${hint}`);
  }
}
