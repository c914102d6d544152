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

/** Tells the order service that the inventory service failed to handle an order: the failure callback. */
export const OrderStuck = defineMessage("place.order.stuck", { body: failureReport });

/** Tells the order service that the bank took the money for an order. A half message until the payment commits. */
export const PaymentTaken = defineMessage("pay.order.taken", {
  body: z.object({
    paymentId: z.string(),
    orderId: z.int(),
    customerId: z.int(),
    cents: z.int().positive(),
  }),
});

/** Asks the inventory service to return the goods of an order that cannot be paid to stock. */
export const ReturnQty = defineMessage("pay.order.qty.returned", {
  body: z.object({ orderId: z.int() }),
});
