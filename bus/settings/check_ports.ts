/**
 * Checks that a bus has a store and a transport, and that the transport's limits are valid.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Transport } from "../../core/ports/transport.ts";

const EXAMPLES = {
  store: "postgresStore(sql) or memoryStore()",
  transport: "httpTransport({ routes, signingKeys }) or inProcessTransport()",
};

/** Checks the store and the transport of a bus. */
export function checkPorts(
  { store, transport }: { readonly store: unknown; readonly transport: Transport },
): void {
  checkIsThere("store", store);
  checkIsThere("transport", transport);
  checkLimits(transport);
}

function checkIsThere(port: keyof typeof EXAMPLES, value: unknown): void {
  if (typeof value === "object" && value !== null) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot make a bus with a ${port} that is ${
      value === null ? "null" : typeof value
    }: want what ` +
      `${EXAMPLES[port]} makes`,
  );
}

/** With a batch of no messages, or of none that is a number, nothing would be sent and nothing said. */
function checkLimits({ capabilities }: Transport): void {
  for (const limit of ["maxBatch", "maxBodyBytes"] as const) {
    const value: unknown = capabilities[limit];
    if (typeof value === "number" && value >= 1) continue;
    throw new AtlastError(
      "invalid_option",
      `Cannot make a bus with a transport whose capability ${limit} is ${
        typeof value === "number" ? value : typeof value
      }: want a number from 1 on`,
    );
  }
}
