/**
 * Signs responses, so that the caller can verify which service answered, and which request.
 *
 * @module
 */
import { newRequestId, replyReference, withField } from "../../http/signature_id.ts";
import type { Signer } from "../../http/signature.ts";

/**
 * A signed response. It says which request it answers: see {@linkcode replyReference}.
 *
 * @param requestText The body of the request.
 */
export async function signedAnswer(
  signer: Signer,
  request: Request,
  requestText: string,
  { text, contentType, status = 200, headers = {} }: {
    /** A JSON object. */
    readonly text: string;
    readonly contentType: string;
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<Response> {
  const reference = await replyReference(request.headers, requestText);
  const body = new TextEncoder().encode(withField(text, "inReplyTo", reference));
  return new Response(body, {
    status,
    headers: {
      ...headers,
      ...await signer.headersFor(newRequestId(), body),
      "content-type": contentType,
      "cache-control": "no-store",
    },
  });
}
