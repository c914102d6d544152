/**
 * A bus's receiving side that remembers what came and answers what it is told to.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import type { EdgeBus, EdgeHealthReport, EdgeTickReport } from "../../edge/mod.ts";

/** What a {@linkcode FakeReceiver} says of a message. */
export type Answerer = (message: Message) => DeliveryResult;

const HANDLED: DeliveryResult = { kind: "handled", duplicate: false, reply: null };

/** Takes everything as handled unless it is told otherwise. */
export class FakeReceiver implements EdgeBus {
  /** Every message that came, in order. */
  readonly delivered: Message[] = [];
  /** The budget of every tick that was asked for. */
  readonly budgetsMs: number[] = [];
  /** What it says of its health. */
  healthReport: EdgeHealthReport = { ready: true, store: "up", running: true };
  readonly #answer: Answerer;

  constructor(answer: Answerer = () => HANDLED) {
    this.#answer = answer;
  }

  subscribes(_name: string): boolean {
    return true;
  }

  deliver(messages: readonly Message[]): Promise<DeliveryResult[]> {
    this.delivered.push(...messages);
    return Promise.resolve(messages.map(this.#answer));
  }

  tick({ budgetMs }: { budgetMs: number }): Promise<EdgeTickReport> {
    this.budgetsMs.push(budgetMs);
    return Promise.resolve({ sent: 1, nextDueAtMs: null } as EdgeTickReport);
  }

  health(): Promise<EdgeHealthReport> {
    return Promise.resolve(this.healthReport);
  }
}
