/**
 * The ids of payments, which are those of their half messages: an order that is paid in vain is tried again under
 * another id, because a half message that was cancelled stays so.
 *
 * @module
 */

/** The id of the `attempt`th try to pay an order. */
export function paymentIdOf(orderId: number, attempt: number): string {
  return `payment-${orderId}-${attempt}`;
}

/** The order and the try of a payment's id; null for the id of something else. */
export function paymentOf(id: string): { orderId: number; attempt: number } | null {
  const [, orderId, attempt] = /^payment-(\d+)-(\d+)$/.exec(id) ?? [];
  if (orderId === undefined) return null;
  return { orderId: Number(orderId), attempt: Number(attempt) };
}
