/**
 * The text of the scripts as they are sent.
 *
 * @module
 */
import { Script } from "./client.ts";
import { CLAIM, DUE, RENEW } from "./lua/claim.ts";
import { CHECK_FENCE } from "./lua/fence.ts";
import { ADD_UNLESS_KNOWN, EXPIRED, PRUNE_MEMORY, REMEMBER } from "./lua/memory.ts";
import { LIST, PRUNE } from "./lua/read.ts";
import { SERVICE_ID } from "./lua/service.ts";
import { DUE_AT_THE_LATEST, MAKE_DUE, WAITING } from "./lua/unroutable.ts";
import { WRITE } from "./lua/write.ts";

/** Settles and adds. */
export const WRITE_SCRIPT: Script = new Script(WRITE);
/** Claims. */
export const CLAIM_SCRIPT: Script = new Script(CLAIM);
/** Renews claims. */
export const RENEW_SCRIPT: Script = new Script(RENEW);
/** Says when something is due. */
export const DUE_SCRIPT: Script = new Script(DUE);
/** Lists. */
export const LIST_SCRIPT: Script = new Script(LIST);
/** Deletes what expired. */
export const PRUNE_SCRIPT: Script = new Script(PRUNE);
/** Asks a fence. */
export const CHECK_SCRIPT: Script = new Script(CHECK_FENCE);
/** Draws the id of the service. */
export const SERVICE_ID_SCRIPT: Script = new Script(SERVICE_ID);
/** Reads what expired. */
export const EXPIRED_SCRIPT: Script = new Script(EXPIRED);
/** Deletes what expired and remembers it. */
export const REMEMBER_SCRIPT: Script = new Script(REMEMBER);
/** Deletes what was remembered long enough. */
export const PRUNE_MEMORY_SCRIPT: Script = new Script(PRUNE_MEMORY);
/** Adds what is not known. */
export const ADD_UNLESS_KNOWN_SCRIPT: Script = new Script(ADD_UNLESS_KNOWN);
/** Says when something is due, unless it rests while it waits for a route. */
export const DUE_AT_THE_LATEST_SCRIPT: Script = new Script(DUE_AT_THE_LATEST);
/** Reads what waits for a route. */
export const WAITING_SCRIPT: Script = new Script(WAITING);
/** Makes due what waits for a route. */
export const MAKE_DUE_SCRIPT: Script = new Script(MAKE_DUE);
