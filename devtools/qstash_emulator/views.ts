/**
 * The JSON of an account's records in the API. Undefined fields are left out.
 *
 * @module
 */
import { toBase64 } from "../../core/wire/base64.ts";
import { shownHeaders } from "./headers.ts";
import type {
  AttemptResult,
  CallbackConfig,
  DlqRecord,
  EventRecord,
  HeaderMap,
  MessageConfig,
  MessageRecord,
  MessageTarget,
  ScheduleRecord,
} from "./records.ts";

/** A JSON object. */
type Shown = Record<string, unknown>;

/** The hashes of hidden parts: of the body by "", of headers by their names. */
type Redacted = ReadonlyMap<string, string>;

/** A message. */
export function shownMessage(message: MessageRecord): Shown {
  const { config, redacted } = message;
  return {
    messageId: message.id,
    ...shownTarget(message),
    url: message.url,
    ...shownConfig(config),
    header: shownHeader(config, redacted),
    callbackHeader: shownForwarded(config, config.callback),
    failureCallbackHeader: shownForwarded(config, config.failureCallback),
    ...shownBody(message.body, redacted),
    maxRetries: config.retry.maxRetries,
    retryDelayExpression: config.retry.expressionText,
    notBefore: message.notBeforeMs,
    createdAt: message.createdAtMs,
  };
}

/** A message in the DLQ. */
export function shownDlqMessage({ dlqId, message, result }: DlqRecord): Shown {
  return { ...shownMessage(message), dlqId, ...shownResult(result) };
}

/** A schedule. */
export function shownSchedule(schedule: ScheduleRecord): Shown {
  const { config, redacted } = schedule;
  return {
    scheduleId: schedule.id,
    cron: schedule.cron,
    createdAt: schedule.createdAtMs,
    destination: schedule.destination,
    ...shownConfig(config),
    header: shownHeader(config, redacted),
    callbackHeader: shownForwarded(config, config.callback),
    failureCallbackHeader: shownForwarded(config, config.failureCallback),
    ...shownBody(schedule.body, redacted),
    retries: config.retry.maxRetries,
    retryDelayExpression: config.retry.expressionText,
    delay: config.delayMs === 0 ? undefined : config.delayMs / 1000,
    queueName: schedule.queueName,
    isPaused: schedule.paused,
    lastScheduleTime: schedule.lastMs,
    nextScheduleTime: schedule.nextMs,
    lastScheduleStates: schedule.lastStates.size === 0
      ? undefined
      : Object.fromEntries(schedule.lastStates),
  };
}

/** An event. */
export function shownEvent({ timeMs, state, message, nextDeliveryMs, result }: EventRecord): Shown {
  const { config, redacted } = message;
  // In events a header is one text, in messages a list.
  const header = Object.entries(shownHeader(config, redacted))
    .map(([name, values]) => [name, values.join(", ")] as const);
  return {
    time: timeMs,
    state,
    messageId: message.id,
    nextDeliveryTime: nextDeliveryMs,
    error: result?.error,
    ...shownTarget(message),
    url: message.url,
    ...shownConfig(config),
    header: Object.fromEntries(header),
    callbackHeaders: shownForwarded(config, config.callback),
    failureCallbackHeaders: shownForwarded(config, config.failureCallback),
    body: redacted.get("") ?? toBase64(message.body),
    ...(state === "ERROR" && result !== undefined ? shownError(result) : {}),
    timeout: config.timeoutMs,
    maxRetries: config.retry.maxRetries,
    retryDelayExpression: config.retry.expressionText,
    // The client in Python reads this name.
    retryDelayExpr: config.retry.expressionText,
  };
}

function shownTarget({ topicName, endpointName, queueName, scheduleId }: MessageTarget): Shown {
  return { topicName, endpointName, queueName, scheduleId };
}

function shownConfig(config: MessageConfig): Shown {
  const { labels, flow } = config;
  return {
    method: config.method,
    callback: config.callback?.url,
    failureCallback: config.failureCallback?.url,
    callerIP: config.callerIp,
    label: labels[0],
    labels: labels.length === 0 ? undefined : labels,
    flowControlKey: flow?.key,
    parallelism: flow?.parallelism,
    rate: flow?.rate,
    period: flow?.periodSeconds,
  };
}

function shownHeader(config: MessageConfig, redacted: Redacted): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(config.header).map(([name, values]) => {
      const hidden = redacted.get(name);
      return [name, hidden === undefined ? values : [hidden]];
    }),
  );
}

/** The headers of a callback, without those that the message hides; undefined for none. */
function shownForwarded(
  { redaction }: MessageConfig,
  callback: CallbackConfig | undefined,
): HeaderMap | undefined {
  if (callback === undefined || redaction?.allHeaders) return undefined;
  const shown = Object.entries(callback.forwarded)
    .filter(([name]) => !redaction?.headers.has(name));
  return shown.length === 0 ? undefined : Object.fromEntries(shown);
}

function shownBody(body: Uint8Array, redacted: Redacted): Shown {
  const hidden = redacted.get("");
  if (hidden !== undefined) return { body: hidden };
  return body.length === 0 ? {} : shownBytes("body", body);
}

function shownResult({ status, headers, body }: AttemptResult): Shown {
  return {
    responseStatus: status,
    responseHeader: shownHeaders(headers),
    ...shownBytes("responseBody", body),
  };
}

/** The answer of a failed attempt, in its event. */
function shownError({ status, headers, body }: AttemptResult): Shown {
  return {
    responseStatus: status,
    responseHeaders: shownHeaders(headers),
    // The client in Python reads this name.
    responseHeader: shownHeaders(headers),
    responseBody: toBase64(body),
  };
}

/** Bytes as text under one name if they are UTF-8, otherwise as base64 under another. */
function shownBytes(name: string, bytes: Uint8Array): Shown {
  try {
    return { [name]: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { [`${name}Base64`]: toBase64(bytes) };
  }
}
