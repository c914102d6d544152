/**
 * The keys of the business of the crash run in Redis. An effect is in a list with the name of its table.
 *
 * @module
 */

/** A set of the orders that were placed together with their messages. */
export const ORDERS = "shop.orders";
/** A set of the messages whose publish has resolved. */
export const ACKNOWLEDGED = "shop.acknowledged";
/** A list of the operations of half messages. */
export const PAYMENTS = "ledger.payments";
