// Packs the agent of this very installation, with the packages it needs for one cloud, so that VMs run what their maker runs.

import { existsSync, globSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import type { ProviderName } from '../provider.ts'
import { type Archive, packArchive } from './archive.ts'

const EXTENSION = extname(import.meta.url) // .ts in a clone, .js where it is installed
const ROOMS = ['agent', 'core', 'infra']
const PACKAGES: Readonly<Record<ProviderName, readonly string[]>> = {
  local: ['zod', 'yaml'],
  aws: ['zod', 'yaml', '@aws-sdk/client-sqs', '@aws-sdk/client-s3'],
  gcp: ['zod', 'yaml', '@google-cloud/pubsub', '@google-cloud/storage', 'google-auth-library'],
  azure: ['zod', 'yaml'],
}
const TRACING = [
  '@opentelemetry/api',
  '@opentelemetry/sdk-trace-node',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
]
/** What nobody reads at run time. */
const LEFT_OUT =
  /(^|\/)(test|tests|docs?|examples?|dist-types|\.github)\/|\.(d\.[mc]?ts|map|md|markdown|flow)$|\.ts\.map$/

export interface AgentArchiveOptions {
  readonly cloud: ProviderName
  /** Where the archive is written. */
  readonly folder: string
  /** With what sends traces. */
  readonly tracing?: boolean
}

/** The archive holds bin/cloud-tasks-agent, which expects Node as `node` on the PATH, and the agent's Python package. */
export async function packAgent({ cloud, folder, tracing = false }: AgentArchiveOptions): Promise<Archive> {
  const root = packageRoot()
  const stage = await mkdtemp(join(tmpdir(), 'cloud-tasks-agent-'))
  try {
    const code = EXTENSION === '.ts' ? '' : 'dist/'
    const paths = ROOMS.flatMap(room => globSync(`${code}${room}/**/*${EXTENSION}`, { cwd: root, exclude: notForVms }))
    const python = globSync('agent/python/cloud_tasks/*.py', { cwd: root })
    const packages = packageFiles(root, [...PACKAGES[cloud], ...(tracing ? TRACING : [])])
    const program = `#!/bin/sh\nexec node "$(dirname "$(readlink -f "$0")")/../${code}agent/main${EXTENSION}" "$@"\n`
    await copyInto(stage, root, [...paths, ...python, 'package.json', ...packages])
    await mkdir(join(stage, 'bin'), { recursive: true })
    await writeFile(join(stage, 'bin/cloud-tasks-agent'), program, { mode: 0o755 })
    const files = globSync('**', { cwd: stage, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => relative(stage, join(entry.parentPath, entry.name)))
    return await packArchive({ root: stage, paths: files }, { folder, name: `agent-${cloud}` })
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

/** Neither stacks nor their packages run on a VM. */
function notForVms(path: string): boolean {
  return /(^|\/)(node_modules|cdk|pulumi)(\/|$)/.test(path.replaceAll(sep, '/'))
}

function packageRoot(): string {
  for (const up of ['../..', '../../..']) {
    const root = fileURLToPath(new URL(up, import.meta.url))
    if (existsSync(join(root, 'package.json'))) return root
  }
  throw new UserError('This installation of cloud-tasks is incomplete: its package.json is missing. Install it anew.')
}

/** Of the packages and all that they need, where they lie, relative to `root`. */
function packageFiles(root: string, names: readonly string[]): string[] {
  const folders = new Set<string>()
  const waiting = names.map(name => ({ name, from: root }))
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const folder = folderOf(next.name, next.from)
    if (folder === undefined || folders.has(folder)) continue
    folders.add(folder)
    const { dependencies = {} }: { dependencies?: Record<string, string> } = createRequire(import.meta.url)(
      join(folder, 'package.json'),
    )
    for (const name of Object.keys(dependencies)) waiting.push({ name, from: folder })
  }
  return [...folders].flatMap(folder =>
    globSync('**', { cwd: folder, withFileTypes: true, exclude: entry => entry.name === 'node_modules' })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .filter(path => !LEFT_OUT.test(relative(folder, path).replaceAll(sep, '/')))
      .map(path => relative(root, path)),
  )
}

/** As Node looks for it: in each node_modules from `from` upwards. */
function folderOf(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
    if (folder === dirname(folder)) return undefined // an optional one that is not installed
  }
}

async function copyInto(stage: string, root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const from = join(root, path)
    // Installed beside us, the packages lie above our own folder.
    const to = join(stage, path.replace(/^(\.\.[/\\])+/, '').replace(/^.*?node_modules/, 'node_modules'))
    await mkdir(dirname(to), { recursive: true })
    await writeFile(to, await readFile(from))
  }
}
