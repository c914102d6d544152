/**
 * The store in Upstash Redis.
 *
 * Each operation is one script, so it is atomic and one request. The calls of a script are variadic, so that
 * a batch costs as much as one record. Billed commands of each, for a batch of any size in one group:
 *
 * | operation | billed |
 * |---|---|
 * | `add`, `addAll` | 5 |
 * | `claim` that finds something; nothing | 6; 2 |
 * | `settle`; with additions (`settleAndAdd`) | 5; 7 |
 * | `renew` | 4 |
 * | `find`, `count` | 1 |
 * | `serviceId`, once for each process; the very first time | 1; 4 |
 * | `nextDueAt` of an empty box; otherwise | 1; 4 |
 * | `makeUnroutableDue` that finds nothing; something to do | 3; 9 |
 * | `oldestDue` without a group; 1 more for each group, and 2 for each with something due | 4 |
 * | `prune` that finds nothing; something | 1; 8 |
 * | `prune` with digests: nothing; up to 500 records; an old bucket | 2; 14; 6 more |
 * | `addUnlessKnown`, and for each of up to 9 buckets of memory; what is known already | 7, 1; 3, 1 |
 * | `recall`, and for each of up to 9 buckets of memory | 3, 1 |
 * | `outlinesOf`; for each 100 ids, in the inbox times its groups; for each 4 MiB that it finds | 1; 1; 1 |
 * | `list`, for each 100 records it looks at | 1 and 3 |
 *
 * In the inbox a claim costs 1 more for each further group, and 1 more if it finds a record in it;
 * `nextDueAt` costs 1 more for each. A record that is prepared, failed, cancelled or in doubt costs 1 more,
 * for the list of its state. A record whose key is taken costs 1 more, and nothing is written for it.
 *
 * @module
 */
import { checkOptions } from "../../../core/check_options.ts";
import { AtlastError } from "../../../core/errors.ts";
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import type {
  AddResult,
  Lease,
  ListQuery,
  ReturnResult,
  Settlement,
  SettleStep,
  StateCounts,
  Store,
  StoreHints,
} from "../../../core/ports/store.ts";
import type { ClaimRequest, GroupNames } from "../../../core/ports/claim_request.ts";
import type { StoreCapabilities } from "../../../core/ports/store_capabilities.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../../../core/ports/record.ts";
import type { Remembering, ReturningRecord } from "../../../core/ports/inbox_memory.ts";
import type { SqlClient } from "../../../core/ports/platform.ts";
import { Client, type Script } from "./client.ts";
import { joinAdditions, type UpstashRedisTransaction } from "./join.ts";
import { keyBase } from "../prefix.ts";
import { groupFields, isStorable, memberOf, queuesOf } from "./keys.ts";
import { listRecords } from "./listing.ts";
import { recall, returningCall, returnResultsOf } from "./memory.ts";
import { prune, pruneRemembering } from "./pruning.ts";
import {
  ADD_UNLESS_KNOWN_SCRIPT,
  CLAIM_SCRIPT,
  DUE_AT_THE_LATEST_SCRIPT,
  DUE_SCRIPT,
  RENEW_SCRIPT,
  SERVICE_ID_SCRIPT,
  WRITE_SCRIPT,
} from "./scripts.ts";
import { countsOf, isText, recordOf, timeField } from "./record_text.ts";
import { outlinesOf } from "./inspection.ts";
import { inParts } from "./request_size.ts";
import { oldestDue } from "./oldest_due.ts";
import { makeUnroutableDue, untaken } from "./unroutable.ts";
import {
  type Addition,
  type AddMode,
  addResultsOf,
  bitsOf,
  type Call,
  type Keys,
  keysOf,
  writeCall,
} from "./writes.ts";
import { REDIS_OPTIONS, type UpstashRedisOptions } from "./options.ts";
import { newToken } from "./token.ts";

/** The most that one claim returns, in characters of messages: an answer that every plan allows. */
const MAX_CLAIM = 4 * 1024 * 1024;

/**
 * Makes a store in Upstash Redis.
 *
 * @example
 * ```ts
 * import { Redis } from "@upstash/redis";
 * import { upstashRedisStore } from "@atlast/bus/upstash-redis";
 *
 * const redis = new Redis({ url: "https://….upstash.io", token: "…" });
 * const store = upstashRedisStore({ redis, prefix: "orders" });
 * ```
 * @throws {AtlastError} `invalid_option` for a bad prefix or time.
 */
export function upstashRedisStore(options: UpstashRedisOptions): UpstashRedisStore {
  checkOptions("make a store with", options, REDIS_OPTIONS);
  return new RedisStore(options);
}

/**
 * A store in Upstash Redis. The `tx` of a handler is undefined: a message can be published in the user's own
 * transaction, but handlers run in none.
 */
export type UpstashRedisStore =
  & Store<UpstashRedisTransaction | undefined>
  & Required<Pick<Store, "settleAndAdd" | "addAll">>;

class RedisStore implements UpstashRedisStore {
  readonly capabilities: StoreCapabilities = {
    transactions: false,
    durable: true,
    shared: true,
    atomicSettleAndAdd: true,
  };
  readonly hints: StoreHints<UpstashRedisTransaction | undefined> = {
    makeUnroutableDue: (box, request) => {
      return makeUnroutableDue(this.#runScript, this.#keys[box], box, request);
    },
    untaken: (box, request) => untaken(this.#runScript, this.#keys[box], box, request),
    outlinesOf: (box, ids) => outlinesOf(this.#client, this.#keys[box], box, ids),
    recall: (keys, nowMs) => recall(this.#runScript, this.#keys, keys, nowMs),
    oldestDue: (request) => {
      const queues = queuesOf(this.#keys.inbox, "inbox", "scheduled", undefined);
      return oldestDue(this.#runScript, request, queues);
    },
  };
  readonly #client: Client;
  readonly #base: string;
  readonly #keys: Keys;

  constructor({ redis, prefix, timeoutMs }: UpstashRedisOptions) {
    this.#base = keyBase(prefix);
    this.#client = new Client(redis, timeoutMs);
    this.#keys = keysOf(this.#base);
  }

  /** There is nothing to create: keys exist with their values. */
  ready(): Promise<void> {
    return Promise.resolve();
  }

  /** Each process reads it once; the first process creates it. */
  async serviceId(): Promise<string> {
    const key = `${this.#base}service`;
    const known = await this.#client.plain((redis) => redis.get(key));
    if (isText(known)) return unmarked(known);
    const [drawn] = await this.#run(SERVICE_ID_SCRIPT, {
      keys: [key],
      args: [SERVICE_ID_MARK + crypto.randomUUID()],
    });
    return unmarked(String(drawn));
  }

  /** Additions that exceed the size of a request are sent in several, each of them atomic. */
  async add(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
    tx?: UpstashRedisTransaction | SqlClient,
  ): Promise<AddResult[]> {
    const additions = records.map((record) => ({ box, record, with: 0 }));
    if (tx !== undefined) {
      joinAdditions(tx, this.#client.redis, this.#base, this.#keys, additions, nowMs);
      return records.map(() => ({ added: true }));
    }
    const results: AddResult[] = [];
    for (const part of inParts(additions)) {
      results.push(...await this.#add("each", box, part, nowMs) as AddResult[]);
    }
    return results;
  }

  async addAll(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
  ): Promise<(StoredRecord | null)[]> {
    if (records.length === 0) return [];
    const additions = records.map((record) => ({ box, record, with: 0 }));
    const results = await this.#add("all", box, additions, nowMs);
    return results.map((result) => result === null || result.added ? null : result.existing);
  }

  async claim(request: ClaimRequest): Promise<StoredRecord[]> {
    const { box, kind, groups, key, nowMs, leaseUntilMs } = request;
    const limit = kind === "alone" ? Math.min(request.limit, 1) : request.limit;
    if (limit <= 0 || groups?.length === 0 || (key && !isStorable(key))) return [];
    const among = key === undefined ? groups : [{ group: key.group }];
    const answer = await this.#run(CLAIM_SCRIPT, {
      keys: queuesOf(this.#keys[box], box, kind === "prepared" ? "prepared" : "scheduled", among),
      args: [
        box,
        kind,
        String(limit),
        String(nowMs),
        timeField(leaseUntilMs),
        String(MAX_CLAIM),
        key === undefined ? "*" : `=${memberOf(key)}`,
        ...groupFields(groups, limit),
      ],
    });
    const claimed: StoredRecord[] = [];
    for (let i = 0; i + 2 < answer.length; i += 3) {
      const [member, standing, message] = answer.slice(i, i + 3) as [string, string, string];
      claimed.push(recordOf(box, member, standing, message));
    }
    return claimed;
  }

  async renew(box: Box, leases: readonly Lease[], leaseUntilMs: number): Promise<boolean[]> {
    if (leases.length === 0) return [];
    const { alone, prepared } = this.#keys[box];
    const ready = new Set(leases.map(({ key }) => this.#keys[box].ready(key.group)));
    const members = leases.map(({ key }) => memberOf(key));
    const [bits] = await this.#run(RENEW_SCRIPT, {
      keys: [
        alone,
        prepared,
        ...ready,
        ...members.map((member) => this.#keys[box].standing(member)),
      ],
      args: [
        box,
        timeField(leaseUntilMs),
        ...leases.flatMap(({ epoch }, i) => [members[i] as string, String(epoch)]),
      ],
    });
    return bitsOf(bits);
  }

  async settle(
    box: Box,
    settlements: readonly Settlement[],
    tx?: UpstashRedisTransaction | SqlClient,
  ): Promise<boolean[]> {
    if (tx !== undefined) {
      throw new AtlastError(
        "unsupported",
        "Cannot settle within a transaction of Redis: whether it applies is not known before the commit",
      );
    }
    const steps = settlements.map((settlement) => ({ settlement, box, records: [] }));
    return (await this.settleAndAdd(box, steps, 0)).map((end) => end !== null);
  }

  async settleAndAdd(
    box: Box,
    steps: readonly SettleStep[],
    nowMs: number,
  ): Promise<(readonly AddResult[] | null)[]> {
    if (steps.length === 0) return [];
    const additions = steps.flatMap(({ box, records }, i) =>
      records.map((record): Addition => ({ box, record, with: i + 1 }))
    );
    const list = steps.map(({ settlement }) => settlement);
    const call = writeCall(this.#keys, "each", { box, list }, additions, nowMs, newToken());
    const [bits, ...answer] = await this.#run(WRITE_SCRIPT, call);
    const applied = bitsOf(bits);
    const added = addResultsOf(additions, answer);
    let next = 0;
    return steps.map(({ records }, i) => {
      const results = added.slice(next, next += records.length) as AddResult[];
      return applied[i] ? results : null;
    });
  }

  async find(box: Box, key: RecordKey): Promise<StoredRecord | null> {
    if (!isStorable(key)) return null;
    const member = memberOf(key);
    const keys = this.#keys[box];
    const [standing, message] = await this.#client.plain((redis) =>
      redis.mget(keys.standing(member), keys.message(member))
    );
    return isText(standing) && isText(message) ? recordOf(box, member, standing, message) : null;
  }

  list(query: ListQuery): Promise<StoredRecord[]> {
    return listRecords(this.#client, this.#base, this.#keys[query.box], query);
  }

  async count(box: Box): Promise<StateCounts> {
    const totals = await this.#client.plain((redis) => redis.get(this.#keys[box].totals));
    return countsOf(isText(totals) ? totals : null);
  }

  async prune(
    box: Box,
    nowMs: number,
    limit: number,
    remembering?: Remembering,
  ): Promise<number> {
    const pruned = { keys: this.#keys, base: this.#base, client: this.#client };
    if (box === "inbox" && remembering !== undefined) {
      return await pruneRemembering(pruned, nowMs, limit, remembering);
    }
    return await prune(pruned, box, nowMs, limit);
  }

  async addUnlessKnown(
    records: readonly ReturningRecord[],
    nowMs: number,
  ): Promise<ReturnResult[]> {
    const results: ReturnResult[] = [];
    const byRecord = new Map(records.map((returning) => [returning.record, returning]));
    const additions = records.map(({ record }) => ({ box: "inbox" as const, record, with: 0 }));
    for (const part of inParts(additions)) {
      const some = part.map(({ record }) => byRecord.get(record) as ReturningRecord);
      const call = returningCall(this.#keys, some, nowMs, newToken());
      const answer = await this.#run(ADD_UNLESS_KNOWN_SCRIPT, call);
      results.push(...returnResultsOf(some, answer));
    }
    return results;
  }

  async nextDueAt(
    box: Box,
    nowMs: number,
    groups?: readonly GroupNames[],
    state: "scheduled" | "prepared" = "scheduled",
    unroutableForMs?: number,
  ): Promise<number | null> {
    if (groups?.length === 0) return null;
    const queues = queuesOf(this.#keys[box], box, state, groups);
    // Without groups only the script knows the queues of the inbox.
    if (box === "outbox" || groups !== undefined || state === "prepared") {
      const there = await this.#client.plain((redis) => redis.exists(...queues));
      if (there === 0) return null;
    }
    const isPatient = unroutableForMs !== undefined && state === "scheduled";
    const [said] = await this.#run(isPatient ? DUE_AT_THE_LATEST_SCRIPT : DUE_SCRIPT, {
      keys: queues,
      args: [
        box,
        ...(isPatient ? [timeField(nowMs), timeField(unroutableForMs)] : [state]),
        ...groupFields(groups),
      ],
    });
    const at = String(said).slice(1);
    return at === "" ? null : Number(at);
  }

  /** There are none. */
  transaction<Result>(work: (tx: undefined) => Promise<Result>): Promise<Result> {
    return work(undefined);
  }

  /** The client is the user's own. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #add(
    mode: AddMode,
    box: Box,
    additions: readonly Addition[],
    nowMs: number,
  ): Promise<(AddResult | null)[]> {
    const call = writeCall(this.#keys, mode, { box, list: [] }, additions, nowMs, newToken());
    const [, ...answer] = await this.#run(WRITE_SCRIPT, call);
    return addResultsOf(additions, answer);
  }

  readonly #runScript = (script: Script, call: Call) => this.#run(script, call);

  #run(script: Script, { keys, args }: Call): Promise<unknown[]> {
    return this.#client.run(script, keys, [this.#base, ...args]);
  }
}

/** A mark before the id, so that the official client does not read it as a number. */
const SERVICE_ID_MARK = "*";

function unmarked(text: string): string {
  return text.slice(SERVICE_ID_MARK.length);
}
