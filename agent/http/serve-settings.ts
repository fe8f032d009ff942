// The settings of `serve`, from four places: an option beats the environment, which beats the .env file, which beats
// config.json. What concerns the queue and the retries are the agent's settings; the rest is here.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import { type AgentSettings, SETTING_ENTRIES } from '../../core/settings.ts'
import { parseCommandLine } from '../command-line.ts'

export interface ServeSettings {
  readonly agent: AgentSettings
  readonly queueName: string
  readonly host: string
  readonly port: number
  readonly apiKeys: readonly string[]
  /** Of a claim that does not say; a heartbeat starts it anew. */
  readonly claimLeaseSeconds: number
  readonly maxClaimLeaseSeconds: number
  readonly maxBodyBytes: number
  readonly stateFile: string
  /** undefined = stderr. */
  readonly logFile: string | undefined
  readonly verbose: boolean
}
export type ServeAsk = { readonly ask: 'help' } | { readonly ask: 'serve'; readonly settings: ServeSettings }

type Env = Readonly<Record<string, string | undefined>>
interface ServeOption {
  readonly env?: string
  /** Key in the `server` section of config.json. */
  readonly key?: string
  readonly fallback?: string
  readonly doc: string
}

const OPTIONS = {
  port: {
    env: 'RMS_CLOUD_TASKS_SERVE_PORT',
    key: 'port',
    fallback: '8080',
    doc: 'port to listen on; 0 = any free one',
  },
  host: {
    env: 'RMS_CLOUD_TASKS_SERVE_HOST',
    key: 'host',
    fallback: '127.0.0.1',
    doc: 'address to listen on; 0.0.0.0 = all, then put TLS in front of it',
  },
  'claim-lease': {
    env: 'RMS_CLOUD_TASKS_SERVE_CLAIM_LEASE',
    key: 'claim_lease',
    fallback: '300',
    doc: 'seconds that a claim lasts without a heartbeat, unless it says otherwise',
  },
  'max-claim-lease': {
    env: 'RMS_CLOUD_TASKS_SERVE_MAX_CLAIM_LEASE',
    key: 'max_claim_lease',
    fallback: '43200',
    doc: 'most seconds that a claim may ask for',
  },
  'max-body-bytes': {
    env: 'RMS_CLOUD_TASKS_SERVE_MAX_BODY_BYTES',
    key: 'max_body_bytes',
    fallback: String(16 * 1024 ** 2),
    doc: 'longest body of a request',
  },
  'state-file': {
    env: 'RMS_CLOUD_TASKS_SERVE_STATE_FILE',
    key: 'state_file',
    doc: 'SQLite file that remembers claims over a restart (default: .cloud-tasks/serve/QUEUE.sqlite)',
  },
  'api-keys-file': {
    env: 'RMS_CLOUD_TASKS_SERVE_API_KEYS_FILE',
    key: 'api_keys_file',
    doc: 'file with an API key in each line, as key or as name:key',
  },
  config: { doc: 'config.json to read' },
  'env-file': { doc: 'file of environment variables to read (default: .env, if it is there)' },
} as const satisfies Readonly<Record<string, ServeOption>>

type OptionName = keyof typeof OPTIONS
const OPTION_ENTRIES: readonly (readonly [string, ServeOption])[] = Object.entries(OPTIONS)

/** Settings of the agent that mean something to a server. */
const AGENT_FLAGS = [
  ...['provider', 'project-id', 'region', 'local-root', 'job-id', 'queue-name', 'exactly-once-queue'],
  ...['visibility-timeout', 'retry-on-exception', 'max-attempts', 'max-preemptions', 'shutdown-grace-period'],
]

export function parseServe(words: readonly string[], processEnv: Env): ServeAsk {
  const { own, rest } = splitWords(words)
  const envFile = own['env-file'] === undefined ? readIfThere('.env') : readNamed(own['env-file'], '--env-file')
  const config = own.config === undefined ? NO_CONFIG : parseConfig(own.config, readNamed(own.config, '--config'))
  const env: Env = { ...config.env, ...withOurNames(parseEnv(envFile)), ...withOurNames(processEnv) }
  const { settings: agent, task, ask, verbose } = parseCommandLine(rest, env)
  if (ask === 'help') return { ask: 'help' }
  if (task !== undefined) throw usage('serve takes no task: workers ask it for tasks over HTTP')

  const text = (name: OptionName): string | undefined => {
    const option: ServeOption = OPTIONS[name]
    return own[name] ?? (option.env === undefined ? undefined : env[option.env]) ?? option.fallback
  }
  const number = (name: OptionName, least: number, most: number): number => {
    const value = Number(text(name))
    if (Number.isFinite(value) && value >= least && value <= most) return value
    throw new UserError(`--${name} must be a number from ${least} to ${most}, got "${text(name)}".`)
  }
  const queueName = agent.queueName ?? agent.jobId
  if (agent.provider === undefined)
    throw new UserError('Provider must be specified with --provider or RMS_CLOUD_TASKS_PROVIDER.')
  if (queueName === undefined)
    throw new UserError('The queue is not known: give --queue-name or --job-id (RMS_CLOUD_TASKS_JOB_ID).')
  return {
    ask: 'serve',
    settings: {
      agent,
      queueName,
      host: text('host') ?? '',
      port: number('port', 0, 65_535),
      apiKeys: collectKeys(env, config.apiKeys, text('api-keys-file')),
      claimLeaseSeconds: number('claim-lease', 1, 7 * 86_400),
      maxClaimLeaseSeconds: number('max-claim-lease', 1, 7 * 86_400),
      maxBodyBytes: number('max-body-bytes', 1024, 256 * 1024 ** 2),
      stateFile: text('state-file') ?? join('.cloud-tasks', 'serve', `${encodeURIComponent(queueName)}.sqlite`),
      logFile: env.LOG_FILE,
      verbose: verbose || env.LOG_LEVEL?.toLowerCase() === 'debug',
    },
  }
}

export function renderServeHelp(): string {
  const own = OPTION_ENTRIES.flatMap(([name, { doc, fallback, env }]) => [
    `  --${name} ${name.endsWith('file') || name === 'config' ? 'FILE' : 'VALUE'}`,
    `      ${doc}${fallback === undefined ? '' : ` (default ${fallback})`}${env === undefined ? '' : ` [${env}]`}`,
  ])
  const shared = SETTING_ENTRIES.filter(([, { flag }]) => AGENT_FLAGS.includes(flag)).flatMap(
    ([, { flag, type, doc, env }]) => [`  --${type === 'boolean' ? '[no-]' : ''}${flag}`, `      ${doc} [${env}]`],
  )
  return [
    'Usage: cloud-tasks-agent serve [options]',
    '',
    'Serves the tasks of a queue over HTTP, for workers in any language: docs/workers/http.md.',
    'API keys come from API_KEY or API_KEYS (key or name:key, with commas between) in the environment or the .env file,',
    'from config.json, or from --api-keys-file.',
    '',
    'Options:',
    ...own,
    ...shared,
    '  -v, --verbose',
    '      log more [LOG_LEVEL=debug]',
    '',
  ].join('\n')
}

// ---- where settings come from

function splitWords(words: readonly string[]): { own: Partial<Record<OptionName, string>>; rest: readonly string[] } {
  const own: Partial<Record<OptionName, string>> = {}
  const rest: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    const [name = '', value] = word.startsWith('--') ? splitAtEquals(word.slice(2)) : []
    if (!isOption(name)) rest.push(word)
    else {
      const given = value ?? words[++i]
      if (given === undefined) throw usage(`--${name} needs a value`)
      own[name] = given
    }
  }
  return { own, rest }
}

function splitAtEquals(text: string): readonly [string, string?] {
  const equals = text.indexOf('=')
  return equals === -1 ? [text] : [text.slice(0, equals), text.slice(equals + 1)]
}

function isOption(name: string): name is OptionName {
  return name in OPTIONS
}

/** The worker's names for settings that ours are others for; ours beat them. */
function withOurNames(env: Env): Env {
  const attempts = env.MAX_RETRIES
  return attempts === undefined ? env : { RMS_CLOUD_TASKS_MAX_ATTEMPTS: attempts, ...env }
}

interface Config {
  readonly env: Env
  readonly apiKeys: readonly string[]
}
const NO_CONFIG: Config = { env: {}, apiKeys: [] }

/** Sections `worker` and `logging` as workers have them, and `server` with our own options and the agent's. */
function parseConfig(file: string, text: string): Config {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new UserError(`${file} is not JSON: ${messageOf(error)}.`, { cause: error })
  }
  const env: Record<string, string> = {}
  const worker = section(json, 'worker', file)
  const logging = section(json, 'logging', file)
  if (worker.max_retries !== undefined) env.RMS_CLOUD_TASKS_MAX_ATTEMPTS = String(worker.max_retries)
  if (logging.level !== undefined) env.LOG_LEVEL = String(logging.level)
  if (logging.file !== undefined) env.LOG_FILE = String(logging.file)
  const { api_keys: keys = [], ...server } = section(json, 'server', file)
  for (const [key, value] of Object.entries(server)) {
    const option = OPTION_ENTRIES.find(([, candidate]) => candidate.key === key)?.[1].env
    const shared = SETTING_ENTRIES.find(
      ([, { flag }]) => flag === key.replaceAll('_', '-') && AGENT_FLAGS.includes(flag),
    )
    const name = option ?? shared?.[1].env
    if (name === undefined || typeof value === 'object')
      throw new UserError(`${file}: "server.${key}" is not a setting.`)
    env[name] = String(value)
  }
  if (!Array.isArray(keys) || keys.some(key => typeof key !== 'string')) {
    throw new UserError(`${file}: "server.api_keys" must be a list of keys, each as "key" or "name:key".`)
  }
  return { env, apiKeys: keys }
}

function section(json: unknown, name: string, file: string): Readonly<Record<string, unknown>> {
  const found = isObject(json) ? json[name] : null
  if (found === undefined) return {}
  if (isObject(found)) return found
  throw new UserError(`${file}: ${isObject(json) ? `"${name}"` : 'the whole of it'} must be an object.`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function collectKeys(env: Env, configured: readonly string[], file: string | undefined): readonly string[] {
  const lines = file === undefined ? [] : readNamed(file, '--api-keys-file').split('\n')
  const words = [env.API_KEY ?? '', ...(env.API_KEYS ?? '').split(','), ...configured, ...lines]
  const keys = [...new Set(words.map(word => word.trim()).filter(word => word !== '' && !word.startsWith('#')))]
  if (keys.length > 0) return keys
  throw new UserError(
    'There is no API key: put API_KEY=… into the environment or a .env file, or give --api-keys-file.',
  )
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw new UserError(`${resolve(file)} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

function readNamed(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UserError(`${option} ${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

function usage(problem: string): UserError {
  return new UserError(`${problem}. See cloud-tasks-agent serve --help.`, { exitCode: 2 })
}
