/**
 * Publishing: from a contract and a body to a record in the outbox.
 *
 * @module
 */
import type { CallbackContract, Contract } from "../contract.ts";
import { AtlastError } from "../errors.ts";
import { type Message, sameBody } from "../message.ts";
import type { AddResult, NewRecord, SqlClient, Store, StoredRecord } from "../ports.ts";
import type { RetryPolicy } from "../retry.ts";
import { type EncodeBody, encodeBody, keepBody } from "./codec.ts";
import { addAllOf, addAllOrNone } from "./all_or_none.ts";
import {
  type Composed,
  type Composer,
  composer,
  headersOf,
  mustRoute,
  type Rules,
} from "./compose.ts";
import type { FailureReport } from "./failure_report.ts";
import { Gathering } from "./gathering.ts";
import { joiner } from "./joiner.ts";
import { type Draft, wrapPublish } from "./middleware.ts";
import { largestBody, type Settings } from "./options.ts";
import type { RawMessage, RawOptions } from "./raw_message.ts";

/** How a message is published. */
export interface PublishOptions<Tx = unknown, Reply = never> {
  /**
   * The transaction the message is stored in: it exists if and only if that commits. The store's own
   * transaction, or any other of the same database as a {@linkcode SqlClient}.
   */
  readonly tx?: Tx | SqlClient;
  /**
   * The id, for a caller that may publish the same message twice: the second time changes nothing. A new
   * UUIDv7 if not given.
   */
  readonly id?: string;
  /** Headers to carry along. The object is not changed. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** The contract under which handlers' replies come back. */
  readonly callback?: CallbackContract<Reply>;
  /** The contract under which the publisher learns that all attempts are used up. */
  readonly failureCallback?: CallbackContract<FailureReport>;
  /** How long to wait before delivery, in milliseconds; 0 if not given. */
  readonly delayMs?: number;
  /** After how many milliseconds the message is no longer worth delivering; never if not given. */
  readonly deadlineMs?: number;
  /** When a failed sending is tried again; the contract's policy, or the bus's, if not given. */
  readonly retry?: RetryPolicy;
  /**
   * A URL that the message goes to instead of the route of its name, for best-effort notification: it is
   * sent there by the times of `retry` (such as `NOTIFY_RETRY`) until it is taken or `deadlineMs` has
   * passed, and the receiver may ask for it at the edge app's query route. Wants a transport that allows it.
   */
  readonly destination?: string | URL;
  /** The media type of a text or bytes body; JSON if not given, `application/octet-stream` for bytes. */
  readonly contentType?: string;
}

/** What a publish gives back. */
export interface Receipt {
  /** The message's id. */
  readonly id: string;
  /** Whether this very message was there already. */
  readonly duplicate: boolean;
}

/** What publishing needs of the rest of the bus. */
export interface Outlet {
  /** How many records the bus would take to send at once, without their being claimed. */
  room(): number;
  /** Takes a record born with a lease, to send it now. */
  handOver(record: StoredRecord): void;
  /** Is told that a record is there to claim, or will be once its transaction has committed. */
  added(committed: boolean): void;
}

/** Inserts that travel together at the most: enough to spread the cost of a round trip thin. */
const MAX_JOINED = 500;
/** Inserts under way at once: a second keeps the database busy while the first one's answer travels. */
const MAX_INSERTS = 2;

/** Publishes messages into the outbox. */
export class Publisher<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #outlet: Outlet;
  readonly #addJoined: (record: NewRecord) => Promise<AddResult>;
  /** The transactions that something was published in. */
  readonly #joined = new WeakSet<object>();

  constructor(settings: Settings<Tx>, outlet: Outlet) {
    this.#settings = settings;
    this.#outlet = outlet;
    this.#addJoined = joiner({
      run: (records) => settings.store.add("outbox", records, settings.clock.now()),
      maxItems: MAX_JOINED,
      maxRuns: MAX_INSERTS,
    });
  }

  /** Publishes one message. */
  publish(
    contract: Contract,
    body: unknown,
    options: PublishOptions<Tx>,
    store: (record: NewRecord) => Promise<Receipt> = (record) => this.#store(record, options.tx),
  ): Promise<Receipt> {
    return this.#publish({ name: contract.name, body }, contract, options, encodeBody, store);
  }

  /** Publishes a message whose body is encoded already. */
  publishRaw(message: RawMessage, { contract, ...options }: RawOptions<Tx>): Promise<Receipt> {
    const { name, body, ...own } = message;
    return this.#publish(
      { name, body },
      contract ?? { body: undefined },
      { ...options, ...own },
      keepBody,
      (record) => this.#store(record, options.tx),
    );
  }

  async #publish(
    { name, body }: Pick<Draft, "name" | "body">,
    rules: Rules,
    options: PublishOptions<Tx>,
    encode: EncodeBody,
    store: (record: NewRecord) => Promise<Receipt>,
  ): Promise<Receipt> {
    const { clock, newId, onPublish } = this.#settings;
    const nowMs = clock.now();
    const publish = wrapPublish(
      onPublish,
      async ({ id, body, ...draft }) =>
        await store(recordOf(await this.#composer(draft, rules, options, nowMs, encode)(id, body))),
    );
    const id = options.id ?? newId(nowMs);
    return await publish({ id, name, body, headers: headersOf(options) });
  }

  /** Makes the record of a message, through all that wraps a publish, without storing it. */
  async compose(
    contract: Contract,
    body: unknown,
    options: PublishOptions<Tx>,
  ): Promise<NewRecord> {
    let composed: NewRecord | undefined;
    const { id } = await this.publish(contract, body, options, (record) => {
      composed = record;
      return Promise.resolve({ id: record.id, duplicate: false });
    });
    if (composed !== undefined) return composed;
    throw new AtlastError(
      "unsupported",
      `Cannot prepare "${contract.name}" with id "${id}": a middleware answered without publishing it`,
    );
  }

  /** Publishes many messages of one contract in one statement: all of them, or none. */
  async publishMany(
    contract: Contract,
    bodies: readonly unknown[],
    options: Omit<PublishOptions<Tx>, "id"> & { readonly ids?: readonly string[] },
  ): Promise<Receipt[]> {
    const { ids, ...shared } = options;
    if (ids !== undefined && ids.length !== bodies.length) {
      throw new AtlastError(
        "invalid_option",
        `Cannot publish ${bodies.length} messages with ${ids.length} ids: want one for each, or none`,
      );
    }
    // Only an id from elsewhere, a middleware's included, can be taken by another message.
    if (this.#settings.onPublish.length === 0) {
      const records = await this.#records(contract, bodies, shared, ids);
      return records.length === 0
        ? []
        : await this.#storeMany(records, options.tx, ids !== undefined);
    }
    const gathering = new Gathering(
      bodies.length,
      (records) => this.#storeMany(records, options.tx, true),
    );
    return await Promise.all(bodies.map((body, i) => {
      const id = ids?.[i];
      const own = id === undefined ? shared : { ...shared, id };
      const receipt = this.publish(contract, body, own, (record) => gathering.take(record, i));
      receipt.then(() => gathering.end(i), (error) => gathering.fail(i, error));
      return receipt;
    }));
  }

  /** The record of an answer that the caller adds in a transaction of its own. */
  answer(message: Message): NewRecord {
    const record = newRecord(message, {});
    const [born = record] = this.#bornLeased([record]);
    return born;
  }

  /** Is told that a record of this bus was committed. */
  committed(record: NewRecord): void {
    if (record.leaseUntilMs === null) return this.#outlet.added(true);
    this.#outlet.handOver(storedFromBirth(record, "outbox", this.#settings.clock.now()));
  }

  /** Is told that a transaction of this bus was committed; what was published in it can be sent now. */
  ended(tx: Tx): void {
    if (this.#joined.has(tx as object)) this.#outlet.added(true);
  }

  /** The records of many messages that nothing wraps, which goes faster without a promise for each. */
  async #records(
    contract: Contract,
    bodies: readonly unknown[],
    options: PublishOptions<Tx>,
    ids: readonly string[] | undefined,
  ): Promise<NewRecord[]> {
    const { clock, newId } = this.#settings;
    const nowMs = clock.now();
    const draft = { name: contract.name, headers: headersOf(options) };
    const compose = this.#composer(draft, contract, options, nowMs, encodeBody);
    const records: NewRecord[] = [];
    for (let i = 0; i < bodies.length; i++) {
      const composed = compose(ids?.[i] ?? newId(nowMs), bodies[i]);
      records.push(recordOf(composed instanceof Promise ? await composed : composed));
    }
    return records;
  }

  #composer(
    draft: Pick<Draft, "name" | "headers">,
    rules: Rules,
    options: PublishOptions<Tx>,
    nowMs: number,
    encode: EncodeBody,
  ): Composer {
    const { transport } = this.#settings;
    return composer(draft, rules, options, {
      nowMs,
      encode,
      maxBodyBytes: largestBody(this.#settings),
      admit: (name, headers) => mustRoute(transport, "publish", name, headers),
    });
  }

  async #store(record: NewRecord, tx: Tx | SqlClient | undefined): Promise<Receipt> {
    if (tx !== undefined) {
      const [receipt] = await this.#storeMany([record], tx, false);
      return receipt as Receipt;
    }
    await this.#settings.store.ready();
    const [born = record] = this.#bornLeased([record]);
    return this.#stored(born, receiptOf(born, await this.#addJoined(born)));
  }

  async #storeMany(
    records: readonly NewRecord[],
    tx: Tx | SqlClient | undefined,
    mayConflict: boolean,
  ): Promise<Receipt[]> {
    const { store, clock } = this.#settings;
    const add = async (born: readonly NewRecord[], within?: Tx | SqlClient): Promise<Receipt[]> => {
      const results = await store.add("outbox", born, clock.now(), within);
      return born.map((record, i) => receiptOf(record, results[i] as AddResult));
    };
    if (tx !== undefined) {
      const receipts = await add(records, tx);
      if (typeof tx === "object" || typeof tx === "function") this.#joined.add(tx as object);
      this.#outlet.added(false);
      records.forEach((record, i) => this.#published(record, receipts[i] as Receipt));
      return receipts;
    }
    await store.ready();
    const born = this.#bornLeased(records);
    const addAll = addAllOf(store);
    const receipts = addAll !== undefined
      ? await this.#addAllOrNone(addAll, born)
      : mayConflict
      ? await store.transaction((own) => add(born, own))
      : await add(born);
    let hasFree = false;
    born.forEach((record, i) => {
      const receipt = receipts[i] as Receipt;
      this.#published(record, receipt);
      if (receipt.duplicate) return;
      if (record.leaseUntilMs === null) hasFree = true;
      else this.committed(record);
    });
    // Said once for all: each word may cost a wake-up of other processes.
    if (hasFree) this.#outlet.added(true);
    return receipts;
  }

  async #addAllOrNone(
    addAll: NonNullable<Store["addAll"]>,
    born: readonly NewRecord[],
  ): Promise<Receipt[]> {
    const nowMs = this.#settings.clock.now();
    const results = await addAllOrNone(addAll, born, nowMs, (record, existing) => {
      receiptOf(record, { added: false, existing });
    });
    return born.map((record, i) => receiptOf(record, results[i] as AddResult));
  }

  /**
   * Records this bus will send itself are stored with a lease, and need not be claimed from the
   * database again. Those that are delayed, or find no room, are left for anyone to claim.
   */
  #bornLeased(records: readonly NewRecord[]): readonly NewRecord[] {
    const room = this.#outlet.room();
    if (room === 0) return records;
    const nowMs = this.#settings.clock.now();
    const leaseUntilMs = nowMs + this.#settings.leaseMs;
    return records.map((record, ahead) =>
      record.dueAtMs > nowMs || ahead >= room ? record : { ...record, leaseUntilMs }
    );
  }

  #stored(record: NewRecord, receipt: Receipt): Receipt {
    this.#published(record, receipt);
    if (!receipt.duplicate) this.committed(record);
    return receipt;
  }

  #published({ message: { id, name } }: NewRecord, { duplicate }: Receipt): void {
    if (duplicate) return;
    this.#settings.observe({ kind: "published", box: "outbox", id, name, group: "" });
  }
}

function receiptOf({ message }: NewRecord, result: AddResult): Receipt {
  const { id, name } = message;
  if (result.added) return { id, duplicate: false };
  const { existing } = result;
  if (existing.message.name !== name || !sameBody(existing.message.body, message.body)) {
    throw new AtlastError(
      "id_conflict",
      `Cannot publish "${name}" with id "${id}": a message "${existing.message.name}" with another body has it`,
    );
  }
  return { id, duplicate: true };
}

function recordOf({ message, ...sending }: Composed): NewRecord {
  return newRecord(message, sending);
}

/** A record for a message, scheduled and free to be claimed. */
export function newRecord(
  message: Message,
  { group = "", dueAtMs = message.sentAtMs, deadlineMs = null, retry = null }: Partial<
    Pick<NewRecord, "group" | "dueAtMs" | "deadlineMs" | "retry">
  >,
): NewRecord {
  return {
    id: message.id,
    group,
    message,
    state: "scheduled",
    dueAtMs,
    deadlineMs,
    expiresAtMs: null,
    reason: null,
    retry,
    leaseUntilMs: null,
  };
}

/** A record as the store now has it, known without asking because this bus just added it with a lease. */
export function storedFromBirth(
  record: NewRecord,
  box: StoredRecord["box"],
  nowMs: number,
): StoredRecord {
  return {
    ...record,
    box,
    attempts: 0,
    crashes: 0,
    checks: 0,
    unreachable: 0,
    note: null,
    epoch: 1,
    reply: null,
    createdAtMs: nowMs,
  };
}
