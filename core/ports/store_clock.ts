/**
 * The clock of a store whose server has one.
 *
 * @module
 */
import type { Clock } from "./platform.ts";

/**
 * A clock that follows the server of a store, so that all processes that use the store agree on when a
 * record is due. It is compared with the server's now and then.
 *
 * @typeParam Tx A transaction of the store, or a client of the user's.
 */
export interface StoreClock<Tx = unknown> extends Clock {
  /**
   * Compares it with the server's clock if that is due; null if it is not. Resolves to how far it was
   * set forward, in milliseconds; 0 if it agrees, or the server could not be asked. Never rejects.
   *
   * @param tx The transaction in which to ask, because its connection may be the only one.
   */
  follow(tx?: Tx): Promise<number> | null;
}
