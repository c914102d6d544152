/**
 * What a client is made of.
 *
 * @module
 */
import type { Fetch } from "../http/post.ts";
import type { Clock } from "../core/ports/platform.ts";
import type { Fence } from "../core/ports/fence.ts";
import type { RetryPolicy } from "../core/lifecycle/retry.ts";

/** What {@linkcode createClient} takes. Times are in milliseconds. */
export interface ClientOptions<BusinessTx = unknown> {
  /** The half-message route of the keeper's edge app, such as `https://bus.example/atlast/half`. */
  readonly url: string | URL;
  /** The keys that sign requests, and any one of which must have signed the answer; either these or a token. */
  readonly signingKeys?: readonly string[];
  /**
   * The bearer token of a keeper that takes one; over HTTPS only, as it does not protect the body, and without
   * `answerKeys` HTTPS alone says who answers.
   */
  readonly token?: string;
  /**
   * The keys any one of which must have signed the answer.
   *
   * @default signingKeys
   */
  readonly answerKeys?: readonly string[];
  /** The name of the keeper, where its verifier wants to be named; see `verifySignature`. */
  readonly audience?: string;
  /** The name under which the keeper has this service among its `checkBacks`. */
  readonly participant: string;
  /** The fence in the business database, which also answers the keeper's check-backs. */
  readonly fence: Fence<BusinessTx>;
  /**
   * How requests are made.
   *
   * @default the platform's own `fetch`
   */
  readonly fetch?: Fetch;
  /**
   * When a request that was not answered is repeated.
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
   * How long a call may take, with all its requests and the waits between.
   *
   * @default 15_000
   */
  readonly timeLimitMs?: number;
  /**
   * Where the time comes from.
   *
   * @default the platform's
   */
  readonly clock?: Clock;
  /**
   * Where chance comes from, as numbers in [0, 1).
   *
   * @default the platform's
   */
  readonly random?: () => number;
}
