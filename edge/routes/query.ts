/**
 * The query route: a service that waits for a message asks for its state, for example after it missed a
 * notification.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { checkId } from "../../core/message/id.ts";
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

/** Who may ask for what. */
export interface QueryOptions {
  /** Decides whether a request may ask at all. */
  readonly verify: Verify;
  /**
   * The keys that sign answers, for who wants to know that they are from here.
   *
   * @default unsigned
   */
  readonly signingKeys?: readonly string[];
  /**
   * Whether whoever asks may know of this message. What one may not know of is answered as if it were not there.
   *
   * @default our own services and operators
   */
  readonly allows?: (
    message: Message,
    request: RequestToVerify,
    principal: Principal,
  ) => boolean | Promise<boolean>;
}

/** A question is an id and a wish. */
const MAX_QUERY_BYTES = 4 * 1024;

/**
 * Makes the route.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function queryRoute(store: Pick<Store, "ready" | "find">, options: QueryOptions): Route {
  const verify = ownVerifier("query", options);
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
  if (isObject(query) && query["operation"] === "query" && typeof query["id"] === "string") {
    const { id, message = false } = query;
    checkId(id as string);
    if (typeof message === "boolean") return { id: id as string, wantsMessage: message };
  }
  throw new AtlastError(
    "malformed_message",
    `Cannot read a query: want {"operation":"query","id":"…","message":true or false}`,
  );
}

/** The reason of a failure stays here: it may be another receiver's words. */
function outcomeText(record: StoredRecord, wantsMessage: boolean): string {
  const { id, state, message } = record;
  const outcome = JSON.stringify({ id, name: message.name, state });
  if (!wantsMessage || !isOut(record)) return outcome;
  return `${outcome.slice(0, -1)},"message":${batchItem(message)}}`;
}

/**
 * Whether a message was sent, or tried, or given up. One that waits, was withdrawn, or is not decided
 * is nobody's to have: what it says may never come true.
 */
function isOut({ state, attempts }: StoredRecord): boolean {
  return state === "succeeded" || state === "failed" || (state === "scheduled" && attempts > 0);
}
