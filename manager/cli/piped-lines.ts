// Lines that are piped in as answers: read ahead as they come in one piece, and handed out one by one.
import { createInterface, type Interface } from 'node:readline'

export class PipedLines {
  readonly #input: NodeJS.ReadStream
  readonly #lines: string[] = []
  #reader: Interface | undefined
  #ended = false
  #wake = () => {}

  constructor(input: NodeJS.ReadStream) {
    this.#input = input
  }

  /** undefined at the end of the input, or when `signal` aborts. */
  async next(signal: AbortSignal | undefined): Promise<string | undefined> {
    this.#reader ??= this.#open()
    if (!this.#ended) this.#reader.resume()
    while (this.#lines.length === 0 && !this.#ended && signal?.aborted !== true) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    if (!this.#ended) this.#reader.pause() // or an open pipe would keep the process
    return signal?.aborted === true ? undefined : this.#lines.shift()
  }

  #open(): Interface {
    const reader = createInterface({ input: this.#input })
    reader.on('line', line => {
      this.#lines.push(line)
      this.#wake()
    })
    reader.on('close', () => {
      this.#ended = true
      this.#wake()
    })
    return reader
  }
}
