/**
 * Signatures after Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA-256 over id,
 * timestamp and body.
 *
 * The scheme signs no HTTP headers and not the content type, so these are bound through the id,
 * which is signed. The id of a request with one message is `msg_` and the base64url SHA-256 of its
 * canonical headers: one line `name:value\n` for `content-type` and each `cap-` and `atlast-`
 * header, names in lower case, in the order of their names. The id of a request whose body says
 * everything starts as its content type wants (`batch_`, `half_` and so on), so that none can be
 * passed off as another. Verifiers that know only the standard accept all of them.
 *
 * @module
 */
import type { Clock } from "../ports.ts";
import {
  fromBase64,
  type HeaderReader,
  isSignedHeader,
  requestPrefix,
  type RequestToVerify,
  toBase64,
  type Verify,
  type VerifyRefusal,
} from "../wire.ts";
import { equalInConstantTime } from "./equal_bytes.ts";
import { KeyRing, MAX_KEYS } from "./signing_key.ts";

/** How far a timestamp may be from the receiver's clock, both ways: what Standard Webhooks says. */
export const TOLERANCE_SECONDS = 5 * 60;
/** The length of an HMAC-SHA-256, in bytes. */
const HMAC_BYTES = 32;

const SYSTEM_CLOCK: Pick<Clock, "now"> = { now: () => Date.now() };

/** What {@linkcode verifySignature} takes. */
export interface VerifySignatureOptions {
  /** Every key that may have signed, in base64, with or without `whsec_` before it. */
  readonly signingKeys: readonly string[];
  /** Where the time is from; the system's clock if not given. */
  readonly clock?: Pick<Clock, "now">;
}

/**
 * A verifier that accepts what any of the keys signed within the last five minutes.
 *
 * A request that is sent again within that time passes again: the inbox knows its messages by their
 * ids, so a replay has no effect. A signature does not say to whom: services that share a key accept
 * what was signed for one another.
 *
 * @example
 * ```ts ignore
 * const app = createApp(bus, { verify: verifySignature({ signingKeys: [key, olderKey] }) });
 * ```
 * @throws {AtlastError} `invalid_option` when a key is none.
 */
export function verifySignature(options: VerifySignatureOptions): Verify {
  const checker = new SignatureChecker(options.signingKeys, options.clock);
  const verify: Verify = async ({ headers }, rawBody) => {
    const problem = await checker.problemOf(headers, rawBody);
    if (problem !== null) return refused(problem);
    if (!await bindsHeaders(headers.get("webhook-id") ?? "", headers)) {
      return refused("Cannot accept the webhook-id: it does not match the message's headers");
    }
    return { ok: true };
  };
  return Object.assign(verify, {
    beforeBody: ({ headers }: RequestToVerify) => {
      const problem = checker.problemOfHeaders(headers);
      return problem === null ? null : refused(problem);
    },
  });
}

/** Checks signatures over an id, a time and a body; what the id stands for is the caller's to check. */
export class SignatureChecker {
  readonly #keys: KeyRing;
  readonly #clock: Pick<Clock, "now">;

  /**
   * Makes a checker; any of the keys may have signed.
   *
   * @throws {AtlastError} `invalid_option` when a key is none.
   */
  constructor(signingKeys: readonly string[], clock: Pick<Clock, "now"> = SYSTEM_CLOCK) {
    this.#keys = new KeyRing(signingKeys);
    this.#clock = clock;
  }

  /** Why the headers cannot sign any body; null when they can. */
  problemOfHeaders(headers: HeaderReader): string | null {
    const id = headers.get("webhook-id") ?? "";
    const timestamp = headers.get("webhook-timestamp") ?? "";
    const signature = headers.get("webhook-signature") ?? "";
    if (id === "" || timestamp === "" || signature === "") {
      return "Cannot accept it unsigned: want webhook-id, -timestamp and -signature";
    }
    if (!isTimely(timestamp, this.#clock.now())) {
      return `Cannot accept the webhook-timestamp: want the time in seconds, ${TOLERANCE_SECONDS} off at most`;
    }
    return null;
  }

  /** Why the signature in the headers does not hold for a body; null when it does. */
  async problemOf(headers: HeaderReader, body: Uint8Array): Promise<string | null> {
    const problem = this.problemOfHeaders(headers);
    if (problem !== null) return problem;
    const id = headers.get("webhook-id") ?? "";
    const timestamp = headers.get("webhook-timestamp") ?? "";
    const signature = headers.get("webhook-signature") ?? "";
    if (!await matchesAny(this.#keys, signature, signedContent(id, timestamp, body))) {
      return "Cannot accept the webhook-signature: no key here made it for this request";
    }
    return null;
  }
}

/** Signs requests with every key of a ring. */
export class Signer {
  readonly #keys: KeyRing;
  readonly #clock: Pick<Clock, "now">;

  /** Makes a signer; the clock gives the timestamps. */
  constructor(signingKeys: readonly string[], clock: Pick<Clock, "now"> = SYSTEM_CLOCK) {
    this.#keys = new KeyRing(signingKeys);
    this.#clock = clock;
  }

  /**
   * The headers that sign a request. One signature for each key: a receiver that has any one of them
   * accepts, so a rotation needs no order in which senders and receivers are changed.
   */
  async headersFor(id: string, body: Uint8Array): Promise<Record<string, string>> {
    const timestamp = String(Math.floor(this.#clock.now() / 1000));
    const content = signedContent(id, timestamp, body);
    const keys = await this.#keys.imported();
    const signatures = await Promise.all(keys.map(async (key) => {
      const signature = await crypto.subtle.sign("HMAC", key, content);
      return `v1,${toBase64(new Uint8Array(signature))}`;
    }));
    return {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signatures.join(" "),
    };
  }
}

/** The id of a request that carries one message in its HTTP headers and body. */
export async function messageRequestId(headers: HeaderReader): Promise<string> {
  const values = new Map<string, string>();
  headers.forEach((value, name) => {
    if (name === "content-type" || isSignedHeader(name)) values.set(name, value);
  });
  // No name holds a colon and no value a line break, so no two lists come out the same.
  const canonical = [...values.keys()].sort().map((name) => `${name}:${values.get(name)}\n`);
  return `msg_${await digest(new TextEncoder().encode(canonical.join("")))}`;
}

/** The id of a request that carries a batch: the same for the same batch, as the standard asks. */
export async function batchRequestId(body: Uint8Array<ArrayBuffer>): Promise<string> {
  return `batch_${await digest(body)}`;
}

async function bindsHeaders(id: string, headers: HeaderReader): Promise<boolean> {
  const prefix = requestPrefix(headers.get("content-type"));
  if (prefix !== null) return id.startsWith(prefix);
  return id === await messageRequestId(headers);
}

/** One HMAC for each key at the most, however many signatures a request brings. */
async function matchesAny(
  ring: KeyRing,
  header: string,
  content: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const signatures = header.split(" ")
    .map((text) => text.startsWith("v1,") ? fromBase64(text.slice("v1,".length)) : null)
    .filter((bytes) => bytes !== null && bytes.length === HMAC_BYTES)
    .slice(0, MAX_KEYS);
  if (signatures.length === 0) return false;
  for (const key of await ring.imported()) {
    const own = new Uint8Array(await crypto.subtle.sign("HMAC", key, content));
    if (signatures.filter((bytes) => equalInConstantTime(bytes!, own)).length > 0) return true;
  }
  return false;
}

function isTimely(timestamp: string, nowMs: number): boolean {
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  return Math.abs(Math.floor(nowMs / 1000) - Number(timestamp)) <= TOLERANCE_SECONDS;
}

function signedContent(
  id: string,
  timestamp: string,
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const start = new TextEncoder().encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(start.length + body.length);
  content.set(start);
  content.set(body, start.length);
  return content;
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return toBase64(hash).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}

function refused(reason: string): VerifyRefusal {
  return { ok: false, kind: "unauthenticated", reason };
}
