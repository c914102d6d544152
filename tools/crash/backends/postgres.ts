/**
 * A crash run on Postgres servers.
 *
 * @module
 */
import { fromPostgresJs } from "@atlast/bus/postgres";
import { copyStock } from "../copy_tables.ts";
import { Databases, type DatabasesOptions } from "../databases.ts";
import { namedByVerify } from "../failover_judge.ts";
import { type PostgresConfig, SERVICES } from "../protocol.ts";
import { standingOf, sumOfStandings } from "../standing.ts";
import { closeConnections, connections } from "../watch.ts";
import { POSTGRES } from "../wire.ts";
import type { Backend } from "./backend.ts";

/** Of how many processes of the stock service one has another isolation level. */
const REPEATABLE_READ_EACH = 3;

/** How the servers are started, and used. */
export interface PostgresBackendOptions extends DatabasesOptions {
  /** Whether the driver prepares statements. */
  readonly prepare: boolean;
}

/** Starts the servers. */
export async function postgresBackend(options: PostgresBackendOptions): Promise<Backend> {
  const { prepare, isPooled, isApart } = options;
  const databases = await Databases.start(options);
  const own = connections((service) => databases.addressOf(service));
  let started = 0;
  return {
    wire: POSTGRES,
    portsOf: (service) => databases.portsOf(service),
    configOf(service, port): PostgresConfig {
      const config: PostgresConfig = { kind: "postgres", port, prepare };
      // A connection through a pooler cannot choose.
      const isOther = !isPooled && service === "stock" && started++ % REPEATABLE_READ_EACH === 0;
      return isOther ? { ...config, isolation: "repeatable read" } : config;
    },
    async standing() {
      const all = SERVICES.map((service) => standingOf(fromPostgresJs(own[service]), service));
      return sumOfStandings(await Promise.all(all));
    },
    crash: () => databases.crash(),
    failOver: (service, lagMs) => databases.failOver(service, lagMs),
    failovers: databases.failovers,
    verify: async () => databases.failovers.length === 0 ? new Map() : await namedByVerify(own),
    async tables() {
      const client = fromPostgresJs(own.orders);
      if (isApart) await copyStock(fromPostgresJs(own.stock), client);
      return client;
    },
    async stop() {
      await closeConnections(own);
      await databases.stop();
    },
  };
}
