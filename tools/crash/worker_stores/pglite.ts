/**
 * A process of the crash run on a PGlite folder, which only one process at a time can open.
 *
 * @module
 */
import { openPglite, pgliteFence, pgliteStore, type PgliteTransaction } from "@atlast/bus/pglite";
import type { SqlClient } from "@atlast/bus/ports";
import type { ConfigWith, PgliteConfig } from "../protocol.ts";
import { standingOf } from "../standing.ts";
import { acknowledge, affect, pay, placing } from "./sql_business.ts";
import type { WorkerStore } from "./worker_store.ts";

/** Opens the folder, which has the tables. */
export async function pgliteWorkerStore(
  { service, store: { folder } }: ConfigWith<PgliteConfig>,
): Promise<WorkerStore<PgliteTransaction>> {
  const db = await openPglite(folder);
  const clientOf = (tx: PgliteTransaction): SqlClient => tx;
  return {
    store: pgliteStore(db, { schema: service }),
    fence: service === "orders" ? pgliteFence(db, { schema: "ledger" }) : null,
    placements: {
      "bus.transaction": (placement) => placement.bus.transaction(placing(clientOf, placement)),
      "db.transaction": (placement) => db.transaction(placing(clientOf, placement)),
    },
    acknowledge: (messageId) => acknowledge(db, messageId),
    pay,
    affect,
    // There is one connection.
    contend: () => Promise.resolve(),
    probes: [() => db.query("select 1")],
    standing: () => standingOf(db, service),
  };
}
