/**
 * What the official QStash client throws.
 *
 * @module
 */
import assert from "node:assert/strict";
import { QstashError } from "@upstash/qstash";

/** Asserts that a call is refused with a status and the text of an `error`. */
export async function rejectsWith(
  call: Promise<unknown>,
  status: number,
  text: string | RegExp,
): Promise<void> {
  const error = await call.then(() => null, (error: unknown) => error);
  assert.ok(error instanceof QstashError, `got ${error}, want a QstashError`);
  assert.equal(error.status, status);
  const told = JSON.parse(error.message).error;
  if (typeof text === "string") assert.equal(told, text);
  else assert.match(told, text);
}
