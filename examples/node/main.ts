/**
 * A service of the shop on Node, in a process that keeps running.
 *
 * @module
 */
import { serve } from "@hono/node-server";
import process from "node:process";
import { openService } from "../shop/service.ts";

const service = openService(process.env);
await service.start();

const server = serve(
  { fetch: service.fetch, port: Number(process.env["PORT"] ?? 3000) },
  ({ port }) => console.log(`Listening on port ${port}`),
);

process.once("SIGTERM", () => {
  server.close(() => service.close());
});
