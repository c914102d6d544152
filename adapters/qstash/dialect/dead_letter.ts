/**
 * Reads QStash's failure callbacks: its reports of messages that it put into its DLQ. `/dead-letter` calls
 * this through the dialect.
 *
 * @module
 */
import { isObject, parsed } from "../../../core/json.ts";
import type { DeadLetterReport } from "../../../core/ports/dialect.ts";
import type { PushDelivery } from "../../../core/ports/push_delivery.ts";
import { parametersOf } from "./binding.ts";

/** Reads a failure callback; null for any other body. */
export function readDeadLetter(text: string, push: PushDelivery): DeadLetterReport | null {
  const callback = parsed(text);
  if (!isObject(callback)) return null;
  const { dlqId, retried, url, status, sourceHeader, sourceBody = "", header, body } = callback;
  if (typeof dlqId !== "string") return null;
  return {
    reference: `DLQ id ${dlqId}`,
    attempts: typeof retried === "number" ? retried + 1 : null,
    url: textOf(url),
    request: { headers: headersOf(sourceHeader), body: textOf(sourceBody) },
    answer: {
      status: typeof status === "number" && status > 0 ? status : null,
      headers: headersOf(header),
      body: textOf(body),
    },
    proof: parametersOf(push.url).proof,
  };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Headers as QStash reports them: single values or lists, with or without the forwarding prefix. */
function headersOf(value: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, given] of Object.entries(isObject(value) ? value : {})) {
    const text = textOf([given].flat()[0]);
    if (text !== null) headers[name.toLowerCase().replace(/^upstash-forward-/, "")] = text;
  }
  return headers;
}
