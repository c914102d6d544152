/**
 * The limit on how many records of one group a bus claims at once.
 *
 * @module
 */

/** How many inbox messages are claimed at once; no more wait for a place in a group than that. */
export const GROUP_CLAIM_LIMIT = 200;
