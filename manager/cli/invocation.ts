// One call of the program as its commands see it: the options given, the terminal, and the outside world's variables.
import type { Terminal } from './terminal.ts'

export type OptionValue = string | number | boolean | readonly string[]

export interface Invocation {
  readonly options: GivenOptions
  readonly terminal: Terminal
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The options of the command line by flag. What was not given is undefined (false for plain flags). */
export class GivenOptions {
  readonly #values: ReadonlyMap<string, OptionValue>

  constructor(values: ReadonlyMap<string, OptionValue>) {
    this.#values = values
  }

  text(flag: string): string | undefined {
    const value = this.#values.get(flag)
    return typeof value === 'string' ? value : undefined
  }

  count(flag: string): number | undefined {
    const value = this.#values.get(flag)
    return typeof value === 'number' ? value : undefined
  }

  has(flag: string): boolean {
    return this.#values.get(flag) === true
  }

  value(flag: string): OptionValue | undefined {
    return this.#values.get(flag)
  }
}
