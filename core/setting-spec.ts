// What can be said of a setting of the agent.

export interface Setting {
  /** Long option without the dashes; a boolean one also exists as `no-…`. */
  readonly flag: string
  /** Further spellings of the option. */
  readonly aliases?: readonly string[]
  readonly env: string
  readonly type: 'text' | 'integer' | 'number' | 'boolean'
  /** Smallest value allowed. */
  readonly min?: number
  /** The value must be more than `min`, not equal to it. */
  readonly aboveMin?: boolean
  readonly unit?: string
  readonly default?: string | number | boolean
  readonly doc: string
}
