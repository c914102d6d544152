/**
 * The store of a service in a test: the store of the kit, with faults.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { LazyTransaction, Settlement, Store } from "../../core/ports/store.ts";
import { isInstance } from "../../core/user_code/thrown.ts";
import type { ManualClock } from "../../adapters/memory/manual_clock.ts";
import type { FaultKind, Faults, FaultSubject } from "./faults.ts";

/** The methods that answer at once, without the server of a store. */
const AT_ONCE: ReadonlySet<PropertyKey> = new Set(["joining", "failureOf", "close"]);

/** An error of a store that a test let happen. */
export class StoreFault extends AtlastError {}

/** A transaction that has not ended. */
interface OpenTransaction {
  /** Whether messages were settled in it, as a handler's transaction does at its end. */
  settles: boolean;
  /** Those of which a fault may lose the answer. */
  readonly settled: FaultSubject[];
}

type Method = (...args: unknown[]) => unknown;

/** The store of a service, with the faults that its test injects. */
export class FaultyStore<Tx> {
  /** The store as its bus has it. */
  readonly store: Store<Tx>;
  readonly #real: Store<Tx>;
  readonly #faults: Faults;
  readonly #clock: ManualClock;
  readonly #open = new Map<unknown, OpenTransaction>();

  constructor(real: Store<Tx>, faults: Faults, clock: ManualClock) {
    this.#real = real;
    this.#faults = faults;
    this.#clock = clock;
    this.store = this.#withFaults(real);
  }

  /** When the store is up again, in Unix milliseconds; null if it is up. */
  get downUntilMs(): number | null {
    return this.#faults.lasting("store_down")?.untilMs ?? null;
  }

  /** A store, or its hints, with faults around each method. */
  #withFaults<Part extends object>(part: Part): Part {
    const around: Readonly<Record<PropertyKey, (call: Method) => Method>> = {
      claim: (call) => (...args) => this.#claim(() => call(...args) as Promise<StoredRecord[]>),
      settle: (call) => (box, settlements, tx) =>
        this.#settle(box as Box, settlements as Settlement[], tx, () => call(box, settlements, tx)),
      settleAsLast: (call) => (box, settlements, tx) =>
        this.#settle(box as Box, settlements as Settlement[], tx, () => call(box, settlements, tx)),
      settleAndAdd: (call) => (box, steps, nowMs) =>
        this.#settle(
          box as Box,
          (steps as { settlement: Settlement }[]).map(({ settlement }) => settlement),
          undefined,
          () => call(box, steps, nowMs),
        ),
      transaction: (call) => (work, options) =>
        this.#transact(
          (options as { isOwn?: boolean } | undefined)?.isOwn !== true,
          (during) => call((tx: Tx) => during(tx, () => (work as Method)(tx)), options),
        ),
      transactionOnUse: (call) => (first, work) =>
        this.#transact(
          false,
          (during) =>
            call(first, (tx: Tx, lazy: LazyTransaction) =>
              during(tx, () => (work as Method)(tx, lazy))),
        ),
    };
    return new Proxy(part, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (property === "hints" && typeof value === "object" && value !== null) {
          return this.#withFaults(value);
        }
        if (typeof value !== "function") return value;
        const call: Method = (...args) => value.apply(target, args);
        if (AT_ONCE.has(property)) return call;
        const faulty = around[property]?.(call) ?? call;
        return (...args: unknown[]) => this.#answer(() => faulty(...args));
      },
    });
  }

  /** Makes a call, unless the store is down. A slow store answers late. */
  #answer(call: () => unknown): unknown {
    const fault = this.#ifDown();
    if (fault !== null) return Promise.reject(fault);
    const slow = this.#faults.lasting("store_slow");
    const beganAtMs = this.#clock.now();
    const answer = call();
    // Some hints return null instead of a promise, for what they do not do.
    if (slow === null || !isInstance(answer, Promise)) return answer;
    slow.timesLeft = 0;
    const untilMs = beganAtMs + slow.slowMs;
    return answer.finally(() => {
      this.#clock.advance(Math.max(0, untilMs - this.#clock.now()));
    });
  }

  /** The error of a call while the store is down; null if it is up. */
  #ifDown(): StoreFault | null {
    const down = this.#faults.lasting("store_down");
    if (down === null) return null;
    down.timesLeft = 0;
    return new StoreFault("connection_lost", "Cannot reach the store: the test let it be down");
  }

  async #claim(call: () => Promise<StoredRecord[]>): Promise<StoredRecord[]> {
    const records = await call();
    this.#loseAnswer("claim_unanswered", records.map(subjectOf), "claim messages");
    return records;
  }

  async #settle(
    box: Box,
    settlements: readonly Settlement[],
    tx: unknown,
    call: () => unknown,
  ): Promise<unknown> {
    const subjects = this.#faults.awaits(["settle_unanswered"])
      ? await this.#subjectsOf(box, settlements, tx)
      : [];
    const answer = await call();
    const settled = Array.isArray(answer) ? subjects.filter((_, i) => answer[i]) : subjects;
    const open = this.#open.get(tx);
    if (open === undefined) {
      this.#loseAnswer("settle_unanswered", settled, "settle messages");
    } else {
      open.settles = true;
      open.settled.push(...settled);
    }
    return answer;
  }

  /** Runs a transaction. The answer to its commit may be lost, and a store that is down does not commit it. */
  async #transact(
    isOfUser: boolean,
    transact: (during: (tx: unknown, work: () => unknown) => Promise<unknown>) => unknown,
  ): Promise<unknown> {
    let open: OpenTransaction = { settles: false, settled: [] };
    const result = await transact(async (tx, work) => {
      // Work that conflicted with others runs again.
      open = { settles: false, settled: [] };
      if (this.#real.capabilities.transactions) this.#open.set(tx, open);
      try {
        const result = await work();
        const fault = this.#ifDown();
        if (fault !== null) throw fault;
        return result;
      } finally {
        this.#open.delete(tx);
      }
    });
    const { settles, settled } = open;
    if (settles) this.#loseAnswer("settle_unanswered", settled, "commit the transaction");
    else if (isOfUser) this.#loseAnswer("commit_unanswered", [ANY], "commit the transaction");
    return result;
  }

  /** @throws {StoreFault} If a fault of a kind is for one of the messages. */
  #loseAnswer(kind: FaultKind, subjects: readonly FaultSubject[], attempt: string): void {
    if (!subjects.some((subject) => this.#faults.take([kind], subject) !== null)) return;
    throw new StoreFault(
      "outcome_unknown",
      `Cannot ${attempt}: the test lost the answer of the store`,
    );
  }

  /** The messages of settlements, in their order. */
  async #subjectsOf(
    box: Box,
    settlements: readonly Settlement[],
    tx: unknown,
  ): Promise<FaultSubject[]> {
    const keys = settlements.map(({ key }) => key);
    const records = tx === undefined
      ? await Promise.all(keys.map((key) => this.#real.find(box, key)))
      : await this.#real.findMany?.(box, keys, tx as Tx) ?? [];
    return records.map((record) => record === null ? ANY : subjectOf(record));
  }
}

/** A message of which nothing is known. */
const ANY: FaultSubject = { name: "" };

function subjectOf({ message: { name }, group }: StoredRecord): FaultSubject {
  return group === "" ? { name } : { name, group };
}
