/**
 * The callbacks and failure callbacks of a message.
 *
 * @module
 */
import { toBase64 } from "../../core/wire/base64.ts";
import { shownHeaders } from "./headers.ts";
import type { AttemptResult, CallbackConfig, MessageConfig, MessageRecord } from "./records.ts";

/** The body of a callback or, with a `dlqId`, of a failure callback. */
export function callbackBody(
  message: MessageRecord,
  result: AttemptResult,
  dlqId?: string,
): Uint8Array<ArrayBuffer> {
  const { topicName, endpointName, scheduleId, config } = message;
  return new TextEncoder().encode(JSON.stringify({
    status: result.status,
    header: shownHeaders(result.headers),
    body: toBase64(result.body),
    retried: message.retried,
    maxRetries: config.retry.maxRetries,
    dlqId,
    sourceMessageId: message.id,
    topicName,
    endpointName,
    url: message.url,
    method: config.method,
    sourceHeader: config.header,
    sourceBody: toBase64(message.body),
    notBefore: message.notBeforeMs,
    createdAt: message.createdAtMs,
    scheduleId,
    callerIP: config.callerIp,
  }));
}

/** The configuration of the message that carries a callback. */
export function callbackConfig(callback: CallbackConfig, source: MessageConfig): MessageConfig {
  const { method, header, timeoutMs, retry } = callback;
  return {
    method,
    header,
    delayMs: 0,
    retry,
    timeoutMs,
    labels: [],
    contentBasedDeduplication: false,
    callerIp: source.callerIp,
  };
}
