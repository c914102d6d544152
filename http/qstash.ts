/**
 * What a service that sends through QStash, and one that is delivered to, agree on beside the message.
 *
 * @module
 */
import { isObject, parsed } from "../core/json.ts";
import { TOLD_HEADER } from "../core/wire/redelivery.ts";
import { fromBase64 } from "../core/wire/wire.ts";

/** The HTTP header that QStash gives each message it delivers. */
export const QSTASH_ID_HEADER = "upstash-message-id";

/**
 * A header that the transport adds, and that QStash gives back when it gives a message up: how many bytes
 * the body has, and the message's id. It is none of the message's own, so no subscriber sees it.
 */
export const SENT_HEADER = "x-atlast-sent";

/** The value of {@linkcode SENT_HEADER}: ASCII, whatever the id. */
export function sentHeader(id: string, bytes: number): string {
  return `${bytes} ${encodeURIComponent(id.toWellFormed())}`;
}

/** What QStash says of a message that it has given up. */
export interface QstashFailure {
  /** The message's id. */
  readonly id: string;
  /** Why, in words an operator can use: who answered what, and where the message is now. */
  readonly reason: string;
  /** Whether the receiver has told the publisher. */
  readonly isTold: boolean;
  /** What the last answer said, as text; empty for none. */
  readonly answer: string;
  /** The request that carried it, its headers by their names in lower case. */
  readonly source: {
    /** The HTTP headers. */
    readonly headers: Readonly<Record<string, string>>;
    /** The HTTP body; null where it was cut short. */
    readonly body: Uint8Array | null;
    /** How many bytes the message's own body has; null where that is not known. */
    readonly bytes: number | null;
  };
}

/** Reads the body of a failure callback; null for what is none, or is of no message of Atlast's. */
export function readQstashFailure(text: string): QstashFailure | null {
  const callback = parsed(text);
  if (!isObject(callback) || typeof callback["dlqId"] !== "string") return null;
  const headers = headersOf(callback["sourceHeader"]);
  const sent = readSentHeader(headers[SENT_HEADER] ?? "");
  const id = sent?.id ?? headers["cap-msg-id"] ?? "";
  if (id === "") return null;
  const { sourceBody = "", body: answer = "" } = callback;
  const bytes = typeof answer === "string" ? fromBase64(answer) : null;
  return {
    id,
    reason: reasonOf(callback),
    isTold: headersOf(callback["header"])[TOLD_HEADER] === "true",
    answer: bytes === null ? "" : new TextDecoder().decode(bytes),
    source: {
      headers,
      body: typeof sourceBody === "string" ? fromBase64(sourceBody) : null,
      bytes: sent?.bytes ?? null,
    },
  };
}

function reasonOf({ status, url, retried, dlqId }: Record<string, unknown>): string {
  const attempts = typeof retried === "number" ? ` after ${retried + 1} attempts` : "";
  // Not the whole URL: a path or a query may hold a secret.
  const host = typeof url === "string" && URL.canParse(url) ? new URL(url).host : "its destination";
  const said = typeof status === "number" && status > 0 ? `answered ${status}` : "did not answer";
  return `QStash gave it up${attempts}: ${host} ${said} (DLQ id ${dlqId})`;
}

/** Headers as QStash shows them: values alone or in lists, with or without what forwards them. */
function headersOf(value: unknown): Record<string, string> {
  const entries: [string, string][] = [];
  for (const [name, given] of isObject(value) ? Object.entries(value) : []) {
    const text = Array.isArray(given) ? given[0] : given;
    if (typeof text !== "string") continue;
    entries.push([name.toLowerCase().replace(/^upstash-forward-/, ""), text]);
  }
  return Object.fromEntries(entries);
}

function readSentHeader(text: string): { id: string; bytes: number } | null {
  const found = /^(\d{1,12}) (\S{1,2000})$/.exec(text);
  if (found === null) return null;
  try {
    return { bytes: Number(found[1]), id: decodeURIComponent(found[2]!) };
  } catch {
    return null;
  }
}
