/**
 * Checks the types of what a publish or a prepare was called with.
 *
 * @module
 */
import { optionError, typeName } from "../../core/check_option.ts";
import {
  aList,
  anId,
  aNumber,
  aRecord,
  aTextLike,
  checkFields,
  checkOptions,
  isRecord,
  type OptionCheck,
  type OptionTable,
} from "../../core/check_options.ts";
import { aRetryPolicy, checkContract } from "../../core/message/contract.ts";
import { END_OF_TIME_MS } from "../../core/lifecycle/retry.ts";
import type { PublishOptions } from "../api/publish_options.ts";
import type { HalfMessageOptions } from "../api/bus.ts";
import type { RawMessage, RawOptions } from "../api/raw_message.ts";

const WAIT = aNumber({ unit: "milliseconds", least: 0, most: END_OF_TIME_MS });

/** Checks the contract of a callback: without a name it would never be sent. */
const aCallback: OptionCheck = (option, value, attempt) => {
  if (isRecord(value) && typeof value["name"] === "string") return;
  throw optionError(attempt, `a ${option}`, value, "a contract, as defineMessage makes");
};

/** The store says which transactions it takes. */
const aTransaction: OptionCheck = (option, value, attempt) => {
  if (value === null) throw optionError(attempt, option, value, "a transaction");
};

/** Transports send the content type as a header. */
const aContentType = aTextLike({
  pattern: /^[\x20-\x7e]{1,255}$/,
  words: "1 to 255 characters of printable ASCII",
});

const aUrl: OptionCheck = (option, value, attempt) => {
  // Any text is left for the transport to refuse, whose errors show no URL.
  if (typeof value === "string" || typeName(value) === "URL") return;
  throw optionError(attempt, option, value, "a URL");
};

/** The options of every call. */
const SHARED_OPTIONS = { delayMs: WAIT, deadlineMs: WAIT, retry: aRetryPolicy };

/** The options that a raw message has itself. */
const OWN_OPTIONS = { id: anId, headers: aRecord, contentType: aContentType };

const HALF_OPTIONS: Readonly<Record<keyof HalfMessageOptions, OptionCheck>> = {
  ...SHARED_OPTIONS,
  ...OWN_OPTIONS,
  callback: aCallback,
  failureCallback: aCallback,
  destination: aUrl,
};

const PUBLISH_OPTIONS: Readonly<Record<keyof PublishOptions, OptionCheck>> = {
  ...HALF_OPTIONS,
  tx: aTransaction,
};

const { id: _id, ...MANY_OPTIONS }: OptionTable = { ...PUBLISH_OPTIONS, ids: aList(anId) };

const RAW_OPTIONS: Readonly<Record<keyof RawOptions, OptionCheck>> = {
  ...SHARED_OPTIONS,
  tx: aTransaction,
  contract: (_option, value, attempt) => checkContract(value, attempt),
};

/**
 * Checks a contract and the options of one message.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function checkPublish(
  contract: unknown,
  options: unknown,
  action: "publish" | "prepare",
): void {
  const attempt = `${action} with`;
  checkContract(contract, attempt);
  checkOptions(attempt, options, action === "publish" ? PUBLISH_OPTIONS : HALF_OPTIONS);
}

/**
 * Checks what `publishMany` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function checkPublishMany(contract: unknown, bodies: unknown, options: unknown): void {
  const attempt = "publish with";
  checkContract(contract, attempt);
  aList()("bodies", bodies, attempt);
  checkOptions(attempt, options, MANY_OPTIONS);
}

/**
 * Checks what `publishRaw` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function checkPublishRaw(message: RawMessage, options: unknown): void {
  const attempt = "publish with";
  if (!isRecord(message)) throw optionError(attempt, "a message", message, "{ name, body }");
  checkFields(attempt, message, OWN_OPTIONS);
  checkOptions(attempt, options, RAW_OPTIONS);
}
