/**
 * The messages between the services of the shop, shared by all of them.
 *
 * @module
 */
import { defineMessage } from "@atlast/bus";
import * as z from "zod";

/** Tells the order service whether the stock is reserved. */
export const StockReserved = defineMessage("stock.reserved", {
  body: z.object({ orderId: z.int(), isReserved: z.boolean() }),
});

/** Asks the inventory service to reserve what was ordered. Its reply goes to the callback. */
export const ReserveStock = defineMessage("stock.reserve", {
  body: z.object({ orderId: z.int(), productId: z.int(), qty: z.int().positive() }),
  reply: StockReserved.body,
});

/** Tells the inventory service that an order is paid. A half message until the payment has committed. */
export const OrderPaid = defineMessage("order.paid", {
  body: z.object({ orderId: z.int(), cents: z.int().positive() }),
});

/** Sends the order service the label of a parcel, an image. The header `order-id` has the order. */
export const ParcelLabelled = defineMessage("parcel.labelled", {
  body: z.instanceof(Uint8Array<ArrayBuffer>),
});
