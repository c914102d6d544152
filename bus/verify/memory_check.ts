/**
 * Compares records of an inbox with what the inbox remembers of messages that it pruned.
 *
 * @module
 */
import type { RecordOutline } from "../../core/ports/inspection.ts";
import { type Check, type Doubt, doubtOf } from "./check.ts";
import type { Service } from "./service.ts";

/** Checks that no message was taken again after it had been handled. */
export class MemoryCheck implements Check<RecordOutline> {
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  async look(items: readonly RecordOutline[]): Promise<Doubt<RecordOutline>[]> {
    // Most inboxes keep their records as long as they remember, so there is nothing to make digests for.
    const first = await this.#service.recall([]);
    if (first === null || !first.hasDigests) return [];
    const recalled = await this.#service.recall(items);
    return items.filter((_, i) => recalled?.remembered[i]?.hasFailed === false).map((item) =>
      doubtOf(this.#service, item, {
        problem: "handled_again",
        text: "was handled and pruned, and was taken again",
        sinceMs: item.createdAtMs,
      })
    );
  }
}
