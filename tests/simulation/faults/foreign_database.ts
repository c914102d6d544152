/**
 * The database of a service on a store from elsewhere, such as one that an author of an adapter tests. The changes of its
 * records are found by comparing them after each call.
 *
 * It may crash too, and is then down and closes its connections, but forgets nothing: only the store's own test can make
 * it lose what was not synced. The store must answer without waiting for anything but its own microtasks, as one in memory
 * does, because the time of a simulation does not wait for anything else.
 *
 * @module
 */
import type { Box } from "../../../mod.ts";
import type { Store, StoredRecord } from "../../../ports.ts";
import type { Tx } from "../../support/bus_fixture.ts";
import { wrapped } from "../../support/wrapped_store.ts";
import { kindOf } from "../change.ts";
import { Database, type Watch } from "./database.ts";

/** More records than a seed makes. */
const ALL = 10_000;

/** The calls that begin a transaction, in which others are made. */
const TRANSACTIONS: ReadonlySet<string> = new Set(["transaction", "transactionOnUse"]);

/** The calls that change no record. */
const READS: ReadonlySet<string> = new Set([
  ...["ready", "serviceId", "find", "findMany", "list", "count", "nextDueAt", "close"],
  ...["notify", "listen", "untaken", "oldestDue", "findUnreachable", "haveBeenAdded"],
]);

/** Which argument of a method may be a transaction. */
const TRANSACTION_AT: Readonly<Record<string, number>> = {
  add: 3,
  settle: 2,
  settleAsLast: 2,
  notifyAtCommit: 1,
};

type Seen = Map<string, StoredRecord>;

/** The database of a service on a store from elsewhere. */
export class ForeignDatabase extends Database {
  override readonly store: Store<Tx>;
  readonly #foreign: Store<Tx>;
  readonly #watch: Watch;
  readonly #seen: Readonly<Record<Box, Seen>> = { outbox: new Map(), inbox: new Map() };
  /** Calls outside a transaction are made one after another, so that each change is seen apart. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(foreign: Store, now: () => number, watch: Watch) {
    super(now, watch);
    this.#foreign = foreign as Store<Tx>;
    this.#watch = watch;
    const wrapping = wrapped(withoutShortcut(this.#foreign));
    wrapping.around = async (method, call, args) => {
      if (TRANSACTIONS.has(method)) {
        const result = await call();
        await this.#inTurn(() => Promise.resolve());
        return result;
      }
      if (READS.has(method)) return await call();
      const isWithin = args[TRANSACTION_AT[method] ?? args.length] !== undefined;
      return isWithin ? await call() : await this.#inTurn(() => call());
    };
    this.store = wrapping.store;
  }

  /** Makes a call after the ones before it, and looks what it has changed. */
  #inTurn<Result>(call: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(async () => {
      await this.#look();
      try {
        return await call();
      } finally {
        await this.#look();
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }

  async #look(): Promise<void> {
    // Both at once: a transaction that commits between them would be seen in part.
    const [inbox, outbox] = await Promise.all([
      this.#foreign.list({ box: "inbox", limit: ALL }),
      this.#foreign.list({ box: "outbox", limit: ALL }),
    ]);
    for (const [box, records] of [["outbox", outbox], ["inbox", inbox]] as const) {
      const seen = this.#seen[box];
      const gone = new Set(seen.keys());
      for (const record of records) {
        const key = keyOf(record);
        const before = seen.get(key) ?? null;
        gone.delete(key);
        if (before !== null && textOf(before) === textOf(record)) continue;
        const after = before !== null && sameJson(before.details, record.details)
          ? { ...record, details: before.details }
          : record;
        seen.set(key, after);
        this.#watch(box, kindOf(before, after), before, after);
      }
      for (const key of gone) {
        const before = seen.get(key) ?? null;
        seen.delete(key);
        this.#watch(box, kindOf(before, null), before, null);
      }
    }
  }
}

/** A store without the hint that may answer at once that it does nothing, which no fault around it could. */
function withoutShortcut(store: Store<Tx>): Store<Tx> {
  const reading = <Part extends object>(part: Part, get: (name: PropertyKey) => unknown): Part =>
    new Proxy(part, {
      get(_, name) {
        const value = get(name);
        return typeof value === "function" ? value.bind(part) : value;
      },
    });
  const { hints } = store;
  if (hints?.addAndNotify === undefined) return store;
  const own = reading(
    hints,
    (name) => name === "addAndNotify" ? undefined : Reflect.get(hints, name),
  );
  return reading(store, (name) => name === "hints" ? own : Reflect.get(store, name));
}

function keyOf({ id, group }: StoredRecord): string {
  return JSON.stringify([id, group]);
}

/** All of a record that changes. */
function textOf({ message: _message, ...rest }: StoredRecord): string {
  return JSON.stringify(rest);
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
