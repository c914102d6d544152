/**
 * The proof that a statement runs within a transaction that others began.
 *
 * Postgres has no function that tells whether a statement runs within a transaction block. But what one
 * statement sets for its transaction alone is gone when that ends. So one statement sets a token, and the next
 * writes only where it still finds it. A statement that runs by itself finds none: on a connection that
 * replaced a lost one, behind a ROLLBACK that its caller did not wait for, or on a client without BEGIN. It
 * writes nothing then, and fails nobody's transaction.
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

  /** `isOfOne` says whether the client is that of one transaction alone, so that a token stays. */
  constructor(run: Run, isOfOne: boolean) {
    this.#run = run;
    this.#isOfOne = isOfOne;
  }

  /**
   * Writes within the transaction.
   *
   * @param write Writes where the transaction has the token; null when nothing shows that it has.
   * @throws {AtlastError} `no_transaction`; nothing is written then.
   */
  async write<Result>(write: (token: string) => Promise<Result | null>): Promise<Result> {
    if (this.#isSet) {
      const result = await write(this.#token);
      if (result !== null) return result;
      // It may have been set in a savepoint that was rolled back.
    }
    // Waited for: on a connection whose transaction has ended, postgres.js may never send what is behind it.
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

  /** That of a client, which is made where there is none. */
  of(client: object, make: () => Proof): Proof {
    let proof = this.#proofs.get(client);
    if (proof === undefined) this.#proofs.set(client, proof = make());
    return proof;
  }

  /** That of a client whose driver is not known. */
  ofClient(client: SqlClient, runIn: (client: SqlClient) => Run): Proof {
    const inner = unwrapped(client);
    // Drizzle and Kysely have an object of its own for each transaction.
    const isOfOne = inner !== client;
    return this.of(inner, () => new Proof(runIn(client), isOfOne));
  }
}
