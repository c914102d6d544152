/**
 * Checks the options of a client and fills in defaults.
 *
 * @module
 */
import {
  aFunction,
  aList,
  aNumber,
  anything,
  aSecret,
  checkOptions,
  type OptionCheck,
  withMethods,
} from "../core/check_options.ts";
import { aRetryPolicy } from "../core/message/contract.ts";
import { AtlastError } from "../core/errors.ts";
import type { Credentials } from "../http/send_request.ts";
import { checkedUrl } from "../http/url.ts";
import { checkAudience } from "../http/signature_id.ts";
import { SignatureChecker, Signer } from "../http/signature.ts";
import type { Clock } from "../core/ports/platform.ts";
import type { RetryPolicy } from "../core/lifecycle/retry.ts";
import { SYSTEM_CLOCK } from "../bus/settings/system_clock.ts";
import type { ClientOptions } from "./client_options.ts";
import type { Calling } from "./http_keeper.ts";

/**
 * When a request without an answer is repeated: after 100 ms, doubling up to 2 s, 6 attempts in
 * all. The schedule is short because a user may be waiting, and a check-back finds outcomes that
 * were not sent.
 */
export const CLIENT_RETRY: RetryPolicy = {
  kind: "exponential",
  baseMs: 100,
  capMs: 2_000,
  jitter: 0.5,
  maxAttempts: 6,
};

const TIMEOUT_MS = 5_000;
const TIME_LIMIT_MS = 15_000;

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<keyof ClientOptions, OptionCheck>> = {
  url: anything,
  audience: anything,
  participant: anything,
  fence: anything,
  signingKeys: aList(),
  answerKeys: aList(),
  token: aSecret,
  fetch: aFunction,
  retry: aRetryPolicy,
  timeoutMs: aNumber(),
  timeLimitMs: aNumber(),
  clock: withMethods("now", "after"),
  random: aFunction,
};

/** Checks the options of a client and fills in the defaults. `createClient` calls it first. */
export function callingOf<BusinessTx>(options: ClientOptions<BusinessTx>): Calling {
  checkOptions("make a client with", options, OPTIONS);
  const { participant, fence, retry = CLIENT_RETRY, clock = SYSTEM_CLOCK } = options;
  if (typeof participant !== "string" || participant === "") {
    throw unfit("no participant", "the name of this service in the keeper's checkBacks");
  }
  if (typeof fence?.commit !== "function") throw unfit("no fence", "one in the business database");
  return {
    url: checkedUrl(options.url, "the url of a client"),
    credentials: credentialsOf(options, clock),
    checker: checkerOf(options, clock),
    participant,
    service: options.audience === undefined ? undefined : checkAudience(options.audience),
    // Called as a plain function, because Workers refuse `fetch` as a method of another object.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    retry,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    timeLimitMs: options.timeLimitMs ?? TIME_LIMIT_MS,
    clock,
    random: options.random ?? Math.random,
  };
}

function credentialsOf<BusinessTx>(
  { signingKeys, token }: ClientOptions<BusinessTx>,
  clock: Clock,
): Credentials {
  if ((signingKeys === undefined) === (token === undefined)) {
    throw unfit(
      signingKeys === undefined ? "neither signingKeys nor token" : "both signingKeys and token",
      "one of them",
    );
  }
  if (token === undefined) return { signer: new Signer(signingKeys ?? [], clock) };
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return { token };
  throw unfit("a token that is not allowed in a header", "printable ASCII without spaces");
}

/**
 * The checker of answers. With a token and no `answerKeys` it is null, and HTTPS must authenticate
 * the keeper.
 */
function checkerOf<BusinessTx>(
  { url, signingKeys, token, answerKeys }: ClientOptions<BusinessTx>,
  clock: Clock,
): SignatureChecker | null {
  if (answerKeys !== undefined || signingKeys !== undefined) {
    return new SignatureChecker(answerKeys ?? signingKeys ?? [], clock);
  }
  const { protocol, hostname } = new URL(url);
  if (token === undefined || protocol === "https:" || isLoopback(hostname)) return null;
  throw unfit("a token for a url without https", "https, or answerKeys that sign the answers");
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function unfit(got: string, want: string): AtlastError {
  return new AtlastError("invalid_option", `Cannot make a client: got ${got}, want ${want}`);
}
