/**
 * Writes that need not survive a crash of the server.
 *
 * A lease says who works on a record now. When the server crashes just after it was taken, nobody needs
 * it: the record is there as it was, and is claimed again. Two workers may then have it under one epoch,
 * and the first to settle wins, as settling takes the lease away. What clean-up deleted and a crash
 * brings back is deleted again. So nobody waits for the disk, which would be most of the time that a
 * claim takes. Messages and what became of them are flushed as the database is set up to.
 *
 * @module
 */

/**
 * A condition that always holds; the statement in which it stands commits without waiting for the disk, by
 * `synchronous_commit` for its own transaction. It is a subquery so that it runs once for all rows.
 */
export const UNHURRIED = "(select set_config('synchronous_commit', 'off', true)) is not null";
