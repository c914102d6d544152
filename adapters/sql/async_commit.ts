/**
 * Writes that do not wait for the disk.
 *
 * After a crash of the server a lease may be as it was before it was renewed: it expires earlier, another worker claims
 * the record under a new epoch, and the claim counts as a crash. Rows that pruning deleted and a crash brings back are
 * deleted again. Messages, claims and settlements wait for the disk as the database's `synchronous_commit` says: a
 * claim that is forgotten is an attempt that nobody knows of, so a message that may have arrived could be cancelled, and
 * a message that crashes the server would never reach its crash limit.
 *
 * @module
 */

/**
 * A condition that is always true. A statement with it commits without waiting for the disk, because it sets
 * `synchronous_commit` for its own transaction. It is a subquery so that it runs once for all rows.
 */
export const UNHURRIED = "(select set_config('synchronous_commit', 'off', true)) is not null";
