/**
 * Describes the machine and the versions that a measurement ran on.
 *
 * @module
 */
import { cpus, loadavg, totalmem } from "node:os";
import process from "node:process";
import deno from "../../deno.json" with { type: "json" };
import { installedVersion } from "../peers/packages.ts";
import { PEERS, type SubjectName } from "../subjects/registry.ts";

const GIB = 2 ** 30;

/** The machine and its load before the measurement, in one line. */
export function describeMachine(): string {
  const [first] = cpus();
  const load = (loadavg()[0] ?? 0).toFixed(2);
  return `${cpus().length} x ${first?.model ?? "processor"}, ${
    Math.round(totalmem() / GIB)
  } GiB, ${process.platform}; load at the start ${load}`;
}

/** The versions of the servers and of the subjects, in one line. Null leaves a server, or the peers, out. */
export function describeVersions(
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
    ...(peers === null ? [] : packages.map((name) => `${name} ${installedVersion(peers, name)}`)),
  ].join(", ");
}
