/**
 * Signatures by Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA-256 over id,
 * timestamp and body. The id binds other data of the request: see {@link ./signature_id.ts}.
 *
 * @module
 */
import {
  aList,
  anything,
  checkOptions,
  type OptionCheck,
  withMethods,
} from "../core/check_options.ts";
import type { Clock, HeaderReader } from "../core/ports/platform.ts";
import { aPrincipal, type Principal } from "../core/principal.ts";
import { fromBase64, toBase64 } from "../core/wire/base64.ts";
import type { RequestToVerify, Verify, VerifyRefusal } from "../core/wire/wire.ts";
import { equalInConstantTime } from "./equal_bytes.ts";
import { audienceOf, bindingProblem, checkAudience } from "./signature_id.ts";
import { KeyRing, MAX_KEYS } from "./signing_key.ts";

/**
 * How far a timestamp may differ from the receiver's clock, in seconds, as Standard Webhooks
 * recommends.
 */
const TOLERANCE_SECONDS = 5 * 60;
/** The length of an HMAC-SHA-256, in bytes. */
const HMAC_BYTES = 32;

const SYSTEM_CLOCK: Pick<Clock, "now"> = { now: () => Date.now() };

/** The options of {@linkcode verifySignature}. */
export interface VerifySignatureOptions {
  /** The keys that are accepted, in base64, with or without the prefix `whsec_`. */
  readonly signingKeys: readonly string[];
  /**
   * The name of this service, if senders sign for it by name. A list accepts any of several names;
   * null in it accepts requests that are signed without a service name.
   *
   * @default only requests that are signed without a service name
   */
  readonly audience?: string | readonly (string | null)[];
  /**
   * The principal that has the keys. Services that share keys are one principal. Use another
   * principal for a partner's keys; its callback names then need a list.
   *
   * @default { name: "services", kind: "service" }
   */
  readonly principal?: Principal;
  /**
   * The clock.
   *
   * @default the system's clock
   */
  readonly clock?: Pick<Clock, "now">;
}

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<keyof VerifySignatureOptions, OptionCheck>> = {
  signingKeys: anything,
  audience: (option, value, attempt) => {
    if (typeof value !== "string") aList()(option, value, attempt);
  },
  principal: aPrincipal,
  clock: withMethods("now"),
};

/** The default principal: the services that share the keys. */
const OWN_SERVICES: Principal = { name: "services", kind: "service" };

/** The route of a request that has no route name: the one that `httpTransport` sends to. */
const DEFAULT_ROUTE = "deliver";

/**
 * Creates a verifier that accepts requests signed with any of the keys within the last five
 * minutes, for the route that calls it.
 *
 * A replay within that time is accepted again at the same route. It has no effect, because the
 * inbox recognises the ids of its messages. Services that share a key accept requests signed for
 * each other, unless sender and receiver name an audience.
 *
 * @example
 * ```ts ignore
 * const app = createApp(bus, { verify: verifySignature({ signingKeys: [key, olderKey] }) });
 * ```
 * @throws {AtlastError} `invalid_option` when a key is none.
 */
export function verifySignature(options: VerifySignatureOptions): Verify {
  checkOptions("verify signatures with", options, OPTIONS);
  const { signingKeys, clock, audience = [null], principal = OWN_SERVICES } = options;
  const checker = new SignatureChecker(signingKeys, clock);
  const services = (typeof audience === "string" ? [audience] : [...audience])
    .map((service) => service === null ? null : checkAudience(service));
  const verify: Verify = async ({ headers, route = DEFAULT_ROUTE }, rawBody) => {
    const problem = await checker.problemOf(headers, rawBody);
    if (problem !== null) return refused(problem);
    const id = headers.get("webhook-id") ?? "";
    const audiences = services.map((service) => audienceOf(route, service));
    const binding = await bindingProblem(id, headers, rawBody, route, audiences);
    return binding === null ? { ok: true, principal } : refused(binding);
  };
  return Object.assign(verify, {
    beforeBody: ({ headers }: RequestToVerify) => {
      const problem = checker.problemOfHeaders(headers);
      return problem === null ? null : refused(problem);
    },
  });
}

/** The keys and the clock, for signing and checking. */
abstract class KeyOwner {
  protected readonly keys: KeyRing;
  protected readonly clock: Pick<Clock, "now">;

  /**
   * Reads the keys: a signer signs with each of them, a checker accepts any. The clock is used for
   * timestamps.
   *
   * @throws {AtlastError} `invalid_option` when a key is none.
   */
  constructor(signingKeys: readonly string[], clock: Pick<Clock, "now"> = SYSTEM_CLOCK) {
    this.keys = new KeyRing(signingKeys);
    this.clock = clock;
  }
}

/** Checks signatures over an id, a time and a body. The caller must check what the id binds. */
export class SignatureChecker extends KeyOwner {
  /** Why the headers cannot be a valid signature of any body; null when they can. */
  problemOfHeaders(headers: HeaderReader): string | null {
    const { id, timestamp, signature } = signatureHeadersOf(headers);
    if (id === "" || timestamp === "" || signature === "") {
      return "Cannot accept it unsigned: want webhook-id, -timestamp and -signature";
    }
    if (!isTimely(timestamp, this.clock.now())) {
      return `Cannot accept the webhook-timestamp: want the time in seconds, ${TOLERANCE_SECONDS} off at most`;
    }
    return null;
  }

  /** Why the signature in the headers is not valid for a body; null when it is. */
  async problemOf(headers: HeaderReader, body: Uint8Array): Promise<string | null> {
    const problem = this.problemOfHeaders(headers);
    if (problem !== null) return problem;
    const { id, timestamp, signature } = signatureHeadersOf(headers);
    if (!await matchesAny(this.keys, signature, signedContent(id, timestamp, body))) {
      return "Cannot accept the webhook-signature: no key here made it for this request";
    }
    return null;
  }
}

/** Signs requests with every key. */
export class Signer extends KeyOwner {
  /** Whether another signer has one of these keys. */
  sharesKeyWith(other: Signer): boolean {
    return this.keys.sharesKeyWith(other.keys);
  }

  /**
   * The headers that sign a request, with one signature for each key. A receiver that has any of
   * the keys accepts it, so keys can be rotated on senders and receivers in any order.
   */
  async headersFor(id: string, body: Uint8Array): Promise<Record<string, string>> {
    const timestamp = String(Math.floor(this.clock.now() / 1000));
    const content = signedContent(id, timestamp, body);
    const keys = await this.keys.imported();
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

/** The headers of a signature; empty strings for missing ones. */
function signatureHeadersOf(
  headers: HeaderReader,
): { readonly id: string; readonly timestamp: string; readonly signature: string } {
  return {
    id: headers.get("webhook-id") ?? "",
    timestamp: headers.get("webhook-timestamp") ?? "",
    signature: headers.get("webhook-signature") ?? "",
  };
}

/** Computes at most one HMAC for each key, whatever the number of signatures in the request. */
async function matchesAny(
  ring: KeyRing,
  header: string,
  content: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const signatures = header.split(" ")
    .map((text) => text.startsWith("v1,") ? fromBase64(text.slice("v1,".length)) : null)
    .filter((bytes) => bytes?.length === HMAC_BYTES)
    .slice(0, MAX_KEYS);
  if (signatures.length === 0) return false;
  for (const key of await ring.imported()) {
    const own = new Uint8Array(await crypto.subtle.sign("HMAC", key, content));
    const matches = signatures.map((bytes) => equalInConstantTime(bytes!, own));
    if (matches.includes(true)) return true;
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

function refused(reason: string): VerifyRefusal {
  return { ok: false, kind: "unauthenticated", reason };
}
