// What can be said of a key of the job file, and the type of its value that follows from it.

interface Spec {
  readonly doc: string
  /** Section of `--help`. */
  readonly group?: 'pool' | 'instance'
  /** What the value is when nobody gives it, for people. The values themselves are in config-defaults.ts. */
  readonly default?: string
  /** Not an option of the Python system: gives way when a shortened option could also be one of theirs. */
  readonly added?: boolean
  /** The option's name where it cannot be the key's own. */
  readonly flag?: string
}
interface NumberSpec extends Spec {
  readonly type: 'int' | 'float'
  readonly unit?: string
  /** Inclusive lower bound. */
  readonly least?: number
  /** Exclusive lower bound. */
  readonly above?: number
  readonly most?: number
}
interface BoolSpec extends Spec {
  readonly type: 'bool'
}
interface TextSpec extends Spec {
  readonly type: 'text'
  readonly pattern?: RegExp
  /** What the pattern asks for, for people. */
  readonly form?: string
  /** Shown as *** wherever the configuration is printed. */
  readonly secret?: boolean
}
interface ListSpec extends Spec {
  /** One string or several. */
  readonly type: 'list'
}
interface ChoiceSpec extends Spec {
  readonly type: 'choice'
  readonly choices: readonly string[]
}
interface FallbackSpec extends Spec {
  /** `never`, or a mapping with one of `after_preemptions`, `after_wait`. */
  readonly type: 'fallback'
}
interface MapSpec extends Spec {
  /** Names of environment variables → texts. Only in the job file. */
  readonly type: 'map'
}
export type KeySpec = NumberSpec | BoolSpec | TextSpec | ListSpec | ChoiceSpec | FallbackSpec | MapSpec
export type KeyTable = Readonly<Record<string, KeySpec>>

export type OnDemandFallback = 'never' | { readonly after_preemptions: number } | { readonly after_wait: number }

type ValueOf<S extends KeySpec> = S extends NumberSpec
  ? number
  : S extends BoolSpec
    ? boolean
    : S extends ListSpec
      ? readonly string[]
      : S extends FallbackSpec
        ? OnDemandFallback
        : S extends MapSpec
          ? Readonly<Record<string, string>>
          : string
export type ValuesOf<T extends KeyTable> = { readonly [K in keyof T]?: ValueOf<T[K]> }
