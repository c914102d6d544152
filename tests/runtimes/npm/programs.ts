/**
 * Programs of a user of the npm package.
 *
 * @module
 */
import deno from "../../../deno.json" with { type: "json" };

/** The entries that need no other package. */
export const ALONE: readonly string[] = [
  "@atlast/bus",
  "@atlast/bus/client",
  "@atlast/bus/http",
  "@atlast/bus/memory",
  "@atlast/bus/pg",
  "@atlast/bus/ports",
  "@atlast/bus/postgres",
  "@atlast/bus/qstash/verify",
  "@atlast/bus/sql",
  "@atlast/bus/testing",
  "@atlast/bus/upstash-redis",
  "@atlast/bus/verify",
];

/** Every entry. */
export const ENTRIES: readonly string[] = Object.keys(deno.exports)
  .map((name) => name.replace(".", deno.name));

/** Sends and handles a message, and prints `handled 7`. */
export const PROGRAM = `
import { createBus, defineMessage, subscribe } from "@atlast/bus";
import { inProcessTransport, memoryStore } from "@atlast/bus/memory";
import { postgresStore } from "@atlast/bus/postgres";
if (typeof postgresStore !== "function") throw new Error("no postgresStore");
const schema = { "~standard": { version: 1, vendor: "x", validate: (value) => ({ value }) } };
const OrderPlaced = defineMessage("order.placed", { body: schema });
const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
  subscribe(OrderPlaced, { group: "mail" }, (order) => console.log("handled", order.orderId)),
]);
await bus.publish(OrderPlaced, { orderId: 7 });
await bus.tick();
await bus.stop();
`;

/** Loads the entries, by \`import\` or by \`require\`, and prints how many there were. */
export function loading(entries: readonly string[], by: "import" | "require"): string {
  const load = by === "import" ? "await import(name)" : "require(name)";
  return `(async () => {
    let count = 0;
    for (const name of ${JSON.stringify(entries)}) {
      if (typeof ${load} === "object") count += 1;
    }
    console.log("loaded", count);
  })();`;
}

/** Uses the types of every entry. */
export function typesOf(entries: readonly string[]): string {
  const lines = entries.map((name, i) =>
    `import * as m${i} from "${name}";\nexport type T${i} = keyof typeof m${i};`
  );
  return [
    ...lines,
    'import { defineMessage, type Schema } from "@atlast/bus";',
    "declare const body: Schema<{ orderId: number }, { orderId: number }>;",
    'export const contract = defineMessage("order.placed", { body });',
    "// @ts-expect-error the name must be a text",
    "defineMessage(7, { body });",
  ].join("\n");
}
