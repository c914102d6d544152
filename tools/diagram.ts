/**
 * `deno task diagram`: writes the life-cycle diagram, generated from the table in core, into
 * docs/concepts.md. tests/laws/diagram_test.ts fails when the two differ.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { type Box, isSettled, type State, TRANSITIONS } from "../core/lifecycle/lifecycle.ts";
import { withPart } from "./docs/markdown.ts";

const PAGE = new URL("../docs/concepts.md", import.meta.url);

/** How a message enters each box; the table has only the later steps. */
const BIRTHS: Readonly<Record<Box, readonly (readonly [State, string])[]>> = {
  outbox: [["prepared", "prepare"], ["scheduled", "publish"]],
  inbox: [["scheduled", "deliver"], ["failed", "deliver, unreadable"]],
};

/** A page with the current diagram of the table. */
export function withDiagram(page: string): string {
  return withPart(page, "lifecycle", diagrams());
}

function diagrams(): string {
  return (["outbox", "inbox"] as const)
    .map((box) => `The ${box}:\n\n\`\`\`mermaid\n${diagramOf(box)}\n\`\`\``)
    .join("\n\n");
}

function diagramOf(box: Box): string {
  const born = BIRTHS[box].map(([state, how]) => edge("[*]", state, how));
  const steps = entries(TRANSITIONS[box]).flatMap(([from, events]) =>
    entries(events).flatMap(([event, targets]) => targets?.map((to) => ({ from, event, to })) ?? [])
  );
  // One arrow for all events that lead from one state to another.
  const arrows = Map.groupBy(steps, ({ from, to }) => `${from} ${to}`);
  const drawn = Array.from(
    arrows.values(),
    (same) => edge(same[0]!.from, same[0]!.to, same.map(({ event }) => event).join(" | ")),
  );
  const reached = new Set([...BIRTHS[box].map(([state]) => state), ...steps.map(({ to }) => to)]);
  const ends = [...reached].filter(isSettled).map((state) => edge(state, "[*]", "expire"));
  return ["stateDiagram-v2", ...born, ...drawn, ...ends].join("\n");
}

function edge(from: string, to: string, label: string): string {
  return `    ${from} --> ${to}: ${label}`;
}

function entries<Key extends string, Value>(
  record: Readonly<Partial<Record<Key, Value>>>,
): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}

if (import.meta.main) writeFileSync(PAGE, withDiagram(readFileSync(PAGE, "utf8")));
