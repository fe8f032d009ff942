// Lays the command line over the provider's section over `run:` over the defaults, and checks what comes out. Pure.
import {
  ALL_PROVIDER_KEYS,
  type ConfigKey,
  type KeySpec,
  RUN_KEYS,
  type RunValues,
  SECTIONS,
  type Section,
  type SectionValues,
} from './config-keys.ts'
import { UserError } from './errors.ts'
import { DEFAULTS, type EffectiveValues } from './job-config.ts'
import type { JobFile } from './job-file.ts'

export interface ConfigInputs {
  readonly file: JobFile
  /** Values of the command line, already parsed by the rules of the file. */
  readonly commandLine: SectionValues
  readonly provider: string | undefined
}

export interface LayeredConfig {
  readonly provider: Section
  readonly values: EffectiveValues
  /** Where each value came from: `default`, `run`, the section's name, or `command line`. */
  readonly sources: Readonly<Record<string, ConfigSource>>
  /** Values that hid others, for a log. */
  readonly warnings: readonly string[]
}

export type ConfigSource = 'default' | 'run' | Section | 'command line'

export function layerConfig({ file, commandLine, provider: given }: ConfigInputs): LayeredConfig {
  const provider = providerOf(given ?? file.provider)
  // Lowest first: each layer hides what is below it.
  const layers: readonly (readonly [ConfigSource, SectionValues])[] = [
    ['default', { ...DEFAULTS, ...(provider === 'local' ? { use_spot: true } : undefined) }],
    ['run', file.run ?? {}],
    [provider, file[provider] ?? {}],
    ['command line', commandLine],
  ]
  const values = new Map<string, unknown>()
  const sources: Record<string, ConfigSource> = {}
  const warnings: string[] = []
  for (const [source, layer] of layers) {
    for (const [key, value] of Object.entries(layer)) {
      if (value === undefined) continue
      const hidden = sources[key]
      if (hidden !== undefined && hidden !== 'default' && !sameValue(values.get(key), value)) {
        const [before, after] = isSecret(key) ? ['***', '***'] : [text(values.get(key)), text(value)]
        warnings.push(`Overriding ${hidden}.${key}=${before} with ${name(source)}${key}=${after}`)
      }
      values.set(key, value)
      sources[key] = source
    }
  }
  // A minimum alone says that more than the default is wanted. Money is not raised so: it has to be said.
  const [fewest, most] = [values.get('min_instances'), values.get('max_instances')]
  if (sources.max_instances === 'default' && Number(fewest) > Number(most)) values.set('max_instances', fewest)
  const merged = Object.fromEntries(values) as EffectiveValues
  checkBounds(merged, sources)
  checkScripts(merged, sources)
  checkPatterns(merged, sources)
  return { provider, values: merged, sources, warnings }
}

function providerOf(given: string | undefined): Section {
  if (given === undefined) {
    throw new UserError(
      `Provider must be specified: set provider in the job file or --provider (${SECTIONS.join(', ')})`,
    )
  }
  const provider = SECTIONS.find(section => section === given.toLowerCase())
  if (provider === undefined) throw new UserError(`provider must be one of ${SECTIONS.join(', ')}, got "${given}"`)
  return provider
}

/** Every `min_x` beside its `max_x`, after all layers: so any source may move both. */
function checkBounds(values: SectionValues, sources: LayeredConfig['sources']): void {
  for (const low of Object.keys(RUN_KEYS) as (keyof RunValues)[]) {
    const high = low.replace(/^min_/, 'max_') as keyof RunValues
    if (high === low || !(high in RUN_KEYS)) continue
    const [min, max] = [values[low], values[high]]
    if (typeof min === 'number' && typeof max === 'number' && min > max) {
      throw new UserError(
        `${low} is ${min} (${where(low, sources)}) but ${high} is ${max} (${where(high, sources)}); set ${low} ≤ ${high}`,
      )
    }
  }
}

function checkScripts(values: SectionValues, sources: LayeredConfig['sources']): void {
  if (values.startup_script !== undefined && values.startup_script_file !== undefined) {
    throw new UserError(
      `startup_script (${where('startup_script', sources)}) and startup_script_file ` +
        `(${where('startup_script_file', sources)}) exclude each other; keep one`,
    )
  }
}

function checkPatterns({ instance_types: types }: SectionValues, sources: LayeredConfig['sources']): void {
  for (const pattern of typeof types === 'string' ? [types] : (types ?? [])) {
    try {
      new RegExp(pattern)
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      throw new UserError(
        `instance_types (${where('instance_types', sources)}): "${pattern}" is not a regular expression`,
        { cause },
      )
    }
  }
}

function where(key: ConfigKey, sources: LayeredConfig['sources']): string {
  const source = sources[key]
  return source === 'default' ? 'the default' : source === 'command line' ? 'command line' : `from ${source}:`
}

function isSecret(key: string): boolean {
  const spec = Object.entries<KeySpec>(ALL_PROVIDER_KEYS).find(([known]) => known === key)?.[1]
  return spec?.type === 'text' && spec.secret === true
}

function name(source: ConfigSource): string {
  return source === 'command line' ? 'command line ' : `${source}.`
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
