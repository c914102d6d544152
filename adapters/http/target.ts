/**
 * The URL of a request, and the keys that sign it.
 *
 * @module
 */
import { oneOf } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { audienceOf, checkAudience } from "../../http/signature_id.ts";
import { Signer } from "../../http/signature.ts";
import type { Clock } from "../../core/ports/platform.ts";

/** The signer and the audience of a request. */
interface Signing {
  /** Signs. */
  readonly signer: Signer;
  /** The audience that is signed. */
  readonly audience: string;
}

/** The form of messages in requests: in a JSON body, or one as HTTP headers and a raw body. */
export type HttpFormat = "batch" | "message";

/**
 * Which answers count as accepted. `atlast`: only those with a result for each message, which excludes the
 * page of a proxy. `any_2xx`: any success status, as receivers of webhooks answer.
 */
export type HttpAnswers = "atlast" | "any_2xx";

/** How requests to a place look, and what its answers mean. */
export interface HttpStyle {
  /** The form of requests. */
  readonly format: HttpFormat;
  /** Which answers count as accepted. */
  readonly answers: HttpAnswers;
}

/**
 * Reads the style of a route or a destination.
 *
 * @param what What it is, for the error text.
 * @throws {AtlastError} `invalid_option`.
 */
export function styleOf(
  defaults: HttpStyle,
  { format = defaults.format, answers = defaults.answers }: Partial<HttpStyle>,
  what: string,
): HttpStyle {
  const style = { format, answers };
  oneOf("batch", "message")(`format of ${what}`, style.format, "use");
  oneOf("atlast", "any_2xx")(`answers of ${what}`, style.answers, "use");
  return style;
}

/** Where requests go. */
export interface Target extends HttpStyle {
  /** The URL. */
  readonly url: string;
  /** How they are signed; null for unsigned requests. */
  readonly signing: Signing | null;
}

/**
 * The name of a target: its host, and a short digest of the URL, whose path or query may hold a secret.
 */
export function destinationOf({ url }: Pick<Target, "url">): string {
  // FNV-1a: targets of one host need only differ.
  let hash = 0x811c9dc5;
  for (const char of url) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return `${new URL(url).host.slice(0, 150)}#${(hash >>> 0).toString(36)}`;
}

/** Makes the signers of requests: with the keys of our own services, or with those of one external receiver. */
export class SigningKeys {
  readonly #own: Signer;
  readonly #clock: Pick<Clock, "now">;

  /**
   * Reads the keys of our own services.
   *
   * @throws {AtlastError} `invalid_option`.
   */
  constructor(signingKeys: readonly string[], clock: Pick<Clock, "now">) {
    this.#own = new Signer(signingKeys, clock);
    this.#clock = clock;
  }

  /**
   * Signs for one of our own services.
   *
   * @throws {AtlastError} `invalid_option`.
   */
  own(audience: string | undefined): Signing {
    return { signer: this.#own, audience: audienceFor(audience) };
  }

  /**
   * Signs for an external receiver, which must not be able to sign requests that our own services accept.
   *
   * @param what The purpose of the keys, for the error.
   * @throws {AtlastError} `invalid_option`.
   */
  foreign(signingKeys: readonly string[], audience: string | undefined, what: string): Signing {
    const signer = new Signer(signingKeys, this.#clock);
    if (!this.#own.sharesKeyWith(signer)) return { signer, audience: audienceFor(audience) };
    throw new AtlastError(
      "invalid_option",
      `Cannot use the signingKeys of ${what}: got a key of your own services, want others`,
    );
  }
}

function audienceFor(service: string | undefined): string {
  return audienceOf("deliver", service === undefined ? undefined : checkAudience(service));
}
