// The schema of the job file: what its YAML may say, at any level. Knows nothing of files, of the command line, or of what wins.
import { z } from 'zod'
import {
  PROVIDER_CHOICES,
  PROVIDER_KEYS,
  RUN_KEYS,
  type RunValues,
  SECTIONS,
  type Section,
  type SectionValues,
} from './config-keys.ts'
import type { KeySpec } from './key-spec.ts'
import { nearestOf } from './nearest-word.ts'

/** A job file as written: one layer, nothing merged and no defaults. */
export type JobFile = {
  readonly provider?: (typeof PROVIDER_CHOICES)[number]
  readonly run?: RunValues
} & { readonly [S in Section]?: SectionValues }

/** What is wrong, and where: `path` leads to the offending value so that a caller with the text can name the line. */
export interface JobFileProblem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

const LIST = { error: 'must be text or a list of texts' }

const schema = z
  .strictObject({
    provider: z.enum(PROVIDER_CHOICES).describe('cloud to run on').optional(),
    run: section(RUN_KEYS).describe('what to run and on which VMs; provider sections win over it').optional(),
    ...Object.fromEntries(
      SECTIONS.map(name => [
        name,
        section({ ...PROVIDER_KEYS[name], ...RUN_KEYS })
          .describe(`settings for ${name}`)
          .optional(),
      ]),
    ),
  })
  .describe('Job file of Cloud Tasks')

/** `content` is the parsed YAML: an untrusted value. An empty document is an empty job file only if the caller says so. */
export function parseJobFile(content: unknown): { file: JobFile } | { problems: readonly JobFileProblem[] } {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return { problems: [{ path: [], message: 'must be a mapping with keys such as provider and run' }] }
  }
  const result = schema.safeParse(withoutNulls(content))
  if (result.success) return { file: result.data as JobFile }
  return { problems: result.error.issues.flatMap(issue => problemsOf(issue)) }
}

/** One value that came as text, e.g. from the command line, by the rules of the file. */
export function parseConfigValue(key: string, value: unknown): { value: unknown } | { message: string } {
  const spec = specOf(key)
  if (spec === undefined) return { message: `unknown key "${key}"` }
  const result = valueSchema(spec).safeParse(value)
  if (result.success) return { value: result.data }
  return { message: result.error.issues[0]?.message ?? 'is not valid' }
}

/** JSON Schema for editors. */
export function jobFileJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' })
}

export function specOf(key: string): KeySpec | undefined {
  const tables: Readonly<Record<string, KeySpec>>[] = [RUN_KEYS, ...Object.values(PROVIDER_KEYS)]
  return tables.find(table => Object.hasOwn(table, key))?.[key]
}

function section(table: Readonly<Record<string, KeySpec>>) {
  const shape = Object.fromEntries(
    Object.entries(table).map(([key, spec]) => [key, valueSchema(spec).describe(describe(spec)).optional()]),
  )
  return z.strictObject(shape)
}

function describe(spec: KeySpec): string {
  const unit = 'unit' in spec && spec.unit !== undefined ? ` (${spec.unit})` : ''
  return `${spec.doc}${unit}${spec.default === undefined ? '' : `. Default: ${spec.default}`}`
}

function valueSchema(spec: KeySpec): z.ZodType {
  switch (spec.type) {
    case 'int':
    case 'float': {
      const error = `must be ${numberForm(spec)}`
      let number = spec.type === 'int' ? z.int({ error }) : z.number({ error })
      if (spec.least !== undefined) number = number.gte(spec.least, { error })
      if (spec.above !== undefined) number = number.gt(spec.above, { error })
      return z.preprocess(toNumber, number)
    }
    case 'bool':
      return z.preprocess(toBoolean, z.boolean({ error: 'must be true or false' }))
    case 'text': {
      const text = z.string({ error: 'must be text (put it in quotes)' }).min(1, { error: 'must not be empty' })
      return spec.pattern === undefined ? text : text.regex(spec.pattern, { error: `must be ${spec.form}` })
    }
    case 'list':
      return z.union([z.string().min(1, LIST), z.array(z.string().min(1, LIST), LIST).min(1, LIST)], LIST)
    case 'choice':
      return z.enum(spec.choices as [string, ...string[]], { error: `must be one of ${spec.choices.join(', ')}` })
    case 'map':
      return z.record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' }),
        z.string({ error: 'must be text (put it in quotes)' }),
        { error: 'must be a mapping of names to texts' },
      )
    case 'fallback':
      return z.union(
        [
          z.literal('never'),
          z.strictObject({ after_preemptions: z.preprocess(toNumber, z.int().gt(0)) }),
          z.strictObject({ after_wait: z.preprocess(toNumber, z.number().gte(0)) }),
        ],
        { error: 'must be never, after_preemptions: <count>, or after_wait: <seconds>' },
      )
  }
}

function numberForm({ type, least, above }: Extract<KeySpec, { type: 'int' | 'float' }>): string {
  const kind = type === 'int' ? 'a whole number' : 'a number'
  if (above !== undefined) return `${kind} > ${above}`
  return least === undefined ? kind : `${kind} ≥ ${least}`
}

/** Numeric text counts as a number: `"8"`, `1_000`, `2.0`. `inf` = no limit. */
function toNumber(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const text = value.trim().replace(/(?<=\d)_(?=\d)/g, '')
  if (/^\+?(inf|infinity)$/i.test(text)) return NO_LIMIT
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : value
}

const NO_LIMIT = Number.MAX_VALUE // finite, so that it stays a number in JSON
const TRUE = new Set(['true', 'yes', 'on', '1', 'y', 't'])
const FALSE = new Set(['false', 'no', 'off', '0', 'n', 'f'])

function toBoolean(value: unknown): unknown {
  const text = String(value).toLowerCase()
  if (typeof value !== 'string' && typeof value !== 'number') return value
  return TRUE.has(text) ? true : FALSE.has(text) ? false : value
}

/** `key:` with nothing behind it means "not given", as it does for an empty section. */
function withoutNulls(content: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(content)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([key, value]) => [key, isMapping(value) ? withoutNulls(value) : value === Infinity ? NO_LIMIT : value]),
  )
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Issue = z.core.$ZodIssue

function problemsOf(issue: Issue): JobFileProblem[] {
  const path = issue.path.map(part => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({ path: [...path, key], message: unknownKey(path, key) }))
  }
  if (issue.code === 'invalid_type' && issue.expected === 'object') {
    return [{ path, message: 'must be a mapping of keys to values' }]
  }
  if (path[0] === 'provider') return [{ path, message: `must be one of ${PROVIDER_CHOICES.join(', ')}` }]
  return [{ path, message: issue.message }]
}

function unknownKey(path: readonly (string | number)[], key: string): string {
  const sections: Readonly<Record<string, readonly string[]>> = {
    run: Object.keys(RUN_KEYS),
    ...Object.fromEntries(
      SECTIONS.map(name => [name, [...Object.keys(PROVIDER_KEYS[name]), ...Object.keys(RUN_KEYS)]]),
    ),
  }
  const here = path.length === 0 ? ['provider', 'run', ...SECTIONS] : (sections[String(path[0])] ?? [])
  const nearest = nearestOf(key, here)
  if (nearest !== undefined) return `is not a known key; did you mean ${nearest}?`
  const elsewhere = Object.entries(sections).find(([name, keys]) => name !== path[0] && keys.includes(key))
  if (elsewhere !== undefined) return `does not belong here; put it under ${elsewhere[0]}:`
  return 'is not a known key'
}
