/**
 * The publish route: services in other languages publish through the outbox of this service.
 *
 * @module
 */
import type { Receipt } from "../../bus/api/publish_options.ts";
import type { RawMessage } from "../../bus/api/raw_message.ts";
import { checkCallbackNames, checkCallbacksAllowed } from "../../core/message/callback_names.ts";
import { aList, anything, checkOptions, type OptionCheck } from "../../core/check_options.ts";
import { checkContract, type Contract } from "../../core/message/contract.ts";
import { readDelayTime } from "../../core/message/delay_time.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER, normalizeHeaders } from "../../core/message/headers.ts";
import { bindsHeaders } from "../../http/signature_id.ts";
import { withOtherHeaders } from "../../http/raw_message.ts";
import { checkedUrl } from "../../http/url.ts";
import {
  JSON_CONTENT_TYPE,
  type MessageBody,
  type MessageHeaders,
} from "../../core/message/message.ts";
import { checkName, checkPattern, matchesName } from "../../core/message/name.ts";
import { batchItems, fieldsOfItem, isBatch, type Verify } from "../../core/wire/wire.ts";
import { answer } from "../http/response.ts";
import type { EdgeBus } from "../edge_bus.ts";
import type { Route } from "../http/error_boundary.ts";
import { keptBody, textOf } from "../http/message_body.ts";
import { messageFields, withinHeaderLimit } from "../http/headers.ts";
import { Refusal } from "../http/status.ts";
import { verified } from "../auth/authenticate.ts";

/** The options of the publish route. */
export interface PublishRouteOptions {
  /**
   * Decides whether a request may publish. Use other keys or tokens than for deliveries: the right
   * to deliver to this service does not include the right to publish in its name, and a delivery
   * must not be replayed as a publish.
   */
  readonly verify: Verify;
  /** The contracts that may be published. Bodies are validated with their schemas. */
  readonly contracts?: readonly Contract[];
  /**
   * Names that may be published without validation, or patterns of names: `order.*`, `#` for all.
   */
  readonly names?: readonly string[];
  /**
   * The names, or patterns of names, that may be requested for callbacks and failure callbacks.
   * Replies are sent with this service's routes and keys. If the principal of `verify` has a list
   * too, a name must be in both.
   *
   * @default the list of the principal of `verify`; no names if it has none
   */
  readonly callbackNames?: readonly string[];
}

/** The longest content type that a message has. */
const MAX_CONTENT_TYPE_LENGTH = 255;

const aPattern: OptionCheck = (_option, value) => checkPattern(value as string);

/** Those that are not checked here are checked where they are read. */
const PUBLISH_ROUTE_OPTIONS: Readonly<Record<keyof PublishRouteOptions, OptionCheck>> = {
  verify: anything,
  contracts: aList((_option, value, attempt) => checkContract(value, attempt)),
  names: aList(aPattern),
  callbackNames: aList(aPattern),
};

/** What the route needs. */
interface PublishParts {
  readonly publish: NonNullable<EdgeBus["publishRaw"]>;
  readonly flush: EdgeBus["flush"];
  readonly maxBodyBytes: number;
}

/** Creates the route. */
export function publishRoute(parts: PublishParts, options: PublishRouteOptions): Route {
  const { publish, flush, maxBodyBytes } = parts;
  checkOptions("make the publish route with", options, PUBLISH_ROUTE_OPTIONS);
  const allowed = allowList(options);
  const { callbackNames = null } = options;
  return async (request, around) => {
    const { body, principal, push } = await verified(
      request,
      options.verify,
      maxBodyBytes,
      "publish",
      around,
    );
    if (push !== null && !push.bindsHeaders) {
      throw new Refusal(403, "forbidden", "Cannot publish a message whose headers are not signed");
    }
    const { message, delayMs } = isBatch(request.headers.get("content-type"))
      ? readItem(request.headers, body)
      : readRaw(request.headers, body);
    const contract = allowed(message.name);
    const own = principal.callbackNames ?? (callbackNames === null ? [] : null);
    checkCallbacksAllowed(message.headers, callbackNames, own);
    const receipt = await publish(message, {
      ...(contract === null ? {} : { contract }),
      ...(delayMs === null ? {} : { delayMs }),
    });
    const { report, waitUntil } = around;
    // The message is stored. If sending fails now, the next tick sends it.
    if (flush !== undefined && waitUntil !== undefined && !receipt.duplicate) {
      waitUntil(flush().catch(report));
    }
    return answerReceipt(receipt);
  };
}

function answerReceipt(receipt: Receipt): Response {
  return answer(receipt, receipt.duplicate ? 200 : 201);
}

/**
 * Returns a function that finds the contract of a name: null for a name without validation. It
 * throws for a name that is not listed.
 */
function allowList({ contracts = [], names = [] }: PublishRouteOptions): (
  name: string,
) => Contract | null {
  if (contracts.length === 0 && names.length === 0) {
    throw new AtlastError(
      "invalid_option",
      `Cannot offer the publish route without names: want contracts, or names such as "order.*"`,
    );
  }
  const known = new Map(contracts.map((contract) => [contract.name, contract]));
  return (name) => {
    const contract = known.get(name);
    if (contract !== undefined) return contract;
    if (names.some((pattern) => matchesName(pattern, name))) return null;
    throw new Refusal(403, "forbidden", `Cannot publish "${name}": it is not open to others here`);
  };
}

/** A message to publish, and how long to delay it. */
interface Reading {
  readonly message: RawMessage & { readonly headers: MessageHeaders };
  readonly delayMs: number | null;
}

/** Reads a message in HTTP headers and a raw body. */
function readRaw(httpHeaders: Headers, rawBody: Uint8Array): Reading {
  const fields = messageFields(httpHeaders);
  checkPlain(fields);
  // This id is the same for all messages with these headers.
  if (fields[HEADER.id] === undefined && bindsHeaders(requestIdOf(httpHeaders) ?? "")) {
    throw badHeader(HEADER.id, "an id in a signed request, by which a copy of it is recognized");
  }
  return readFields(withOtherHeaders(fields), rawBody);
}

/** The id of a signed request. */
function requestIdOf(httpHeaders: Headers): string | undefined {
  return httpHeaders.get("webhook-id") ?? undefined;
}

/**
 * Reads a message in a JSON body, in the form of a batch with one message. Without an id of its own it
 * has that of the request, so that a copy of the request is the same message.
 */
function readItem(httpHeaders: Headers, rawBody: Uint8Array): Reading {
  const text = textOf(rawBody);
  const [item, ...others] = text === null ? [] : batchItems(text);
  if (item === undefined || others.length > 0) {
    throw new AtlastError(
      "malformed_message",
      `Cannot publish ${others.length + 1} messages in one request: want one`,
    );
  }
  const { fields, content } = fieldsOfItem(item);
  return readFields(fields, content, requestIdOf(httpHeaders));
}

function readFields(
  fields: Readonly<Record<string, string>>,
  rawBody: MessageBody,
  requestId?: string,
): Reading {
  const { [HEADER.id]: id = requestId, [HEADER.name]: name } = fields;
  if (name === undefined) throw badHeader(HEADER.name, "the message's name");
  checkName(name);
  const headers = withinHeaderLimit(() => normalizeHeaders(fields));
  checkHeaders(headers);
  const contentType = fields["content-type"] || JSON_CONTENT_TYPE;
  const body = keptBody(contentType, rawBody);
  return {
    message: { name, headers, contentType, body, ...(id === undefined ? {} : { id }) },
    delayMs: delayOf(headers),
  };
}

/**
 * Allows only printable ASCII: platforms decode other bytes differently, and an id must be the same
 * on all.
 */
function checkPlain(fields: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (!/^[\x20-\x7e]*$/.test(value)) throw badHeader(name, "printable ASCII");
  }
  if ((fields["content-type"] ?? "").length > MAX_CONTENT_TYPE_LENGTH) {
    throw badHeader("content-type", `${MAX_CONTENT_TYPE_LENGTH} characters at most`);
  }
}

function checkHeaders(headers: MessageHeaders): void {
  if (headers[HEADER.participant] !== undefined) {
    throw badHeader(HEADER.participant, "none: half messages have a route of their own");
  }
  checkCallbackNames(headers);
  const destination = headers[HEADER.destination];
  if (destination === undefined) return;
  try {
    checkedUrl(destination, `header "${HEADER.destination}"`);
  } catch {
    throw badHeader(HEADER.destination, "an absolute http(s) URL without credentials");
  }
}

function delayOf(headers: MessageHeaders): number | null {
  const text = headers[HEADER.delayTime];
  if (text === undefined || text === "") return null;
  const delayMs = readDelayTime(text);
  if (delayMs === null) throw badHeader(HEADER.delayTime, "milliseconds, or hh:mm:ss");
  return delayMs;
}

/** The error does not show the value, because a URL may contain a secret. */
function badHeader(name: string, want: string): AtlastError {
  return new AtlastError("invalid_header", `Cannot use header "${name}": want ${want}`);
}
