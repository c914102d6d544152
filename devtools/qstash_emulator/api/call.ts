/**
 * A request to the API, as its routes receive it.
 *
 * @module
 */
import type { Account } from "../account.ts";
import type { Fields } from "../config.ts";
import type { Engine } from "../engine.ts";
import { Refusal } from "../refusal.ts";
import type { Target } from "../target.ts";

/** A request to the API. */
export interface Call extends Target {
  readonly account: Account;
  readonly engine: Engine;
  readonly method: string;
  /** The headers, and the `upstash-*` keys of the query as such. */
  readonly fields: Fields;
  /** The parts of the path that match the route's wildcards, decoded. */
  readonly params: readonly string[];
  /** Reads the body, up to a limit. */
  body(maxBytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** The largest JSON body that the API accepts, except for messages. */
const MAX_JSON_BYTES = 1024 * 1024;

/** Reads a body that must be a JSON object; without a body it is empty. */
export async function jsonBody(call: Call): Promise<Record<string, unknown>> {
  const bytes = await call.body(MAX_JSON_BYTES);
  const value = bytes.length === 0 ? {} : parsedJson(bytes);
  if (isObject(value)) return value;
  throw new Refusal(400, "invalid request body: want a JSON object");
}

/** Whether a value is an object with fields. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields that are given: clients in Python and Go send null for those that are not. */
export function withoutNulls(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** Reads JSON; undefined for any other text. */
export function parsedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** QStash's answer for a missing resource. */
export function notFound(what: string): Refusal {
  return new Refusal(404, `${what} not found`);
}
