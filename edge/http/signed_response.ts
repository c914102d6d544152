/**
 * Signs responses, so that the caller can verify which service answered, and which request.
 *
 * @module
 */
import { answerId } from "../../http/signature_id.ts";
import type { Signer } from "../../http/signature.ts";

/**
 * A signed response. Its id is derived from the request's id and body, which binds it to that
 * request. The response to a request without an id is bound to nothing.
 *
 * @param requestText The body of the request.
 */
export async function signedAnswer(
  signer: Signer,
  request: Request,
  requestText: string,
  { text, contentType, status = 200, headers = {} }: {
    readonly text: string;
    readonly contentType: string;
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<Response> {
  const body = new TextEncoder().encode(text);
  const requestId = request.headers.get("webhook-id") ?? "";
  return new Response(body, {
    status,
    headers: {
      ...headers,
      ...await signer.headersFor(await answerId(requestId, requestText), body),
      "content-type": contentType,
      "cache-control": "no-store",
    },
  });
}
