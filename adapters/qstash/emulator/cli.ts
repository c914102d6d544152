/**
 * The emulator as a program.
 *
 * @module
 */
import type { QstashEvent } from "./options.ts";
import { DEV_KEYS, DEV_TOKEN } from "./options.ts";
import { QSTASH_PLANS, type QstashPlan } from "./plans.ts";
import { serveQstashEmulator } from "./server.ts";

/** Where the official development server listens, so that its client's `devMode` finds this one. */
const DEFAULT_PORT = 8080;

const HELP = `An emulator of QStash: all in memory, for development and tests.

  --port N           where to listen; ${DEFAULT_PORT} if not given
  --hostname NAME    the address to listen at; 127.0.0.1 if not given
  --token TEXT       the token of clients
  --current-key KEY  the signing key; together with --next-key
  --next-key KEY     the signing key after the next rotation
  --plan NAME        whose limits hold: ${Object.keys(QSTASH_PLANS).join(", ")}; payg if not given
  --help             this

Token and keys that are not given are those of the official development server, known to everyone.`;

const FLAGS = ["port", "hostname", "token", "current-key", "next-key", "plan"];

/** Runs the program until it is ended; resolves with its exit code if it does not start. */
export async function runCli(
  args: readonly string[],
  print: (line: string) => void,
): Promise<number> {
  if (args.includes("--help")) {
    print(HELP);
    return 0;
  }
  const given = readArguments(args);
  if (typeof given === "string") {
    print(`${given}\n\n${HELP}`);
    return 2;
  }
  const { url, emulator } = await serveQstashEmulator({
    port: Number(given.get("port") ?? DEFAULT_PORT),
    hostname: given.get("hostname") ?? "127.0.0.1",
    token: given.get("token") ?? DEV_TOKEN,
    signingKeys: {
      current: given.get("current-key") ?? DEV_KEYS.current,
      next: given.get("next-key") ?? DEV_KEYS.next,
    },
    plan: (given.get("plan") ?? "payg") as QstashPlan,
    onEvent: (event) => {
      const line = lineOf(event);
      if (line !== null) print(line);
    },
  });
  print("QStash emulator. To use it, set:\n");
  for (const [name, value] of Object.entries(emulator.env(url))) print(`${name}="${value}"`);
  print("");
  return 0;
}

/** The line of a delivery: the id, the destination without what may hold a secret, the status. */
export function lineOf({ state, messageId, url, retried, status }: QstashEvent): string | null {
  if (state !== "DELIVERED" && state !== "ERROR" && state !== "FAILED") return null;
  const { origin, pathname } = new URL(url);
  const what = state === "FAILED" ? "given up" : status === 0 ? "no answer" : String(status);
  return `${messageId} ${origin}${pathname} ${what}${retried === 0 ? "" : ` (retry ${retried})`}`;
}

function readArguments(args: readonly string[]): Map<string, string> | string {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i += 2) {
    const [flag, value] = [args[i]!.replace(/^--/, ""), args[i + 1]];
    if (!FLAGS.includes(flag) || !args[i]!.startsWith("--") || value === undefined) {
      return `Cannot read the arguments: got "${args[i]}", want a flag and its value`;
    }
    given.set(flag, value);
  }
  const port = given.get("port") ?? "";
  if (!/^\d{0,5}$/.test(port) || Number(port) > 65535) {
    return `Cannot use --port: got "${port}", want a number up to 65535`;
  }
  if (!Object.hasOwn(QSTASH_PLANS, given.get("plan") ?? "payg")) {
    return `Cannot use --plan: got "${given.get("plan")}"`;
  }
  if (given.has("current-key") !== given.has("next-key")) {
    return "Cannot use one signing key: want --current-key and --next-key";
  }
  return given;
}
