/**
 * The tests that every transport must pass.
 *
 * @module
 */
import type { Receiver, Transport } from "../../core/ports/transport.ts";
import { runSuite, type Skip } from "./suite.ts";
import { answerCases } from "./transport/answer_cases.ts";
import { carryCases } from "./transport/carry_cases.ts";
import { pulled } from "./transport/pulled.ts";
import { resultCases } from "./transport/result_cases.ts";
import type { TransportSubject } from "./transport/subject.ts";

/** How the transport suite is run on one adapter. */
export interface TransportSuiteOptions {
  /**
   * Makes a transport that carries messages named `ROUTED` to this receiver, and no others; `close`
   * gives back what was opened for it. One that has `pull` is pulled by the suite, and says with `parked`
   * what it set aside for good: the reasons, by id.
   */
  open(receiver: Receiver): Promise<{
    readonly transport: Transport;
    parked?(): Promise<ReadonlyMap<string, string>>;
    close(): Promise<void>;
  }>;
  /** Cases this adapter leaves out. */
  readonly skip?: readonly Skip[];
  /** Why the whole suite cannot run here, such as a server that is missing; null when it can. */
  readonly unavailable?: string | null;
}

/** Runs every transport case on one adapter. */
export function transportSuite(name: string, options: TransportSuiteOptions): void {
  const { open, ...rest } = options;
  runSuite<TransportSubject>(name, {
    carrying: carryCases,
    results: resultCases,
    answers: answerCases,
  }, {
    ...rest,
    open() {
      const closing: (() => Promise<void>)[] = [];
      const start = async (receiver: Receiver): Promise<Transport> => {
        const opened = await open(receiver);
        const { transport, parked } = opened;
        closing.push(() => opened.close());
        if (transport.pull === undefined) return transport;
        if (parked === undefined) throw new Error("want parked() of a transport that is pulled");
        return pulled(transport, receiver, parked);
      };
      return Promise.resolve({
        subject: { start },
        async close() {
          for (const close of closing) await close();
        },
      });
    },
  });
}
