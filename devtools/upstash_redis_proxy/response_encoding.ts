/**
 * Chooses the form of an answer by the request's headers.
 *
 * @module
 */
import { SyntaxProblem } from "./command.ts";
import { itemOf, type Reply } from "./reply.ts";
import { resp2Of } from "./resp2.ts";

/** Writes answers. */
interface Writing {
  /** The content type of what it writes. */
  readonly type: string;
  /** One reply. */
  one(reply: Reply): string | Uint8Array<ArrayBuffer>;
  /** Those of a pipeline or a transaction. */
  many(replies: readonly Reply[]): string | Uint8Array<ArrayBuffer>;
}

/**
 * The writer for a request: JSON with strings as text or as base64, or RESP2.
 *
 * @throws {SyntaxProblem} When the headers contradict each other.
 */
export function writingOf(
  headers: Headers,
  isTransaction: boolean,
  plainNestedOk: boolean,
): Writing {
  const isBase64 = headers.get("upstash-encoding")?.toLowerCase() === "base64";
  if (headers.get("upstash-response-format")?.toLowerCase() === "resp2") {
    if (isBase64) throw new SyntaxProblem("ERR resp2 format cannot be encoded as base64");
    if (isTransaction) throw new SyntaxProblem("ERR resp2 format is not there for transactions");
    return { type: "application/octet-stream", one: resp2Of, many: resp2Of };
  }
  const one = (reply: Reply): string =>
    itemOf(reply, { encoding: isBase64 ? "base64" : "text", plainNestedOk });
  return { type: "application/json", one, many: (all) => `[${all.map(one).join(",")}]` };
}
