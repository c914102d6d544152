/**
 * Reads the configuration of a message from the `Upstash-*` headers of its request.
 *
 * @module
 */
import { durationMs } from "./duration.ts";
import { parseExpression } from "./expression.ts";
import { canonicalName, forwardedHeaders } from "./headers.ts";
import type { QstashLimits } from "./plans.ts";
import type {
  CallbackConfig,
  FlowControl,
  MessageConfig,
  Redaction,
  RetryRule,
} from "./records.ts";
import { COLON_IN_DEDUPLICATION_ID, NO_WORKFLOWS, Refusal } from "./refusal.ts";

/** The headers of a request, their names in lower case. */
export type Fields = ReadonlyMap<string, string>;

/** The default number of retries of QStash. */
const DEFAULT_RETRIES = 3;

/** The longest period of a flow control rate, in milliseconds. */
const MAX_PERIOD_MS = 7 * 86_400_000;

const METHODS: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);

/**
 * Reads the configuration of a message.
 *
 * @param nowMs Unix time in milliseconds.
 * @throws {Refusal} 400 for values that cannot be read or exceed the plan's limits.
 */
export function readConfig(
  fields: Fields,
  limits: QstashLimits,
  callerIp: string,
  nowMs: number,
): MessageConfig {
  refuseWorkflow(fields);
  const retry = readRetry(fields, "upstash-", undefined, limits);
  const timeoutMs = readTimeout(fields, "upstash-timeout", limits);
  const callback = readCallback(fields, "upstash-callback", retry, limits);
  const failureCallback = readCallback(fields, "upstash-failure-callback", retry, limits);
  const flow = readFlow(fields);
  const redaction = readRedaction(fields.get("upstash-redact-fields"));
  const deduplicationId = fields.get("upstash-deduplication-id");
  if (deduplicationId?.includes(":")) throw new Refusal(400, COLON_IN_DEDUPLICATION_ID);
  const notBeforeMs = readNotBefore(fields, limits, nowMs);
  return {
    method: readMethod(fields.get("upstash-method")),
    header: readHeader(fields),
    delayMs: readDelay(fields, limits),
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    retry,
    timeoutMs,
    ...(callback === undefined ? {} : { callback }),
    ...(failureCallback === undefined ? {} : { failureCallback }),
    labels: (fields.get("upstash-label") ?? "").split(",").map((label) => label.trim())
      .filter((label) => label !== ""),
    ...(flow === undefined ? {} : { flow }),
    ...(redaction === undefined ? {} : { redaction }),
    ...(deduplicationId === undefined || deduplicationId === "" ? {} : { deduplicationId }),
    contentBasedDeduplication: readFlag(fields, "upstash-content-based-deduplication"),
    callerIp,
  };
}

/** Workflows have headers of their own; as an ordinary message, a step would be delivered and never run. */
function refuseWorkflow(fields: Fields): void {
  for (const name of fields.keys()) {
    if (/^upstash-(callback-|failure-callback-)?workflow-/.test(name)) {
      throw new Refusal(400, `${NO_WORKFLOWS}: got the header ${name}`);
    }
  }
}

/** Reads true or false, which clients in Python write with a capital letter. */
function readFlag(fields: Fields, name: string): boolean {
  const text = fields.get(name)?.toLowerCase() ?? "false";
  if (text === "true" || text === "false") return text === "true";
  throw new Refusal(400, `invalid ${name}: want true or false`);
}

function readHeader(fields: Fields): Record<string, string[]> {
  const header: Record<string, string[]> = {};
  if (readFlag(fields, "upstash-header-forward")) {
    const incoming = [...fields].filter(([name]) =>
      !name.startsWith("upstash-") && name !== "authorization"
    );
    Object.assign(header, forwardedHeaders(incoming, ""));
  }
  const contentType = fields.get("content-type");
  if (contentType !== undefined) header["Content-Type"] = [contentType];
  return Object.assign(header, forwardedHeaders(fields, "upstash-forward-"));
}

function readMethod(text: string | undefined): string {
  const method = (text ?? "POST").toUpperCase();
  if (METHODS.has(method)) return method;
  throw new Refusal(400, `invalid method: want one of ${[...METHODS].join(", ")}`);
}

function readDelay(fields: Fields, limits: QstashLimits): number {
  const text = fields.get("upstash-delay");
  if (text === undefined) return 0;
  // QStash takes whole seconds, minutes, hours and days.
  const ms = /^(\d+[smhd])+$/.test(text) ? durationMs(text) : undefined;
  if (ms === undefined) throw new Refusal(400, "invalid delay: want a duration such as 1d10h30m");
  return withinDelay(ms, limits);
}

function readNotBefore(fields: Fields, limits: QstashLimits, nowMs: number): number | undefined {
  const text = fields.get("upstash-not-before");
  if (text === undefined) return undefined;
  if (!/^\d{1,12}$/.test(text)) {
    throw new Refusal(400, "invalid not before: want unix seconds");
  }
  return nowMs + withinDelay(Number(text) * 1000 - nowMs, limits);
}

function withinDelay(ms: number, limits: QstashLimits): number {
  if (ms <= limits.maxDelayMs) return ms;
  throw new Refusal(412, "quota maxDelay exceeded");
}

function readRetry(
  fields: Fields,
  prefix: string,
  inherited: RetryRule | undefined,
  limits: QstashLimits,
): RetryRule {
  const text = fields.get(`${prefix}retries`);
  if (text !== undefined && !/^\d{1,9}$/.test(text)) {
    throw new Refusal(400, "invalid retries: want a whole number from 0 on");
  }
  const maxRetries = text === undefined
    ? inherited?.maxRetries ?? Math.min(DEFAULT_RETRIES, limits.maxRetries)
    : Number(text);
  if (maxRetries > limits.maxRetries) throw new Refusal(412, "quota maxRetries exceeded");
  const expressionText = fields.get(`${prefix}retry-delay`);
  if (expressionText === undefined) {
    const { expression, expressionText: shown } = inherited ?? {};
    return expression === undefined || shown === undefined
      ? { maxRetries }
      : { maxRetries, expression, expressionText: shown };
  }
  const expression = parseExpression(expressionText);
  if (expression === undefined) {
    throw new Refusal(
      400,
      "invalid retry delay: want an expression such as pow(2, retried) * 1000",
    );
  }
  return { maxRetries, expression, expressionText };
}

function readTimeout(fields: Fields, name: string, limits: QstashLimits): number {
  const text = fields.get(name);
  if (text === undefined) return limits.maxResponseMs;
  const ms = durationMs(text);
  if (ms === undefined || ms <= 0) {
    throw new Refusal(400, "invalid timeout: want a duration such as 30s");
  }
  return Math.min(ms, limits.maxResponseMs);
}

function readCallback(
  fields: Fields,
  name: "upstash-callback" | "upstash-failure-callback",
  retry: RetryRule,
  limits: QstashLimits,
): CallbackConfig | undefined {
  const url = fields.get(name);
  if (url === undefined || url === "") return undefined;
  if (!isHttpUrl(url)) {
    throw new Refusal(
      400,
      "invalid callback url: endpoint has invalid scheme, add http:// or https://",
    );
  }
  if (fields.has(`${name}-delay`)) {
    throw new Refusal(400, "messages with delayed callbacks are not allowed");
  }
  const forwarded = forwardedHeaders(fields, `${name}-forward-`);
  return {
    url,
    method: readMethod(fields.get(`${name}-method`)),
    header: { "Content-Type": ["application/json"], ...forwarded },
    forwarded,
    timeoutMs: readTimeout(fields, `${name}-timeout`, limits),
    retry: readRetry(fields, `${name}-`, retry, limits),
  };
}

function readFlow(fields: Fields): FlowControl | undefined {
  const key = fields.get("upstash-flow-control-key");
  const value = fields.get("upstash-flow-control-value");
  if (key === undefined && value === undefined) return undefined;
  if (!key) throw invalidFlow();
  const parts = new Map(
    (value ?? "").split(",").map((part) => {
      const [name, text = ""] = part.split("=");
      return [name!.trim(), text.trim()] as const;
    }),
  );
  const parallelism = positive(parts.get("parallelism"));
  const rate = positive(parts.get("rate"));
  const periodText = parts.get("period") ?? "1s";
  const periodMs = /^\d+$/.test(periodText) ? Number(periodText) * 1000 : durationMs(periodText);
  const names = [...parts.keys()].filter((name) =>
    !["parallelism", "rate", "period"].includes(name)
  );
  if (
    names.length > 0 || (parallelism === undefined && rate === undefined) ||
    periodMs === undefined || periodMs < 1000 || periodMs > MAX_PERIOD_MS
  ) throw invalidFlow();
  return {
    key,
    ...(parallelism === undefined ? {} : { parallelism }),
    ...(rate === undefined ? {} : { rate }),
    periodSeconds: Math.floor(periodMs / 1000),
  };
}

function positive(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw invalidFlow();
  return Number(text);
}

function invalidFlow(): Refusal {
  return new Refusal(
    400,
    "invalid flow control: want a key, and a value such as parallelism=2, rate=10, period=1m",
  );
}

function readRedaction(text: string | undefined): Redaction | undefined {
  if (text === undefined) return undefined;
  const headers = new Set<string>();
  let [body, allHeaders] = [false, false];
  for (const field of text.split(",").map((part) => part.trim())) {
    const name = /^headers?\[(.+)\]$/.exec(field)?.[1];
    if (field === "body") body = true;
    else if (field === "header" || field === "headers") allHeaders = true;
    else if (name !== undefined) headers.add(canonicalName(name));
    else throw new Refusal(400, "invalid redact fields: want body, header or header[Name]");
  }
  return { body, allHeaders, headers };
}

/** Whether a text is an absolute URL of HTTP. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^/?#]/i.test(text) && URL.canParse(text);
}
