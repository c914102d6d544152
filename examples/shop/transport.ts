/**
 * Routes messages between the services, by QStash or over HTTP, and verifies who delivers them.
 *
 * @module
 */
import { httpTransport, type Transport, type Verify, verifySignature } from "@atlast/bus/http";
import { qstashTransport } from "@atlast/bus/qstash";
import { verifyQstash } from "@atlast/bus/qstash/verify";
import { OrderPaid, ParcelLabelled, ReserveStock, StockReserved } from "./contracts.ts";
import { createRetryPolicy } from "./service_parts.ts";
import type { Settings } from "./settings.ts";

/** Creates the transport of a service: QStash if there is a token for it, else HTTP requests. */
export function createTransport(settings: Settings): Transport {
  const orders = `${settings.ORDERS_URL}/atlast/deliver`;
  const inventory = `${settings.INVENTORY_URL}/atlast/deliver`;
  const routes = {
    [ReserveStock.name]: inventory,
    [OrderPaid.name]: inventory,
    [StockReserved.name]: orders,
    [ParcelLabelled.name]: orders,
  };
  const { QSTASH_TOKEN: token, QSTASH_URL: baseUrl, SIGNING_KEYS: signingKeys } = settings;
  if (token === undefined) return httpTransport({ routes, signingKeys });
  // QStash reports here that a message is dead-lettered; then it fails in the outbox too.
  const failureCallback = `${ownUrl(settings)}/atlast/dead-letter`;
  return qstashTransport({
    token,
    baseUrl,
    routes,
    retry: createRetryPolicy(settings),
    failureCallback,
  });
}

/** Creates the verifier of deliveries: they are signed with a key of the shop, or by QStash. */
export function createVerifier(settings: Settings): Verify {
  if (settings.QSTASH_TOKEN === undefined) {
    return verifySignature({ signingKeys: settings.SIGNING_KEYS });
  }
  return verifyQstash({
    currentSigningKey: settings.QSTASH_CURRENT_SIGNING_KEY,
    nextSigningKey: settings.QSTASH_NEXT_SIGNING_KEY,
    // QStash signs the URL that it delivers to, which a proxy may have changed.
    url: ownUrl(settings),
  });
}

/** The public URL of this service. */
export function ownUrl(settings: Settings): string {
  const { SERVICE, ORDERS_URL, INVENTORY_URL, PAYMENTS_URL } = settings;
  return { orders: ORDERS_URL, inventory: INVENTORY_URL, payments: PAYMENTS_URL }[SERVICE];
}
