/**
 * The transport of one service in a test: the transport of its world, with faults, and with a destination for the
 * messages of services that are not in the test.
 *
 * @module
 */
import { matchesName } from "../../core/message/name.ts";
import type { Message } from "../../core/message/message.ts";
import type { SendResult } from "../../core/ports/transport.ts";
import type { InProcessTransport } from "../../adapters/memory/in_process_transport.ts";
import type { FaultKind, Faults } from "./faults.ts";

const SEND_FAULTS: readonly FaultKind[] = ["send_fails", "answer_lost", "delivered_twice"];

const NOT_SENT: SendResult = {
  kind: "failed",
  reason: "The test let this send fail",
  retryable: true,
  arrived: "no",
};

const NO_ANSWER: SendResult = {
  kind: "failed",
  reason: "The test lost the answer to this send",
  retryable: true,
};

/**
 * Makes the transport of a service.
 *
 * @param outside The names, or patterns of them, that services outside the test take.
 */
export function serviceTransport(
  shared: InProcessTransport,
  faults: Faults,
  outside: readonly string[],
): InProcessTransport {
  const isOutside = (name: string) => outside.some((pattern) => matchesName(pattern, name));

  return {
    capabilities: shared.capabilities,
    attach: (receiver) => shared.attach(receiver),
    routes: (name, headers) => shared.routes(name, headers) || isOutside(name),
    close: (receiver) => shared.close(receiver),
    async send(messages, signal) {
      const kinds = messages.map((message) => faults.take(SEND_FAULTS, message)?.kind);
      const send = async (chosen: readonly Message[]): Promise<readonly SendResult[]> =>
        chosen.length === 0 ? [] : await shared.send(chosen, signal);
      const results = await send(messages.filter((_, i) => kinds[i] !== "send_fails"));
      await send(messages.filter((_, i) => kinds[i] === "delivered_twice"));
      let next = 0;
      return messages.map(({ name }, i) => {
        if (kinds[i] === "send_fails") return NOT_SENT;
        const result = results[next++] as SendResult;
        if (kinds[i] === "answer_lost") return NO_ANSWER;
        return result.kind === "unroutable" && isOutside(name) ? { kind: "sent" } : result;
      });
    },
  };
}
