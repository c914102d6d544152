/**
 * The way from a primary to its standby in a crash run, which can be interrupted so that the standby falls behind.
 *
 * @module
 */
import type { PrivateServer, Standby } from "../postgres_server.ts";
import { CuttingProxy } from "./cutting_proxy.ts";
import { rest } from "./rest.ts";
import { directly } from "./watch.ts";

/** How often it is looked whether the standby replicates, in milliseconds. */
const LOOK_MS = 20;

/** A standby that follows a primary through a proxy. */
export class StandbyLink {
  readonly #proxy: CuttingProxy;
  #isOpen = true;
  /** The standby. */
  readonly standby: Standby;

  private constructor(standby: Standby, proxy: CuttingProxy) {
    this.standby = standby;
    this.#proxy = proxy;
  }

  /** Starts a standby; resolves when it replicates what the primary does. */
  static async start(primary: PrivateServer): Promise<StandbyLink> {
    let link: StandbyLink | null = null;
    const { port } = primary;
    const proxy = await CuttingProxy.start(() => link !== null && !link.#isOpen ? [] : [port]);
    try {
      link = new StandbyLink(await primary.startStandby(proxy.port), proxy);
      await link.#replicates();
      return link;
    } catch (error) {
      await proxy.stop();
      link?.standby.stop();
      throw error;
    }
  }

  /** Nothing reaches the standby from now on. */
  interrupt(): void {
    this.#isOpen = false;
    this.#proxy.endAll();
  }

  /** Makes the standby a primary. */
  async promote(): Promise<PrivateServer> {
    await this.standby.promote();
    return this.standby;
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await this.#proxy.stop();
    this.standby.stop();
  }

  async #replicates(): Promise<void> {
    const sql = directly(this.standby.port, "postgres");
    try {
      for (;;) {
        const rows = await sql`select from pg_stat_wal_receiver where status = 'streaming'`;
        if (rows.length > 0) return;
        await rest(LOOK_MS);
      }
    } finally {
      await sql.end();
    }
  }
}
