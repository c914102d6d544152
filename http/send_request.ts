/**
 * Asking a service something: a request whose body says everything, with who asks.
 *
 * @module
 */
import type { AbortSignalLike } from "../core/ports/platform.ts";
import { type Fetch, post, type PostResult } from "./post.ts";
import { answerId, newRequestId } from "./signature_id.ts";
import type { Signer } from "./signature.ts";

/** How a service knows who asks. */
export type Credentials = { readonly signer: Signer } | { readonly token: string };

/** What {@linkcode sendRequest} takes. */
interface HttpRequest {
  /** How to send it. */
  readonly fetch: Fetch;
  /** Where to. */
  readonly url: string;
  /** One of Atlast's own content types. */
  readonly contentType: string;
  /**
   * The name of the service that the signature is for.
   *
   * @default any that has the key
   */
  readonly service?: string | undefined;
  /** The body. */
  readonly text: string;
  /** Who asks. */
  readonly credentials: Credentials;
  /** How long it may take until the whole answer is here, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes read of the answer. */
  readonly maxResponseBytes: number;
  /** Stops it. */
  readonly signal: AbortSignalLike;
}

/** What came of it, and the id that the request had: another one each time. */
export interface HttpAnswer {
  /** The signed id of its answer. */
  readonly answerId: string;
  /** What came of it. */
  readonly result: PostResult;
}

/** Asks. Never throws: whatever goes wrong is in the result. */
export async function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const { contentType, service, credentials, text, ...rest } = request;
  const requestId = await newRequestId(contentType, service);
  const body = new TextEncoder().encode(text);
  const headers = new Headers({ "content-type": contentType, accept: contentType });
  if ("token" in credentials) {
    headers.set("authorization", `Bearer ${credentials.token}`);
    // An answer is bound to the request by it.
    headers.set("webhook-id", requestId);
  } else {
    const signature = await credentials.signer.headersFor(requestId, body);
    for (const [name, value] of Object.entries(signature)) headers.set(name, value);
  }
  return {
    answerId: await answerId(requestId, text),
    result: await post({ ...rest, headers, body }),
  };
}
