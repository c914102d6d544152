/**
 * Writes that do not wait for the disk.
 *
 * A lease is needed only while its server runs. After a crash the record exists without the lease, and is
 * claimed again. Two workers may then have it under one epoch; the first settlement wins, because it ends the
 * lease. Rows that pruning deleted and a crash brings back are deleted again. Messages and settlements wait
 * for the disk as the database's `synchronous_commit` says.
 *
 * @module
 */

/**
 * A condition that is always true. A statement with it commits without waiting for the disk, because it sets
 * `synchronous_commit` for its own transaction. It is a subquery so that it runs once for all rows.
 */
export const UNHURRIED = "(select set_config('synchronous_commit', 'off', true)) is not null";
