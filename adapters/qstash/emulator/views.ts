/**
 * What the API shows of what an account holds.
 *
 * @module
 */
import { toBase64 } from "../../../core/wire.ts";
import { shownHeaders } from "./headers.ts";
import type {
  AttemptResult,
  DlqRecord,
  EventRecord,
  FlowControl,
  MessageConfig,
  MessageRecord,
  MessageTarget,
  ScheduleRecord,
} from "./records.ts";

/** A JSON object. */
type Shown = Record<string, unknown>;

/** A message. */
export function shownMessage(message: MessageRecord): Shown {
  return {
    messageId: message.id,
    ...shownTarget(message),
    url: message.url,
    ...shownConfig(message.config, message.redacted),
    ...shownBody(message.body, message.redacted),
    maxRetries: message.config.retry.maxRetries,
    notBefore: message.notBeforeMs,
    createdAt: message.createdAtMs,
    callerIP: message.config.callerIp,
  };
}

/** A message in the DLQ. */
export function shownDlqMessage({ dlqId, message, result }: DlqRecord): Shown {
  return { ...shownMessage(message), dlqId, ...shownResult(result) };
}

/** A schedule. */
export function shownSchedule(schedule: ScheduleRecord): Shown {
  const { config } = schedule;
  return {
    scheduleId: schedule.id,
    cron: schedule.cron,
    createdAt: schedule.createdAtMs,
    destination: schedule.destination,
    ...shownConfig(config, schedule.redacted),
    ...shownBody(schedule.body, schedule.redacted),
    retries: config.retry.maxRetries,
    ...(config.delayMs === 0 ? {} : { delay: config.delayMs / 1000 }),
    ...(schedule.queueName === undefined ? {} : { queueName: schedule.queueName }),
    isPaused: schedule.paused,
    callerIP: config.callerIp,
    ...(schedule.lastMs === undefined ? {} : { lastScheduleTime: schedule.lastMs }),
    ...(schedule.nextMs === undefined ? {} : { nextScheduleTime: schedule.nextMs }),
    ...(schedule.lastStates.size === 0
      ? {}
      : { lastScheduleStates: Object.fromEntries(schedule.lastStates) }),
  };
}

/** An event. */
export function shownEvent({ timeMs, state, message, nextDeliveryMs, result }: EventRecord): Shown {
  const { config, redacted } = message;
  const header = Object.entries(config.header).map(([name, values]) =>
    [name, redacted.get(name) ?? values.join(", ")] as const
  );
  return {
    time: timeMs,
    state,
    messageId: message.id,
    ...(nextDeliveryMs === undefined ? {} : { nextDeliveryTime: nextDeliveryMs }),
    ...(result?.error === undefined ? {} : { error: result.error }),
    ...shownTarget(message),
    url: message.url,
    header: Object.fromEntries(header),
    body: redacted.get("") ?? toBase64(message.body),
    ...(result === undefined ? {} : shownResult(result)),
    timeout: config.timeoutMs,
    method: config.method,
    maxRetries: config.retry.maxRetries,
    callerIP: config.callerIp,
    ...(config.callback === undefined ? {} : { callback: config.callback.url }),
    ...(config.failureCallback === undefined
      ? {}
      : { failureCallback: config.failureCallback.url }),
    ...shownLabels(config),
    ...(config.flow === undefined ? {} : shownFlow(config.flow)),
  };
}

/** Bytes as text under one name if they are UTF-8, else as base64 under another. */
export function shownBytes(name: string, bytes: Uint8Array): Shown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { [name]: text };
  } catch {
    return { [`${name}Base64`]: toBase64(bytes) };
  }
}

function shownTarget(target: MessageTarget): Shown {
  const { topicName, endpointName, queueName, scheduleId } = target;
  return {
    ...(topicName === undefined ? {} : { topicName }),
    ...(endpointName === undefined ? {} : { endpointName }),
    ...(queueName === undefined ? {} : { queueName }),
    ...(scheduleId === undefined ? {} : { scheduleId }),
  };
}

function shownConfig(config: MessageConfig, redacted: ReadonlyMap<string, string>): Shown {
  const header = Object.entries(config.header).map(([name, values]) =>
    [name, redacted.has(name) ? [redacted.get(name)] : values] as const
  );
  const { expressionText } = config.retry;
  return {
    method: config.method,
    header: Object.fromEntries(header),
    ...(config.callback === undefined ? {} : { callback: config.callback.url }),
    ...(config.failureCallback === undefined
      ? {}
      : { failureCallback: config.failureCallback.url }),
    ...shownLabels(config),
    ...(config.flow === undefined ? {} : shownFlow(config.flow)),
    ...(expressionText === undefined ? {} : { retryDelayExpression: expressionText }),
  };
}

function shownBody(body: Uint8Array, redacted: ReadonlyMap<string, string>): Shown {
  const hidden = redacted.get("");
  if (hidden !== undefined) return { body: hidden };
  return body.length === 0 ? {} : shownBytes("body", body);
}

function shownLabels({ labels }: MessageConfig): Shown {
  return labels.length === 0 ? {} : { label: labels[0], labels };
}

function shownFlow({ key, parallelism, rate, periodSeconds }: FlowControl): Shown {
  return {
    flowControlKey: key,
    ...(parallelism === undefined ? {} : { parallelism }),
    ...(rate === undefined ? {} : { rate, period: periodSeconds }),
  };
}

function shownResult({ status, headers, body }: AttemptResult): Shown {
  return {
    responseStatus: status,
    responseHeader: shownHeaders(headers),
    ...shownBytes("responseBody", body),
  };
}
