/**
 * The options of a client.
 *
 * @module
 */
import type { Fetch } from "../http/post.ts";
import type { Clock } from "../core/ports/platform.ts";
import type { Fence } from "../core/ports/fence.ts";
import type { RetryPolicy } from "../core/lifecycle/retry.ts";

/** The options of {@linkcode createClient}. Times are in milliseconds. */
export interface ClientOptions<BusinessTx = unknown> {
  /** The half-message route of the keeper's edge app, such as `https://bus.example/atlast/half`. */
  readonly url: string | URL;
  /**
   * The keys that sign requests. The answer must be signed with any one of them. Use either these
   * or a token.
   */
  readonly signingKeys?: readonly string[];
  /**
   * A bearer token, if the keeper accepts one. It requires HTTPS, because it does not protect the
   * body, and without `answerKeys` only HTTPS authenticates the keeper.
   */
  readonly token?: string;
  /**
   * The keys for answers: an answer must be signed with any one of them.
   *
   * @default signingKeys
   */
  readonly answerKeys?: readonly string[];
  /** The name of the keeper, if its verifier requires one; see `verifySignature`. */
  readonly audience?: string;
  /** The name of this service in the keeper's `checkBacks`. */
  readonly participant: string;
  /** The fence in the business database, which also answers the keeper's check-backs. */
  readonly fence: Fence<BusinessTx>;
  /**
   * Sends requests.
   *
   * @default the platform's `fetch`
   */
  readonly fetch?: Fetch;
  /**
   * When a request without an answer is repeated.
   *
   * @default CLIENT_RETRY
   */
  readonly retry?: RetryPolicy;
  /**
   * How long one request may take.
   *
   * @default 5_000
   */
  readonly timeoutMs?: number;
  /**
   * How long a call may take, including all its requests and the pauses between them.
   *
   * @default 15_000
   */
  readonly timeLimitMs?: number;
  /**
   * The clock.
   *
   * @default the platform's
   */
  readonly clock?: Clock;
  /**
   * The source of random numbers in [0, 1), for jitter.
   *
   * @default the platform's
   */
  readonly random?: () => number;
}
