/**
 * Turns a contract and a body into a stored record. Every publish of a bus and its handlers passes
 * through here.
 *
 * @module
 */
import type { PublishOptions } from "../api/publish_options.ts";
import type { Contract } from "../../core/message/contract.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Message } from "../../core/message/message.ts";
import type { NewRecord } from "../../core/ports/record.ts";
import type { FirstUse, LazyTransaction } from "../../core/ports/store.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { type EncodeBody, encodeBody, keepBody } from "./body_codec.ts";
import {
  type Composed,
  type Composer,
  composer,
  headersOf,
  mustRoute,
  type Rules,
} from "./build_message.ts";
import { checkPublish, checkPublishMany, checkPublishRaw } from "./check_publish.ts";
import { OutboxWriter, type Outlet } from "./outbox_writer.ts";
import { publishInBatch } from "./publish_many.ts";
import { type Draft, wrapPublish } from "../api/middleware.ts";
import type { OwnTransaction } from "./joined_transactions.ts";
import { newRecord } from "../records/new_record.ts";
import { largestBody, type Settings } from "../settings/settings.ts";
import { namingIds } from "./outcome_unknown.ts";
import type { RawMessage, RawOptions } from "../api/raw_message.ts";
import type { Receipt } from "../api/publish_options.ts";
import { withGroups } from "./local_delivery.ts";

/** Stores a record; `isMade` says that its id was made for this publish. */
type Keep = (record: NewRecord, isMade: boolean) => Promise<Receipt>;

/** Publishes messages. */
export class Publisher<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #outboxWriter: OutboxWriter<Tx>;

  constructor(settings: Settings<Tx>, outlet: Outlet) {
    this.#settings = settings;
    this.#outboxWriter = new OutboxWriter(settings, outlet);
  }

  /** Publishes one message. */
  publish(
    contract: Contract,
    body: unknown,
    options: PublishOptions<Tx>,
    store: Keep = (record, isMade) => this.#outboxWriter.one(record, options.tx, isMade),
    action: "publish" | "prepare" = "publish",
  ): Promise<Receipt> {
    checkPublish(contract, options, action);
    return this.#publish({ name: contract.name, body }, contract, options, encodeBody, store);
  }

  /** Publishes a message whose body is already encoded. */
  publishRaw(message: RawMessage, given: RawOptions<Tx>): Promise<Receipt> {
    checkPublishRaw(message, given);
    const { contract, ...options } = given;
    const { name, body, ...own } = message;
    return this.#publish(
      { name, body },
      contract ?? { body: undefined },
      { ...options, ...own },
      keepBody,
      (record, isMade) => this.#outboxWriter.one(record, options.tx, isMade),
    );
  }

  async #publish(
    { name, body }: Pick<Draft, "name" | "body">,
    rules: Rules,
    options: PublishOptions<Tx>,
    encode: EncodeBody,
    store: Keep,
  ): Promise<Receipt> {
    const { clock, newId, onPublish } = this.#settings;
    const nowMs = clock.now();
    const hasNewKey = this.#makesKeys(options.id);
    const publish = wrapPublish(
      onPublish,
      async ({ id, body, ...draft }) => {
        const compose = this.#composer(draft, rules, options, nowMs, encode);
        const record = await this.#onTime(
          recordOf(await compose(id, body), hasNewKey),
          options.tx,
        );
        return options.tx === undefined
          ? await namingIds(() => [record.id], () => store(record, record.id === made))
          : await store(record, record.id === made);
      },
    );
    const made = options.id === undefined ? newId(nowMs) : null;
    const id = made ?? options.id as string;
    return await publish({ id, name, body, headers: headersOf(options) });
  }

  /** Runs the publish middleware and returns the record of a message without storing it. */
  async compose(
    contract: Contract,
    body: unknown,
    options: PublishOptions<Tx>,
  ): Promise<NewRecord> {
    let composed: NewRecord | undefined;
    const { id } = await this.publish(contract, body, options, (record) => {
      composed = record;
      return Promise.resolve({ id: record.id, duplicate: false });
    }, "prepare");
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
    checkPublishMany(contract, bodies, options);
    const { ids, ...shared } = options;
    if (ids !== undefined && ids.length !== bodies.length) {
      throw new AtlastError(
        "invalid_option",
        `Cannot publish ${bodies.length} messages with ${ids.length} ids: want one for each, or none`,
      );
    }
    if (this.#settings.onPublish.length === 0) {
      const records = await this.#records(contract, bodies, shared, ids);
      if (records.length === 0) return [];
      return await this.#storeMany(records, options.tx);
    }
    return await publishInBatch(
      bodies.length,
      (i, collect) => {
        const id = ids?.[i];
        return this.publish(
          contract,
          bodies[i],
          id === undefined ? shared : { ...shared, id },
          collect,
        );
      },
      (records) => this.#storeMany(records, options.tx),
    );
  }

  async #storeMany(records: NewRecord[], tx: Tx | SqlClient | undefined): Promise<Receipt[]> {
    const many = () => this.#outboxWriter.many(records, tx);
    return tx === undefined
      ? await namingIds(() => records.map(({ id }) => id), many)
      : await many();
  }

  /** The record of an answer, which the caller adds to the outbox in its own transaction. */
  answer(message: Message): NewRecord {
    return this.#outboxWriter.bornLeased(withGroups(this.#settings, newRecord(message, {})));
  }

  /** Called when the bus has stopped. */
  end(): void {
    this.#outboxWriter.unseenCommits.end();
  }

  /** See {@linkcode OutboxWriter.transaction}. */
  transaction<Result>(work: (own: OwnTransaction<Tx>) => Promise<Result>): Promise<Result> {
    return this.#outboxWriter.transaction(work);
  }

  /** See {@linkcode OutboxWriter.transactionOnUse}. */
  transactionOnUse<Result>(
    first: FirstUse,
    work: (own: OwnTransaction<Tx>, lazy: LazyTransaction) => Promise<Result>,
  ): Promise<Result> | null {
    return this.#outboxWriter.transactionOnUse(first, work);
  }

  /** See {@linkcode JoinedTransactions.publish}. */
  runIn<Result>(tx: unknown, publish: () => Promise<Result>): Promise<Result> {
    return tx === undefined ? publish() : this.#outboxWriter.transactions.publish(tx, publish);
  }

  /** See `Store.joining`. */
  joining(tx: Tx | SqlClient): Tx | SqlClient {
    return this.#settings.store.hints?.joining?.(tx) ?? tx;
  }

  /**
   * Reports a publish that was refused because its transaction or handler had ended; its caller may
   * not await it.
   */
  refused(error: unknown): void {
    this.#settings.observe({ kind: "error", during: "publish", error });
  }

  /** Called after a record of the outbox was committed. */
  committed(record: NewRecord): void {
    this.#outboxWriter.committed(record);
  }

  /** The records of many messages without middleware. It is faster without a promise for each. */
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
    const hasNewKey = this.#makesKeys(ids);
    const records: NewRecord[] = [];
    for (let i = 0; i < bodies.length; i++) {
      const composed = compose(ids?.[i] ?? newId(nowMs), bodies[i]);
      records.push(recordOf(composed instanceof Promise ? await composed : composed, hasNewKey));
    }
    const following = this.#settings.followClock(options.tx);
    if (following === null) return records;
    const changeMs = await following;
    return records.map((record) => moved(record, changeMs));
  }

  /** The record, with the times by the clock as it is after it was compared with the store's. */
  #onTime(record: NewRecord, tx: Tx | SqlClient | undefined): NewRecord | Promise<NewRecord> {
    const following = this.#settings.followClock(tx);
    return following === null ? record : following.then((changeMs) => moved(record, changeMs));
  }

  /**
   * Whether ids are certainly new. A given id may exist already, and a middleware may publish one
   * id twice.
   */
  #makesKeys(given: unknown): boolean {
    return given === undefined && this.#settings.onPublish.length === 0;
  }

  #composer(
    draft: Pick<Draft, "name" | "headers">,
    rules: Rules,
    options: PublishOptions<Tx>,
    nowMs: number,
    encode: EncodeBody,
  ): Composer {
    const { routing } = this.#settings;
    return composer(draft, rules, options, {
      nowMs,
      encode,
      maxBodyBytes: largestBody(this.#settings),
      admit: (name, headers) => mustRoute(routing, "publish", name, headers),
    });
  }
}

function recordOf(
  { message, dueAtMs, deadlineMs, retry }: Composed,
  hasNewKey: boolean,
): NewRecord {
  return newRecord(message, { dueAtMs, deadlineMs, retry, hasNewKey });
}

/** A new record whose times were read from a clock that has since been set forward by so much. */
function moved(record: NewRecord, changeMs: number): NewRecord {
  if (changeMs === 0) return record;
  const { message, dueAtMs, deadlineMs } = record;
  return {
    ...record,
    message: { ...message, sentAtMs: message.sentAtMs + changeMs },
    dueAtMs: dueAtMs + changeMs,
    deadlineMs: deadlineMs === null ? null : deadlineMs + changeMs,
  };
}
