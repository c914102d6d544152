/**
 * Compares the outboxes, inboxes and fences of services, and reports what does not fit. An operator calls it, after a
 * restore, after a failover, or now and then.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { FenceRow } from "../../core/ports/fence.ts";
import { CLOCK_MARGIN_MS } from "../../core/ports/inbox_memory.ts";
import type { RecordOutline } from "../../core/ports/inspection.ts";
import type { Clock } from "../../core/ports/platform.ts";
import { unlessAborted } from "../async/deadline.ts";
import { SYSTEM_CLOCK } from "../settings/system_clock.ts";
import type { Span } from "./box_reader.ts";
import type { Check } from "./check.ts";
import { DeliveryCheck } from "./delivery_check.ts";
import type { Finding, FindingKind } from "./finding.ts";
import { FenceCheck, HalfCheck } from "./half_check.ts";
import { MemoryCheck } from "./memory_check.ts";
import { OrphanCounts } from "./orphan_counts.ts";
import { SecondLook } from "./second_look.ts";
import { type NamedFence, type Service, Services } from "./service.ts";
import { SourceCheck } from "./source_check.ts";
import { StandingCheck } from "./standing_check.ts";
import { newTally, type VerifySummary } from "./summary.ts";
import { checkVerifyOptions, type VerifyOptions } from "./verify_options.ts";

/** A verification: the findings, each when it is certain, and the counts. It is iterated once. */
export interface Verification extends AsyncIterable<Finding> {
  /** The counts so far; `isComplete` when all was read. */
  readonly summary: VerifySummary;
}

/**
 * Compares outboxes, inboxes and fences, and reports what is lost, stuck, orphaned, handled twice or contradictory. It
 * changes no message and decides no half message. It reads page by page, begins with the iteration, and ends with it.
 *
 * Services may work meanwhile: what looks wrong is looked at again before it is reported. What cannot be judged,
 * because the other service has pruned it or is not given, is counted in the summary.
 *
 * @example
 * ```ts
 * import { createBus, defineMessage, subscribe } from "@atlast/bus";
 * import { inProcessTransport, memoryStore } from "@atlast/bus/memory";
 * import { verify } from "@atlast/bus/verify";
 * import * as z from "zod";
 *
 * const Placed = defineMessage("order.placed", { body: z.object({ orderId: z.number() }) });
 * const subscribers = [subscribe(Placed, { group: "stock" }, () => {})];
 * const transport = inProcessTransport();
 * const orders = createBus({ store: memoryStore(), transport });
 * const inventory = createBus({ store: memoryStore(), transport }, subscribers);
 * await orders.publish(Placed, { orderId: 1 });
 * await orders.tick();
 *
 * const verification = verify({
 *   services: [
 *     { name: "orders", store: orders.store, publishes: ["order.*"] },
 *     { name: "inventory", store: inventory.store, subscribers },
 *   ],
 * });
 * for await (const finding of verification) console.log(finding.text);
 * console.log(verification.summary.compared);
 * await orders.stop();
 * await inventory.stop();
 * ```
 *
 * It prints:
 *
 * ```text
 * { outbox: 1, inbox: 1, fence: 0 }
 * ```
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`. The iteration rejects with the errors of the stores; a
 * second iteration of one verification is refused with `wrong_state`.
 */
export function verify(options: VerifyOptions): Verification {
  checkVerifyOptions(options);
  return new VerificationRun(options);
}

/** How many doubts are looked at again at once. */
const MAX_DOUBTS = 1_000;

/** What is read page by page, and how it is checked. */
interface Source<Item> {
  readonly service: Service;
  readonly pages: AsyncGenerator<readonly Item[]>;
  readonly checks: readonly Check<Item>[];
  readonly again: (items: readonly Item[]) => Promise<readonly Item[]>;
}

class VerificationRun implements Verification {
  readonly #options: VerifyOptions;
  readonly #clock: Clock;
  readonly #services: Services;
  readonly #tally = newTally();
  readonly #findings: Record<FindingKind, number> = {
    lost: 0,
    stuck: 0,
    orphaned: 0,
    doubled: 0,
    contradicted: 0,
  };
  #isStarted = false;
  #settled = 0;
  #isComplete = false;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#services = new Services(options);
  }

  get summary(): VerifySummary {
    const { compared, notJudged, ...counts } = this.#tally;
    return {
      isComplete: this.#isComplete,
      compared: { ...compared },
      findings: { ...this.#findings },
      notJudged: { ...notJudged },
      settled: this.#settled,
      ...counts,
    };
  }

  [Symbol.asyncIterator](): AsyncIterator<Finding> {
    if (this.#isStarted) {
      throw new AtlastError(
        "wrong_state",
        "Cannot iterate a verification twice: want another call of verify",
      );
    }
    this.#isStarted = true;
    return this.#run();
  }

  async *#run(): AsyncGenerator<Finding> {
    for (const service of this.#services.all) await this.#guarded(() => service.ready());
    for (const service of this.#services.all) {
      yield* this.#scan(this.#outboxOf(service));
      yield* this.#scan(this.#inboxOf(service));
      for (const fence of [...service.fences, ...service.participants.values()]) {
        yield* this.#scan(this.#rowsOf(fence, service));
      }
    }
    this.#isComplete = true;
  }

  #outboxOf(service: Service): Source<RecordOutline> {
    return this.#recordsOf(service, "outbox", [
      new StandingCheck(service, this.#options),
      new DeliveryCheck(service, this.#services, this.#options),
      new HalfCheck(service),
    ]);
  }

  #inboxOf(service: Service): Source<RecordOutline> {
    return this.#recordsOf(service, "inbox", [
      new StandingCheck(service, this.#options),
      new SourceCheck(service, this.#services),
      new MemoryCheck(service),
    ]);
  }

  #recordsOf(
    service: Service,
    box: Box,
    checks: readonly Check<RecordOutline>[],
  ): Source<RecordOutline> {
    return {
      service,
      checks,
      pages: service.reader.pages(box, this.#span),
      again: async (items) => {
        const found = await service.reader.withIds(box, items);
        return items.flatMap(({ id, group }) =>
          (found.get(id) ?? []).filter((record) => record.group === group)
        );
      },
    };
  }

  #rowsOf(fence: NamedFence, keeper: Service): Source<FenceRow> {
    return {
      service: keeper,
      checks: [new FenceCheck(fence, keeper)],
      pages: rowsIn(fence, this.#span, keeper.now(), this.#options.pageSize ?? 1_000),
      again: (rows) => Promise.resolve(rows),
    };
  }

  get #span(): Span {
    const { sinceMs = -Infinity, beforeMs = Infinity } = this.#options;
    return { sinceMs, beforeMs };
  }

  async *#scan<Item>({ service, pages, checks, again }: Source<Item>): AsyncGenerator<Finding> {
    const second = new SecondLook<Item>({
      again,
      now: () => service.now(),
      wait: (ms) => this.#wait(ms),
      settleMs: this.#options.settleMs ?? 5_000,
    });
    const orphans = new OrphanCounts();
    for (;;) {
      const { done, value: page } = await this.#guarded(() => pages.next());
      if (done) break;
      for (const check of checks) {
        const doubts = await this.#guarded(() => check.look(page, this.#tally));
        second.add(check, doubts);
      }
      if (second.size >= MAX_DOUBTS) yield* this.#report(second, orphans);
      await this.#guarded(nextTurn);
    }
    yield* this.#report(second, orphans);
    for (const finding of orphans.take()) yield this.#counted(finding);
  }

  async *#report<Item>(second: SecondLook<Item>, orphans: OrphanCounts): AsyncGenerator<Finding> {
    const { size } = second;
    if (size === 0) return;
    const findings = await this.#guarded(() => second.take());
    this.#settled += size - findings.length;
    for (const finding of findings) {
      if (finding.kind !== "orphaned") yield this.#counted(finding);
      else for (const full of orphans.add(finding)) yield this.#counted(full);
    }
  }

  /** Resolves early if the signal aborts, so that no timer is left. */
  #wait(ms: number): Promise<void> {
    const { signal } = this.#options;
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  #counted(finding: Finding): Finding {
    this.#findings[finding.kind] += 1;
    return finding;
  }

  /** Runs work unless the signal aborts before it ends. */
  #guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#options;
    return signal === undefined ? work() : unlessAborted(work, signal);
  }
}

/** Lets the process do other work: a store within it may answer without ever waiting for anything outside. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => void SYSTEM_CLOCK.after(0, resolve));
}

/**
 * The rows of a fence that were written in a time and not long after `nowMs`, page by page. The clock of the operations
 * may be ahead, and the newest rows are those that matter after a failover.
 */
async function* rowsIn(
  { fence }: NamedFence,
  { sinceMs, beforeMs }: Span,
  nowMs: number,
  limit: number,
): AsyncGenerator<FenceRow[]> {
  await fence.ready();
  const untilMs = Math.min(beforeMs, nowMs + CLOCK_MARGIN_MS);
  let after: FenceRow | null = sinceMs === -Infinity
    ? null
    : { id: "", writtenAtMs: Math.ceil(sinceMs) };
  for (;;) {
    const rows: FenceRow[] = await fence.writtenBefore(untilMs, after, limit);
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) return;
    after = last;
  }
}
