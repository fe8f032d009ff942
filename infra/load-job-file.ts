// Reads a YAML job file and the startup script that it names, and makes the effective configuration of them and of what is
// laid over them. Every complaint is a UserError that names the file and the line.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import type { SectionValues } from '../core/config-keys.ts'
import { type LayeredConfig, layerConfig } from '../core/config-layers.ts'
import { codeOf, messageOf, UserError } from '../core/errors.ts'
import { type JobConfig, jobConfigOf } from '../core/job-config.ts'
import { type JobFile, type JobFileProblem, parseJobFile } from '../core/job-file.ts'

export interface LoadedConfig {
  readonly config: JobConfig
  readonly layered: LayeredConfig
}

export interface JobSources {
  /** Absent: the configuration is what is laid over it, and the defaults. */
  readonly path?: string | undefined
  /** Wins over the file; already parsed by its rules. */
  readonly commandLine?: SectionValues
  readonly provider?: string | undefined
}

export function loadJobFile({ path, commandLine = {}, provider: given }: JobSources): LoadedConfig {
  const file = path === undefined ? {} : readJobFile(path)
  const layered = layerConfig({ file, commandLine, provider: given })
  return loadedConfigOf(layered, folders(path, layered))
}

/** Of a job that a program wrote down instead of a file: checked by the same rules, relative paths start from the working directory. */
export function loadJobObject(job: unknown): LoadedConfig {
  const parsed = parseJobFile(job)
  if (!('file' in parsed)) {
    throw new UserError(parsed.problems.map(({ path, message }) => `job: ${path.join('.')} ${message}`).join('; '))
  }
  return loadedConfigOf(layerConfig({ file: parsed.file, commandLine: {}, provider: undefined }), () => process.cwd())
}

function loadedConfigOf(layered: LayeredConfig, base: (key: string) => string): LoadedConfig {
  const { values, provider } = layered
  return {
    layered,
    config: jobConfigOf({
      provider,
      values,
      startupScript: readScript(layered, base),
      folder: values.bundle === undefined ? base('task') : resolve(base('bundle'), values.bundle),
    }),
  }
}

function readJobFile(path: string): JobFile {
  const lineCounter = new LineCounter()
  const document = parseDocument(readText(path, 'job file'), { lineCounter, prettyErrors: false })
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

function readScript({ values }: LayeredConfig, base: (key: string) => string): string | undefined {
  if (values.startup_script_file === undefined) return values.startup_script
  return readText(resolve(base('startup_script_file'), values.startup_script_file), 'startup_script_file')
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why =
      codeOf(cause) === 'ENOENT' ? 'does not exist' : codeOf(cause) === 'EISDIR' ? 'is a folder' : messageOf(cause)
    throw new UserError(`${what} ${path} ${why}`, { cause })
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
