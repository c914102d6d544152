/**
 * Pools of `pg` for tests.
 *
 * @module
 */
import pg from "pg";

/** A pool of the user's kind. */
export function connectPg(url: string, options: object = {}): pg.Pool {
  return new pg.Pool({ connectionString: url, max: 5, ...options });
}
