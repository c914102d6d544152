/**
 * The inventory service: reserves what is ordered, and ships what is paid.
 *
 * @module
 */
import { createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { postgresStore } from "@atlast/bus/postgres";
import { OrderPaid, ParcelLabelled, ReserveStock } from "./contracts.ts";
import { createLabel, LABEL_CONTENT_TYPE } from "./label.ts";
import { createRetryPolicy, type ServiceApp, type ServiceParts } from "./service_parts.ts";

/** Creates the service. */
export function createInventoryService(
  { settings, sql, transport, verify }: ServiceParts,
): ServiceApp {
  const bus = createBus({
    store: postgresStore(sql, { migrate: false }),
    transport,
    retry: createRetryPolicy(settings),
  }, [
    // No handler checks whether it ran before: the bus guarantees that its writes happen once.
    subscribe(ReserveStock, { group: "inventory" }, async ({ orderId, productId, qty }, { tx }) => {
      const rows = await tx`
        update stock set qty = qty - ${qty}
        where product_id = ${productId} and qty >= ${qty} returning 1`;
      const isReserved = rows.length === 1;
      if (isReserved) {
        await tx`insert into reservations (order_id, qty) values (${orderId}, ${qty})`;
      }
      return { orderId, isReserved };
    }),
    subscribe(OrderPaid, { group: "inventory" }, async ({ orderId, cents }, { tx, publish }) => {
      await tx`insert into parcels (order_id, cents) values (${orderId}, ${cents})`;
      await publish(ParcelLabelled, createLabel(orderId), {
        contentType: LABEL_CONTENT_TYPE,
        headers: { "order-id": String(orderId) },
      });
    }),
  ]);
  return { bus, app: createApp(bus, { verify, deadLetters: { verify }, basePath: "/atlast" }) };
}
