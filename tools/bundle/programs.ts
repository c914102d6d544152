/**
 * The programs whose size is measured: ours, its parts, and programs for comparison.
 *
 * @module
 */

/** A measured program. */
export interface Program {
  /** Its description. */
  readonly name: string;
  /** Its source; relative imports start at the root of the repository. */
  readonly source: string;
}

/** A schema without a library, because the schema library is the user's choice. */
const SCHEMA = `const body = { "~standard": { version: 1, vendor: "own", validate(value) {
  return typeof value?.orderId === "number" ? { value } : { issues: [{ message: "No order" }] };
} } };`;

/** A subscriber that handles one message, with the keys from the worker's environment. */
function subscriber(schema: string, imports: string, verify: string): string {
  return `
    import { env } from "cloudflare:workers";
    import { createStatelessApp, defineMessage, subscribe } from "./edge/stateless/mod.ts";
    ${imports}
    ${schema}
    const OrderPlaced = defineMessage("order.placed", { body });
    export default createStatelessApp([
      subscribe(OrderPlaced, { group: "mail" }, async ({ orderId }) => {
        const { ok } = await fetch(env.MAIL_URL, { method: "POST", body: String(orderId) });
        if (!ok) throw new Error("The mail was not taken");
      }),
    ], { verify: ${verify} });`;
}

const QSTASH = [
  `import { verifyQstash } from "./adapters/qstash/verify.ts";`,
  `verifyQstash({ currentSigningKey: env.CURRENT, nextSigningKey: env.NEXT, url: env.URL })`,
] as const;

/** The complete stateless subscriber on QStash: the size with a limit. */
export const SUBSCRIBER: Program = {
  name: "a stateless subscriber on QStash, hono included",
  source: subscriber(SCHEMA, ...QSTASH),
};

/** Its parts, and Atlast's other programs for a worker. */
export const OWN: readonly Program[] = [
  SUBSCRIBER,
  {
    name: "  of that: hono, as it is used",
    source: `
      import { Hono } from "hono/tiny";
      const app = new Hono().basePath("/");
      app.on(["POST"], "/deliver", ({ req }) => new Response(req.raw.url));
      app.notFound(() => new Response(null, { status: 404 }));
      export default app;`,
  },
  {
    name: "  of that: the verification of QStash's signature",
    source: `export { verifyQstash } from "./adapters/qstash/verify.ts";`,
  },
  {
    name: "the same on our own signed HTTP",
    source: subscriber(
      SCHEMA,
      `import { verifySignature } from "./adapters/http/mod.ts";`,
      "verifySignature({ signingKeys: [env.KEY] })",
    ),
  },
  {
    name:
      "the whole bus in a worker: Postgres store (driver not counted), HTTP transport, edge app",
    source: `
      import { createBus } from "./mod.ts";
      import { createApp } from "./edge/mod.ts";
      import { httpTransport, verifySignature } from "./adapters/http/mod.ts";
      import { postgresStore } from "./adapters/postgres/mod.ts";
      export default (sql, routes, signingKeys) => createApp(
        createBus({ store: postgresStore(sql), transport: httpTransport({ routes, signingKeys }) }),
        { verify: verifySignature({ signingKeys }) },
      );`,
  },
];

const ZOD_BODY = "const body = z.object({ orderId: z.number() });";

/** The size of other packages for the same, or for a part of it. */
export const PEERS: readonly Program[] = [
  {
    name: "hono alone",
    source: `
      import { Hono } from "hono";
      export default new Hono().post("/deliver", (c) => c.text("ok"));`,
  },
  {
    name: "the official Receiver (@upstash/qstash)",
    source: `export { Receiver } from "@upstash/qstash";`,
  },
  {
    name: `zod, \`import { z } from "zod"\``,
    source: `import { z } from "zod"; export ${ZOD_BODY}`,
  },
  {
    name: `zod, \`import * as z from "zod"\``,
    source: `import * as z from "zod"; export ${ZOD_BODY}`,
  },
  {
    name: `zod, \`import * as z from "zod/mini"\``,
    source: `import * as z from "zod/mini"; export ${ZOD_BODY}`,
  },
  {
    name: "our subscriber with zod/mini for its contract",
    source: subscriber(`import * as z from "zod/mini"; ${ZOD_BODY}`, ...QSTASH),
  },
  {
    name: "hono with the official Receiver, nothing more",
    source: `
      import { env } from "cloudflare:workers";
      import { Hono } from "hono";
      import { Receiver } from "@upstash/qstash";
      const keys = { currentSigningKey: env.CURRENT, nextSigningKey: env.NEXT };
      export default new Hono().post("/deliver", async (c) => {
        const body = await c.req.text();
        const signature = c.req.header("upstash-signature") ?? "";
        await new Receiver(keys).verify({ signature, body, url: env.URL });
        return c.text("ok");
      });`,
  },
  {
    name: "the official workflow SDK (@upstash/workflow 1.3), with hono",
    source: `
      import { Hono } from "hono";
      import { serve } from "@upstash/workflow/hono";
      export default new Hono().post("/workflow", serve(async (context) => {
        await context.run("mail", () => fetch("https://mail.example"));
      }));`,
  },
];
