/**
 * Checks that a bus has a store and a transport, that the store has the methods of the capabilities that it declares,
 * and that the transport's limits are valid.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Store } from "../../core/ports/store.ts";
import type { StoreCapabilities } from "../../core/ports/store_capabilities.ts";
import type { Transport } from "../../core/ports/transport.ts";
import type { BusOptions } from "../api/bus_options.ts";
import { noTransport } from "./no_transport.ts";

const EXAMPLES = {
  store: "postgresStore(sql) or memoryStore()",
  transport: "httpTransport({ routes, signingKeys }) or inProcessTransport()",
};

/**
 * The store and the transport of a bus. A bus whose subscribers use its store needs no transport.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function portsOf<Tx>(
  { store, transport, sharedStore = false, maxBodyBytes = 0 }: Pick<
    BusOptions<Tx>,
    "store" | "transport" | "sharedStore" | "maxBodyBytes"
  >,
): { readonly store: Store<Tx>; readonly transport: Transport } {
  checkStore(store);
  if (transport === undefined && sharedStore !== false) return { store, transport: noTransport };
  checkIsThere("transport", transport);
  checkLimits(transport);
  checkMaxBody(transport, maxBodyBytes);
  return { store, transport };
}

/**
 * Checks that a store is one, and has the methods of the capabilities that it declares.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkStore<Tx>(store: Store<Tx> | undefined): asserts store is Store<Tx> {
  checkIsThere("store", store);
  checkCapabilities(store as Store);
}

/** The methods that come with a capability of a store. */
const METHODS: Readonly<Partial<Record<keyof StoreCapabilities, readonly (keyof Store)[]>>> = {
  transactions: ["findMany"],
  atomicSettleAndAdd: ["settleAndAdd", "addAll"],
  deferredSettle: ["settleAsLast"],
  lazyTransactions: ["transactionOnUse"],
  notifications: ["notify", "listen"],
};

/** A capability whose method is missing would fail only when the bus first needs it. */
function checkCapabilities(store: Store): void {
  const { capabilities } = store;
  if (typeof capabilities !== "object" || capabilities === null) {
    throw new AtlastError(
      "invalid_option",
      "Cannot make a bus with a store without capabilities: want the object capabilities",
    );
  }
  for (const [capability, methods] of Object.entries(METHODS)) {
    if (capabilities[capability as keyof StoreCapabilities] !== true) continue;
    const missing = methods.find((method) => typeof store[method] !== "function");
    if (missing === undefined) continue;
    throw new AtlastError(
      "invalid_option",
      `Cannot make a bus with a store that declares the capability ${capability} but has no method ${missing}: ` +
        "want the method, or the capability false",
    );
  }
}

function checkIsThere<Port>(
  port: keyof typeof EXAMPLES,
  value: Port | undefined,
): asserts value is Port {
  if (typeof value === "object" && value !== null) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot make a bus with a ${port} that is ${
      value === null ? "null" : typeof value
    }: want what ` +
      `${EXAMPLES[port]} makes`,
  );
}

/** A larger limit than the transport's would be ignored. */
function checkMaxBody({ capabilities }: Transport, maxBodyBytes: number): void {
  if (maxBodyBytes <= capabilities.maxBodyBytes) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot make a bus with maxBodyBytes ${maxBodyBytes}: want ${capabilities.maxBodyBytes} at most, which is the ` +
      "most that its transport carries",
  );
}

/** With a batch of no messages, or of none that is a number, nothing would be sent and nothing said. */
function checkLimits({ capabilities }: Transport): void {
  for (const limit of ["maxBatch", "maxBodyBytes"] as const) {
    const value: unknown = capabilities?.[limit];
    if (typeof value === "number" && value >= 1) continue;
    throw new AtlastError(
      "invalid_option",
      `Cannot make a bus with a transport whose capability ${limit} is ${
        typeof value === "number" ? value : typeof value
      }: want a number from 1 on`,
    );
  }
}
