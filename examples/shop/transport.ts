/**
 * Which message goes to which service.
 *
 * @module
 */
import { httpTransport, type Transport } from "@atlast/bus/http";
import { OrderPaid, ParcelLabelled, ReserveStock, StockReserved } from "./contracts.ts";
import type { Settings } from "./settings.ts";

/** Makes the transport of a service. */
export function transportOf({ ORDERS_URL, INVENTORY_URL, SIGNING_KEYS }: Settings): Transport {
  const [orders, inventory] = [`${ORDERS_URL}/atlast/deliver`, `${INVENTORY_URL}/atlast/deliver`];
  return httpTransport({
    routes: {
      [ReserveStock.name]: inventory,
      [OrderPaid.name]: inventory,
      [StockReserved.name]: orders,
      [ParcelLabelled.name]: orders,
    },
    signingKeys: SIGNING_KEYS,
  });
}
