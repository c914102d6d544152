/**
 * Sends a request with all its data in the body, with credentials. Check-backs and the client use
 * it.
 *
 * @module
 */
import type { AbortSignalLike } from "../core/ports/platform.ts";
import { routeOf } from "../core/wire/wire.ts";
import { type Fetch, post, type PostResult } from "./post.ts";
import { audienceOf, newRequestId, replyReference, withField } from "./signature_id.ts";
import type { Signer } from "./signature.ts";

/** The credentials of the caller. */
export type Credentials = { readonly signer: Signer } | { readonly token: string };

/** The request of {@linkcode sendRequest}. */
interface HttpRequest {
  /** Sends the request. */
  readonly fetch: Fetch;
  /** The URL. */
  readonly url: string;
  /** One of Atlast's own content types. */
  readonly contentType: string;
  /**
   * The name of the service that the signature is for.
   *
   * @default any service that has the key
   */
  readonly service?: string | undefined;
  /** The body, a JSON object, which gets the audience. */
  readonly text: string;
  /** The credentials of the caller. */
  readonly credentials: Credentials;
  /** How long it may take until the response is complete, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes of the response that are read. */
  readonly maxResponseBytes: number;
  /** Aborts the request. */
  readonly signal: AbortSignalLike;
}

/** The result, and what a signed answer to this request must say. */
export interface HttpAnswer {
  /** The `inReplyTo` of its answer. */
  readonly reference: string;
  /** The result of the request. */
  readonly result: PostResult;
}

/** Sends a request. Never throws: errors are in the result. */
export async function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const { contentType, service, credentials, text, ...rest } = request;
  const requestId = newRequestId();
  const json = withField(text, "audience", audienceOf(routeOf(contentType) ?? "", service));
  const body = new TextEncoder().encode(json);
  const headers = new Headers({ "content-type": contentType, accept: contentType });
  if ("token" in credentials) {
    headers.set("authorization", `Bearer ${credentials.token}`);
    // An answer to the request repeats a digest of this id.
    headers.set("webhook-id", requestId);
  } else {
    const signature = await credentials.signer.headersFor(requestId, body);
    for (const [name, value] of Object.entries(signature)) headers.set(name, value);
  }
  return {
    reference: await replyReference(headers, json),
    result: await post({ ...rest, headers, body }),
  };
}
