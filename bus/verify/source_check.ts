/**
 * Compares records of an inbox with the outboxes of the services that publish them.
 *
 * @module
 */
import { HEADER } from "../../core/message/headers.ts";
import { CLOCK_MARGIN_MS } from "../../core/ports/inbox_memory.ts";
import type { RecordOutline } from "../../core/ports/inspection.ts";
import { type Check, type Doubt, doubtOf } from "./check.ts";
import type { Service, Services } from "./service.ts";
import type { Tally } from "./summary.ts";

/** Checks that the publisher of each message knows it. */
export class SourceCheck implements Check<RecordOutline> {
  readonly #service: Service;
  readonly #services: Services;

  constructor(service: Service, services: Services) {
    this.#service = service;
    this.#services = services;
  }

  async look(items: readonly RecordOutline[], tally: Tally): Promise<Doubt<RecordOutline>[]> {
    const unknown = new Map<RecordOutline, readonly Service[]>();
    for (const item of items) {
      const publishers = this.#services.publishersOf(item.message.name);
      // What a service publishes to groups of its own store was never in its outbox.
      const mayBeOwn = publishers.includes(this.#service) || isOfSender(item);
      if (publishers.length > 0 && !mayBeOwn) unknown.set(item, publishers);
    }
    for (const publisher of new Set([...unknown.values()].flat())) {
      const keys = [...unknown].filter(([, publishers]) => publishers.includes(publisher))
        .map(([{ id }]) => ({ id, group: "" }));
      const found = await publisher.reader.withIds("outbox", keys);
      for (const records of found.values()) publisher.learnExpiry(records);
      for (const item of unknown.keys()) {
        const [published] = found.get(item.id) ?? [];
        if (published?.message.name === item.message.name) unknown.delete(item);
      }
    }
    const doubts: Doubt<RecordOutline>[] = [];
    for (const [item, publishers] of unknown) {
      if (publishers.every((publisher) => mustKeep(publisher, item))) {
        const names = publishers.map(({ name }) => name).join(", ");
        doubts.push(doubtOf(this.#service, item, {
          problem: "not_in_outbox",
          text: `arrived, and the outbox of ${names} does not have it`,
          other: names,
          sinceMs: item.createdAtMs,
        }));
      } else tally.notJudged.pruned += 1;
    }
    return doubts;
  }
}

/** Whether it is the failure callback of a message that its own publisher could not send, and so has no group. */
function isOfSender({ message: { headers } }: RecordOutline): boolean {
  return headers[HEADER.exception] !== undefined && !headers[HEADER.group];
}

/** Whether the outbox of a service has not pruned a message yet. */
function mustKeep(publisher: Service, { message: { sentAtMs } }: RecordOutline): boolean {
  return publisher.now() < sentAtMs + publisher.keptMs - CLOCK_MARGIN_MS;
}
