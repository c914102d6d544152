/**
 * The routes of the signing keys.
 *
 * @module
 */
import { json } from "../refusal.ts";
import type { Call } from "./call.ts";

/** `GET /v2/keys` */
export function getKeys({ account }: Call): Response {
  return json(account.keys);
}

/** `POST /v2/keys/rotate` */
export function rotateKeys({ account }: Call): Response {
  return json(account.rotateKeys());
}
