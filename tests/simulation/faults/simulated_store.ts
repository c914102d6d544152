/**
 * The store and the fence of a service as one of its processes reaches them: calls may fail or take long, and end with
 * the process or with the database.
 *
 * @module
 */
import type { MemoryFenceTransaction } from "../../../adapters/memory/mod.ts";
import type { Fence, LazyTransaction, Store, StoredRecord } from "../../../ports.ts";
import type { Tx } from "../../support/bus_fixture.ts";
import { type StoreMethod, wrapped } from "../../support/wrapped_store.ts";
import type { VirtualTime } from "../virtual_time.ts";
import { Database, type Server } from "./database.ts";
import { REFUSED_MS, type SimulatedProcess } from "./simulated_process.ts";

/** What a store is reached over. */
interface StoreParts {
  readonly store: Store<Tx>;
  readonly database: Database;
  readonly time: VirtualTime;
  /** Is called when a call has taken effect, before its answer is on its way. */
  readonly done: (method: StoreMethod, args: readonly unknown[], result: unknown) => void;
  /** Is called with each record that the process has claimed and was told of. */
  readonly told: (record: StoredRecord) => void;
}

/** The store of a process. */
export function storeOf(
  process: SimulatedProcess,
  { store, database, time, done, told }: StoreParts,
): Store<Tx> {
  const wrapping = wrapped(store);
  wrapping.around = async (method, call, args) => {
    const { crashes } = database;
    const inTransaction = (work: unknown) => transactionOf(process, database, work);
    // It calls its work at once; what that does to the store are calls of their own.
    if (method === "transactionOnUse") {
      return await process.answered(method, () => call([args[0], inTransaction(args[1])]));
    }
    const result = await process.call(`${method} ${subject(args)}`, async () => {
      if (database.isDown) await time.pause(REFUSED_MS);
      // A call on a connection that the crash has closed.
      database.mustAnswer(crashes);
      if (method === "transaction") return await call([inTransaction(args[0])]);
      const result = await call();
      done(method, args, result);
      return result;
    }, "store");
    database.mustAnswer(crashes);
    if (method === "claim") (result as StoredRecord[]).forEach(told);
    return result;
  };
  return wrapping.store;
}

/** The fence of a process; `checked` is called for each check-back that was answered. */
export function fenceOf(
  process: SimulatedProcess,
  fence: Fence<MemoryFenceTransaction>,
  server: Server,
  checked: () => void,
): Fence<MemoryFenceTransaction> {
  const call = <Result>(what: string, effect: () => Promise<Result>): Promise<Result> =>
    process.call(what, async () => {
      server.mustAnswer();
      return await effect();
    });
  return {
    ready: () => call("fence ready", () => fence.ready()),
    check: (question, signal) =>
      call(`ask ${question.id}`, async () => {
        const answer = await fence.check(question, signal);
        checked();
        return answer;
      }),
    commit: (id, nowMs, tx) => call(`fence ${id}`, () => fence.commit(id, nowMs, tx)),
    transaction: (work) =>
      call(
        "business transaction",
        () => fence.transaction(transactionOf(process, server, work) as typeof work),
      ),
    writtenBefore: (...args) => call("fence list", () => fence.writtenBefore(...args)),
    outcomes: (ids) => call("fence read", () => fence.outcomes(ids)),
    prune: (ids) => call("fence forget", () => fence.prune(ids)),
  };
}

/**
 * The server rolls back what its client has not committed when one of them dies; before the commit it may fail too.
 */
function transactionOf(
  process: SimulatedProcess,
  server: Server,
  work: unknown,
): (tx: unknown, lazy?: LazyTransaction) => Promise<unknown> {
  return async (tx, lazy) => {
    const { crashes } = server;
    let isUsed = true;
    const given = lazy && { close: () => !(isUsed = !lazy.close()) };
    const done = await process.during(() =>
      (work as (tx: unknown, lazy?: LazyTransaction) => Promise<unknown>)(tx, given)
    );
    if (!isUsed) return done;
    server.mustAnswer(crashes);
    if (server instanceof Database) process.mustReach("store");
    process.mayRefuseCommit();
    return done;
  };
}

/** The ids a call is about. */
export function subject(args: readonly unknown[]): string {
  const first = args[1] ?? args[0];
  if (!Array.isArray(first)) return typeof first === "string" ? first : "";
  return first.map((each) => each?.id ?? each?.key?.id ?? each?.record?.id ?? "").join();
}
