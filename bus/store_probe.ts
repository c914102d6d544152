/**
 * Checks whether the store answers, at most once in the time that the caller allows.
 *
 * @module
 */
import type { FailingName } from "./api/health.ts";
import type { HealthWarning } from "../core/ports/health_warning.ts";
import { AtlastError, type ErrorCode } from "../core/errors.ts";
import { isInstance, propertyOf } from "../core/user_code/thrown.ts";
import { withinTime } from "./async/deadline.ts";
import type { Settings } from "./settings/settings.ts";

/**
 * How long the store may take to answer, and how long a call waits for the check of another call,
 * in milliseconds.
 */
const LOOK_TIMEOUT_MS = 5_000;
const NO_ANSWER = "The store did not answer";
/** The codes of a store that answers, and cannot be used. */
const REFUSALS = ["not_migrated", "schema_too_new", "unsupported"] as const satisfies ErrorCode[];
/** How long the store's warnings are kept, in milliseconds. */
const WARNINGS_AGE_MS = 60_000;

type ProbedSettings<Tx> = Pick<Settings<Tx>, "store" | "clock" | "transport" | "failingNames">;

/** Checks the store with one statement, and the broker of the transport, and caches the results. */
export class StoreProbe<Tx> {
  readonly #settings: ProbedSettings<Tx>;
  #last: { readonly isUp: boolean; readonly atMs: number } | null = null;
  #pending: Promise<boolean> | null = null;
  #refusal: ErrorCode | null = null;
  #warnings: readonly HealthWarning[] = [];
  #warningsAtMs = -Infinity;
  #transport: "up" | "down" = "up";
  #transportAtMs = -Infinity;

  constructor(settings: ProbedSettings<Tx>) {
    this.#settings = settings;
  }

  /**
   * Whether the store answers, by a check at most `maxAgeMs` milliseconds old; 0 always checks.
   * Concurrent calls that accept an older result share one check.
   */
  async isUp(maxAgeMs: number): Promise<boolean> {
    if (maxAgeMs <= 0) return await this.#probe();
    const ageMs = this.#last === null ? Infinity : this.#settings.clock.now() - this.#last.atMs;
    if (this.#last !== null && Math.abs(ageMs) <= maxAgeMs) return this.#last.isUp;
    if (this.#pending === null) return await this.#probe();
    return await this.#joined(this.#pending);
  }

  /**
   * Whether the broker of the transport answers, by a check at most `maxAgeMs` milliseconds old; null if it has
   * none. Never rejects. A call does not wait for that of another one.
   */
  async transport(maxAgeMs: number): Promise<"up" | "down" | null> {
    const { transport, clock } = this.#settings;
    if (transport.ready === undefined) return null;
    const nowMs = clock.now();
    if (maxAgeMs > 0 && Math.abs(nowMs - this.#transportAtMs) <= maxAgeMs) return this.#transport;
    this.#transportAtMs = nowMs;
    const looking = withinTime(
      clock,
      LOOK_TIMEOUT_MS,
      "The transport did not answer",
      async () => await transport.ready?.(),
    );
    this.#transport = await looking.then(() => "up", () => "down");
    return this.#transport;
  }

  /** The code with which the store refused to work at the last check, such as `not_migrated`; null if it did not. */
  refusal(): ErrorCode | null {
    return this.#refusal;
  }

  /** The names that could not be sent lately. */
  failing(): readonly FailingName[] {
    return this.#settings.failingNames.list(this.#settings.clock.now());
  }

  /**
   * What the store says that an operator should mend, at most a minute old. Never rejects. A call does not wait for
   * that of another one: on Cloudflare Workers it may never end.
   */
  async warnings(): Promise<readonly HealthWarning[]> {
    const { store: { hints }, clock } = this.#settings;
    if (hints?.warnings === undefined) return [];
    const nowMs = clock.now();
    if (Math.abs(nowMs - this.#warningsAtMs) < WARNINGS_AGE_MS) return this.#warnings;
    this.#warningsAtMs = nowMs;
    const looking = withinTime(
      clock,
      LOOK_TIMEOUT_MS,
      NO_ANSWER,
      async () => await hints.warnings?.(),
    );
    this.#warnings = await looking.then((found) => found ?? [], () => []);
    return this.#warnings;
  }

  async #probe(): Promise<boolean> {
    const pending = this.#look();
    this.#pending = pending;
    try {
      const isUp = await pending;
      this.#last = { isUp, atMs: this.#settings.clock.now() };
      return isUp;
    } finally {
      if (this.#pending === pending) this.#pending = null;
    }
  }

  async #look(): Promise<boolean> {
    const { store, clock } = this.#settings;
    const look = async () => {
      await store.ready();
      await store.nextDueAt("outbox", clock.now());
    };
    try {
      await withinTime(clock, LOOK_TIMEOUT_MS, NO_ANSWER, look);
      this.#refusal = null;
      return true;
    } catch (error) {
      const code = isInstance(error, AtlastError) ? propertyOf(error, "code") : null;
      this.#refusal = REFUSALS.find((each) => each === code) ?? null;
      return false;
    }
  }

  /**
   * Waits for the check of another call, within the same time limit: on Cloudflare Workers that
   * call's request may end before the check does.
   */
  async #joined(pending: Promise<boolean>): Promise<boolean> {
    try {
      return await withinTime(this.#settings.clock, LOOK_TIMEOUT_MS, NO_ANSWER, () => pending);
    } catch {
      // Drop the pending check, so that the next call starts its own.
      if (this.#pending === pending) this.#pending = null;
      return false;
    }
  }
}
