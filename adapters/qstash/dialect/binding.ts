/**
 * Binds the headers of a message that QStash carries. QStash signs the body and the destination URL, but no
 * header. So the publisher puts a digest of the headers and the content type into the URL's query, and the
 * receiver compares it.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import type { HeaderReader } from "../../../core/ports/platform.ts";
import { canonicalHeaders, digestText } from "../../../http/signature_id.ts";

/** The parameter with the digest. */
const BOUND = "atlast-bound";
/** The parameter of a URL that receives only batches: for URL groups. */
const FORM = "atlast-form";
/** The parameter of a failure callback that proves that this service sent the message. */
const PROOF = "atlast-proof";

/** The parameters that Atlast puts into URLs that QStash signs. */
const OWN = new RegExp(`^(?:${BOUND}|${FORM}|${PROOF})(?:=|$)`);

/** The parameters of a URL. */
interface UrlParameters {
  /** The digest of the headers; null for none. */
  readonly bound: string | null;
  /** Whether it receives only batches. */
  readonly isForBatches: boolean;
  /** The proof that the message was sent; null for none. */
  readonly proof: string | null;
}

/** The URL of a destination, with the digest of the headers that are sent there. */
export async function boundUrl(url: string, headers: HeaderReader): Promise<string> {
  return withParameter(url, BOUND, await headersDigest(headers));
}

/** The URL of a failure callback, with the proof that the message was sent. */
export function urlWithProof(url: string, proof: string): string {
  return withParameter(url, PROOF, proof);
}

/** The digest of the message headers and the content type of a request. */
export function headersDigest(headers: HeaderReader): Promise<string> {
  return digestText(canonicalHeaders(headers));
}

/** The parameters of a URL. */
export function parametersOf(url: string): UrlParameters {
  const { searchParams } = new URL(url);
  return {
    bound: searchParams.get(BOUND),
    isForBatches: searchParams.get(FORM) === "batch",
    proof: searchParams.get(PROOF),
  };
}

/** A URL without Atlast's own parameters, otherwise unchanged. */
export function withoutParameters(url: string): string {
  const parsed = new URL(url);
  const left = parsed.search.slice(1).split("&").filter((part) => part !== "" && !OWN.test(part));
  parsed.search = left.join("&");
  return parsed.href;
}

/**
 * Checks that a URL has no parameter that Atlast sets itself.
 *
 * @param what The name of the URL, for the error.
 * @throws {AtlastError} `invalid_option`.
 */
export function checkNoParameters(url: string, what: string): void {
  if (new URL(url).search.slice(1).split("&").some((part) => OWN.test(part))) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use ${what}: want a URL without the parameters "${BOUND}", "${FORM}" and "${PROOF}"`,
    );
  }
}

function withParameter(url: string, name: string, value: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}${name}=${value}`;
}
