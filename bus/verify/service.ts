/**
 * The services of a verification: what each expects in its inbox, and with which others it is compared.
 *
 * @module
 */
import { DEFAULT_EXPIRY, type ExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import type { State } from "../../core/lifecycle/lifecycle.ts";
import { matchesName } from "../../core/message/name.ts";
import { PatternTable } from "../../core/message/name_table.ts";
import { CLOCK_MARGIN_MS } from "../../core/ports/inbox_memory.ts";
import type { Recollection, RecordOutline } from "../../core/ports/inspection.ts";
import type { RecordKey } from "../../core/ports/record.ts";
import { definedOf } from "../settings/defined_fields.ts";
import { keyDigest } from "../settings/digests.ts";
import { SYSTEM_CLOCK } from "../settings/system_clock.ts";
import { BoxReader, type Span } from "./box_reader.ts";
import type {
  ReadableFence,
  ReadableStore,
  Subscription,
  VerifiedService,
  VerifyOptions,
} from "./verify_options.ts";

/** How many names have their groups cached: names come from outside. */
const MAX_CACHED_NAMES = 1_000;

const ALWAYS: Span = { sinceMs: -Infinity, beforeMs: Infinity };

/** A fence, and the service whose participant it belongs to. */
export interface NamedFence {
  readonly name: string;
  readonly fence: ReadableFence;
}

/** A service with a store, or several that share one. */
export class Service {
  /** The name in findings. */
  readonly name: string;
  /** Reads its boxes. */
  readonly reader: BoxReader;
  /** Since when it receives messages, in Unix milliseconds. */
  readonly receivesSinceMs: number;
  /** When settled records expire, by which the time of a settlement is known. */
  readonly expiry: ExpiryPolicy;
  /** The fences of its own half messages. */
  readonly fences: readonly NamedFence[];
  /** The fences of other participants by their name, whose half messages it keeps. */
  readonly participants: ReadonlyMap<string, NamedFence>;
  /** Whether it has subscribers, so that orphans can be recognised. */
  readonly hasSubscribers: boolean;
  /** Whether an effect of a handler may happen although its worker died. */
  readonly hasTransactions: boolean;
  readonly #store: ReadableStore;
  readonly #now: () => number;
  readonly #subscribers: readonly Subscription[];
  readonly #publishes: readonly string[];
  readonly #routes: readonly PatternTable<readonly string[]>[];
  readonly #groups = new Map<string, readonly string[]>();
  #keptMs: number;

  /**
   * @param sharing The services that share the store.
   * @param kept The participants whose half messages it keeps.
   */
  constructor(
    store: ReadableStore,
    sharing: readonly VerifiedService[],
    kept: readonly VerifiedService[],
    { pageSize = 1_000, clock }: VerifyOptions,
  ) {
    this.name = sharing[0]?.name ?? "";
    this.#store = store;
    this.reader = new BoxReader(store, pageSize);
    this.#now = () => (clock ?? store.clock ?? SYSTEM_CLOCK).now();
    const policies = sharing.map(({ expiry }) => ({ ...DEFAULT_EXPIRY, ...definedOf(expiry) }));
    this.#keptMs = Math.min(
      ...policies.flatMap(({ succeededMs, failedMs, cancelledMs }) =>
        [succeededMs, failedMs, cancelledMs].map((each) => each ?? Infinity)
      ),
    );
    const since = sharing.map(({ receivesSinceMs = -Infinity }) => receivesSinceMs);
    this.receivesSinceMs = Math.max(...since);
    this.expiry = policies[0] ?? DEFAULT_EXPIRY;
    const owners = new Set(sharing.map(({ name }) => name));
    this.fences = kept.flatMap(({ name, fence }) =>
      fence !== undefined && owners.has(name) ? [{ name, fence }] : []
    );
    this.participants = new Map(
      kept.flatMap(({ name, fence }) =>
        fence !== undefined && !owners.has(name) ? [[name, { name, fence }]] : []
      ),
    );
    this.hasSubscribers = sharing.some(({ subscribers }) => subscribers !== undefined);
    this.hasTransactions = store.capabilities.transactions;
    this.#subscribers = sharing.flatMap(({ subscribers = [] }) => subscribers);
    this.#publishes = sharing.flatMap(({ publishes = [] }) => publishes);
    this.#routes = sharing.flatMap(({ sendsTo }) =>
      sendsTo === undefined ? [] : [new PatternTable(Object.entries(sendsTo))]
    );
  }

  /** Makes the store ready. */
  async ready(): Promise<void> {
    await this.#store.ready();
    await this.#store.clock?.follow();
    const { value } = await this.reader.pages("outbox", ALWAYS).next();
    this.learnExpiry(value ?? []);
  }

  /** How long after a publish a settled record of its outbox is there at least, in milliseconds. */
  get keptMs(): number {
    return this.#keptMs;
  }

  /** Learns from records of its outbox whether its bus keeps them for less than was given. */
  learnExpiry(records: readonly RecordOutline[]): void {
    for (const record of records) {
      const givenMs = retentionOf(record.state, this.expiry);
      if (record.expiresAtMs === null || givenMs === undefined) continue;
      const keptMs = record.expiresAtMs - record.createdAtMs;
      if (keptMs < (givenMs ?? Infinity) - CLOCK_MARGIN_MS) {
        this.#keptMs = Math.min(this.#keptMs, keptMs);
      }
    }
  }

  /** The time by the clock of its store, in Unix milliseconds. */
  now(): number {
    return this.#now();
  }

  /** The groups that take messages of this name. */
  groupsOf(name: string): readonly string[] {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const takes = this.#subscribers.filter(({ pattern }) => matchesName(pattern, name));
    const groups = [...new Set(takes.map(({ group }) => group))];
    if (this.#groups.size >= MAX_CACHED_NAMES) this.#groups.clear();
    this.#groups.set(name, groups);
    return groups;
  }

  /** Whether it publishes messages of this name, and the publishers of this name are all given. */
  publishes(name: string): boolean {
    return this.#publishes.some((pattern) => matchesName(pattern, name));
  }

  /** The services, of these, that receive its messages of this name. */
  receiversOf(name: string, among: Services): Service[] {
    if (this.#routes.length === 0) {
      return among.all.filter((service) => service.groupsOf(name).length > 0);
    }
    const names = this.#routes.flatMap((table) => table.find(name) ?? []);
    const services = names.flatMap((each) => among.named(each) ?? []);
    return [...new Set(services)].filter((service) => service.groupsOf(name).length > 0);
  }

  /**
   * What its inbox remembers of messages beyond its records, in the order of `keys`; null if its store cannot
   * say.
   */
  async recall(keys: readonly RecordKey[]): Promise<Recollection | null> {
    const { hints } = this.#store;
    if (hints?.recall === undefined) return null;
    return await hints.recall(await Promise.all(keys.map(keyDigest)), this.now());
  }
}

/** All services of a verification that have a store. */
export class Services {
  /** Each once. */
  readonly all: readonly Service[];
  readonly #byName = new Map<string, Service>();

  constructor(options: VerifyOptions) {
    const { services } = options;
    const stores = new Set(services.flatMap(({ store }) => store ?? []));
    this.all = [...stores].map((store) => {
      const sharing = services.filter((each) => each.store === store);
      const names = new Set(sharing.map(({ name }) => name));
      const kept = services.filter(({ name, keeper = name }) => names.has(keeper));
      const service = new Service(store, sharing, kept, options);
      for (const name of names) this.#byName.set(name, service);
      return service;
    });
  }

  /** The service with a name. */
  named(name: string): Service | undefined {
    return this.#byName.get(name);
  }

  /** The services that publish messages of this name. */
  publishersOf(name: string): Service[] {
    return this.all.filter((service) => service.publishes(name));
  }
}

/**
 * When a record was settled, in Unix milliseconds by the clock of its service; if that cannot be known, when it could be
 * settled at the earliest.
 */
export function settledAt(
  { state, dueAtMs, createdAtMs, expiresAtMs }: RecordOutline,
  service: Service,
): number {
  const retentionMs = retentionOf(state, service.expiry) ?? null;
  const leastMs = Math.max(dueAtMs, createdAtMs);
  if (expiresAtMs === null || retentionMs === null) return leastMs;
  const settledAtMs = expiresAtMs - retentionMs;
  // The bus has another expiry than was given here.
  if (settledAtMs > service.now()) return leastMs;
  return Math.max(leastMs, settledAtMs);
}

/** How long a record of this state is kept; undefined if it is not settled. */
function retentionOf(state: State, expiry: ExpiryPolicy): number | null | undefined {
  switch (state) {
    case "succeeded":
      return expiry.succeededMs;
    case "failed":
      return expiry.failedMs;
    case "cancelled":
      return expiry.cancelledMs;
    default:
      return undefined;
  }
}
