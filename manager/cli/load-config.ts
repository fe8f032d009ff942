// Reads the job file and lays the command line over it. Every complaint about either is an InvalidConfiguration.
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import type { SectionValues } from '../../core/config-keys.ts'
import { type LayeredConfig, layerConfig } from '../../core/config-layers.ts'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import { type JobConfig, jobConfigOf } from '../../core/job-config.ts'
import { type JobFile, type JobFileProblem, parseConfigValue, parseJobFile } from '../../core/job-file.ts'
import { COMMANDS, optionsOf } from './commands.ts'
import type { Invocation } from './invocation.ts'

/** Printed on stdout as `Invalid configuration: …`; exit code 1. */
class InvalidConfiguration extends Error {
  override readonly name = 'InvalidConfiguration'
}

export interface LoadedConfig {
  readonly config: JobConfig
  readonly layered: LayeredConfig
}

export async function loadConfig({ options, terminal }: Invocation): Promise<LoadedConfig> {
  try {
    const path = options.text('config')
    const file = path === undefined ? {} : await readJobFile(path)
    const commandLine = commandLineValues({ options })
    const layered = layerConfig({ file, commandLine, provider: options.text('provider') })
    for (const warning of layered.warnings) terminal.log('WARNING', warning)
    const base = folders(path, layered)
    const { values, provider } = layered
    return {
      layered,
      config: jobConfigOf({
        provider,
        values,
        startupScript: await readScript(layered, base),
        folder: values.bundle === undefined ? base('task') : resolve(base('bundle'), values.bundle),
      }),
    }
  } catch (error) {
    if (error instanceof UserError && error.exitCode === 1)
      throw new InvalidConfiguration(error.message, { cause: error })
    throw error
  }
}

async function readJobFile(path: string): Promise<JobFile> {
  const lineCounter = new LineCounter()
  const document = parseDocument(await readText(path, 'job file'), { lineCounter, prettyErrors: false })
  const [broken] = document.errors
  if (broken !== undefined) {
    throw new UserError(
      `${path} line ${lineCounter.linePos(broken.pos[0]).line}: not YAML: ${firstLine(broken.message)}`,
    )
  }
  const content: unknown = document.toJS()
  if (content === null || content === undefined)
    throw new UserError(`${path} is empty; it must be a mapping such as provider: local`)
  const parsed = parseJobFile(content)
  if ('file' in parsed) return parsed.file
  throw new UserError(parsed.problems.map(describe).join('; '))

  function describe({ path: keys, message }: JobFileProblem): string {
    const got = keys.length === 0 ? undefined : document.getIn(keys)
    const value = typeof got === 'string' || typeof got === 'number' ? `, got ${JSON.stringify(got)}` : ''
    const suffix = message.startsWith('must') ? value : ''
    return `${path}${lineOf(keys)}: ${keys.join('.')} ${message}${suffix}`.replace(':  ', ': ')
  }

  function lineOf(keys: JobFileProblem['path']): string {
    const node = document.getIn(keys, true)
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
    return Array.isArray(range) ? ` line ${lineCounter.linePos(Number(range[0])).line}` : ''
  }
}

/** Folder that relative paths of a key start from: the job file's own, or the working directory for the command line. */
function folders(path: string | undefined, { sources }: LayeredConfig): (key: string) => string {
  return key => (path === undefined || sources[key] === 'command line' ? process.cwd() : dirname(resolve(path)))
}

async function readScript({ values }: LayeredConfig, base: (key: string) => string): Promise<string | undefined> {
  if (values.startup_script_file === undefined) return values.startup_script
  return readText(resolve(base('startup_script_file'), values.startup_script_file), 'startup_script_file')
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const why =
      codeOf(cause) === 'ENOENT' ? 'does not exist' : codeOf(cause) === 'EISDIR' ? 'is a folder' : messageOf(cause)
    throw new UserError(`${what} ${path} ${why}`, { cause })
  }
}

const CONFIG_OPTIONS = new Map(
  COMMANDS.flatMap(optionsOf).flatMap(option => (option.key === undefined ? [] : [[option.flag, option.key] as const])),
)

function commandLineValues({ options }: Pick<Invocation, 'options'>): SectionValues {
  const values: Record<string, unknown> = {}
  for (const [flag, key] of CONFIG_OPTIONS) {
    const given = options.value(flag)
    if (given === undefined) continue
    const parsed = parseConfigValue(key, key === 'on_demand_fallback' ? fallbackOf(String(given)) : given)
    if ('message' in parsed) throw new UserError(`--${flag} ${parsed.message}, got ${JSON.stringify(given)}`)
    values[key] = parsed.value
  }
  return values
}

/** `after_wait=600` → `{ after_wait: 600 }`. */
function fallbackOf(text: string): unknown {
  const [name = '', value] = text.split(/[=:]/)
  return value === undefined ? text : { [name.trim().replaceAll('-', '_')]: value.trim() }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
