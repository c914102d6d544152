/**
 * A service of the shop on Deno Deploy, or on any machine with Deno.
 *
 * @module
 */
import { openService } from "../shop/service.ts";

const service = openService(Deno.env.toObject());

// The work that is due: retries, delayed messages, check-backs, pruning. Deploy finds crons that are
// set before the server starts.
Deno.cron("tick", "* * * * *", () => service.tick());

const server = Deno.serve({ port: Number(Deno.env.get("PORT") ?? 8000) }, async (request) => {
  const response = await service.fetch(request);
  // Not awaited: if the platform stops the process before it ends, the cron sends the rest.
  if (request.method !== "GET") service.flush().catch(logError);
  return response;
});

Deno.addSignalListener("SIGTERM", async () => {
  await server.shutdown();
  await service.close();
  Deno.exit();
});

function logError(error: unknown): void {
  console.error(`Sending after a response failed: ${error instanceof Error ? error.name : ""}`);
}
