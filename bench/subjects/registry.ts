/**
 * The subjects by name. A subject's module is loaded only where it is used, because its packages may
 * not be installed.
 *
 * @module
 */
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

export const SUBJECT_NAMES = Object.keys(FILES) as readonly SubjectName[];

/** The subjects that other people wrote; their packages are installed for the bench alone. */
export const PEERS: readonly SubjectName[] = [
  "pg-boss",
  "graphile-worker",
  "pg-transactional-outbox",
  "bullmq",
];

/** The subjects that need a Redis server. */
export const ON_REDIS: readonly SubjectName[] = ["bullmq"];

/** Loads a subject. */
export async function loadSubject(name: SubjectName): Promise<Subject> {
  const { subject } = await import(FILES[name]) as { subject: Subject };
  return subject;
}

/** How reports and charts name a subject. */
export function displayName(subject: SubjectName): string {
  return subject === "ref" ? "by hand" : subject;
}
