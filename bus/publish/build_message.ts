/**
 * Builds a message and its send options from a contract, a body and the options of a publish.
 *
 * @module
 */
import { optionError } from "../../core/check_option.ts";
import { isRecord } from "../../core/check_options.ts";
import { checkCallbackNames } from "../../core/message/callback_names.ts";
import type { Schema } from "../../core/message/contract.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkDelayWithin } from "../../core/message/delay_time.ts";
import { HEADER, normalizeHeaders } from "../../core/message/headers.ts";
import { checkCallerId } from "../../core/message/id.ts";
import { checkBodySize, type Message, type MessageHeaders } from "../../core/message/message.ts";
import { checkName } from "../../core/message/name.ts";
import type { NewRecord } from "../../core/ports/record.ts";
import type { Transport } from "../../core/ports/transport.ts";
import { later, type RetryPolicy } from "../../core/lifecycle/retry.ts";
import { hasRoute } from "../settings/check_answers.ts";
import { type EncodeBody, encodeBody, type EncodedBody } from "./body_codec.ts";
import type { Draft } from "../api/middleware.ts";
import type { PublishOptions } from "../api/publish_options.ts";

/** A checked message with its send options. */
export type Composed = Pick<NewRecord, "message" | "dueAtMs" | "deadlineMs" | "retry">;

/** The rules for messages of one name; every contract has this shape. */
export interface Rules {
  /** The schema of the body; undefined if any body is allowed. */
  readonly body: Schema | undefined;
  /** When a failed send is tried again, unless the options of the publish say otherwise. */
  readonly retry?: RetryPolicy;
}

/** The limits and checks of composing a message. */
interface Bounds {
  /** When it is composed, in Unix milliseconds. */
  readonly nowMs: number;
  /** The largest body, in bytes. */
  readonly maxBodyBytes: number;
  /**
   * Encodes the body of the draft.
   *
   * @default {@linkcode encodeBody}
   */
  readonly encode?: EncodeBody;
  /** Throws for a message that cannot be sent. Called before the body is encoded. */
  readonly admit?: (name: string, headers: MessageHeaders) => void;
  /**
   * The participant of a half message whose keeper is another service; omitted for all other
   * messages.
   */
  readonly participant?: string;
}

/** Builds messages that differ only in id and body. */
export type Composer = (id: string, body: unknown) => Composed | Promise<Composed>;

/**
 * Checks and builds a message.
 *
 * @throws {ContractError} When the body does not fit the contract.
 * @throws {AtlastError} `too_large`, `invalid_header`, `invalid_id`, `invalid_name`, `invalid_option`.
 */
export async function compose(
  draft: Draft,
  rules: Rules,
  options: PublishOptions,
  bounds: Bounds,
): Promise<Composed> {
  return await composer(draft, rules, options, bounds)(draft.id, draft.body);
}

/** Returns a builder for many messages. What they have in common is checked once. */
export function composer(
  { name, headers: given }: Pick<Draft, "name" | "headers">,
  rules: Rules,
  options: PublishOptions,
  { nowMs, maxBodyBytes, encode = encodeBody, admit, participant }: Bounds,
): Composer {
  checkName(name);
  if (!isRecord(given)) {
    throw optionError("publish with", "headers", given, "an object with named values");
  }
  const headers = ownHeaders(normalizeHeaders(given), participant);
  checkCallbackNames(headers);
  admit?.(name, headers);
  const what = `body of "${name}"`;
  const { delayMs = 0 } = options;
  checkDelayWithin("publish", delayMs, options.deadlineMs);
  const dueAtMs = later(nowMs, delayMs);
  const deadlineMs = deadlineOf(nowMs, options.deadlineMs);
  const retry = options.retry ?? rules.retry ?? null;
  const composed = (id: string, { contentType, body }: EncodedBody): Composed => {
    checkBodySize(body, maxBodyBytes);
    const message: Message = { id, name, headers, contentType, body, sentAtMs: nowMs };
    return { message, dueAtMs, deadlineMs, retry };
  };
  return (id, body) => {
    checkCallerId(id);
    const encoded = encode(rules.body, body, options.contentType, what);
    return encoded instanceof Promise
      ? encoded.then((each) => composed(id, each))
      : composed(id, encoded);
  };
}

/**
 * Sets the headers that only the bus may set, and removes them from the given ones. A caller may
 * pass on the headers of the message it handles; that does not make the new one a half message, or
 * one sent after a failure.
 */
function ownHeaders(headers: MessageHeaders, participant: string | undefined): MessageHeaders {
  const own = { [HEADER.participant]: participant, [HEADER.afterFailure]: undefined };
  const isPlain = Object.entries(own).every(([name, value]) => headers[name] === value);
  return isPlain ? headers : normalizeHeaders({ ...headers, ...own });
}

/** The headers of the options, together with the caller's. */
export function headersOf(options: PublishOptions): Record<string, string> {
  const headers: Record<string, string | undefined> = { ...options.headers };
  const { callback, failureCallback } = options;
  if (callback !== undefined) headers[HEADER.callbackName] = callback.name;
  if (failureCallback !== undefined) {
    headers[HEADER.failureCallbackName] = failureCallback.name;
  }
  if (options.delayMs !== undefined) headers[HEADER.delayTime] = String(options.delayMs);
  if (options.destination !== undefined) {
    headers[HEADER.destination] = destinationText(options.destination);
  }
  return normalizeHeaders(headers);
}

/**
 * Refuses a message that the transport has no route or destination for.
 *
 * @param routing The routes of the bus, or of its transport.
 * @param action The action, for the error text: `publish` or `prepare`.
 * @throws {AtlastError} `no_route`. Its text never shows a URL, which may contain a secret.
 */
export function mustRoute(
  routing: Pick<Transport, "routes">,
  action: string,
  name: string,
  headers: MessageHeaders,
): void {
  if (hasRoute(routing, name, headers)) return;
  throw new AtlastError(
    "no_route",
    headers[HEADER.destination] === undefined
      ? `Cannot ${action} "${name}": the transport has no destination for it, want a route or a subscriber`
      : `Cannot ${action} "${name}" to a destination of its own: the transport does not send there, ` +
        `want an http(s) URL that its option destinations allows`,
  );
}

/** A URL in the form that a header allows. Any other text is left for the transport to refuse. */
function destinationText(destination: string | URL): string {
  return typeof destination === "string" && !URL.canParse(destination)
    ? destination
    : new URL(destination).href;
}

function deadlineOf(nowMs: number, deadlineMs: number | undefined): number | null {
  return deadlineMs === undefined ? null : later(nowMs, deadlineMs);
}
