/**
 * The Postgres servers of a crash run: one for both services, or one for each, which can fail over to a standby.
 *
 * @module
 */
import type { PrivateServer } from "../postgres_server.ts";
import { startPostgres } from "../postgres_server.ts";
import { type Pooler, startPgBouncer } from "../pgbouncer_server.ts";
import { TABLES } from "./business.ts";
import { CuttingProxy } from "./cutting_proxy.ts";
import { fallsBehind, type LostRow, lostRows } from "./lost_rows.ts";
import { DATABASE, type ServiceName, SERVICES } from "./protocol.ts";
import { rest } from "./rest.ts";
import { StandbyLink } from "./standby_link.ts";
import { directly } from "./watch.ts";

/** Settings of a server: deadlocks are found soon, because they are wanted, and a crash has little to redo. */
const SETTINGS = [
  "max_connections=300",
  "deadlock_timeout=100ms",
  "checkpoint_timeout=30s",
  "max_wal_size=256MB",
];
/** How long a standby replicates before the way to it is interrupted, in milliseconds. */
const REPLICATES_MS = 500;

/** How the servers are started. */
export interface DatabasesOptions {
  /** Whether each service has a server of its own. */
  readonly isApart: boolean;
  /** Where the folders of the servers are made. */
  readonly parent: string;
  /** Where the tables are; null for the server's own folder. */
  readonly tablespace: string | null;
  /** Whether services reach the server through PgBouncer. */
  readonly isPooled: boolean;
  /** Called when PgBouncer ends by itself, with its log. */
  readonly onBroken: (error: unknown) => void;
}

/** A failover that has taken place. */
export interface Failover {
  readonly service: ServiceName;
  /** What the primary had, and the standby did not. */
  readonly lost: readonly LostRow[];
}

/** The servers. */
export class Databases {
  readonly #servers = new Map<ServiceName, PrivateServer>();
  /** Services whose server takes no connections now. */
  readonly #down = new Set<ServiceName>();
  /** What the tool itself connects to: always the server that a service has now. */
  readonly #addresses = new Map<ServiceName, CuttingProxy>();
  readonly #closing: (() => unknown)[] = [];
  #pooler: Pooler | null = null;
  /** The failovers so far. */
  readonly failovers: Failover[] = [];

  private constructor() {}

  /** Starts the servers, and makes the business tables. */
  static async start(options: DatabasesOptions): Promise<Databases> {
    const databases = new Databases();
    try {
      await databases.#start(options);
      return databases;
    } catch (error) {
      await databases.stop();
      throw error;
    }
  }

  /** The port at which a service finds its database now; none while its server is replaced. */
  portsOf(service: ServiceName): readonly number[] {
    return this.#down.has(service) ? [] : [this.#pooler?.port ?? this.#serverOf(service).port];
  }

  /** The port at which this process finds the server of a service, without a pooler. */
  addressOf(service: ServiceName): number {
    return (this.#addresses.get(service) as CuttingProxy).port;
  }

  /** Stops every server as in a crash, and starts it again. */
  async crash(): Promise<void> {
    await Promise.all([...new Set(this.#servers.values())].map((server) => server.crash()));
  }

  /**
   * Kills the server of a service and promotes a standby that is behind by what was done in `lagMs`. The service goes
   * on with the standby. What was lost is found by a look at the data of the killed server.
   */
  async failOver(service: ServiceName, lagMs: number): Promise<void> {
    const primary = this.#serverOf(service);
    const link = await StandbyLink.start(primary);
    this.#closing.push(() => link.stop());
    await rest(REPLICATES_MS);
    link.interrupt();
    await Promise.all([rest(lagMs), fallsBehind(service, primary, link.standby)]);
    this.#down.add(service);
    await primary.kill();
    const promoted = await link.promote();
    await primary.startElsewhere();
    const lost = await lostRows(service, primary, promoted, () => {
      this.#servers.set(service, promoted);
      this.#down.delete(service);
    });
    this.failovers.push({ service, lost });
    await primary.kill();
  }

  /** Ends everything, and deletes it. */
  async stop(): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
  }

  async #start(
    { isApart, parent, tablespace, isPooled, onBroken }: DatabasesOptions,
  ): Promise<void> {
    let shared: PrivateServer | null = null;
    for (const service of SERVICES) {
      const server: PrivateServer = shared ??
        await startPostgres({ settings: SETTINGS, parent });
      if (shared === null) {
        this.#closing.push(() => server.stop());
        await createTables(server.port, tablespace);
      }
      if (!isApart) shared = server;
      this.#servers.set(service, server);
      const address = await CuttingProxy.start(() => [this.#serverOf(service).port]);
      this.#addresses.set(service, address);
      this.#closing.push(() => address.stop());
    }
    if (!isPooled) return;
    const pooler = await startPgBouncer(this.#serverOf("orders").port, parent);
    this.#pooler = pooler;
    this.#closing.push(() => pooler.stop());
    pooler.ended.catch(onBroken);
  }

  #serverOf(service: ServiceName): PrivateServer {
    return this.#servers.get(service) as PrivateServer;
  }
}

async function createTables(port: number, tablespace: string | null): Promise<void> {
  const admin = directly(port, "postgres");
  if (tablespace !== null) {
    await admin.unsafe(`create tablespace small_disk location '${tablespace}'`);
  }
  await admin.unsafe(
    `create database ${DATABASE} ${tablespace === null ? "" : "tablespace small_disk"}`,
  );
  await admin.end();
  const sql = directly(port);
  for (const statement of TABLES) await sql.unsafe(statement);
  await sql.end();
}
