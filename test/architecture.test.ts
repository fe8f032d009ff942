// Holds the rooms apart: who may import whom, which packages live where, how long a file may get, what it may be called.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..')
const CLOUDS = ['local', 'aws', 'gcp', 'azure'] as const
const ROOMS = ['core', 'infra', 'agent', 'manager']
const MAX_LINES = 300

/** From a room, or a part of one, to the parts whose files it may import. Every part may import itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  infra: ['core'],
  'infra/task-file': ['core', 'infra'],
  'infra/delivery': ['core', 'infra'],
  ...Object.fromEntries(CLOUDS.map(cloud => [`infra/${cloud}`, ['core', 'infra', 'infra/delivery']])),
  agent: ['core', 'infra', 'infra/task-file'],
  manager: ['core', 'infra', 'infra/task-file'],
}

/** The only arrow from a room to one of its clouds, and only a dynamic one: the cloud's SDK loads when it is opened. */
const OPENER = 'infra/open-provider.ts'
const CLOUD_MAY_IMPORT = [
  ...['provider', 'notebook', 'stack', 'startup-script', 'job-script', 'open-provider'],
  ...[
    'failure-words',
    'launch-failure',
    'bucket-address',
    'web-file',
    'resumed-read',
    'cpu-rank',
    'load-job-file',
    'adaptive-limit',
    'lease-book',
    'on-first-use',
  ],
  ...['shut-down', 'price-cache', 'kept-source', 'object-key', 'pool-plan'],
].map(name => `infra/${name}.ts`)
const CLOUD_PACKAGE = /^(@aws-sdk|@aws-cdk|@smithy|aws-cdk-lib|constructs|@google-cloud|@azure|@pulumi)(\/|$)/

const allFiles = trackedFiles()
const lockFiles = allFiles.filter(file => basename(file) === 'package-lock.json')
const files = allFiles.filter(file => !lockFiles.includes(file))
const sources = files.filter(file => /\.m?ts$/.test(file) && !file.startsWith('test/fixtures/broken/'))
const imports = sources.flatMap(importsOf)
const roomImports = imports.filter(({ file }) => ROOMS.includes(topFolder(file)))

describe('architecture', () => {
  it('lets imports run only along the arrows between the rooms', () => {
    const wrong = roomImports.filter(({ file, target, dynamic }) => {
      if (target === undefined) return false
      const [from, to] = [partOf(file), partOf(target)]
      if (from === to) return false
      if (file === OPENER && isCloud(to)) return !(dynamic && basename(target) === 'index.ts')
      if (isCloud(from) && to === 'infra') return !CLOUD_MAY_IMPORT.includes(target)
      return !(ARROWS[from] ?? []).includes(to)
    })
    assert.deepEqual(wrong.map(arrow), [])
  })

  it('keeps core free of everything but Node and the schema library', () => {
    const allowed = /^(node:.*|zod)$/
    const wrong = imports.filter(
      ({ file, name }) => topFolder(file) === 'core' && !name.startsWith('.') && !allowed.test(name),
    )
    assert.deepEqual(wrong.map(arrow), [])
  })

  it('keeps cloud SDKs, CDK and Pulumi inside their own cloud', () => {
    const wrong = imports.filter(
      ({ file, name }) =>
        CLOUD_PACKAGE.test(name) && !isCloud(partOf(file.replace(/^test\/clouds\//, 'infra/').replace(/^test\//, ''))),
    )
    assert.deepEqual(wrong.map(arrow), [])
  })

  it('lets shipped code import only packages that are installed with it', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const shipped = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    const wrong = roomImports.filter(
      ({ name }) => !name.startsWith('.') && !name.startsWith('node:') && !shipped.includes(packageOf(name)),
    )
    assert.deepEqual(wrong.map(arrow), [])
  })

  it(`keeps every source file at ${MAX_LINES} lines or fewer`, () => {
    const long = sources
      .map(file => ({ file, lines: readText(file).trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > MAX_LINES)
    assert.deepEqual(long, [])
  })

  it('names files after what they hold', () => {
    const vague = sources.filter(file => {
      const name = basename(file).replace(/(\.test)?\.m?ts$/, '')
      if (name === 'index') return !isCloud(partOf(file))
      return /(^|-)(utils?|helpers?|common|types|misc)(-|$)/.test(name)
    })
    assert.deepEqual(vague, [])
  })

  it('opens every source file of a room with a comment that says what it owns', () => {
    const silent = sources
      .filter(file => ROOMS.includes(topFolder(file)))
      .filter(file => !/^(#![^\n]*\n)?(\/\/|\/\*\*)/.test(readText(file)))
    assert.deepEqual(silent, [])
  })

  it('locks the packages of every platform, so that npm ci works on each (else: node scripts/complete-lock.ts)', () => {
    const missing = lockFiles.flatMap(file => {
      const { packages }: Lock = JSON.parse(readText(file))
      const locked = Object.keys(packages)
      return Object.values(packages)
        .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
        .filter(name => !locked.some(key => key.endsWith(`node_modules/${name}`)))
        .map(name => `${file}: ${name}`)
    })
    assert.deepEqual(missing, [])
  })

  it('writes no path of one particular machine into any file', () => {
    // In pieces, so that this file does not find itself.
    const machinePath = new RegExp(`(^|[\\s'"\`(=:])/(${['work', 'root', 'home', 'Users'].join('|')})/[\\w.-]+/`, 'm')
    const wrong = files.filter(file => machinePath.test(readText(file)))
    assert.deepEqual(wrong, [])
  })
})

interface Lock {
  readonly packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>
}

interface Import {
  readonly file: string
  readonly name: string
  readonly dynamic: boolean
  /** Path of the imported file from the root; undefined for a package. */
  readonly target: string | undefined
}

function importsOf(file: string): Import[] {
  const text = readText(file)
  const fixed = [...text.matchAll(/^(?:import|export)\b(?:[^'"`;=]*?\bfrom\s*|\s*)['"]([^'"]+)['"]/gm)]
  const lazy = [...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)]
  return [
    ...fixed.map(match => ({ name: match[1] ?? '', dynamic: false })),
    ...lazy.map(match => ({ name: match[1] ?? '', dynamic: true })),
  ].map(found => ({
    ...found,
    file,
    target: found.name.startsWith('.') ? relative('/', join('/', dirname(file), found.name)) : undefined,
  }))
}

function arrow({ file, name }: Import): string {
  return `${file} → ${name}`
}

function topFolder(file: string): string {
  return file.split('/')[0] ?? ''
}

/** `infra/aws` for a file in there, `agent` for any file of the agent. */
function partOf(file: string): string {
  const [room = '', folder, ...rest] = file.split('/')
  return room === 'infra' && rest.length > 0 ? `${room}/${folder}` : room
}

function isCloud(part: string): boolean {
  return CLOUDS.some(cloud => part === `infra/${cloud}`)
}

/** `@scope/name` of `@scope/name/inside`. */
function packageOf(name: string): string {
  return name.split('/', name.startsWith('@') ? 2 : 1).join('/')
}

function readText(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function trackedFiles(): string[] {
  const listing = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
  return listing.split('\0').filter(file => file !== '' && existsSync(join(root, file)))
}
