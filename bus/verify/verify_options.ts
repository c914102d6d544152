/**
 * The options of `verify`.
 *
 * @module
 */
import {
  aList,
  aNumber,
  anything,
  checkOptions,
  eachOf,
  MILLISECONDS,
  nested,
  type OptionCheck,
  withMethods,
} from "../../core/check_options.ts";
import { checkText, IDENTIFIER } from "../../core/check_text.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkExpiryPolicy, type ExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import { checkPattern } from "../../core/message/name.ts";
import type { InspectionHints } from "../../core/ports/inspection.ts";
import type { Fence } from "../../core/ports/fence.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { Store } from "../../core/ports/store.ts";

/** What `verify` uses of a store: any store has it. */
export interface ReadableStore extends Pick<Store, "capabilities" | "ready" | "find" | "list"> {
  /** See `Store.hints`. */
  readonly hints?: InspectionHints;
  /** See `Store.clock`. */
  readonly clock?: { now(): number; follow(): Promise<number> | null };
}

/** What `verify` uses of a fence: any fence has it. */
export type ReadableFence = Pick<Fence, "ready" | "writtenBefore" | "outcomes">;

/** Which messages a group takes. A subscriber, as `subscribe` makes, is one. */
export interface Subscription {
  /** The name or pattern of the messages. */
  readonly pattern: string;
  /** The group. */
  readonly group: string;
}

/** A service that `verify` can reach. */
export interface VerifiedService {
  /** Its name, by which findings and other services refer to it. */
  readonly name: string;
  /**
   * Its store. Services that share a store give the same object. It may be left out only for a participant that has
   * nothing but a fence.
   *
   * @default none
   */
  readonly store?: ReadableStore;
  /**
   * The subscribers of the service, of all its processes. Messages of these names are expected in its inbox, and its
   * inbox records of other names or groups are orphans. Of a group that was renamed, give the former name too, as long
   * as its inbox remembers messages: what it handled and pruned under that name counts as lost otherwise.
   *
   * @default its inbox is not compared with the outboxes of others, and has no orphans
   */
  readonly subscribers?: readonly Subscription[];
  /**
   * Since when it has been there, in Unix milliseconds. Messages that were sent before are not expected in its inbox.
   *
   * @default always
   */
  readonly receivesSinceMs?: number;
  /**
   * Where its messages go: names or patterns of messages to names of services. Of several patterns the most exact one
   * counts. Needed if a service subscribes to a name that this one does not send to it.
   *
   * @default every service that subscribes to the name
   */
  readonly sendsTo?: Readonly<Record<string, readonly string[]>>;
  /**
   * Names or patterns of messages, replies included, that only this service publishes, or all that do are given. Inbox
   * records of these names must have a record in its outbox, as long as it keeps them.
   *
   * @default none
   */
  readonly publishes?: readonly string[];
  /**
   * The option `expiry` of its bus. A longer one is corrected by the records that its outbox still has; if there are
   * none, pruned messages count as lost.
   *
   * @default as for the bus
   */
  readonly expiry?: Partial<ExpiryPolicy>;
  /**
   * The fence of its half messages.
   *
   * @default none
   */
  readonly fence?: ReadableFence;
  /**
   * The service that keeps the half messages of this participant, if it is another one.
   *
   * @default itself
   */
  readonly keeper?: string;
}

/** The options of `verify`. */
export interface VerifyOptions {
  /** The services to compare. */
  readonly services: readonly VerifiedService[];
  /**
   * Only records that were added at this time or later, in Unix milliseconds.
   *
   * @default all
   */
  readonly sinceMs?: number;
  /**
   * Only records that were added before this time, in Unix milliseconds.
   *
   * @default all
   */
  readonly beforeMs?: number;
  /**
   * What looks wrong is looked at again before it is reported: so long after it last changed, in milliseconds, if that
   * is known and in the past at once.
   *
   * @default 5_000
   */
  readonly settleMs?: number;
  /**
   * How long a broker or a push provider may have a message after it was sent, in milliseconds. A message that was
   * sent more recently and has not arrived is counted as `inTransit`. 0 is right for HTTP, where a message is sent
   * when its receiver has stored it.
   *
   * @default 0
   */
  readonly transitMs?: number;
  /**
   * How long a message may be due, its claim expired, or without a route, before it counts as stuck or orphaned, in
   * milliseconds.
   *
   * @default 300_000
   */
  readonly stuckAfterMs?: number;
  /**
   * How long a half message may be undecided before it counts as stuck, in milliseconds.
   *
   * @default 3_600_000
   */
  readonly preparedAfterMs?: number;
  /**
   * How many records are read at once.
   *
   * @default 1_000
   */
  readonly pageSize?: number;
  /**
   * Ends the verification: the iteration rejects with the reason of the signal.
   *
   * @default it runs to its end
   */
  readonly signal?: AbortSignalLike;
  /**
   * The source of time.
   *
   * @default for each store the clock of its server, or the platform's
   */
  readonly clock?: Clock;
}

const ATTEMPT = "verify with";

const aPattern: OptionCheck = (_option, value) => checkPattern(value as string);
const aName: OptionCheck = (_option, value) =>
  void checkText("the name of a service", value, IDENTIFIER);

const aStore: OptionCheck = (option, value, attempt) => {
  withMethods("ready", "find", "list")(option, value, attempt);
  const { capabilities } = value as Partial<ReadableStore>;
  if (typeof capabilities === "object" && capabilities !== null) return;
  throw refused(`${option} without capabilities`, "any store, with the object capabilities");
};

const SERVICE: Readonly<Record<Exclude<keyof VerifiedService, "name">, OptionCheck>> = {
  store: aStore,
  subscribers: aList((option, value, attempt) => {
    const { pattern, group } = (value ?? {}) as Partial<Subscription>;
    // A subscriber has more fields than these.
    nested({}, { pattern: aPattern, group: anything })(option, { pattern, group }, attempt);
    checkText("a group", group, IDENTIFIER);
  }),
  receivesSinceMs: aNumber(MILLISECONDS),
  sendsTo: eachOf(aList(aName)),
  publishes: aList(aPattern),
  expiry: (_option, value) => checkExpiryPolicy(value as ExpiryPolicy),
  fence: withMethods("ready", "writtenBefore", "outcomes"),
  keeper: aName,
};

const OPTIONS: Readonly<Record<Exclude<keyof VerifyOptions, "services">, OptionCheck>> = {
  sinceMs: aNumber(MILLISECONDS),
  beforeMs: aNumber(MILLISECONDS),
  settleMs: aNumber({ unit: "milliseconds", least: 0 }),
  transitMs: aNumber(MILLISECONDS),
  stuckAfterMs: aNumber(MILLISECONDS),
  preparedAfterMs: aNumber(MILLISECONDS),
  pageSize: aNumber({ whole: true, least: 1, most: 10_000 }),
  signal: withMethods("addEventListener", "removeEventListener"),
  clock: withMethods("now", "after"),
};

/**
 * Checks the options.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function checkVerifyOptions(options: VerifyOptions): void {
  checkOptions(ATTEMPT, options, OPTIONS, {
    services: aList(nested(SERVICE, { name: aName })),
  });
  const names = new Set<string>();
  for (const { name } of options.services) {
    if (names.has(name)) throw refused(`two services with the name "${name}"`, "different names");
    names.add(name);
  }
  for (const service of options.services) checkReferences(service, options.services);
}

function checkReferences(
  { name, store, fence, keeper = name, sendsTo = {} }: VerifiedService,
  services: readonly VerifiedService[],
): void {
  if (store === undefined && fence === undefined) {
    throw refused(`service "${name}"`, "a store, or a fence, or both");
  }
  const isKept = services.some((each) => each.name === keeper && each.store !== undefined);
  if (fence !== undefined && !isKept) {
    throw refused(
      `the fence of service "${name}" and keeper "${keeper}"`,
      "a keeper that is a service with a store",
    );
  }
  for (const [pattern, names] of Object.entries(sendsTo)) {
    checkPattern(pattern);
    const unknown = names.find((each) => services.every((service) => service.name !== each));
    if (unknown === undefined) continue;
    throw refused(`sendsTo["${pattern}"] with service "${unknown}"`, "names of given services");
  }
}

function refused(got: string, want: string): AtlastError {
  return new AtlastError("invalid_option", `Cannot ${ATTEMPT} ${got}: want ${want}`);
}
