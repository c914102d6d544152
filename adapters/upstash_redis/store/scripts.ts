/**
 * The text of the scripts as they are sent.
 *
 * @module
 */
import { Script } from "./client.ts";
import { CLAIM, DUE, RENEW } from "./lua/claim.ts";
import { CHECK_FENCE } from "./lua/fence.ts";
import { ADD_UNLESS_KNOWN, EXPIRED, PRUNE_MEMORY, RECALL, REMEMBER } from "./lua/memory.ts";
import { LIST, PRUNE } from "./lua/read.ts";
import { SERVICE_ID } from "./lua/service.ts";
import { OLDEST_DUE } from "./lua/oldest_due.ts";
import { DUE_AT_THE_LATEST, MAKE_DUE, UNTAKEN, WAITING } from "./lua/unroutable.ts";
import { WRITE } from "./lua/write.ts";

/** Settles and adds. */
export const WRITE_SCRIPT: Script = new Script(WRITE);
/** Claims. */
export const CLAIM_SCRIPT: Script = new Script(CLAIM);
/** Renews claims. */
export const RENEW_SCRIPT: Script = new Script(RENEW);
/** Returns when the next record is due. */
export const DUE_SCRIPT: Script = new Script(DUE);
/** Lists. */
export const LIST_SCRIPT: Script = new Script(LIST);
/** Deletes expired records. */
export const PRUNE_SCRIPT: Script = new Script(PRUNE);
/** Checks a fence. */
export const CHECK_SCRIPT: Script = new Script(CHECK_FENCE);
/** Creates the id of the service. */
export const SERVICE_ID_SCRIPT: Script = new Script(SERVICE_ID);
/** Reads expired records. */
export const EXPIRED_SCRIPT: Script = new Script(EXPIRED);
/** Deletes expired records and keeps their digests. */
export const REMEMBER_SCRIPT: Script = new Script(REMEMBER);
/** Deletes old digests. */
export const PRUNE_MEMORY_SCRIPT: Script = new Script(PRUNE_MEMORY);
/** Reads digests. */
export const RECALL_SCRIPT: Script = new Script(RECALL);
/** Adds records that are not known. */
export const ADD_UNLESS_KNOWN_SCRIPT: Script = new Script(ADD_UNLESS_KNOWN);
/** Returns when the next record is due, where a record that waits for a route counts from the end of its wait. */
export const DUE_AT_THE_LATEST_SCRIPT: Script = new Script(DUE_AT_THE_LATEST);
/** Reads the messages that have been due the longest. */
export const OLDEST_DUE_SCRIPT: Script = new Script(OLDEST_DUE);
/** Reads records that wait for a route. */
export const WAITING_SCRIPT: Script = new Script(WAITING);
/** Makes records due that wait for a route. */
export const MAKE_DUE_SCRIPT: Script = new Script(MAKE_DUE);
/** Returns which due records nobody takes. */
export const UNTAKEN_SCRIPT: Script = new Script(UNTAKEN);
