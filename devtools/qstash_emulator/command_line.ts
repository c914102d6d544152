/**
 * The emulator as a program.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { endRequested, portOf, type Program } from "../server/program.ts";
import { DEV_KEYS, DEV_TOKEN, type QstashEvent } from "./options.ts";
import { QSTASH_PLANS, type QstashPlan } from "./plans.ts";
import { type QstashServerOptions, serveQstashEmulator } from "./server.ts";

/** The port of the official development server, so that the client's `devMode` finds this one. */
const DEFAULT_PORT = "8080";

const USAGE = `An emulator of QStash for development: all in memory, in real time.

  --port <port>        the port to listen on, 0 for a free one (default ${DEFAULT_PORT})
  --hostname <address> the address to listen on (default 127.0.0.1, only this machine)
  --token <token>      the token of clients
  --current-key <key>  the signing key; together with --next-key
  --next-key <key>     the signing key after the next rotation
  --plan <plan>        the plan whose limits apply: ${
  Object.keys(QSTASH_PLANS).join(", ")
} (default payg)

A token or keys that are not given are those of the official development server, which are public.
`;

/** Serves until the process is asked to end. */
export const PROGRAM: Program = { usage: USAGE, run: (args) => run(read(args)) };

/** The line of a delivery: its id, its destination without parts that may contain a secret, and its status. */
export function lineOf({ state, messageId, url, retried, status }: QstashEvent): string | null {
  if (state !== "DELIVERED" && state !== "ERROR" && state !== "FAILED") return null;
  const { origin, pathname } = new URL(url);
  const end = state === "FAILED" ? "dead-lettered" : status === 0 ? "no answer" : `${status}`;
  return `${messageId} ${origin}${pathname} ${end}${retried === 0 ? "" : `, retry ${retried}`}`;
}

function read(args: readonly string[]): QstashServerOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: DEFAULT_PORT },
      hostname: { type: "string", default: "127.0.0.1" },
      token: { type: "string", default: DEV_TOKEN },
      "current-key": { type: "string" },
      "next-key": { type: "string" },
      plan: { type: "string", default: "payg" },
    },
  });
  const { "current-key": current, "next-key": next } = values;
  if ((current === undefined) !== (next === undefined)) {
    throw new Error("Cannot use one signing key: want --current-key and --next-key");
  }
  return {
    port: portOf(values.port),
    hostname: values.hostname,
    token: values.token,
    signingKeys: current === undefined || next === undefined ? DEV_KEYS : { current, next },
    plan: values.plan as QstashPlan,
  };
}

async function run(options: QstashServerOptions): Promise<void> {
  const server = await serveQstashEmulator({
    ...options,
    onEvent(event) {
      const line = lineOf(event);
      if (line !== null) console.error(line);
    },
  });
  // Only this is written to standard output, so that a shell can read it.
  for (const [name, value] of Object.entries(server.emulator.env(server.url))) {
    console.log(`${name}="${value}"`);
  }
  await endRequested();
  await server.close();
}
