/**
 * A crash run on PGlite: a folder for each service, which only its one process can open.
 *
 * @module
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { openPglite, type PgliteDatabase } from "@atlast/bus/pglite";
import { TABLES } from "../business.ts";
import { copyStock } from "../copy_tables.ts";
import type { ServiceName } from "../protocol.ts";
import { sumOfStandings } from "../standing.ts";
import { POSTGRES } from "../wire.ts";
import { type Backend, WITHOUT_STANDBYS } from "./backend.ts";

/** What a process has not said yet is not settled. */
const UNKNOWN = { unsettled: 1, failed: 0 };

/** Makes the folders within a folder. */
export async function pgliteBackend(parent: string): Promise<Backend> {
  const folderOf = (service: ServiceName) => join(parent, service);
  const empty = await openPglite(folderOf("orders"));
  for (const statement of TABLES) await empty.query(statement);
  await empty.close();
  cpSync(folderOf("orders"), folderOf("stock"), { recursive: true });
  let opened: PgliteDatabase | null = null;
  return {
    ...WITHOUT_STANDBYS,
    portsOf: null,
    wire: POSTGRES,
    crash: () => Promise.resolve(),
    configOf: (service) => ({ kind: "pglite", folder: folderOf(service) }),
    standing: (processes) =>
      Promise.resolve(sumOfStandings(processes.map(({ process }) => process.standing ?? UNKNOWN))),
    async tables() {
      opened = await openPglite(folderOf("orders"));
      const stock = await openPglite(folderOf("stock"));
      await copyStock(stock, opened);
      await stock.close();
      return opened;
    },
    stop: async () => await opened?.close(),
  };
}
