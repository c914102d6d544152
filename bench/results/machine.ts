/**
 * On what was measured.
 *
 * @module
 */
import { cpus, loadavg, totalmem } from "node:os";
import process from "node:process";
import deno from "../../deno.json" with { type: "json" };
import { versionOf } from "../peers/packages.ts";
import { PEERS, type SubjectName } from "../subjects/registry.ts";

const GIB = 2 ** 30;

/** The machine in one line, with how busy it was before. */
export function machine(): string {
  const [first] = cpus();
  const load = (loadavg()[0] ?? 0).toFixed(2);
  return `${cpus().length} x ${first?.model ?? "processor"}, ${
    Math.round(totalmem() / GIB)
  } GiB, ${process.platform}; load at the start ${load}`;
}

/** The versions of everything in one line. */
export function versions(
  postgres: string,
  redis: string | null,
  peers: string | null,
  subjects: readonly SubjectName[],
): string {
  const packages = subjects.filter((name) => PEERS.includes(name));
  return [
    `Postgres ${postgres}, default settings (fsync on)`,
    ...(redis === null ? [] : [`Redis ${redis} with appendfsync always`]),
    `Deno ${process.versions["deno"]}`,
    `atlast ${deno.version}`,
    deno.imports.postgres.replace("npm:", "").replace("@", " "),
    ...(peers === null ? [] : packages.map((name) => `${name} ${versionOf(peers, name)}`)),
  ].join(", ");
}
