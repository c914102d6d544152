/**
 * The running deliveries.
 *
 * @module
 */
import type { Account } from "./account.ts";
import type { Agenda } from "./timers.ts";
import { deliveryRequest, noAnswer, sendRequest } from "./attempt.ts";
import type { DeliveryFault } from "./faults.ts";
import type { AttemptResult, MessageRecord } from "./records.ts";
import { Signer } from "./signer.ts";

/** A fault of the delivery itself, not of its start time. */
type FaultUnderWay = Exclude<DeliveryFault, { kind: "delay" | "hang" }>;

/** A delivery that has begun. */
interface UnderWay {
  /** Ends it. */
  readonly controller: AbortController;
  /** Resolves when its request has been made. */
  readonly setOut: Promise<void>;
  readonly ended: Promise<void>;
}

/** The running deliveries of an account. */
export class Deliveries {
  readonly #account: Account;
  readonly #agenda: Agenda;
  readonly #signer = new Signer();
  readonly #underWay = new Set<UnderWay>();
  #begun = 0;
  /** Requests are sent in the order in which deliveries begin, however long signing takes. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Makes an empty set; the agenda ends deliveries that exceed their time. */
  constructor(account: Account, agenda: Agenda) {
    this.#account = account;
    this.#agenda = agenda;
  }

  /** How many are running. */
  get size(): number {
    return this.#underWay.size;
  }

  /** How many have begun so far. */
  get begun(): number {
    return this.#begun;
  }

  /** Begins one. `onResult` is called with its result, and `onEnd` when it no longer runs. */
  begin(
    message: MessageRecord,
    fault: FaultUnderWay | undefined,
    onResult: (result: AttemptResult) => void,
    onEnd: () => void,
  ): void {
    this.#begun += 1;
    const controller = new AbortController();
    let goes = (): void => {};
    const setOut = new Promise<void>((resolve) => goes = resolve);
    const ended = this.#attempt(message, fault, controller, goes).then(onResult).finally(() => {
      goes();
      this.#underWay.delete(delivery);
      onEnd();
    });
    const delivery = { controller, setOut, ended };
    this.#underWay.add(delivery);
  }

  /** Resolves when the deliveries that run now have ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#underWay].map(({ ended }) => ended));
  }

  /**
   * Resolves when the deliveries that run now have sent their requests, and those over their time limit have
   * ended.
   */
  async setOut(): Promise<void> {
    await Promise.all(
      [...this.#underWay].map(({ controller, setOut, ended }) =>
        controller.signal.aborted ? ended : setOut
      ),
    );
  }

  /** Ends them all. */
  abort(): void {
    for (const { controller } of this.#underWay) controller.abort();
  }

  async #attempt(
    message: MessageRecord,
    fault: FaultUnderWay | undefined,
    controller: AbortController,
    goes: () => void,
  ): Promise<AttemptResult> {
    const timeoutAtMs = this.#account.now() + message.config.timeoutMs;
    const inTime = this.#agenda.add(timeoutAtMs, () => controller.abort());
    const result = await this.#sent(message, fault, controller.signal, goes);
    inTime();
    return result;
  }

  async #sent(
    message: MessageRecord,
    fault: FaultUnderWay | undefined,
    signal: AbortSignal,
    goes: () => void,
  ): Promise<AttemptResult> {
    const account = this.#account;
    const send = (): Promise<AttemptResult> => {
      const signed = deliveryRequest(account, this.#signer, message, signal);
      signed.catch(() => {});
      const turn = this.#turn.then(() => signed);
      this.#turn = turn.catch(() => {});
      return sendRequest(account, turn, signal, goes);
    };
    switch (fault?.kind) {
      case "request_lost":
        return noAnswer(account, "destination not reached");
      case "answer_lost":
        await send();
        return noAnswer(account, "answer lost");
      case "answer":
        return {
          status: fault.status,
          headers: new Headers(fault.headers),
          body: new TextEncoder().encode(fault.body ?? ""),
        };
      case "duplicate": {
        if (fault.atOnce) return (await Promise.all([send(), send()]))[1];
        await send();
        return send();
      }
      default:
        return send();
    }
  }
}
