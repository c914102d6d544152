/**
 * The query route: another service queries the state of a message, for example after it missed a
 * notification.
 *
 * @module
 */
import { aFunction, anything, checkOptions, type OptionCheck } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkId, withText } from "../../core/message/id.ts";
import { Signer } from "../../http/signature.ts";
import { isObject, parsed } from "../../core/json.ts";
import type { Message } from "../../core/message/message.ts";
import type { Store } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Principal } from "../../core/principal.ts";
import {
  batchItem,
  QUERY_CONTENT_TYPE,
  type RequestToVerify,
  type Verify,
} from "../../core/wire/wire.ts";
import type { Route } from "../http/error_boundary.ts";
import { ownVerifier } from "../auth/own_verifier.ts";
import { signedAnswer } from "../http/signed_response.ts";
import { verifiedText } from "../auth/authenticate.ts";

/** The options of the query route. */
export interface QueryOptions {
  /** Decides whether a request may query at all. */
  readonly verify: Verify;
  /**
   * The keys that sign responses.
   *
   * @default unsigned
   */
  readonly signingKeys?: readonly string[];
  /**
   * Whether the caller may see this message. A message that it may not see is answered as if it did
   * not exist.
   *
   * @default principals of the kinds `service` and `operator`
   */
  readonly allows?: (
    message: Message,
    request: RequestToVerify,
    principal: Principal,
  ) => boolean | Promise<boolean>;
}

/** The largest request, in bytes. */
const MAX_QUERY_BYTES = 4 * 1024;

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<keyof QueryOptions, OptionCheck>> = {
  verify: anything,
  signingKeys: anything,
  allows: aFunction,
};

/**
 * Creates the route.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function queryRoute(store: Pick<Store, "ready" | "find">, options: QueryOptions): Route {
  const verify = ownVerifier("query", options);
  checkOptions("make the query route with", options, OPTIONS);
  const { signingKeys, allows = isOwn } = options;
  const signer = signingKeys === undefined ? null : new Signer(signingKeys);
  return async (request, around) => {
    const { text, principal } = await verifiedText(
      request,
      QUERY_CONTENT_TYPE,
      verify,
      MAX_QUERY_BYTES,
      "query",
      around,
    );
    const { id, wantsMessage } = readQuery(text);
    await store.ready();
    const record = await store.find("outbox", { id, group: "" });
    const { method, url, headers } = request;
    const query = { method, url, headers, route: "query" };
    if (record === null || !await allows(record.message, query, principal)) {
      throw new AtlastError("not_found", `Cannot find message "${id}": the outbox has none such`);
    }
    const said = { text: outcomeText(record, wantsMessage), contentType: QUERY_CONTENT_TYPE };
    if (signer !== null) return await signedAnswer(signer, request, text, said);
    return new Response(said.text, {
      status: 200,
      headers: { "content-type": said.contentType, "cache-control": "no-store" },
    });
  };
}

function isOwn(_message: Message, _request: RequestToVerify, { kind }: Principal): boolean {
  return kind === "service" || kind === "operator";
}

function readQuery(text: string): { id: string; wantsMessage: boolean } {
  const query = parsed(text);
  if (isObject(query) && query["operation"] === "query") {
    const { id: value, message = false } = query;
    const id = withText("the id of a query", value);
    if (typeof id === "string" && typeof message === "boolean") {
      checkId(id);
      return { id, wantsMessage: message };
    }
  }
  throw new AtlastError(
    "malformed_message",
    `Cannot read a query: want {"operation":"query","id":"…","message":true or false}`,
  );
}

/** The response, without the reason of a failure: that may be another receiver's error text. */
function outcomeText(record: StoredRecord, wantsMessage: boolean): string {
  const { id, state, message } = record;
  const outcome = JSON.stringify({ id, name: message.name, state });
  if (!wantsMessage || !isOut(record)) return outcome;
  return `${outcome.slice(0, -1)},"message":${batchItem(message)}}`;
}

/**
 * Whether a message was sent, tried or failed. The content of a message that waits, was cancelled
 * or is undecided is not returned, because it may never be sent.
 */
function isOut({ state, attempts }: StoredRecord): boolean {
  return state === "succeeded" || state === "failed" || (state === "scheduled" && attempts > 0);
}
