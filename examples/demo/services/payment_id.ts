/**
 * The ids of payments, which are also those of their half messages. Each attempt to pay an order has an id of
 * its own, because a cancelled half message stays cancelled.
 *
 * @module
 */

/** The id of the `attempt`th payment of an order. */
export function createPaymentId(orderId: number, attempt: number): string {
  return `payment-${orderId}-${attempt}`;
}

/** The order and the attempt of a payment's id; null for any other id. */
export function parsePaymentId(id: string): { orderId: number; attempt: number } | null {
  const [, orderId, attempt] = /^payment-(\d+)-(\d+)$/.exec(id) ?? [];
  if (orderId === undefined) return null;
  return { orderId: Number(orderId), attempt: Number(attempt) };
}
