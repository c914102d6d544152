/**
 * Loaded before a program that sets crons: the line `tick` on its standard input calls each of them, in
 * place of the clock.
 *
 * @module
 */
const crons: (() => unknown)[] = [];

Object.defineProperty(Deno, "cron", {
  value(_name: string, _schedule: string, handler: () => unknown): void {
    // Not before the program runs: Deno waits for all that a preloaded module has begun.
    if (crons.push(handler) === 1) listen();
  },
});

async function listen(): Promise<void> {
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    for (const _ of text.matchAll(/^tick$/gm)) {
      for (const cron of crons) await cron();
      console.log("ticked");
    }
  }
}
