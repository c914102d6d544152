/**
 * Answers that are signed, so that whoever asks knows that the right service gave them, to this very request.
 *
 * @module
 */
import { answerId } from "../core/checkback_wire.ts";
import type { Signer } from "../core/http/signature.ts";

/**
 * An answer, signed under an id made of the request's: it answers nothing else. A request without an id gets an
 * answer that its sender can bind to nothing.
 */
export async function signedAnswer(
  signer: Signer,
  request: Request,
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
      ...await signer.headersFor(answerId(requestId), body),
      "content-type": contentType,
      "cache-control": "no-store",
    },
  });
}
