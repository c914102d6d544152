/**
 * Writes to the terminal: lines, colours, and a status line at the bottom if the output is a terminal.
 *
 * @module
 */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 };

/** A colour or weight. */
export type Style = keyof typeof CODES;

/** Where the demo prints. */
export class Terminal {
  readonly #isTerminal = Deno.stdout.isTerminal();
  readonly #hasColour = this.#isTerminal && !Deno.noColor && Deno.env.get("TERM") !== "dumb";
  readonly #startedAtMs = performance.now();
  #statusLine = "";

  /** Colours a text, if the output has colours. */
  paint(style: Style, text: string): string {
    return this.#hasColour ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
  }

  /** Prints a line above the status line. */
  printLine(text = ""): void {
    this.#write(`${this.#clearStatusLine()}${text}\n${this.#statusLine}`);
  }

  /** Prints an event with the time since the start and its source. */
  printEvent(style: Style, source: string, text: string): void {
    const seconds = ((performance.now() - this.#startedAtMs) / 1000).toFixed(1).padStart(5);
    this.printLine(
      `${this.paint("dim", `${seconds}s`)}  ${this.paint(style, source.padEnd(10))}  ${text}`,
    );
  }

  /** Replaces the status line; an empty text removes it. Does nothing if the output is no terminal. */
  setStatusLine(text: string): void {
    if (!this.#isTerminal || text === this.#statusLine) return;
    const clear = this.#clearStatusLine();
    this.#statusLine = text;
    this.#write(`${clear}${text}`);
  }

  /** Erases the status line. It has no line break, so that it can be overwritten. */
  #clearStatusLine(): string {
    return this.#statusLine === "" ? "" : "\r\x1b[2K";
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}
