/**
 * What a bus tells its observer, for tests that wait for it instead of sleeping.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { BusEvent } from "../../bus/api/observer.ts";

type Kind = BusEvent["kind"];
type EventOf<K extends Kind> = Extract<BusEvent, { kind: K }>;

/** Collects the events of a bus. */
export class Observed {
  /** Every event, in order. */
  readonly events: BusEvent[] = [];
  readonly #watchers = new Set<() => void>();

  /** To be given to a bus as its observer. */
  readonly observe = (event: BusEvent): void => {
    this.events.push(event);
    for (const watch of [...this.#watchers]) watch();
  };

  /** The events of one kind that have these fields. */
  all<K extends Kind>(kind: K, fields: Partial<EventOf<K>> = {}): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> =>
      event.kind === kind &&
      Object.entries(fields).every(([key, value]) => Reflect.get(event, key) === value)
    );
  }

  /** Resolves with the `count`-th event of a kind that has these fields, come or yet to come. */
  async until<K extends Kind>(
    kind: K,
    fields: Partial<EventOf<K>> = {},
    count = 1,
  ): Promise<EventOf<K>> {
    await this.untilThat(() => this.all(kind, fields).length >= count);
    const event = this.all(kind, fields)[count - 1];
    assert.ok(event !== undefined);
    return event;
  }

  /** Resolves when `holds` does, looking again at each event. */
  async untilThat(holds: () => boolean): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve) => {
      const watch = () => {
        if (!holds()) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
    });
  }
}
