/**
 * The transport that carries messages over HTTP.
 *
 * @module
 */
import {
  aFunction,
  aNumber,
  anything,
  aRecord,
  checkOptions,
  oneOf,
  type OptionCheck,
  withMethods,
} from "../../core/check_options.ts";
import { HEADER } from "../../core/message/headers.ts";
import { withTimeLeft } from "../../core/message/deadline.ts";
import { MAX_BODY_BYTES, type Message, type MessageHeaders } from "../../core/message/message.ts";
import { MAX_REASON_LENGTH } from "../../core/lifecycle/outcome.ts";
import type { PatternTable } from "../../core/message/name_table.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { SendResult, Transport } from "../../core/ports/transport.ts";
import { MAX_BATCH_MESSAGES, MAX_REQUEST_BYTES } from "../../core/wire/wire.ts";
import { Destinations, type HttpDestination } from "./destinations.ts";
import { checkedHeaders } from "./options.ts";
import type { Fetch } from "../../http/post.ts";
import { type HttpRoutes, routeTable } from "./routes.ts";
import { sendAll, type Sending } from "./send.ts";
import { arrivalOf } from "../../core/ports/arrival.ts";
import { destinationOf, type HttpFormat, SigningKeys, type Target } from "./target.ts";

/** What {@linkcode httpTransport} takes. */
export interface HttpTransportOptions {
  /**
   * Message names, or patterns with `*` and `#`, to the URL of the deliver route that takes their messages,
   * or to a list of URLs that each get every message; instead of a URL also `{ url, audience, signingKeys }`.
   * The most exact pattern that matches a name is its route: first one without wildcards, then the one with
   * the most tokens that are not wildcards.
   */
  readonly routes: HttpRoutes;
  /**
   * The keys that sign requests, in base64 with or without `whsec_` before it, 24 to 64 bytes each. Each key
   * signs, so that a receiver with any one of them accepts the request. To rotate: put the new key before the
   * old one in all services, in any order; then remove the old one.
   */
  readonly signingKeys: readonly string[];
  /**
   * The URLs that a publish with `destination` may use. Their receivers are external: each has keys of its
   * own, or gets unsigned requests. Allow only hosts you know: a caller who chooses the destination could
   * otherwise make this service send requests to `localhost` or to a cloud's metadata service.
   *
   * @default none
   */
  readonly destinations?: readonly HttpDestination[];
  /**
   * How requests are made.
   *
   * @default the platform's own `fetch`
   */
  readonly fetch?: Fetch;
  /**
   * How long a request may take until its whole answer has arrived, in milliseconds.
   *
   * @default 10_000
   */
  readonly timeoutMs?: number;
  /**
   * The most messages in a request.
   *
   * @default 100
   */
  readonly maxBatch?: number;
  /**
   * The largest request body, in bytes. Receivers take no more by default.
   *
   * @default 4 MiB
   */
  readonly maxRequestBytes?: number;
  /**
   * The form of requests to routes that name none. `batch`: messages with their headers in a JSON body. `message`:
   * a request for each message, with CAP's headers as HTTP headers and the body as it is; headers that HTTP cannot
   * carry are in the header `atlast-headers`.
   *
   * @default "batch"
   */
  readonly format?: HttpFormat;
  /** Further HTTP headers for each request, such as one that a gateway asks for. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The source of the time.
   *
   * @default the system's clock
   */
  readonly clock?: Pick<Clock, "now">;
}

/** The default of {@linkcode HttpTransportOptions.timeoutMs}: well within a bus's lease. */
export const DEFAULT_TIMEOUT_MS = 10_000;

/** The default of {@linkcode HttpTransportOptions.maxBatch}: enough that the requests cost little. */
export const DEFAULT_MAX_BATCH = 100;

/** The longest that {@linkcode HttpTransportOptions.timeoutMs} may be: longer and leases run out. */
const MAX_TIMEOUT_MS = 10 * 60_000;

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<Exclude<keyof HttpTransportOptions, "routes">, OptionCheck>> = {
  signingKeys: anything,
  destinations: anything,
  fetch: aFunction,
  timeoutMs: aNumber({ whole: true, least: 1, most: MAX_TIMEOUT_MS }),
  maxBatch: aNumber({ whole: true, least: 1, most: MAX_BATCH_MESSAGES }),
  maxRequestBytes: aNumber({ whole: true, least: 1, most: Number.MAX_SAFE_INTEGER }),
  format: oneOf("batch", "message"),
  headers: aRecord,
  clock: withMethods("now"),
};

/**
 * A transport that sends messages to the deliver routes of other services, signed after Standard
 * Webhooks.
 *
 * A message counts as sent when every URL of its route accepted it. If one did not, the message is sent to
 * all of them again, and those that have it recognise its id.
 *
 * @example
 * ```ts ignore
 * const transport = httpTransport({
 *   routes: { "order.*": "https://inventory.example/atlast/deliver" },
 *   signingKeys: [key],
 * });
 * ```
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function httpTransport(options: HttpTransportOptions): Transport {
  return new HttpTransport(options);
}

/** Where one message goes: by the route of its name, or to a destination of its own. */
interface Targets {
  readonly targets: readonly Target[];
  readonly own: boolean;
}

const NOT_ALLOWED = "The transport does not allow its destination";

class HttpTransport implements Transport {
  readonly capabilities: Transport["capabilities"];
  readonly #routes: PatternTable<readonly Target[]>;
  readonly #destinations: Destinations;
  readonly #sending: Sending;

  constructor(options: HttpTransportOptions) {
    checkOptions("make a transport with", options, OPTIONS, { routes: aRecord });
    const {
      format = "batch",
      clock = { now: () => Date.now() },
      maxBatch = DEFAULT_MAX_BATCH,
      maxRequestBytes = MAX_REQUEST_BYTES,
    } = options;
    const keys = new SigningKeys(options.signingKeys, clock);
    this.#routes = routeTable(options.routes, keys, { format, answers: "atlast" });
    this.#destinations = new Destinations(options.destinations, keys);
    this.#sending = {
      limits: { maxBatch, maxRequestBytes },
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      headers: checkedHeaders(options.headers ?? {}),
      // Called as a plain function: Workers refuse a `fetch` that is called as a method.
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      clock,
    };
    this.capabilities = { maxBatch, maxBodyBytes: Math.min(MAX_BODY_BYTES, maxRequestBytes) };
  }

  routes(name: string, headers: MessageHeaders = {}): boolean {
    return this.#targetsOf(name, headers).targets.length > 0;
  }

  destinations(name: string, headers: MessageHeaders = {}): readonly string[] {
    return this.#targetsOf(name, headers).targets.map(destinationOf);
  }

  async send(given: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]> {
    const messages = given.map(withTimeLeft);
    const indexes = this.#indexesByTarget(messages);
    const [routed, notified] = await Promise.all([
      sendAll(byTarget(messages, indexes, false), signal, this.#sending),
      sendAll(byTarget(messages, indexes, true), signal, this.#sending),
    ]);
    return messages.map((message, i) => {
      const { targets, own } = indexes[i]!;
      if (targets.length === 0) {
        const reason = own ? NOT_ALLOWED : `No route matches "${message.name}"`;
        return { kind: "unroutable", reason };
      }
      const outcomes = own ? notified : routed;
      return combined(targets.map((target) => outcomes.get(target)!.get(message)!));
    });
  }

  /** The targets of messages. Messages with the same destination have the same target, and share requests. */
  #indexesByTarget(messages: readonly Message[]): Targets[] {
    const known = new Map<string, Targets>();
    return messages.map(({ name, headers }) => {
      const destination = headers[HEADER.destination];
      if (destination === undefined) return this.#targetsOf(name, headers);
      const indexes = known.get(destination) ?? this.#targetsOf(name, headers);
      known.set(destination, indexes);
      return indexes;
    });
  }

  /** Where a message goes. */
  #targetsOf(name: string, headers: MessageHeaders): Targets {
    const found = this.#destinations.find(headers);
    if (found.kind === "none") return { targets: this.#routes.find(name) ?? [], own: false };
    return { targets: found.kind === "found" ? [found.target] : [], own: true };
  }

  /** Nothing is kept open between calls. */
  async close(): Promise<void> {}
}

/** The messages for each target: those that go by routes, or those with destinations of their own. */
function byTarget(
  messages: readonly Message[],
  indexes: readonly Targets[],
  own: boolean,
): Map<Target, Message[]> {
  const queues = new Map<Target, Message[]>();
  messages.forEach((message, i) => {
    for (const target of indexes[i]!.own === own ? indexes[i]!.targets : []) {
      const queue = queues.get(target);
      if (queue === undefined) queues.set(target, [message]);
      else queue.push(message);
    }
  });
  return queues;
}

/**
 * Sent if each URL accepted it. Otherwise one failure for all, which is retryable if any of them is. If a
 * stop was the only reason, no attempt is counted.
 */
function combined(results: readonly SendResult[]): SendResult {
  const [only] = results;
  if (only !== undefined && results.length === 1) return only;
  if (only !== undefined && results.every(({ kind }) => kind === "unroutable")) return only;
  const failures = results.filter((result) => result.kind === "failed");
  const stops = results.filter((result) =>
    result.kind === "stopping" || result.kind === "unroutable"
  );
  const undone = [...failures, ...stops];
  if (undone.length === 0) return { kind: "sent" };
  const waits = undone.map((result) =>
    result.kind === "unroutable" ? undefined : result.retryAfterMs
  )
    .filter((ms) => ms !== undefined);
  const reason = undone.map(({ reason }) => reason).join("; ").slice(0, MAX_REASON_LENGTH);
  const rest = {
    ...(arrivalOf(results) === "no" ? { arrived: "no" as const } : {}),
    ...(waits.length === 0 ? {} : { retryAfterMs: Math.max(...waits) }),
  };
  if (failures.length === 0) return { kind: "stopping", reason, ...rest };
  const retryable = stops.length > 0 || failures.some((failure) => failure.retryable);
  // Only what every receiver asks for holds for the message.
  const [first] = failures;
  const isCommon = stops.length === 0 &&
    failures.every(({ delayedBy }) => delayedBy === first?.delayedBy);
  const delayedBy = isCommon ? first?.delayedBy : undefined;
  const isAway = stops.length === 0 &&
    failures.every(({ unreachable }) => unreachable !== undefined);
  return {
    kind: "failed",
    reason,
    retryable,
    ...rest,
    ...(isAway && first?.unreachable !== undefined ? { unreachable: first.unreachable } : {}),
    ...(delayedBy === undefined ? {} : { delayedBy }),
  };
}
