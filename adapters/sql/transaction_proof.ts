/**
 * The proof that a statement runs within a transaction that the user began.
 *
 * Postgres has no function that tells whether a statement runs within a transaction block. But a setting that
 * is local to a transaction is gone when the transaction ends. So one statement sets a token, and the next
 * one writes only if it still finds the token. A statement outside the transaction finds none: on a
 * connection that replaced a lost one, after a ROLLBACK that its caller did not await, or on a client without
 * BEGIN. It then writes nothing, and does not fail any transaction.
 *
 * @module
 */
import type { SqlClient } from "../../core/ports/platform.ts";
import { noTransaction } from "./must_be_transaction.ts";
import type { Run } from "./run.ts";
import { unwrapped } from "./wrapped_clients.ts";

const SETTING = "atlast.transaction";

/** The condition that the transaction has a token. */
export function hasToken(parameter: string): string {
  return `current_setting('${SETTING}', true) = ${parameter}`;
}

/** Proves for the statements of one client that they run within a transaction. */
export class Proof {
  readonly #run: Run;
  readonly #isOfOne: boolean;
  readonly #token: string = crypto.randomUUID();
  #isSet = false;

  /** `isOfOne` says whether the client belongs to a single transaction, so that a token stays valid. */
  constructor(run: Run, isOfOne: boolean) {
    this.#run = run;
    this.#isOfOne = isOfOne;
  }

  /**
   * Writes within the transaction.
   *
   * @param write Writes if the transaction has the token; returns null if no row shows that it has.
   * @throws {AtlastError} `no_transaction`; nothing is written then.
   */
  async write<Result>(write: (token: string) => Promise<Result | null>): Promise<Result> {
    if (this.#isSet) {
      const result = await write(this.#token);
      if (result !== null) return result;
      // It may have been set in a savepoint that was rolled back.
    }
    // Awaited: on a connection whose transaction has ended, postgres.js may never send later statements.
    await this.#run(`select set_config('${SETTING}', $1::text, true)`, [this.#token]);
    const result = await write(this.#token);
    if (result === null) throw noTransaction();
    this.#isSet = this.#isOfOne;
    return result;
  }
}

/** The proofs of the clients of one database. */
export class Proofs {
  readonly #proofs = new WeakMap<object, Proof>();

  /** The proof of a client; created at first use. */
  of(client: object, make: () => Proof): Proof {
    let proof = this.#proofs.get(client);
    if (proof === undefined) this.#proofs.set(client, proof = make());
    return proof;
  }

  /** The proof of a client whose driver is not known. */
  ofClient(client: SqlClient, runIn: (client: SqlClient) => Run): Proof {
    const inner = unwrapped(client);
    // Drizzle and Kysely create a separate object for each transaction.
    const isOfOne = inner !== client;
    return this.of(inner, () => new Proof(runIn(client), isOfOne));
  }
}
