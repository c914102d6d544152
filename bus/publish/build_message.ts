/**
 * Builds a message and its sending options from a contract, a body and the options of a publish.
 *
 * @module
 */
import { checkCallbackNames } from "../../core/message/callback_names.ts";
import type { Schema } from "../../core/message/contract.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER, normalizeHeaders } from "../../core/message/headers.ts";
import { checkCallerId } from "../../core/message/id.ts";
import { checkBodySize, type Message, type MessageHeaders } from "../../core/message/message.ts";
import { checkName } from "../../core/message/name.ts";
import type { NewRecord } from "../../core/ports/record.ts";
import type { Transport } from "../../core/ports/transport.ts";
import {
  checkRetryPolicy,
  END_OF_TIME_MS,
  later,
  type RetryPolicy,
} from "../../core/lifecycle/retry.ts";
import { hasRoute } from "../settings/check_answers.ts";
import { type EncodeBody, encodeBody, type EncodedBody } from "./body_codec.ts";
import type { Draft } from "../api/middleware.ts";
import type { PublishOptions } from "../api/publish_options.ts";

/** A message that was checked, with how it is to be sent. */
export type Composed = Pick<NewRecord, "message" | "dueAtMs" | "deadlineMs" | "retry">;

/** What holds for a message of its name; every contract fits. */
export interface Rules {
  /** The schema of its body; undefined for one that may be anything. */
  readonly body: Schema | undefined;
  /** When a failed sending is tried again, if its own options say nothing. */
  readonly retry?: RetryPolicy;
}

/** What a message is composed within. */
interface Bounds {
  /** When it is composed, in Unix milliseconds. */
  readonly nowMs: number;
  /** The largest body, in bytes. */
  readonly maxBodyBytes: number;
  /**
   * From the draft's body to the message's.
   *
   * @default as its content type wants it
   */
  readonly encode?: EncodeBody;
  /** Refuses by throwing what could not be sent; asked before the body is looked at. */
  readonly admit?: (name: string, headers: MessageHeaders) => void;
  /** The participant whose half message it is, for a keeper elsewhere; not given for any other message. */
  readonly participant?: string;
}

/** Makes messages that differ in their id and their body. */
export type Composer = (id: string, body: unknown) => Composed | Promise<Composed>;

/**
 * Checks all there is to check of a message and makes it.
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

/** The same for many messages, of which what they have in common is checked once. */
export function composer(
  { name, headers: given }: Pick<Draft, "name" | "headers">,
  rules: Rules,
  options: PublishOptions,
  { nowMs, maxBodyBytes, encode = encodeBody, admit, participant }: Bounds,
): Composer {
  checkName(name);
  const headers = ownHeaders(normalizeHeaders(given), participant);
  checkCallbackNames(headers);
  admit?.(name, headers);
  checkContentType(options.contentType);
  if (options.retry !== undefined) checkRetryPolicy(options.retry);
  const what = `body of "${name}"`;
  const dueAtMs = later(nowMs, checkDelay("delayMs", options.delayMs) ?? 0);
  const deadlineMs = deadlineOf(nowMs, checkDelay("deadlineMs", options.deadlineMs));
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
 * Headers with what the bus alone says of a message. A caller who passes on those of the message in hand, as for
 * tracing, does not mean that the new one is a half message too, or was sent after a failure.
 */
function ownHeaders(headers: MessageHeaders, participant: string | undefined): MessageHeaders {
  const own = { [HEADER.participant]: participant, [HEADER.afterFailure]: undefined };
  const isPlain = Object.entries(own).every(([name, value]) => headers[name] === value);
  return isPlain ? headers : normalizeHeaders({ ...headers, ...own });
}

/** The headers that options ask for, with those the caller brings. */
export function headersOf(options: PublishOptions): Record<string, string> {
  const headers: Record<string, string | undefined> = { ...options.headers };
  const { callback, failureCallback } = options;
  if (callback !== undefined) headers[HEADER.callbackName] = nameOf("callback", callback);
  if (failureCallback !== undefined) {
    headers[HEADER.failureCallbackName] = nameOf("failureCallback", failureCallback);
  }
  if (options.delayMs !== undefined) headers[HEADER.delayTime] = String(options.delayMs);
  if (options.destination !== undefined) {
    headers[HEADER.destination] = destinationText(options.destination);
  }
  return normalizeHeaders(headers);
}

/** Without its name the callback would silently never be sent. */
function nameOf(option: string, contract: { readonly name: string }): string {
  if (typeof contract?.name === "string") return contract.name;
  throw new AtlastError(
    "invalid_option",
    `Cannot publish with a ${option} of type ${typeof contract}: want a contract, as defineMessage makes`,
  );
}

/**
 * Refuses what a transport would not know where to send.
 *
 * @param action What is done with it, for the error: `publish` or `prepare`.
 * @throws {AtlastError} `no_route`, which never shows a URL, as it may hold a secret.
 */
export function mustRoute(
  transport: Transport,
  action: string,
  name: string,
  headers: MessageHeaders,
): void {
  if (hasRoute(transport, name, headers)) return;
  throw new AtlastError(
    "no_route",
    headers[HEADER.destination] === undefined
      ? `Cannot ${action} "${name}": the transport has no destination for it, want a route or a subscriber`
      : `Cannot ${action} "${name}" to a destination of its own: the transport does not send there, ` +
        `want an http(s) URL that its option destinations allows`,
  );
}

/** A URL as it can stand in a header; what is none is left for the transport to refuse. */
function destinationText(destination: string | URL): string {
  return typeof destination === "string" && !URL.canParse(destination)
    ? destination
    : new URL(destination).href;
}

function deadlineOf(nowMs: number, deadlineMs: number | undefined): number | null {
  return deadlineMs === undefined ? null : later(nowMs, deadlineMs);
}

/** A content type becomes a header on the way, so what could split one is refused. */
function checkContentType(contentType: string | undefined): void {
  if (contentType !== undefined && !/^[\x20-\x7e]{1,255}$/.test(contentType)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot publish with a contentType of ${contentType.length} characters: want 1 to 255 of printable ASCII`,
    );
  }
}

function checkDelay(option: string, value: number | undefined): number | undefined {
  if (value === undefined) return value;
  if (!(typeof value === "number" && value >= 0 && value <= END_OF_TIME_MS)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot publish with ${option} ${value}: want milliseconds from 0 on`,
    );
  }
  return value;
}
