/**
 * Which message goes to which service, who carries it there, and who may bring it.
 *
 * @module
 */
import { httpTransport, type Transport, type Verify, verifySignature } from "@atlast/bus/http";
import { qstashTransport } from "@atlast/bus/qstash";
import { verifyQstash } from "@atlast/bus/qstash/verify";
import { OrderPaid, ParcelLabelled, ReserveStock, StockReserved } from "./contracts.ts";
import { retryOf } from "./parts.ts";
import type { Settings } from "./settings.ts";

/** The transport of a service: QStash where there is a token for it, else requests of its own. */
export function transportOf(settings: Settings): Transport {
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
  // Where QStash says that it gave a message up: then it is failed in the outbox too.
  const failureCallback = `${ownUrl(settings)}/atlast/dead-letter`;
  return qstashTransport({ token, baseUrl, routes, retry: retryOf(settings), failureCallback });
}

/** Who may deliver to a service: whoever has a key of the shop, or QStash. */
export function verifierOf(settings: Settings): Verify {
  if (settings.QSTASH_TOKEN === undefined) {
    return verifySignature({ signingKeys: settings.SIGNING_KEYS });
  }
  return verifyQstash({
    currentSigningKey: settings.QSTASH_CURRENT_SIGNING_KEY,
    nextSigningKey: settings.QSTASH_NEXT_SIGNING_KEY,
    // QStash signs the address it was told to deliver to, which a proxy may change on the way.
    url: ownUrl(settings),
  });
}

/** Where the world finds this service. */
export function ownUrl(settings: Settings): string {
  const { SERVICE, ORDERS_URL, INVENTORY_URL, PAYMENTS_URL } = settings;
  return { orders: ORDERS_URL, inventory: INVENTORY_URL, payments: PAYMENTS_URL }[SERVICE];
}
