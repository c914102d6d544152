/**
 * The suite of every transport.
 *
 * @module
 */
import type { Receiver, Transport } from "../../../core/ports/transport.ts";
import {
  checkSuiteOptions,
  type ConformanceCase,
  type Opened,
  type Skip,
  suiteOf,
} from "../suite.ts";
import { answerCases } from "./answer_cases.ts";
import { carryCases } from "./carry_cases.ts";
import { pulled } from "./pulled.ts";
import { resultCases } from "./result_cases.ts";
import type { TransportSubject } from "./subject.ts";

/** A transport under test. */
export interface OpenedTransport {
  /** The transport. */
  readonly transport: Transport;
  /**
   * For a transport that has `pull`: the messages that it set aside for good, as their ids with the reasons. The suite
   * pulls them.
   */
  parked?(): Promise<ReadonlyMap<string, string>>;
  /** Closes everything that was opened for it. */
  close(): Promise<void>;
}

/** How the suite is run on one transport. */
export interface TransportSuiteOptions {
  /** Makes a transport that carries messages named {@linkcode ROUTED} to this receiver, and no others. */
  open(receiver: Receiver): Promise<OpenedTransport>;
  /**
   * Cases that this adapter leaves out.
   *
   * @default none
   */
  readonly skip?: readonly Skip[];
}

/**
 * Makes the conformance suite of a transport: a case for each thing that every transport must keep.
 *
 * @throws {AtlastError} `invalid_option` if an option is none, or `skip` names a case that there is not.
 */
export function transportSuite(options: TransportSuiteOptions): ConformanceCase[] {
  checkSuiteOptions(options);
  const { open, skip = [] } = options;
  return suiteOf<TransportSubject>({
    carrying: carryCases,
    results: resultCases,
    answers: answerCases,
  }, { skip, open: () => Promise.resolve(subjectOf(open)) });
}

/** A subject that opens a transport for each receiver of a case. */
function subjectOf(open: TransportSuiteOptions["open"]): Opened<TransportSubject> {
  const closing: (() => Promise<void>)[] = [];
  return {
    subject: {
      async start(receiver) {
        const opened = await open(receiver);
        const { transport, parked } = opened;
        closing.push(() => opened.close());
        if (transport.pull === undefined) return transport;
        if (parked === undefined) {
          throw new Error("Cannot test a transport that has pull: want parked() beside it");
        }
        return pulled(transport, receiver, parked);
      },
    },
    async close() {
      for (const close of closing) await close();
    },
  };
}
