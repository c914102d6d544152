/**
 * Compares half messages with the fences of their participants, and fences with the half messages of their keepers.
 *
 * @module
 */
import { FENCE_RETENTION_MS } from "../half/prune_fence.ts";
import { HEADER } from "../../core/message/headers.ts";
import type { FenceOutcome, FenceRow } from "../../core/ports/fence.ts";
import { CLOCK_MARGIN_MS } from "../../core/ports/inbox_memory.ts";
import type { RecordOutline } from "../../core/ports/inspection.ts";
import { type Check, type Doubt, doubtOf } from "./check.ts";
import { KIND_OF } from "./finding.ts";
import { type NamedFence, type Service, settledAt } from "./service.ts";
import type { Tally } from "./summary.ts";

/** Checks decided half messages of an outbox. */
export class HalfCheck implements Check<RecordOutline> {
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  async look(items: readonly RecordOutline[], tally: Tally): Promise<Doubt<RecordOutline>[]> {
    const doubts: Doubt<RecordOutline>[] = [];
    for (const [fences, own] of this.#byFences(items)) {
      const names = fences.map(({ name }) => name).join(", ");
      const outcomes = await outcomesOf(fences, own.map(({ id }) => id));
      own.forEach((item, i) => {
        const doubt = this.#compare(item, outcomes[i] ?? null, names, tally);
        if (doubt !== null) doubts.push(doubt);
      });
    }
    return doubts;
  }

  /** The decided half messages, by the fences that may know them. */
  #byFences(items: readonly RecordOutline[]): Map<readonly NamedFence[], RecordOutline[]> {
    const { fences, participants } = this.#service;
    const lists = new Map([...participants].map(([name, fence]) => [name, [fence]]));
    const all = new Map<readonly NamedFence[], RecordOutline[]>();
    for (const item of items) {
      if (item.state === "prepared" || item.state === "in_doubt") continue;
      const participant = item.message.headers[HEADER.participant];
      const isHalf = participant !== undefined || item.details?.isHalf === true;
      const known = participant === undefined ? fences : lists.get(participant) ?? [];
      if (!isHalf || known.length === 0) continue;
      all.set(known, [...all.get(known) ?? [], item]);
    }
    return all;
  }

  #compare(
    item: RecordOutline,
    outcome: FenceOutcome | null,
    other: string,
    tally: Tally,
  ): Doubt<RecordOutline> | null {
    const common = { other, unchangedSinceMs: settledAt(item, this.#service) };
    const byHand = item.note === null ? "" : ` (${item.note})`;
    if (item.state === "cancelled") {
      if (outcome !== "committed") return null;
      const text = `is cancelled, and its operation committed${byHand}`;
      return doubtOf(this.#service, item, { ...common, problem: "committed_but_cancelled", text });
    }
    if (outcome === "committed") return null;
    if (outcome === "aborted") {
      const text = `is confirmed, and its operation was aborted${byHand}`;
      return doubtOf(this.#service, item, { ...common, problem: "confirmed_but_aborted", text });
    }
    // A fence keeps a row for this time at least.
    const keptSinceMs = this.#service.now() - FENCE_RETENTION_MS + CLOCK_MARGIN_MS;
    if (item.note !== null) tally.notJudged.byHand += 1;
    else if (item.createdAtMs <= keptSinceMs) tally.notJudged.pruned += 1;
    else {
      const text = "is confirmed, and the fence knows of no operation";
      return doubtOf(this.#service, item, {
        ...common,
        problem: "confirmed_but_not_committed",
        text,
      });
    }
    return null;
  }
}

/** Checks rows of a fence: the keeper must have the message of each operation that committed. */
export class FenceCheck implements Check<FenceRow> {
  readonly #fence: NamedFence;
  readonly #keeper: Service;

  constructor(fence: NamedFence, keeper: Service) {
    this.#fence = fence;
    this.#keeper = keeper;
  }

  async look(rows: readonly FenceRow[], tally: Tally): Promise<Doubt<FenceRow>[]> {
    tally.compared.fence += rows.length;
    const outcomes = await this.#fence.fence.outcomes(rows.map(({ id }) => id));
    const committed = rows.filter((_, i) => outcomes[i] === "committed");
    const keys = committed.map(({ id }) => ({ id, group: "" }));
    const found = await this.#keeper.reader.withIds("outbox", keys);
    const doubts: Doubt<FenceRow>[] = [];
    for (const row of committed.filter(({ id }) => !found.has(id))) {
      const { id, writtenAtMs } = row;
      if (this.#keeper.now() >= writtenAtMs + this.#keeper.keptMs - CLOCK_MARGIN_MS) {
        tally.notJudged.pruned += 1;
        continue;
      }
      doubts.push({
        item: row,
        unchangedSinceMs: writtenAtMs,
        finding: {
          kind: KIND_OF.committed_but_missing,
          problem: "committed_but_missing",
          service: this.#fence.name,
          box: "fence",
          other: this.#keeper.name,
          id,
          group: "",
          name: null,
          state: null,
          count: 1,
          sinceMs: writtenAtMs,
          text: `The operation of half message ${id} committed, and ${this.#keeper.name} has no ` +
            "message of it",
        },
      });
    }
    return doubts;
  }
}

/** The outcomes of half messages, each from the first fence that knows it. */
async function outcomesOf(
  fences: readonly NamedFence[],
  ids: readonly string[],
): Promise<(FenceOutcome | null)[]> {
  let outcomes: (FenceOutcome | null)[] = ids.map(() => null);
  for (const { fence } of fences) {
    const own = await fence.outcomes(ids);
    outcomes = outcomes.map((outcome, i) => outcome ?? own[i] ?? null);
  }
  return outcomes;
}
