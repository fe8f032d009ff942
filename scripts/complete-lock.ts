// Adds to package-lock.json what npm left out: the optional packages of other platforms that its registry mirror lacked
// at the time. Without them `npm ci` refuses the lock everywhere (https://github.com/npm/cli/issues/4828).
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']
const PROCESSORS = ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 'riscv64', 's390x']

interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const file = join(import.meta.dirname, '../package-lock.json')
const lock: { packages: Record<string, LockedPackage> } = JSON.parse(readFileSync(file, 'utf8'))

let addedCount = 0
for (const { dev, optionalDependencies = {} } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`
    if (key in lock.packages) continue
    lock.packages[key] = {
      version,
      ...platformOf(name),
      ...(dev ? { dev } : undefined),
      optional: true,
    } as LockedPackage
    addedCount++
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
console.log(`package-lock.json: ${addedCount} packages of other platforms added.`)

/** From names such as `@oxc-parser/binding-linux-arm-gnueabihf`. npm installs nothing whose platform is not its own. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const words = name.split('/').at(-1)?.split('-') ?? []
  const os = SYSTEMS.filter(system => words.includes(system))
  const cpu = PROCESSORS.filter(processor => words.includes(processor))
  if (os.length !== 1 || cpu.length !== 1) {
    throw new Error(
      `"${name}" is missing from package-lock.json and names no platform: run npm install where it exists.`,
    )
  }
  const libc = words.some(word => word.startsWith('musl'))
    ? 'musl'
    : words.some(word => word.startsWith('gnu'))
      ? 'glibc'
      : undefined
  return { os, cpu, ...(libc === undefined ? undefined : { libc: [libc] }) }
}
