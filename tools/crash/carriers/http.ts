/**
 * A crash run over HTTP: a service posts to the door of the other.
 *
 * @module
 */
import type { Carrier } from "./carrier.ts";

/** The key that both services sign with. */
const SIGNING_KEY = btoa("a key of 24 bytes at least");

/** Nothing is between the services. */
export const HTTP: Carrier = {
  doorsLeadTo: null,
  configOf: (service, doors) => ({
    kind: "http",
    peerUrl: urlOf(service === "orders" ? doors.stock : doors.orders),
    signingKey: SIGNING_KEY,
  }),
  standing: () => Promise.resolve({ unsettled: 0, failed: 0 }),
  crash: () => Promise.resolve(),
  stop: () => Promise.resolve(),
};

/** The URL at a door. */
export function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
