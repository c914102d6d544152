/**
 * The limit on how many records of one group a bus claims at once.
 *
 * @module
 */

/** The most records of one group that are claimed and wait for a free handler. */
export const GROUP_CLAIM_LIMIT = 200;
