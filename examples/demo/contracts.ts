/**
 * The messages between the order service and the inventory service, shared by both.
 *
 * @module
 */
import { defineMessage, failureReport } from "@atlast/bus";
import * as z from "zod";

/** Tells the order service whether the quantity was deducted. */
export const MarkStatus = defineMessage("place.order.mark.status", {
  body: z.object({ orderId: z.int(), isSuccess: z.boolean() }),
});

/** Asks the inventory service to deduct what was ordered. Its reply goes to the callback. */
export const DeductQty = defineMessage("place.order.qty.deducted", {
  body: z.object({ orderId: z.int(), productId: z.int(), qty: z.int().positive() }),
  reply: MarkStatus.body,
});

/** Tells the order service that the inventory service gave up on an order. */
export const OrderStuck = defineMessage("place.order.stuck", { body: failureReport });

/** Tells the order service that the bank took the money for an order. A half message until it has. */
export const PaymentTaken = defineMessage("pay.order.taken", {
  body: z.object({
    paymentId: z.string(),
    orderId: z.int(),
    customerId: z.int(),
    cents: z.int().positive(),
  }),
});

/** Asks the inventory service to take back what was deducted for an order that cannot be paid. */
export const ReturnQty = defineMessage("pay.order.qty.returned", {
  body: z.object({ orderId: z.int() }),
});
