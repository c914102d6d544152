/**
 * The parts of `pg` (node-postgres) that the adapter uses.
 *
 * @module
 */

/** The part of a pool of `pg`, or of one of the same shape, that the store uses. */
export interface PgPool {
  /** Takes a client out of the pool. */
  // deno-lint-ignore no-explicit-any -- the client's type is the pool's own; see PgTransactionOf.
  connect(): Promise<any>;
  /** Adds a listener; the store listens for errors of idle clients, which would end the process. */
  // deno-lint-ignore no-explicit-any -- pools type their events each in their own way.
  on(event: "error", listener: (...args: any[]) => void): unknown;
}

/** What a pool of `pg` gives to the work of a transaction: a `PoolClient`. */
export type PgTransactionOf<Pool> = Pool extends {
  connect: {
    (): Promise<infer Client>;
    // deno-lint-ignore no-explicit-any -- only `any` matches the callback of every version.
    (callback: (...args: any[]) => void): void;
  };
} ? Client
  : Pool extends { connect(): Promise<infer Client> } ? Client
  : never;

/** A query of `pg`, which sends itself when its turn comes. */
export interface PgQuery {
  /** Sends itself, or returns the error that prevents it. */
  submit(connection: unknown): unknown;
  /** Called when it fails. */
  handleError?(error: unknown, connection: unknown): void;
}

/** An answer of `pg`. */
export interface PgResult {
  readonly command?: string;
  readonly rows: readonly unknown[][];
}

/** What a query of `pg` is made of. */
interface PgQueryConfig {
  readonly text: string;
  readonly values?: unknown[];
  readonly name?: string;
  readonly rowMode: "array";
  readonly types: { getTypeParser(oid: number): (text: string) => unknown };
}

/** A client of `pg`, with what its types do not show. */
export interface PgClient {
  query(query: unknown, values?: unknown): unknown;
  release(error?: unknown): void;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
  /** `I` outside of a transaction; absent before version 8.20. */
  getTransactionStatus?(): string | null;
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
  cancel?(client: object, query: object): void;
  readonly pipeline?: boolean;
  readonly processID?: number | null;
  readonly secretKey?: unknown;
  readonly connection: {
    readonly stream: {
      destroy(): unknown;
      setKeepAlive?(enable: boolean, delayMs: number): unknown;
    };
    on(event: string, listener: () => void): unknown;
  };
  readonly constructor: {
    readonly Query: new (
      config: PgQueryConfig,
      values: undefined,
      done: (error: unknown, result: PgResult) => void,
    ) => PgQuery;
  };
}

/** A pool of `pg`, with what its types do not show. */
export interface PgPoolParts extends PgPool {
  readonly Client?: { new (options: unknown): PgClient; readonly prototype: object };
  readonly options?: { readonly max?: number };
}
