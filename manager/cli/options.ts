// Every option of every command, once: parsing and --help both read these tables.
import { ALL_PROVIDER_KEYS, RUN_KEYS, SECTIONS } from '../../core/config-keys.ts'
import type { KeySpec } from '../../core/key-spec.ts'

export interface OptionSpec {
  /** Without the dashes. */
  readonly flag: string
  readonly short?: string
  /** `flag`: given or not. `pair`: --x or --no-x. `count`: how often. `words`: one or more values. */
  readonly type: 'text' | 'int' | 'float' | 'flag' | 'pair' | 'count' | 'words'
  readonly doc: string
  readonly choices?: readonly string[]
  readonly unit?: string
  /** The job file's key that this option beats. */
  readonly key?: string
  /** Unknown to the Python system, wholly or in its `--no-` form: gives way when a shortened option could be one of theirs. */
  readonly added?: boolean | 'no-'
  /** For completion in a shell. */
  readonly names?: 'file' | 'folder'
}

export interface OptionGroup {
  readonly title: string
  readonly options: readonly OptionSpec[]
}

// As in the Python system, where --startup-script abbreviates …-file.
const WITHOUT_OPTION = new Set(['startup_script'])

const NAMES: Readonly<Record<string, 'file' | 'folder'>> = {
  startup_script_file: 'file',
  credentials_file: 'file',
  db_file: 'file',
  bundle: 'folder',
  root: 'folder',
}

const COMMON: OptionGroup = {
  title: 'Common options',
  options: [
    { flag: 'config', type: 'text', names: 'file', doc: 'job file (YAML)' },
    {
      flag: 'provider',
      type: 'text',
      choices: [...SECTIONS, ...SECTIONS.map(name => name.toUpperCase())],
      doc: 'cloud',
    },
    ...providerOptions([
      'exactly_once_queue',
      'access_key',
      'secret_key',
      'project_id',
      'credentials_file',
      'service_account',
      'worker_service_account',
      'runner_service_account',
    ]),
    { flag: 'verbose', short: 'v', type: 'count', doc: 'more log on stderr; twice for all' },
    { flag: 'quiet', type: 'flag', added: true, doc: 'no progress, only warnings and results' },
    { flag: 'help', short: 'h', type: 'flag', doc: 'this text' },
  ],
}
const JOB: OptionGroup = { title: 'Job', options: providerOptions(['job_id', 'queue_name']) }
const JOB_ID: OptionGroup = { title: 'Job', options: providerOptions(['job_id']) }
const LOCATION: OptionGroup = { title: 'Location', options: providerOptions(['region', 'zone']) }
const LOCAL: OptionGroup = { title: 'Local provider', options: providerOptions(['root']) }
const POOL: OptionGroup = { title: 'VMs and tasks', options: runOptions('pool') }
const INSTANCE: OptionGroup = { title: 'Choice of instance type', options: runOptions('instance') }

/** Shared by several commands. */
export const GROUPS = { COMMON, JOB, JOB_ID, LOCATION, LOCAL, POOL, INSTANCE }

/** Which tasks: for commands that read a task file. */
export const TASK_FILE: readonly OptionSpec[] = [
  {
    flag: 'task-file',
    type: 'text',
    names: 'file',
    doc: 'tasks: .json, .jsonl or .yaml, each also .gz; a path or a URL',
  },
  { flag: 'start-task', type: 'int', doc: 'skip this many tasks of the file' },
  { flag: 'limit', type: 'int', doc: 'take at most this many tasks' },
]
export const LOADING: OptionGroup = {
  title: 'Loading',
  options: [
    ...TASK_FILE,
    { flag: 'max-concurrent-queue-operations', type: 'int', doc: 'kept for compatibility: sending is batched' },
    { flag: 'continue', type: 'flag', doc: 'go on with the job in the database instead of starting it anew' },
    { flag: 'force', short: 'f', type: 'flag', doc: 'do not ask before an earlier run of the job is replaced' },
  ],
}

export const DB_FILE: OptionSpec = {
  flag: 'db-file',
  type: 'text',
  key: 'db_file',
  names: 'file',
  doc: 'SQLite file of the job (default <job id>.db)',
}
export const OUTPUT_FILE: OptionSpec = {
  flag: 'output-file',
  type: 'text',
  names: 'file',
  doc: 'append every event to this JSON lines file',
}
export const CATALOG: OptionSpec = {
  flag: 'catalog',
  type: 'text',
  names: 'file',
  added: true,
  doc: 'JSON file of offers instead of the cloud’s own',
}
export const CSV_OUTPUT: OptionSpec = {
  flag: 'csv',
  type: 'flag',
  added: true,
  doc: 'print the tasks as CSV, one line each',
}
export const HTML_OUTPUT: OptionSpec = {
  flag: 'html',
  type: 'text',
  names: 'file',
  added: true,
  doc: 'write it to this file, with charts and tables, to look at in a browser',
}
export const JSON_OUTPUT: OptionSpec = { flag: 'json', type: 'flag', added: true, doc: 'print JSON' }

export const METRICS: OptionGroup = {
  title: 'Metrics',
  options: [
    {
      flag: 'metrics-port',
      type: 'int',
      added: true,
      doc: 'serve metrics to Prometheus at this port; 0 = one that is free',
    },
    { flag: 'metrics-host', type: 'text', added: true, doc: 'at this address (default 127.0.0.1)' },
  ],
}

function providerOptions(keys: readonly (keyof typeof ALL_PROVIDER_KEYS)[]): OptionSpec[] {
  return keys.map(key => optionOf(key, ALL_PROVIDER_KEYS[key]))
}

function runOptions(group: 'pool' | 'instance'): OptionSpec[] {
  return Object.entries<KeySpec>(RUN_KEYS)
    .filter(([key, spec]) => spec.group === group && !WITHOUT_OPTION.has(key))
    .flatMap(([key, spec]) => (spec.type === 'map' ? [] : [optionOf(key, spec)]))
}

function optionOf(key: string, spec: Exclude<KeySpec, { type: 'map' }>): OptionSpec {
  const shared = {
    flag: spec.flag ?? key.replaceAll('_', '-'),
    key,
    doc: docOf(spec),
    ...(spec.added ? { added: true } : undefined),
    ...(key in NAMES ? { names: NAMES[key] } : undefined),
  }
  switch (spec.type) {
    case 'int':
    case 'float':
      return { ...shared, type: spec.type, ...(spec.unit === undefined ? undefined : { unit: spec.unit }) }
    case 'bool':
      return { ...shared, type: 'pair', ...(key === 'use_spot' ? { added: 'no-' as const } : undefined) }
    case 'list':
      return { ...shared, type: 'words' }
    case 'choice':
      return { ...shared, type: 'text', choices: spec.choices }
    case 'fallback':
      return { ...shared, type: 'text', doc: `${spec.doc}; e.g. after_wait=600` }
    case 'text':
      return { ...shared, type: 'text' }
  }
}

function docOf({ doc, default: fallback }: KeySpec): string {
  return fallback === undefined ? doc : `${doc} (default ${fallback})`
}
