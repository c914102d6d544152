/**
 * The subjects by name. Each is loaded only where it is used: its packages may not be there.
 *
 * @module
 */
import { createRequire } from "node:module";
import type { Subject } from "./subject.ts";

const FILES = {
  "atlast": "./atlast.ts",
  "ref": "./ref.ts",
  "pg-boss": "./pg_boss.ts",
  "graphile-worker": "./graphile_worker.ts",
  "pg-transactional-outbox": "./pg_transactional_outbox.ts",
  "bullmq": "./bullmq.ts",
} as const;

/** The name of a subject. */
export type SubjectName = keyof typeof FILES;

export const SUBJECTS = Object.keys(FILES) as readonly SubjectName[];

/** Those whose packages are installed for the bench alone. */
export const PEERS: readonly SubjectName[] = [
  "pg-boss",
  "graphile-worker",
  "pg-transactional-outbox",
  "bullmq",
];

/** Those that need a Redis server. */
export const ON_REDIS: readonly SubjectName[] = ["bullmq"];

export async function loadSubject(name: SubjectName): Promise<Subject> {
  const { subject } = await import(FILES[name]) as { subject: Subject };
  return subject;
}

/** A package of a peer. Its types are not installed with it, so the caller says what it uses of it. */
export function requirePeer<Module>(folder: string | null, name: string): Module {
  return createRequire(`${folder}/package.json`)(name) as Module;
}
