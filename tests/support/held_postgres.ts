/**
 * A postgres.js client whose check-backs stop in the middle of their transactions.
 *
 * @module
 */
import type postgres from "postgres";

/**
 * Is called when a check has just written `aborted`, with the process of the server that its transaction
 * is in; the check waits for it.
 */
export type InCheck = (id: string, pid: number) => Promise<void>;

/** What a query answers, and what the driver calls with it. */
interface Answering {
  resolve(result: { readonly state: { readonly pid: number } }): void;
}

/** Wraps a client, for a fence that only asks. */
export function heldInChecks(sql: postgres.Sql, inCheck: InCheck): postgres.Sql {
  return new Proxy(sql, {
    get(target, name) {
      if (name !== "unsafe") return Reflect.get(target, name);
      return (...args: Parameters<postgres.Sql["unsafe"]>) => {
        const query = target.unsafe(...args);
        const [, params] = args;
        if (params?.[1] !== "aborted") return query;
        const answering = query as unknown as Answering;
        const { resolve } = answering;
        answering.resolve = (result) => {
          inCheck(params[0] as string, result.state.pid).then(() => resolve(result));
        };
        return query;
      };
    },
  });
}
