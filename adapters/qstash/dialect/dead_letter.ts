/**
 * QStash's failure callbacks: what it reports of a message that it has given up and put into its DLQ.
 *
 * @module
 */
import { isObject, parsed } from "../../../core/json.ts";
import { HEADER } from "../../../core/message/headers.ts";
import type { DeadLetterReport } from "../../../core/ports/dialect.ts";
import type { PushDelivery } from "../../../core/ports/push_delivery.ts";
import { TOLD_HEADER } from "../../../core/wire/redelivery.ts";
import { fromBase64 } from "../../../core/wire/wire.ts";
import { parametersOf } from "./binding.ts";
import { readSentHeader, SENT_HEADER } from "./sent_header.ts";

/** Reads a failure callback; null for what is none, or is of no message of Atlast's. */
export function readDeadLetter(text: string, { url }: PushDelivery): DeadLetterReport | null {
  const callback = parsed(text);
  if (!isObject(callback) || typeof callback["dlqId"] !== "string") return null;
  const headers = headersOf(callback["sourceHeader"]);
  const sent = readSentHeader(headers[SENT_HEADER] ?? "");
  const id = sent?.id ?? headers[HEADER.id] ?? "";
  if (id === "") return null;
  const { sourceBody = "" } = callback;
  return {
    id,
    reason: reasonOf(callback),
    answer: new TextDecoder().decode(bytesOf(callback["body"]) ?? undefined),
    isTold: headersOf(callback["header"])[TOLD_HEADER] === "true",
    request: { headers, body: bytesOf(sourceBody), messageBytes: sent?.bytes ?? null },
    proof: parametersOf(url).proof,
  };
}

/** Bytes in base64; null for anything else. */
function bytesOf(value: unknown): Uint8Array | null {
  return typeof value === "string" ? fromBase64(value) : null;
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
  const headers: Record<string, string> = {};
  for (const [name, given] of Object.entries(isObject(value) ? value : {})) {
    const [text] = [given].flat();
    if (typeof text === "string") {
      headers[name.toLowerCase().replace(/^upstash-forward-/, "")] = text;
    }
  }
  return headers;
}
